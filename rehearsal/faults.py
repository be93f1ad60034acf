"""What goes wrong on purpose, as data.

Owns the shape of a fault and the count of how often each has struck. It refuses to own what happens then: the world
refuses with the fault's message, or the engine is killed by whoever registered for that.

A *point* names a moment: ``<package>/<Kind>/<operation>/<before|after>/<resource name>``, for example
``talos/Bootstrap/create/after/arda-bootstrap``. ``after`` means the world has changed but the answer is lost.
"""

from __future__ import annotations

import fnmatch
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from rehearsal.world.errors import EngineKilled, Refusal

FaultKind = Literal["error", "kill", "outage", "slow", "cut", "disk", "clock", "burst", "scope"]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Of the kinds ``error`` and ``kill``, ``where`` is a glob over points; it strikes from the ``when``-th match on
    (1 = the first), ``times`` times, each with ``chance`` (0..1, drawn from the seed). ``error`` refuses with
    ``message``, ``kill`` ends the engine.

    Of the others ``where`` is a glob over ``machine/<name>``, and time is the World's. During an ``outage`` of
    ``seconds``, which begins ``at`` so many, nobody reaches the machine, for the reason ``message``; a ``slow`` one
    takes ``seconds`` more each time it boots. An ``outage`` of ``download/<host>`` is one of a server from which the
    boot services fetch what they serve, of ``boot-http`` one of the boot services themselves, of ``host/<name>`` one
    of a Pi.

    Of a Pi also: a ``cut`` of ``host/<name>/<unit>`` takes its power in the middle of what that unit does, at the
    ``when``-th start, ``times`` times; ``disk`` says in its ``message`` what is wrong with ``host/<name>/nvme`` or
    ``…/sd``: ``absent``, or what it carries; with ``clock`` the clock of ``host/<name>`` is wrong for so many
    ``seconds``, until a time server was heard, by what the ``message`` says: ``a year behind``.

    Of Cloudflare: ``burst`` answers the calls that ``where`` names, ``cloudflare/POST zones/…``, from the ``when``-th
    on, ``times`` of them, with the HTTP status in ``message``: ``429`` or a 5xx; by ``scope`` a token,
    ``cloudflare/<whose>``, lacks the permission group in ``message``: ``Zone: DNS``. An ``outage`` of ``cloudflare`` is
    one of its API, of ``letsencrypt`` one of the ACME server: its ``message`` is the problem that it answers with.
    """

    kind: FaultKind
    where: str
    when: int = 1
    times: int = 1
    chance: float = 1.0
    message: str = "connection reset by peer"
    at: float = 0.0
    seconds: float = 0.0


class Faults:
    """The faults of one run. The same seed and the same points give the same strikes."""

    def __init__(self, faults: list[Fault] | None = None, seed: int = 0, points: Path | None = None) -> None:
        """``points`` is a file to which every point is added as it is passed, one a line."""
        self.faults = faults or []
        self._points = points
        self._random = random.Random(seed)
        self._seen = [0] * len(self.faults)
        self._struck = [0] * len(self.faults)

    def strike(self, point: str) -> None:
        """Raise ``Refusal`` or ``EngineKilled`` when a fault is due at ``point``."""
        if self._points:
            with self._points.open("a", encoding="utf-8") as log:
                log.write(f"{point}\n")
        for index, fault in enumerate(self.faults):
            if fault.kind not in ("error", "kill") or not fnmatch.fnmatchcase(point, fault.where):
                continue
            self._seen[index] += 1
            due = self._seen[index] >= fault.when and self._struck[index] < fault.times
            if due and self._random.random() < fault.chance:
                self._struck[index] += 1
                if fault.kind == "kill":
                    raise EngineKilled(point)
                raise Refusal(fault.message)

    def outage(self, place: str, now: float) -> str | None:
        """Why nobody reaches ``place`` at the moment ``now``; ``None`` when somebody may."""
        found = (each for each in self._of("outage", place) if each.at <= now < each.at + each.seconds)
        return next((each.message for each in found), None)

    def slowness(self, place: str) -> float:
        """Seconds that a boot of ``place`` takes longer than usual."""
        return sum(each.seconds for each in self._of("slow", place))

    def cut(self, place: str) -> bool:
        """Whether the power goes in the middle of ``place``, which begins now."""
        return self._counted("cut", place) is not None

    def burst(self, call: str) -> int | None:
        """The HTTP status with which ``call`` is answered instead of being done; ``None``: it is done."""
        found = self._counted("burst", call)
        return int(found.message) if found else None

    def lacking(self, place: str) -> set[str]:
        """The permission groups that the token of ``place`` was not given."""
        return {each.message for each in self._of("scope", place)}

    def disk(self, place: str) -> str | None:
        """What is wrong with a disk: ``absent``, or what it carries that is not ours; ``None``: it is blank or ours."""
        return next((each.message for each in self._of("disk", place)), None)

    def clock(self, place: str, now: float) -> str | None:
        """By what the clock of ``place`` is wrong at the moment ``now``; ``None`` once a time server was heard."""
        found = (each for each in self._of("clock", place) if each.at <= now < each.at + each.seconds)
        return next((each.message for each in found), None)

    def edges(self) -> list[float]:
        """The moments at which an outage, or a wrong clock, begins or ends."""
        lasting = [each for each in self.faults if each.kind in ("outage", "clock")]
        return [edge for each in lasting for edge in (each.at, each.at + each.seconds)]

    def _counted(self, kind: FaultKind, place: str) -> Fault | None:
        """The fault that is due at this pass of ``place``."""
        for index, fault in enumerate(self.faults):
            if fault.kind == kind and fnmatch.fnmatchcase(place, fault.where):
                self._seen[index] += 1
                if self._seen[index] >= fault.when and self._struck[index] < fault.times:
                    self._struck[index] += 1
                    return fault
        return None

    def _of(self, kind: FaultKind, place: str) -> list[Fault]:
        return [each for each in self.faults if each.kind == kind and fnmatch.fnmatchcase(place, each.where)]


def load_faults(path: Path | None, points: Path | None = None) -> Faults:
    """Faults from a JSON or YAML file ``{seed: int, faults: [Fault's fields]}``.

    Without a file nothing goes wrong; ``points`` is ``Faults``'.
    Raises ``ValueError`` for an unknown key, an unknown kind or a missing ``where``.
    """
    document: Any = (yaml.safe_load(path.read_text(encoding="utf-8")) if path else None) or {}
    faults = []
    for entry in document.get("faults", []):
        try:
            fault = Fault(**entry)
        except TypeError as error:
            raise ValueError(f"{path}: {entry}: {error}") from error
        if fault.kind not in get_args(FaultKind):
            known = ", ".join(get_args(FaultKind))
            raise ValueError(f"{path}: unknown kind of fault {fault.kind!r}, known are {known}")
        faults.append(fault)
    return Faults(faults, int(document.get("seed", 0)), points)
