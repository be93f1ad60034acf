"""What feeds what: UPS, shared supplies, switches and PoE as one graph, its budgets, and the order of a shutdown.

Owns the graph and what follows from it at the machines' worst case. Refuses to judge it (`model.laws.power`), and text
(`render.nut`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from model.ea import Rack, Supply, Switch, Ups
from model.environment import Environment
from model.shutdown import ShutdownPlan, shutdown

Kind = Literal["UPS", "supply", "switch"]


@dataclass(frozen=True)
class Part:
    """Anything that draws power."""

    name: str
    watts: int
    """Its own worst case, without what it feeds."""
    switch: str | None
    """The switch that its cable goes to."""
    fed_by_cable: bool
    """Whether that switch feeds it over PoE: then nothing else does."""
    feeds: tuple[str, ...] = ()
    """What hangs on it by a power cable."""


@dataclass(frozen=True)
class SourcePlan:
    """Something that others hang on."""

    name: str
    kind: Kind
    model: str
    watts: int | None
    """What it can give: a switch's PoE budget; None: no PoE."""
    load: int
    """Worst case of all that hangs on it, in watts; of a switch, over PoE."""
    dies: tuple[str, ...]
    """What goes dark with it, and with what it takes along; sorted."""
    cut_off: tuple[str, ...]
    """Of a switch: machines that keep their power and lose the network; sorted."""
    ports: int | None
    """Of a switch: its ports."""
    free_ports: int | None
    """Of a switch: ports that nobody named."""


@dataclass(frozen=True)
class PowerPlan:
    """Every source, and what happens when the mains fail."""

    sources: tuple[SourcePlan, ...]
    """UPS first, then supplies, then switches; each by name."""
    shutdowns: tuple[ShutdownPlan, ...]
    """One for each UPS that somebody watches."""


def racks(environment: Environment) -> Iterator[Rack]:
    """Every rack."""
    yield from environment.network.racks.values()


def parts(environment: Environment) -> dict[str, Part]:
    """Everything that draws power, by name. A machine whose class is unknown draws nothing."""
    found: dict[str, Part] = {}
    for rack in racks(environment):
        for name, switch in rack.switches.items():
            found[name] = Part(name, switch.watts, None, False)
        for name, device in rack.devices.items():
            found[name] = _machine(name, device.watts, device.port, device.poe)
    for name, supply in supplies(environment).items():
        found[name] = Part(name, 0, None, False, supply.feeds)
    classes = environment.hardware
    for name, pi in environment.bootstrap.nodes.items() if environment.bootstrap else ():
        watts = classes[pi.hardware].watts if pi.hardware in classes else 0
        found[name] = _machine(name, watts, pi.port, "poe" in pi.boot)
    for name, node in environment.cluster.nodes.items() if environment.cluster else ():
        watts = classes[node.hardware].watts if node.hardware in classes else 0
        found[name] = _machine(name, watts, node.port, node.poe)
    return found


def _machine(name: str, watts: int, port: str | None, poe: bool) -> Part:
    switch = port.partition("/")[0] if port else None
    return Part(name, watts, switch, poe)


def supplies(environment: Environment) -> dict[str, Supply]:
    """Shared power supplies by name."""
    return {name: supply for rack in racks(environment) for name, supply in rack.supplies.items()}


def batteries(environment: Environment) -> dict[str, Ups]:
    """UPS by name."""
    return {name: ups for rack in racks(environment) for name, ups in rack.ups.items()}


def draws(environment: Environment) -> dict[str, int]:
    """Watts by name of whatever can hang on a UPS or supply, with all that it feeds itself; 0 for what PoE feeds."""
    every = parts(environment)
    return {name: 0 if part.fed_by_cable else _draw(every, name, frozenset()) for name, part in every.items()}


def _draw(every: Mapping[str, Part], name: str, above: frozenset[str]) -> int:
    """A circle of supplies is counted once round: a law refuses it."""
    part = every.get(name)
    if part is None or name in above:
        return 0
    within = above | {name}
    hanging = sum(_draw(every, fed, within) for fed in set(part.feeds) if not _by_cable(every, fed))
    return part.watts + hanging + poe(every, name)


def _by_cable(every: Mapping[str, Part], name: str) -> bool:
    return name in every and every[name].fed_by_cable


def poe(every: Mapping[str, Part], switch: str) -> int:
    """Watts that a switch feeds over PoE."""
    return sum(part.watts for part in every.values() if part.fed_by_cable and part.switch == switch)


def dies_with(environment: Environment, source: str) -> tuple[str, ...]:
    """All that goes dark with a source: what has no other, then what hangs on that, and so on; sorted."""
    every = parts(environment)
    feeders: dict[str, set[str]] = {name: set() for name in every}
    for name, ups in batteries(environment).items():
        for fed in ups.feeds:
            feeders.setdefault(fed, set()).add(name)
    for part in every.values():
        for fed in part.feeds:
            feeders.setdefault(fed, set()).add(part.name)
        if part.fed_by_cable:
            feeders[part.name] = {part.switch} if part.switch else set()
    dark = {source}
    while new := {name for name, by in feeders.items() if name not in dark and by and by <= dark}:
        dark |= new
    return tuple(sorted(dark - {source}))


def plan_power(environment: Environment) -> PowerPlan:
    """Decide what follows from the racks' cables."""
    every = parts(environment)
    found = [_source(environment, name, "UPS", ups) for name, ups in sorted(batteries(environment).items())]
    found += [_source(environment, name, "supply", one) for name, one in sorted(supplies(environment).items())]
    switches = {name: switch for rack in racks(environment) for name, switch in rack.switches.items()}
    found += [_switch(environment, every, name, switch) for name, switch in sorted(switches.items())]
    watched = {name: ups for name, ups in sorted(batteries(environment).items()) if ups.watcher}
    return PowerPlan(
        tuple(found),
        tuple(shutdown(environment, name, ups, dies_with(environment, name)) for name, ups in watched.items()),
    )


def _source(environment: Environment, name: str, kind: Kind, one: Ups | Supply) -> SourcePlan:
    drawn = draws(environment)
    load = sum(drawn.get(fed, 0) for fed in set(one.feeds))
    return SourcePlan(name, kind, one.model, one.watts, load, dies_with(environment, name), (), None, None)


def _switch(environment: Environment, every: Mapping[str, Part], name: str, switch: Switch) -> SourcePlan:
    plugged = {part.name for part in every.values() if part.switch == name}
    dies = dies_with(environment, name)
    return SourcePlan(
        name, "switch", switch.model, switch.poe_budget_watts, poe(every, name), dies,
        tuple(sorted(plugged - set(dies))), switch.ports, switch.ports - len(plugged),
    )  # fmt: skip
