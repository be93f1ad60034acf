"""systemd on a simulated host: units as files, what starts them, what keeps one from it.

Owns the reading of unit files, order, conditions, and systemd's words. It refuses to own what a unit's program does
(``host_scripts``, ``host_k3s``); a program that nobody wrote down here is told, and believed to have done its part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.world import World

Host = dict[str, Any]
Program = Callable[["World", Host, list[str]], str | None]
FOLDER = "/etc/systemd/system"
_OWN = ("/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/lib/")
"""Where Ubuntu's own programs are: what a unit calls there is there."""
_GROUPS = ("multi-user.target", "network-online.target", "sysinit.target", "timers.target")
_UBUNTUS = (
    *("fstrim.timer", "iscsid", "open-iscsi", "rpcbind", "ssh", "ssh.socket", "systemd-journald", "systemd-timesyncd"),
)
"""Units that Ubuntu and its packages bring."""


@dataclass(frozen=True)
class Unit:
    """One unit's file: directive → its values, of all sections."""

    name: str
    told: dict[str, list[str]] = field(default_factory=dict)

    def words(self, directive: str) -> list[str]:
        """The words of a directive that takes a list of units."""
        return [plain(word) for line in self.told.get(directive, []) for word in line.split()]


def plain(name: str) -> str:
    """``k3s`` of ``k3s.service``; every other kind of unit keeps its suffix."""
    return name.removesuffix(".service")


def load(host: Host, name: str) -> Unit | None:
    """The unit as its file says; ``None`` when the host has no such unit."""
    file = f"{FOLDER}/{name}" if "." in name else f"{FOLDER}/{name}.service"
    found = host["files"].get(file)
    if found is None:
        return Unit(name) if name in (*_GROUPS, *_UBUNTUS) or name in host["services"] else None
    told: dict[str, list[str]] = {}
    for line in re.sub(r"\\\n\s*", " ", found["content"]).splitlines():
        directive, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            told.setdefault(directive.strip(), []).append(value.strip())
    return Unit(name, told)


def state_of(host: Host, name: str) -> dict[str, Any]:
    """``{enabled, active, failed}`` of a unit; ``failed`` is the reason, or ``None``."""
    state: dict[str, Any] = host["services"].setdefault(name, {"enabled": False, "active": False})
    state.setdefault("failed", None)
    return state


def start(world: World, host: Host, name: str) -> str | None:
    """Start a unit with what it needs: the reason when it fails. ``KeyError`` when there is no such unit."""
    unit = load(host, name)
    if unit is None:
        raise KeyError(name)
    state = state_of(host, name)
    if state["active"]:
        return None
    if name.endswith(".target"):
        return _reach(world, host, unit, state)
    trouble = _needs(world, host, unit)
    if trouble:
        return _fail(state, trouble)
    if not all(_holds(host, wanted) for wanted in unit.told.get("ConditionPathExists", [])):
        state["failed"] = None  # skipped: systemd calls that a success
        return None
    trouble = _run(world, host, unit)
    if trouble:
        return _fail(state, trouble)
    stays = unit.told.get("Type", ["simple"])[-1] != "oneshot" or "yes" in unit.told.get("RemainAfterExit", [])
    state.update(active=stays, failed=None)
    return None


def _needs(world: World, host: Host, unit: Unit) -> str | None:
    """Start what a unit wants and requires; why it cannot follow."""
    for other in unit.words("Wants"):
        if load(host, other) is not None:
            start(world, host, other)
    for other in unit.words("Requires"):
        if load(host, other) is None:
            return f"Unit {other}.service not found."
        start(world, host, other)
        if not state_of(host, other)["active"]:
            return f"Dependency failed: {other}"
    return None


def _reach(world: World, host: Host, unit: Unit, state: dict[str, Any]) -> None:
    """A target: every unit that is enabled for it, in their order; one that fails holds up nobody else."""
    state["active"] = True
    for name in ordered(host, enabled_for(host, unit.name)):
        if host["stage"] == "running":  # a power cut in the middle ends it
            start(world, host, name)


def enabled_for(host: Host, target: str) -> list[str]:
    """The units that are enabled and wanted by ``target``."""
    found = []
    for name, state in host["services"].items():
        unit = load(host, name)
        if state["enabled"] and unit is not None and target in unit.words("WantedBy"):
            found.append(name)
    return found


