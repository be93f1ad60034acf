"""A boot chain as data: who asks what, which line of which file decides, what is fetched, where it ends.

Owns the words that the interpreters of the rendered files share. Refuses to interpret any of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Protocol = Literal["tftp", "http"]
Firmware = Literal[
    "bios",
    "uefi-x64",
    "uefi-x64-9",
    "uefi-x64-http",
    "uefi-arm64",
    "uefi-arm64-http",
    "raspberry-pi-4",
    "raspberry-pi-5",
]
"""What starts the machine, as far as the wire can tell: what it sends stands in `foresight.boot_firmware`."""


@dataclass(frozen=True)
class Line:
    """One line of a rendered file."""

    file: str
    number: int
    """From 1."""
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.number}"


@dataclass(frozen=True)
class Requested:
    """One file that a machine asks a server for."""

    protocol: Protocol
    server: str
    """The server's address; empty where it is whichever server answered."""
    name: str
    """As the server logs it: `undionly.kpxe` for TFTP, `/boot.ipxe` for HTTP (with what follows a `?`)."""
    found: bool
    """False for a probe: the firmware asks, and goes on without."""


@dataclass(frozen=True)
class Step:
    """One thing that happens."""

    actor: str
    """Who does it: `firmware`, `dnsmasq`, `iPXE`, `kernel` …"""
    says: str
    line: Line | None = None
    """The line that decides it, where a file does."""
    requested: Requested | None = None


@dataclass(frozen=True)
class Trouble:
    """Why a machine does not come up as it should."""

    code: str
    message: str
    hint: str
    line: Line | None = None


End = Literal["kernel", "disk", "nothing"]


@dataclass(frozen=True)
class Chain:
    """What one machine does from power-on to its kernel."""

    machine: str
    path: str
    """Dotted path of the entry in the environment."""
    firmware: str
    """What it announces, for a reader: `UEFI x64 (architecture 7)`; or `its own disk`."""
    steps: tuple[Step, ...]
    troubles: tuple[Trouble, ...]
    end: End
    """`kernel`: something it fetched runs. `disk`: its own disk boots. `nothing`: it stays dark."""

    @property
    def answered(self) -> bool:
        """Whether anyone answered its first question."""
        return len(self.steps) > 1

    @property
    def requests(self) -> tuple[Requested, ...]:
        """What it asks the servers for, in order."""
        return tuple(step.requested for step in self.steps if step.requested)


@dataclass
class Walk:
    """A chain while it is walked."""

    steps: list[Step] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def step(self, actor: str, says: str, line: Line | None = None, requested: Requested | None = None) -> None:
        """Go one step further."""
        self.steps.append(Step(actor, says, line, requested))

    def trouble(self, code: str, message: str, hint: str, line: Line | None = None) -> None:
        """Note what is wrong, and go on."""
        self.troubles.append(Trouble(code, message, hint, line))


class Stuck(Exception):
    """The machine goes no further; the trouble says why."""

    def __init__(self, code: str, message: str, hint: str, line: Line | None = None) -> None:
        super().__init__(message)
        self.trouble = Trouble(code, message, hint, line)


def brief(text: str) -> str:
    """A text with every SHA-256 cut to its first eight digits, for a reader."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{56}\b", r"\1…", text)


def lines(file: str, text: str) -> Iterator[Line]:
    """Every line of a file that says something, in order; comments and blank lines are left out."""
    for number, one in enumerate(text.splitlines(), start=1):
        said = one.strip()
        if said and (not said.startswith("#") or said.startswith("#!")):
            yield Line(file, number, said)
