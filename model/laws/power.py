"""Laws of power: what a switch feeds over PoE, and what hangs on a UPS or a shared power supply.

Owns watts. Refuses which cable goes where (`ports`).
"""

from collections import defaultdict
from collections.abc import Iterator

from model.ea import Supply, Ups
from model.environment import Environment
from model.laws.claims import batteries, devices, machines, supplies, switches
from model.laws.ports import plugged
from model.laws.registry import Breach, law
from model.laws.words import listed, nearest
from model.power import batteries as by_name
from model.power import dies_with, draws
from model.power import supplies as shared
from model.shutdown import shutdown

NODES = ("cluster.nodes", "bootstrap.nodes")
FULL = 0.8
"""Above this part of a budget a failing fan or a cold start is enough to go over it."""


def poe_loads(env: Environment) -> dict[str, int]:
    """Watts that each switch feeds over PoE, by the switch's path."""
    loads: dict[str, int] = defaultdict(int)
    for machine, path, _, _ in plugged(env):
        loads[path] += machine.watts if machine.poe else 0
    return loads


@law("network-poe-none", unless=("network-port-number",))
def poe_where_it_is_needed(env: Environment) -> Iterator[Breach]:
    """A machine that is fed by its cable is in a port that gives PoE."""
    for machine, path, switch, number in plugged(env):
        if not machine.poe:
            continue
        name = path.rpartition(".")[2]
        if switch.poe_budget_watts is None:
            message = f"{machine.name} is fed by its cable, and {name} gives no PoE"
            yield Breach(f"{machine.path}.port", message, "use a switch with poe_budget_watts, or a power supply", path)
        elif switch.poe_ports is not None and number > switch.poe_ports:
            message = f"{machine.name} is fed by its cable, and only ports 1 to {switch.poe_ports} of {name} give PoE"
            yield Breach(
                f"{machine.path}.port",
                message,
                f"use one of {name}/1 to {name}/{switch.poe_ports}",
                f"{path}.poe_ports",
            )


@law("network-poe-unplugged")
def poe_says_where(env: Environment) -> Iterator[Breach]:
    """A machine that is fed by its cable says which port feeds it: else no budget counts it."""
    for machine in machines(env):
        if machine.poe and machine.port is None:
            yield Breach(
                machine.path,
                f"{machine.name} is fed by PoE but names no port",
                "add port: switch/number",
                "network.racks",
            )


@law("network-poe-budget")
def poe_budget_holds(env: Environment) -> Iterator[Breach]:
    """What hangs on a switch by PoE draws no more than its budget, all at their worst at once."""
    loads = poe_loads(env)
    for path, name, switch in switches(env):
        budget = switch.poe_budget_watts
        if budget is not None and loads.get(path, 0) > budget:
            message = f"{name} would feed {loads[path]} W over PoE, and its budget is {budget} W"
            yield Breach(f"{path}.poe_budget_watts", message, f"move {loads[path] - budget} W of machines elsewhere")


@law("network-poe-tight", "warning")
def poe_budget_has_room(env: Environment) -> Iterator[Breach]:
    """A PoE budget keeps a fifth free."""
    loads = poe_loads(env)
    for path, name, switch in switches(env):
        budget = switch.poe_budget_watts
        if budget is not None and budget * FULL < loads.get(path, 0) <= budget:
            message = f"{name} feeds {loads[path]} W of its {budget} W over PoE: little is left for a cold start"
            yield Breach(f"{path}.poe_budget_watts", message, f"keep it below {int(budget * FULL)} W")


@law("network-poe-ports")
def poe_ports_exist(env: Environment) -> Iterator[Breach]:
    """A switch gives PoE on no more ports than it has."""
    for path, name, switch in switches(env):
        if switch.poe_ports is not None and switch.poe_ports > switch.ports:
            message = f"{name} would give PoE on {switch.poe_ports} ports, and it has {switch.ports}"
            yield Breach(f"{path}.poe_ports", message, f"nearest: {switch.ports}", f"{path}.ports")


def _sources(env: Environment) -> list[tuple[str, str, Ups | Supply]]:
    """(path, name, source) of everything with a limit that machines hang on."""
    return [*batteries(env), *supplies(env)]


@law("network-power-unknown")
def source_feeds_what_exists(env: Environment) -> Iterator[Breach]:
    """A UPS or shared power supply feeds supplies, switches, machines and devices that exist."""
    known = draws(env)
    for path, name, source in _sources(env):
        for index, fed in enumerate(source.feeds):
            if fed not in known:
                message = f"{name} feeds '{fed}', which is no machine, switch, supply or device"
                yield Breach(f"{path}.feeds.{index}", message, nearest(fed, known), "network.racks", NODES)


@law("network-power-twice")
def source_feeds_once(env: Environment) -> Iterator[Breach]:
    """A UPS or shared power supply names each thing that hangs on it once: twice would be counted twice."""
    for path, name, source in _sources(env):
        for index, fed in enumerate(source.feeds):
            if fed in source.feeds[:index]:
                yield Breach(f"{path}.feeds.{index}", f"{name} feeds {fed} twice", "leave one out")


