"""The Git mirror's own `fetch.sh` against a private upstream: a real sshd with a deploy key, and HTTP that asks for a
token. It is let in with the right one, with no other, and by no server but the one that is written down."""

import base64
import getpass
import importlib.util
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.real.mirroring import FOLDER, Mirror, Upstream, free_port

pytestmark = pytest.mark.real
TOKEN = "a-token-of-the-test"


def _key(tool: str, file: Path) -> str:
    """A new pair; its public half."""
    subprocess.run([tool, "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
    return " ".join(file.with_suffix(".pub").read_text().split()[:2])


@pytest.fixture
def upstream(tmp_path: Path, require_tool: Callable[[str], str]) -> Upstream:
    for tool in ("git", "flock", "ssh"):
        require_tool(tool)
    return Upstream(tmp_path / "upstream")


@pytest.fixture
def over_ssh(tmp_path: Path, upstream: Upstream, require_tool: Callable[[str], str]) -> Iterator[Mirror]:
    """A mirror whose upstream is behind sshd, with the right key and the server's own key."""
    keygen, port, site = require_tool("ssh-keygen"), free_port(), tmp_path / "site"
    site.mkdir()
    host = _key(keygen, site / "host")
    mirror = Mirror(tmp_path / "mirror", f"ssh://{getpass.getuser()}@127.0.0.1:{port}{upstream.bare}")
    (mirror.folder / "key").mkdir(parents=True)
    deploy = _key(keygen, mirror.folder / "key" / "ssh-privatekey")
    (mirror.folder / "key" / "known_hosts").write_text(f"[127.0.0.1]:{port} {host}\n")
    (site / "readers").write_text(f"restrict,command=\"git-upload-pack '{upstream.bare}'\" {deploy}\n")
    settings = {"ListenAddress": "127.0.0.1", "Port": port, "HostKey": site / "host", "PidFile": "none", "UsePAM": "no"}
    settings |= {"AuthorizedKeysFile": site / "readers", "StrictModes": "no", "PasswordAuthentication": "no"}
    settings["KbdInteractiveAuthentication"] = "no"
    (site / "sshd_config").write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with (site / "log").open("wb") as log:
        server = subprocess.Popen([require_tool("sshd"), "-D", "-e", "-f", str(site / "sshd_config")], stderr=log)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield mirror
    finally:
        server.kill()
        server.wait()


def test_the_deploy_key_opens_the_repository(upstream: Upstream, over_ssh: Mirror) -> None:
    commit = upstream.commit("one")
    ran = over_ssh.fetch("main")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{commit}\n", "")


def test_another_key_opens_nothing(upstream: Upstream, over_ssh: Mirror, require_tool: Callable[[str], str]) -> None:
    upstream.commit("one")
    key = over_ssh.folder / "key" / "ssh-privatekey"
    key.unlink()
    _key(require_tool("ssh-keygen"), key)
    ran = over_ssh.fetch("main")
    assert ran.returncode == 1
    assert "Permission denied (publickey)" in ran.stderr
    assert over_ssh.has("main") is None


def test_a_key_without_its_last_newline_is_none(upstream: Upstream, over_ssh: Mirror) -> None:
    """`pulumi config set` takes it away; OpenSSH then says `error in libcrypto`, so the program puts it back."""
    upstream.commit("one")
    key = over_ssh.folder / "key" / "ssh-privatekey"
    key.write_text(key.read_text().rstrip("\n"))
    ran = over_ssh.fetch("main")
    assert ran.returncode == 1
    assert "error in libcrypto" in ran.stderr


@pytest.mark.parametrize("known", ["", "another"])
def test_a_server_that_is_not_written_down_is_not_believed(
    upstream: Upstream, over_ssh: Mirror, require_tool: Callable[[str], str], tmp_path: Path, known: str
) -> None:
    upstream.commit("one")
    hosts = over_ssh.folder / "key" / "known_hosts"
    name = hosts.read_text().split()[0]
    hosts.write_text(f"{name} {_key(require_tool('ssh-keygen'), tmp_path / 'other')}\n" if known else "")
    ran = over_ssh.fetch("main")
    assert ran.returncode == 1
    assert "Host key verification failed" in ran.stderr


@pytest.fixture
def over_https(tmp_path: Path, upstream: Upstream) -> Iterator[Mirror]:
    """A mirror whose upstream wants a name and a token; over HTTP here, TLS being nobody's question."""
    spec = importlib.util.spec_from_file_location("serve", FOLDER / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    right = "Basic " + base64.b64encode(f"reader:{TOKEN}".encode()).decode()

    class Asking(serve.Handler):
        repository = str(upstream.bare)

        def parse_request(self) -> bool:
            if not super().parse_request():
                return False
            if self.headers.get("Authorization") == right:
                return True
            self.send_response(HTTPStatus.UNAUTHORIZED)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

    handler: Any = Asking
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mirror = Mirror(tmp_path / "mirror", f"http://127.0.0.1:{server.server_port}/iluvatar.git")
    (mirror.folder / "key").mkdir(parents=True)
    (mirror.folder / "key" / "username").write_text("reader")
    (mirror.folder / "key" / "password").write_text(TOKEN)
    yield mirror
    server.shutdown()
    server.server_close()


def test_the_token_opens_the_repository_and_is_no_argument(
    upstream: Upstream, over_https: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit, trace = upstream.commit("one"), tmp_path / "trace"
    environment = over_https.environment() | {"GIT_TRACE": str(trace)}
    monkeypatch.setattr(over_https, "environment", lambda: environment)
    ran = over_https.fetch("main")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{commit}\n", "")
    assert "run_command" in trace.read_text(), "Git's trace holds no program's arguments"
    assert TOKEN not in trace.read_text()
    assert TOKEN not in "".join(file.read_text() for file in over_https.repository.glob("config"))


@pytest.mark.parametrize(
    ("token", "words"), [("another", "Authentication failed"), (None, "terminal prompts disabled")]
)
def test_another_token_opens_nothing(upstream: Upstream, over_https: Mirror, token: str | None, words: str) -> None:
    upstream.commit("one")
    file = over_https.folder / "key" / "password"
    file.write_text(token) if token else file.unlink()
    ran = over_https.fetch("main")
    assert ran.returncode == 1
    assert words in ran.stderr
    assert over_https.has("main") is None
