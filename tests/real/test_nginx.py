"""Every nginx configuration of the folders, read by nginx; and pitower's hop, which passes TLS through unread."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.labs import ROOT
from tests.real.mirroring import free_port

pytestmark = pytest.mark.real
HOP = ROOT / "gitops/pitower/tower/networking/nginx/nginx.conf"
STREAM = Path("/usr/lib/nginx/modules/ngx_stream_module.so")
"""A file of its own in Debian, a part of nginx in the image."""


@pytest.fixture
def nginx(require_tool: Callable[[str], str], tmp_path: Path) -> list[str]:
    """nginx with the modules of its image, what it says on stderr, and nothing outside this folder."""
    found = require_tool("nginx")
    if not STREAM.exists():
        assert not os.environ.get("CI"), "libnginx-mod-stream is not installed"
        pytest.skip("nginx' stream module is not here: libnginx-mod-stream")
    return [found, "-e", "stderr", "-p", str(tmp_path), "-g", f"load_module {STREAM}; daemon off;"]


def test_it_reads_every_one(nginx: list[str], tmp_path: Path) -> None:
    files = sorted((ROOT / "gitops").rglob("nginx.conf"))
    assert HOP in files
    for file in files:
        here = tmp_path / "nginx.conf"
        text = file.read_text()
        # A site alone is what the image's own nginx.conf takes in
        here.write_text(text if "events {" in text else f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{text}}}\n")
        ran = subprocess.run([*nginx, "-t", "-c", str(here)], capture_output=True, text=True, check=False)
        assert "test is successful" in ran.stderr, f"{file.relative_to(ROOT)}: {ran.stderr}"
        assert ran.returncode == 0


def test_a_misspelt_directive_is_found(nginx: list[str], tmp_path: Path) -> None:
    """The test above would pass on an nginx that reads anything."""
    here = tmp_path / "nginx.conf"
    here.write_text(HOP.read_text().replace("proxy_pass", "proxy_past"))
    ran = subprocess.run([*nginx, "-t", "-c", str(here)], capture_output=True, text=True, check=False)
    assert 'unknown directive "proxy_past"' in ran.stderr


@pytest.fixture
def gateway() -> Iterator[socket.socket]:
    """Stands for envoy-external: answers with what it was sent, turned round."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as visitor:
                visitor.sendall(visitor.recv(100)[::-1])

        threading.Thread(target=answer, daemon=True).start()
        yield server


def test_the_hop_passes_on_every_byte_and_reads_none(nginx: list[str], gateway: socket.socket, tmp_path: Path) -> None:
    port, text = free_port(), HOP.read_text()
    behind = f"127.0.0.1:{gateway.getsockname()[1]}"
    places = {"listen 8443": f"listen 127.0.0.1:{port}", "192.168.0.239:443": behind, "/tmp/": f"{tmp_path}/"}
    for old, new in places.items():
        assert old in text
        text = text.replace(old, new)
    here = tmp_path / "nginx.conf"
    here.write_text(text)
    server = subprocess.Popen([*nginx, "-c", str(here)])
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    probe.sendall(b"\x16\x03\x01 neither TLS nor HTTP")
                    assert probe.recv(100) == b"PTTH ron SLT rehtien \x01\x03\x16"
                    return
            time.sleep(0.05)
        pytest.fail("nginx did not answer within five seconds")
    finally:
        server.terminate()
        server.wait()
