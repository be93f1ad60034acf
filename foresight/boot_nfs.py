"""What the NFS server gives away: every export, who may mount it, and whether that is more than it should be.

Owns reading `exports` (exports(5)). Refuses to say which of them a Pi mounts: that is its kernel's arguments' matter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from foresight.boot_chain import Line, Trouble, lines

FILE = "exports"
WORLD = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True)
class Client:
    """One entry behind an exported path: `192.168.1.0/24(ro,sync)`."""

    said: str
    network: IPv4Network | None
    """None: named otherwise than by its network, so nobody here knows who that is."""
    writable: bool


@dataclass(frozen=True)
class Export:
    """One line of `exports`."""

    clients: tuple[Client, ...]
    line: Line

    def reaches(self, network: IPv4Network) -> bool:
        """Whether every machine of a network may mount it."""
        return any(one.network is not None and network.subnet_of(one.network) for one in self.clients)


def exports(text: str) -> Mapping[str, Export]:
    """`exports`: path → who may mount it, and the line that says so."""
    found: dict[str, Export] = {}
    for line in lines(FILE, text):
        path, *clients = line.text.split()
        # A path without clients is everybody's
        found[path] = Export(tuple(_client(one) for one in clients or ("*",)), line)
    return found


def _client(said: str) -> Client:
    name, _, options = said.partition("(")
    try:
        network = WORLD if name in ("*", "") else IPv4Network(name)
    except ValueError:
        network = None
    return Client(said, network, "rw" in options.rstrip(")").split(","))


def too_open(text: str, vlan: IPv4Network) -> Iterator[Trouble]:
    """What is exported beyond the boot VLAN, or for writing."""
    for path, export in exports(text).items():
        for client in export.clients:
            if client.network is None:
                yield Trouble(
                    "boot-unknown-line",
                    f"nobody here knows who may mount {path} as {client.said}",
                    f"name the boot VLAN, {vlan}",
                    export.line,
                )
            elif not client.network.subnet_of(vlan):
                yield Trouble(
                    "boot-export-open",
                    f"{path} is exported to {client.network}, and the Pis stand in {vlan}",
                    f"export it to {vlan} alone",
                    export.line,
                )
            if client.writable:
                yield Trouble(
                    "boot-export-open",
                    f"{path} is exported for writing: any machine of the VLAN could change what every Pi starts",
                    "say ro: each Pi keeps its changes in its own memory",
                    export.line,
                )