def ordered(host: Host, names: list[str]) -> list[str]:
    """``names`` such that whoever comes ``After`` another does, and by name otherwise."""
    units = {name: load(host, name) or Unit(name) for name in sorted(names)}
    before = {name: set(unit.words("After")) for name, unit in units.items()}
    for name, unit in units.items():
        for later in unit.words("Before"):
            before.setdefault(later, set()).add(name)
    done: list[str] = []

    def take(name: str, above: tuple[str, ...]) -> None:
        if name in above or name in done:
            return
        for other in sorted(before.get(name, set()) & units.keys()):
            take(other, (*above, name))
        done.append(name)

    for name in units:
        take(name, ())
    return done


def _fail(state: dict[str, Any], reason: str) -> str:
    state.update(active=False, failed=reason)
    return reason


def _holds(host: Host, wanted: str) -> bool:
    path = real(host, wanted.lstrip("!|"))
    there = path in host["files"] or any(each.startswith(f"{path}/") for each in host["files"])
    return there != wanted.startswith("!")


def real(host: Host, path: str) -> str:
    """Where a path really lies: what was bound over it."""
    for shown, behind in host.get("binds", {}).items():
        if path == shown or path.startswith(f"{shown}/"):
            return f"{behind}{path[len(shown) :]}"
    return path


def _run(world: World, host: Host, unit: Unit) -> str | None:
    if unit.name.endswith((".timer", ".path")) or not unit.told:
        return None
    for line in unit.told.get("ExecStart", []):
        trouble = execute(world, host, unit.name, line.lstrip("-+!@:").split())
        if trouble and not line.startswith("-"):
            return trouble
    return None


def execute(world: World, host: Host, unit: str, words: list[str]) -> str | None:
    """Let a unit run a program, by its path: the reason when it fails, in systemd's words or its own."""
    path = words[0]
    known = programs().get(path)
    placed = host["files"].get(path)
    if placed is None and not path.startswith(_OWN):
        return f"Failed at step EXEC spawning {path}: No such file or directory (status=203/EXEC)"
    if placed is not None and not int(placed["mode"], 8) & 0o100:
        return f"Failed at step EXEC spawning {path}: Permission denied (status=203/EXEC)"
    if world.faults.cut(f"host/{host['name']}/{unit}"):
        world.hosts.power_cut(host, unit)
        return "the power was cut"
    if known is not None:
        return known(world, host, words)
    if not path.startswith(_OWN):
        tell(world, host, f"{unit}: the rack does not know what {path} does, and believes that it did it")
    return None


def tell(world: World, host: Host, sentence: str) -> None:
    """Write down what a person must be told of a host, once."""
    said: list[str] = host.setdefault("told", [])
    if sentence not in said:
        said.append(sentence)
        world.journal(f"tell: {sentence}", kind="hosts", subject=host["name"], duration_of="hosts.told")


def programs() -> dict[str, Program]:
    """Every program of which the rack knows what it leaves behind, by path."""
    from rehearsal.world import host_k3s, host_scripts  # they start units in their turn

    return host_scripts.PROGRAMS | host_k3s.PROGRAMS


def retry(world: World, host: Host) -> None:
    """What systemd starts again by itself: units that failed and say so, and those whose path was brought."""
    for name in ordered(host, [name for name, state in host["services"].items() if state.get("failed")]):
        unit = load(host, name)
        if unit is not None and _restarts(unit) and host["stage"] == "running":
            start(world, host, name)


def _restarts(unit: Unit) -> bool:
    return bool({"on-failure", "always"} & set(unit.told.get("Restart", [])))


def brought(world: World, host: Host, path: str) -> None:
    """A file was written: whoever watches its path is started (systemd.path(5), ``PathChanged``, ``PathExists``)."""
    for name, state in list(host["services"].items()):
        unit = load(host, name) if name.endswith(".path") and state["active"] else None
        watched = [*unit.told.get("PathChanged", []), *unit.told.get("PathExists", [])] if unit else []
        if any(real(host, each) == path for each in watched):
            start(world, host, (unit.words("Unit") or [name.removesuffix(".path")])[0] if unit else name)


def troubles(host: Host) -> Iterator[str]:
    """``<unit>: <reason>`` of every unit that has failed."""
    for name, state in sorted(host["services"].items()):
        if state.get("failed"):
            yield f"{name}: {state['failed']}"
