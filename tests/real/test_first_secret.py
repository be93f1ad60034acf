"""What the Job `first-secret` makes, run for real against an API server's answers on loopback."""

import base64
import functools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.labs import ROOT

pytestmark = pytest.mark.real
SCRIPT = ROOT / "gitops" / "shared" / "first-secret" / "make.py"
PLACE = "/api/v1/namespaces/dex/secrets/first-secret"


@dataclass
class Api:
    """One Secret, and how it is patched."""

    data: dict[str, str] = field(default_factory=dict)
    version: int = 7
    came_between: bool = False
    """Whether somebody else writes the Secret after it was read."""
    refuses: bool = False
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, content type, bearer."""
    address: str = ""

    def value(self, key: str) -> bytes:
        return base64.b64decode(self.data[key])


class Handler(BaseHTTPRequestHandler):
    def __init__(self, api: Api, *arguments: object) -> None:
        self.api = api
        super().__init__(*arguments)  # pyright: ignore[reportArgumentType] # the server hands over what its base wants

    def do_GET(self) -> None:
        self._note()
        if self.api.refuses:
            self._say(403, {"message": 'secrets "first-secret" is forbidden'})
            return
        # An empty Secret of Kubernetes has no `data` at all
        data = {"data": self.api.data} if self.api.data else {}
        self._say(200, {"metadata": {"resourceVersion": str(self.api.version)}, **data})
        self.api.version += self.api.came_between

    def do_PATCH(self) -> None:
        self._note()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["metadata"]["resourceVersion"] != str(self.api.version):
            self._say(409, {"message": "the object has been modified"})
            return
        self.api.data.update(body["data"])
        self._say(200, {"metadata": {}})

    def _note(self) -> None:
        assert self.path == PLACE
        kind = self.headers.get("Content-Type", "")
        self.api.asked.append((self.command, kind, self.headers.get("Authorization")))

    def _say(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
        pass


@pytest.fixture
def api() -> Iterator[Api]:
    found = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, found))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def make(tmp_path: Path, api: Api) -> Callable[[str], subprocess.CompletedProcess[str]]:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("a-token\n")

    def run(kind: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KIND": kind, "NAMESPACE": "dex"}
        environment |= {"ACCOUNT_FOLDER": str(account), "API": api.address}
        command = [sys.executable, str(SCRIPT)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return run


def test_a_password_is_made_once_with_its_hash_and_shown_to_nobody(
    api: Api, make: Callable[[str], subprocess.CompletedProcess[str]], require_tool: Callable[[str], str]
) -> None:
    first = make("password")
    assert (first.returncode, first.stdout, first.stderr) == (0, "first-secret has password, hash now\n", "")
    assert api.asked[-1] == ("PATCH", "application/merge-patch+json", "Bearer a-token")
    made = dict(api.data)
    again = make("password")
    assert (again.returncode, again.stdout) == (0, "first-secret has password, hash: nothing to do\n")
    assert api.data == made
    # Perl's crypt is the C library's: another reader of the same hash
    word, found = api.value("password").decode(), api.value("hash").decode()
    perl = [require_tool("perl"), "-e", "chomp(@l = <STDIN>); print crypt($l[0], $l[1]) eq $l[1] ? 'same' : 'other'"]
    assert len(word) >= 26
    assert subprocess.run(perl, input=f"{word}\n{found}\n", capture_output=True, text=True).stdout == "same"
    assert subprocess.run(perl, input=f"{word}x\n{found}\n", capture_output=True, text=True).stdout == "other"


def test_two_passwords_are_never_the_same(api: Api, make: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    make("password")
    first = api.value("password")
    api.data.clear()
    make("password")
    assert api.value("password") != first


def test_a_gpg_key_is_made_once_and_needs_no_passphrase(
    api: Api,
    make: Callable[[str], subprocess.CompletedProcess[str]],
    require_tool: Callable[[str], str],
    tmp_path: Path,
) -> None:
    tool = require_tool("gpg")
    assert make("gpg").returncode == 0
    home = tmp_path / "keys"
    home.mkdir(mode=0o700)
    run = [tool, "--homedir", str(home), "--batch", "--quiet"]
    subprocess.run([*run, "--import"], input=api.value("omni.asc"), check=True, capture_output=True)
    listed = subprocess.run([*run, "--list-secret-keys", "--with-colons"], check=True, capture_output=True, text=True)
    kinds = [line.split(":")[0] for line in listed.stdout.splitlines()]
    assert (kinds.count("sec"), kinds.count("ssb")) == (1, 1)
    signed = subprocess.run([*run, "--pinentry-mode", "error", "--clearsign"], input=b"x", capture_output=True)
    assert signed.returncode == 0
    assert make("gpg").stdout == "first-secret has omni.asc: nothing to do\n"


def test_what_somebody_else_wrote_in_between_is_kept(
    api: Api, make: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    api.came_between = True
    ran = make("password")
    assert ran.returncode == 1
    assert "409" in ran.stderr
    assert api.data == {}


def test_half_a_secret_is_told_and_not_overwritten(
    api: Api, make: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    api.data["hash"] = "eA=="
    ran = make("password")
    assert ran.returncode == 1
    assert ran.stderr == "first-secret has some of password, hash and not all: add the rest, or remove them all\n"
    assert api.data == {"hash": "eA=="}


def test_a_refusal_and_a_server_that_is_not_there_are_told_in_a_line(
    api: Api, make: Callable[[str], subprocess.CompletedProcess[str]]
) -> None:
    api.refuses = True
    refused = make("password")
    api.address = "http://127.0.0.1:9"
    absent, unknown = make("password"), make("rsa")
    assert [run.returncode for run in (refused, absent, unknown)] == [1, 1, 1]
    assert "403" in refused.stderr
    assert "forbidden" in refused.stderr
    assert "tries again by itself" in absent.stderr
    assert "must be one of password, gpg" in unknown.stderr
    assert all(len(run.stderr.splitlines()) == 1 for run in (refused, absent, unknown))
