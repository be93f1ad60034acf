"""The certificate's download site, made and served for real: the fingerprint that it tells is OpenSSL's."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.labs import ROOT
from tests.real.mirroring import free_port

pytestmark = pytest.mark.real
FOLDER = ROOT / "gitops" / "homelab" / "ainur" / "certificates" / "ca-site"


@pytest.fixture
def certificate(tmp_path: Path, require_tool: Callable[[str], str]) -> Path:
    """A root, in a file that holds another certificate after it."""
    found = []
    for name in ("root", "other"):
        key, file = tmp_path / f"{name}.key", tmp_path / f"{name}.crt"
        make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
        command = [require_tool("openssl"), *make, "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(file)]
        subprocess.run(command, check=True, capture_output=True)
        found.append(file.read_text())
    (tmp_path / "ca.crt").write_text("".join(found))
    return tmp_path / "ca.crt"


def made(shell: list[str], certificate: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    command = [*shell, str(FOLDER / "make.sh"), str(certificate), str(FOLDER / "page.html"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("shell", [["sh"], ["busybox", "sh"]])
def test_the_site_tells_the_fingerprint_of_what_it_offers(
    certificate: Path, tmp_path: Path, require_tool: Callable[[str], str], shell: list[str]
) -> None:
    require_tool(shell[0])
    ran = made(shell, certificate, tmp_path / "site")
    assert (ran.returncode, ran.stderr) == (0, "")
    openssl = ["openssl", "x509", "-noout", "-fingerprint", "-sha256", "-in", str(tmp_path / "site" / "ca.crt")]
    told = subprocess.run(openssl, check=True, capture_output=True, text=True).stdout.strip().partition("=")[2]
    assert (tmp_path / "site" / "ca.sha256").read_text() == f"{told}\n"
    page = (tmp_path / "site" / "index.html").read_text()
    assert told in page
    assert "@" not in page.replace("ilmarin@vala-1", "").replace("@media", "")
    assert (tmp_path / "site" / "ca.crt").read_text() == (tmp_path / "root.crt").read_text()


def test_a_file_that_is_no_certificate_makes_no_site(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("")
    ran = made(["sh"], tmp_path / "ca.crt", tmp_path / "site")
    assert ran.returncode == 1
    assert "holds no certificate: did the first Vala publish" in ran.stderr
    assert not list((tmp_path / "site").iterdir())


@pytest.fixture
def site(certificate: Path, tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[str]:
    nginx, port = require_tool("nginx"), free_port()
    made(["sh"], certificate, tmp_path / "site")
    text = (FOLDER / "nginx.conf").read_text()
    places = {"listen 8080": f"listen 127.0.0.1:{port}", "/tmp/": f"{tmp_path}/", "/srv/site": str(tmp_path / "site")}
    for old, new in places.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "nginx.conf").write_text(text)
    # Started by root, it would give up root, and then read nothing in this folder
    said = "daemon off; user root;" if os.geteuid() == 0 else "daemon off;"
    command = [nginx, "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-g", said]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stderr=log)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.terminate()
    server.wait()


def test_it_is_served_as_what_it_is_and_nothing_else_is(site: str, tmp_path: Path) -> None:
    kinds = {"/": "text/html", "/ca.crt": "application/x-x509-ca-cert", "/ca.sha256": "text/plain"}
    for path, kind in kinds.items():
        with urllib.request.urlopen(f"{site}{path}", timeout=10) as answer:
            assert answer.headers["Content-Type"].partition(";")[0] == kind, path
            assert answer.read() == (tmp_path / "site" / (path.strip("/") or "index.html")).read_bytes()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{site}/index.html.bak", timeout=10)
    with refused.value:  # an error of HTTP holds its connection
        assert refused.value.code == 404
