"""What the NFS server gives away: every export, who may mount it, and whether that is more than it should be.

Owns reading `ganesha.conf` (ganesha-export-config(8)), a setting or a block a line, as it is rendered. Refuses to say
which export a Pi mounts: that is its kernel's arguments' matter.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from foresight.boot_chain import Line, Trouble, lines

FILE = "ganesha.conf"
WORLD = IPv4Network("0.0.0.0/0")
OPENS = re.compile(r"(\w+) \{$")
SETS = re.compile(r"(\w+) = ([^;]+);$")

SERVER = "Protocols NFS_Port MNT_Port Enable_NLM Enable_RQUOTA"
PUBLIC = "Export_Id Path Pseudo Protocols Transports SecType Squash Access_Type"
KNOWN = {
    (): "NFS_CORE_PARAM EXPORT",
    ("NFS_CORE_PARAM",): SERVER,
    ("EXPORT",): f"{PUBLIC} CLIENT FSAL",
    ("EXPORT", "CLIENT"): "Clients Access_Type",
    ("EXPORT", "FSAL"): "Name",
}
"""Block → what may stand in it here."""


@dataclass(frozen=True)
class Client:
    """Who may mount an export, and how."""

    said: str
    network: IPv4Network | None
    """None: named otherwise than by its network, so nobody here knows who that is."""
    access: str
    """`RO`, `RW`, or anything else that Ganesha has a word for."""
    line: Line

    @property
    def mounts(self) -> bool:
        return self.access not in ("", "None")


@dataclass
class Export:
    """One block `EXPORT`."""

    line: Line
    """Where it names its path; where it names none, where it opens."""
    path: str = ""
    squash: str = ""
    clients: list[Client] = field(default_factory=list)

    def reaches(self, network: IPv4Network) -> bool:
        """Whether every machine of a network may mount it."""
        return any(one.mounts and one.network is not None and network.subnet_of(one.network) for one in self.clients)


@dataclass
class _Reading:
    """The file, so far."""

    exports: list[Export] = field(default_factory=list)
    unknown: list[Line] = field(default_factory=list)
    inside: tuple[str, ...] = ()
    said: dict[str, tuple[str, Line]] = field(default_factory=dict)
    """What the block `CLIENT` that is open says."""


def exports(text: str) -> Mapping[str, Export]:
    """Path → who may mount it, and the line that says so."""
    return {one.path: one for one in _read(text).exports if one.path}


def holding(found: Mapping[str, Export], path: str) -> Export | None:
    """The export that a path lies in: itself, or the nearest folder above."""
    above = [one for name, one in found.items() if f"{path}/".startswith(f"{name.rstrip('/')}/")]
    return max(above, key=lambda one: len(one.path), default=None)


def too_open(text: str, vlan: IPv4Network) -> Iterator[Trouble]:
    """What is exported beyond the boot VLAN, or for writing, and every line whose effect nobody here knows."""
    read = _read(text)
    for line in read.unknown:
        yield Trouble(
            "boot-unknown-line",
            f"nobody here knows what the NFS server makes of `{line.text}`",
            "teach foresight/boot_nfs.py the setting, or leave the line out",
            line,
        )
    for export in read.exports:
        yield from (trouble for one in export.clients if one.mounts for trouble in _too_open(export, one, vlan))


def _too_open(export: Export, client: Client, vlan: IPv4Network) -> Iterator[Trouble]:
    if client.network is None:
        yield Trouble(
            "boot-unknown-line",
            f"nobody here knows who may mount {export.path} as {client.said}",
            f"name the boot VLAN, {vlan}",
            client.line,
        )
    elif not client.network.subnet_of(vlan):
        yield Trouble(
            "boot-export-open",
            f"{export.path} is exported to {client.network}, and the Pis stand in {vlan}",
            f"export it to {vlan} alone",
            client.line,
        )
    if client.access != "RO":
        yield Trouble(
            "boot-export-open",
            f"{export.path} is exported for more than reading: a machine of the VLAN could change what every Pi starts",
            "say Access_Type = RO: each Pi keeps its changes in its own memory",
            client.line,
        )


def _read(text: str) -> _Reading:
    found = _Reading()
    for line in lines(FILE, text):
        if not _taken(found, line):
            found.unknown.append(line)
    if found.inside and found.exports:
        found.unknown.append(found.exports[-1].line)
    return found


def _taken(found: _Reading, line: Line) -> bool:
    """Whether the line is understood."""
    if line.text == "}":
        if found.inside == ("EXPORT", "CLIENT"):
            found.exports[-1].clients += _clients(found.said, line)
        was, found.inside = found.inside, found.inside[:-1]
        return bool(was)
    opened, told = OPENS.match(line.text), SETS.match(line.text)
    name = opened[1] if opened else told[1] if told else ""
    if name not in KNOWN[found.inside].split():
        return False
    if opened:
        return _opened(found, name, line)
    if told and found.inside:
        _told(found, name, told[2].strip(), line)
    return bool(told and found.inside)


def _opened(found: _Reading, name: str, line: Line) -> bool:
    if (*found.inside, name) not in KNOWN:
        return False
    found.inside = (*found.inside, name)
    found.said = {}
    if name == "EXPORT":
        found.exports.append(Export(line))
    return True


def _told(found: _Reading, name: str, value: str, line: Line) -> None:
    if found.inside == ("EXPORT", "CLIENT"):
        found.said[name] = (value, line)
    elif found.inside == ("EXPORT",) and name == "Path":
        found.exports[-1].path, found.exports[-1].line = value, line
    elif found.inside == ("EXPORT",) and name == "Access_Type":
        # What is said of the export itself holds for everybody that no CLIENT names
        found.exports[-1].clients.append(Client("*", WORLD, value, line))
    elif found.inside == ("EXPORT",) and name == "Squash":
        found.exports[-1].squash = value


def _clients(said: Mapping[str, tuple[str, Line]], closing: Line) -> Iterator[Client]:
    access = said.get("Access_Type", ("", closing))[0]
    names, line = said.get("Clients", ("", closing))
    for name in filter(None, (one.strip() for one in names.split(","))):
        yield Client(name, _network(name), access, line)


def _network(name: str) -> IPv4Network | None:
    try:
        return WORLD if name == "*" else IPv4Network(name)
    except ValueError:
        return None
