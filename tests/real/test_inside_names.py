"""What the proof of routes says of a name on the LAN is what dnsmasq itself answers from the configuration rendered."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.environment import Environment
from model.routes import dns
from model.routes.proof import Proof, prove
from render import dnsmasq
from tests.labs import planned, raw, tree

pytestmark = pytest.mark.real

NAMES = ("host-record=", "address=", "local=")
"""Lines that say who is who; the others are about links and leases of machines that are not here."""
INSIDE = {"by": "ainur", "gateway": "envoy-internal"}


@pytest.fixture
def proof() -> Proof:
    """Homelab's, dnsmasq being the one that answers the domain on the LAN."""
    data = raw("homelab")
    data["edge"]["dns"] = {"inside": INSIDE}
    found = prove(Environment.model_validate(data), tree("homelab"))
    assert found
    return found


@pytest.fixture
def ask(tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Callable[[str], set[str]]]:
    """Asks a dnsmasq of our own, on the loopback, for a name's addresses."""
    data = raw("homelab")
    data["edge"]["dns"] = {"inside": INSIDE}
    written = dnsmasq.configuration(planned(data).network).splitlines()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = [f"port={port}", "listen-address=127.0.0.1", "bind-interfaces", "no-resolv", "no-hosts", "pid-file="]
    file = tmp_path / "dnsmasq.conf"
    file.write_text("\n".join([*own, *(line for line in written if line.startswith(NAMES))]) + "\n")
    dig = [require_tool("dig"), "@127.0.0.1", "-p", str(port), "+short", "+time=1", "+tries=2"]
    server = subprocess.Popen([require_tool("dnsmasq"), "--keep-in-foreground", f"--conf-file={file}"])

    def addresses(name: str) -> set[str]:
        said = subprocess.run([*dig, name, "A"], capture_output=True, text=True, timeout=30, check=False)
        return set(said.stdout.split()) if said.returncode == 0 else {"no answer"}

    try:
        until = time.monotonic() + 20
        while addresses("external.example.com") == {"no answer"} and time.monotonic() < until:
            time.sleep(0.1)
        yield addresses
    finally:
        server.terminate()
        server.wait(timeout=10)


def test_on_the_lan_every_name_is_answered_as_the_proof_says(proof: Proof, ask: Callable[[str], set[str]]) -> None:
    """Incident: `address=` for the domain's own record beside the one for all names gave every name two addresses."""
    names = [chain.host for chain in proof.chains if not chain.host.startswith("*")]
    for name in (*names, "nobody.example.com", "deep.er.example.com", "nobody.homelab.example.com"):
        told = dns.inside(proof.ground.env, name, proof.ground.attached, proof.ground.zone)
        assert ask(name) == {one.address for one in told}, name
    assert ask("example.com") == {"192.168.1.239"}
    assert ask("argocd.example.com") == {"192.168.1.238"}
