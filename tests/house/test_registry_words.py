"""A registry that cannot be spoken to is told in a sentence, and a login is sent nowhere that it can be overheard."""

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cli.registry import RegistryTrouble, Repository
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
