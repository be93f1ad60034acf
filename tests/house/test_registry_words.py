"""A registry that cannot be spoken to is told in a sentence, and a login is sent nowhere that it can be overheard."""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from cli.registry import Answer, RegistryTrouble, Repository
from cli.registry_login import Login


class Challenging(BaseHTTPRequestHandler):
    """Asks everybody for a token of a realm that is no https."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Bearer realm="http://tokens.example.com/token",service="r"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Challenging)
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def told(port: int, scheme: str) -> str:
    where = Repository("oci://oci.example.com/owner/lab", Login("secret-login", "lab"), f"{scheme}://127.0.0.1:{port}")
    with pytest.raises(RegistryTrouble) as raised:
        where.manifest("main")
    assert "secret-login" not in str(raised.value)
    return str(raised.value)


def test_a_login_is_not_sent_to_a_realm_without_tls(server: ThreadingHTTPServer) -> None:
    said = told(server.server_port, "http")
    assert said == "oci.example.com sends logins to 'http://tokens.example.com/token', which is not https. Not sent."


def test_what_speaks_no_tls_is_told(server: ThreadingHTTPServer) -> None:
    assert "does not speak TLS as this program does" in told(server.server_port, "https")


def test_a_certificate_that_nobody_here_trusts_is_told(
    server: ThreadingHTTPServer, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1"]
    command = [require_tool("openssl"), *words, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    said = told(server.server_port, "https")
    assert "its certificate is not trusted here: self-signed certificate" in said
    assert "SSL_CERT_FILE" in said


class Elsewhere(BaseHTTPRequestHandler):
    """A registry that has no blob, asks for a login, and sends uploads where `location` says; it keeps what it got."""

    location = ""
    got: ClassVar[list[tuple[str, str, str | None]]] = []

    def _empty(self, status: int, **headers: str) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _kept(self) -> bool:
        self.got.append((self.command, self.path.partition("?")[0], self.headers.get("Authorization")))
        return self.headers.get("Authorization") is not None

    def do_HEAD(self) -> None:
        self._empty(404 if self._kept() else 401, WWW_Authenticate="Basic realm=r")

    def do_POST(self) -> None:
        self._kept()
        self._empty(202, Location=self.location)

    def do_PUT(self) -> None:
        self._kept()
        self._empty(201)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
        pass


@pytest.fixture
def uploads() -> Iterator[tuple[type[Elsewhere], list[int]]]:
    handler = type("OneTest", (Elsewhere,), {"got": []})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    for one in servers:
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield handler, [one.server_port for one in servers]
    for one in servers:
        one.shutdown()
        one.server_close()


def pushed(port: int) -> None:
    Repository("oci://oci.example.com/owner/lab", Login("secret-login", "lab"), f"http://127.0.0.1:{port}").push(
        "main", [b"blob"], b"{}"
    )


@pytest.mark.parametrize("own", [True, False], ids=["the registry itself", "another port"])
def test_an_upload_elsewhere_gets_no_login(uploads: tuple[type[Elsewhere], list[int]], own: bool) -> None:
    handler, (registry, other) = uploads
    handler.location = f"http://127.0.0.1:{registry if own else other}/upload?state=1"
    pushed(registry)
    sent = {path: login for method, path, login in handler.got if method == "PUT"}
    assert sent == {
        "/upload": "Basic secret-login" if own else None,
        "/v2/owner/lab/manifests/main": "Basic secret-login",
    }


def test_an_upload_without_tls_is_refused_by_a_registry_with_it() -> None:
    where = Repository("oci://oci.example.com/owner/lab", Login("secret-login", "lab"))
    with pytest.raises(RegistryTrouble) as raised:
        where._location(Answer(202, {"location": "http://oci.example.com/upload?state=secret"}, b""))
    assert str(raised.value) == (
        "oci.example.com wants the upload at 'http://oci.example.com:80', which is not https. Nothing was sent there; "
        "is a proxy before the registry that does not tell it (X-Forwarded-Proto)?"
    )