@law("network-power-loop")
def supplies_end_somewhere(env: Environment) -> Iterator[Breach]:
    """No shared power supply feeds itself, over others or at once."""
    every = shared(env)
    for path, name, supply in supplies(env):
        below, new = set[str](), set(supply.feeds)
        while new:
            below |= new
            new = {fed for one in new if one in every for fed in every[one].feeds} - below
        if name in below:
            yield Breach(f"{path}.feeds", f"{name} feeds {listed(supply.feeds)}, and so itself", "end the circle")


@law("network-power-both", "warning", unless=("network-poe-none", "network-port-switch"))
def poe_has_one_source(env: Environment) -> Iterator[Breach]:
    """A machine that is fed by its cable hangs on nothing else: the budget counts it at its switch alone."""
    wired = {machine.name: machine for machine, _, _, _ in plugged(env) if machine.poe}
    for path, name, source in _sources(env):
        for index, fed in enumerate(source.feeds):
            if fed in wired:
                message = f"{name} feeds {fed}, which {str(wired[fed].port).partition('/')[0]} feeds over PoE"
                hint = "leave it out here, or set it to a power supply of its own"
                yield Breach(f"{path}.feeds.{index}", message, hint, wired[fed].path)


@law("network-power-budget", unless=("network-power-twice", "network-power-loop"))
def source_holds(env: Environment) -> Iterator[Breach]:
    """What hangs on a UPS or a shared power supply draws no more than it carries, all at their worst at once."""
    known = draws(env)
    for path, name, source in _sources(env):
        load = sum(known.get(fed, 0) for fed in source.feeds)
        if load > source.watts:
            message = f"{name} would carry {load} W, and it can carry {source.watts} W"
            yield Breach(f"{path}.watts", message, f"take {load - source.watts} W off it", f"{path}.feeds")


@law("network-ups-watcher")
def ups_watcher_exists(env: Environment) -> Iterator[Breach]:
    """The device that watches a UPS exists."""
    known = {name for _, name, _ in devices(env)}
    for path, name, ups in batteries(env):
        if ups.watcher and ups.watcher not in known:
            message = f"{name} is watched by '{ups.watcher}', which is no device of a rack"
            yield Breach(f"{path}.watcher", message, nearest(ups.watcher, known), "network.racks")


@law("network-ups-watcher-dark", "warning", unless=("network-ups-watcher",))
def ups_watcher_survives(env: Environment) -> Iterator[Breach]:
    """The device that watches a UPS hangs on it, itself or by the switch that feeds it: else it goes dark first."""
    ports = {machine.name: (machine, path.rpartition(".")[2]) for machine, path, _, _ in plugged(env)}
    for path, name, ups in batteries(env):
        if not ups.watcher or ups.watcher in ups.feeds:
            continue
        machine, switch = ports.get(ups.watcher, (None, ""))
        if not (machine and machine.poe and switch in ups.feeds):
            message = f"{ups.watcher} watches {name} but does not hang on it: it goes dark with the mains"
            yield Breach(f"{path}.watcher", message, f"add {ups.watcher} to feeds", f"{path}.feeds")


@law("network-ups-address")
def ups_on_the_network_has_an_address(env: Environment) -> Iterator[Breach]:
    """A watched UPS whose driver asks it over the network has an address."""
    for path, name, ups in batteries(env):
        if ups.watcher and ups.driver == "snmp-ups" and ups.address is None:
            message = f"{ups.watcher} would ask {name} over the network (snmp-ups), and {name} has no address"
            hint = "add address, its network card's, or a driver for USB such as usbhid-ups"
            yield Breach(f"{path}.driver", message, hint)


@law("network-ups-host-key", unless=("network-ups-watcher",))
def ups_watcher_knows_whom_it_tells(env: Environment) -> Iterator[Breach]:
    """A Pi that a UPS' watcher shuts down has its host key in the data: the watcher tells nobody whom
    it cannot recognise."""
    for path, name, ups in batteries(env):
        steps = shutdown(env, name, by_name(env)[name], dies_with(env, name)).steps if ups.watcher else ()
        for step in steps:
            if step.way == "ssh" and step.host_key is None:
                message = f"{ups.watcher} would tell {step.name} to shut down, and does not know its host key"
                hint = f"write the key that it has: ssh-keyscan -t ed25519 {step.address}"
                yield Breach(f"bootstrap.nodes.{step.name}.host_key", message, hint, f"{path}.watcher")


@law("network-ups-short", unless=("network-ups-watcher", "network-power-unknown"))
def battery_outlasts_the_shutdown(env: Environment) -> Iterator[Breach]:
    """A UPS carries the lab until the last machine is told to shut down, though one in each stage be dark."""
    for path, name, ups in batteries(env):
        if ups.watcher is None or ups.runtime_minutes is None:
            continue
        need = shutdown(env, name, by_name(env)[name], dies_with(env, name)).seconds
        lasts = ups.runtime_minutes * 60
        if need > lasts:
            message = f"the shutdown takes up to {need} s from the mains' failure, and {name} lasts {lasts} s"
            hint = "begin earlier (shutdown_after), or give the stages less time (stage_seconds)"
            yield Breach(f"{path}.runtime_minutes", message, hint, f"{path}.shutdown_after")
