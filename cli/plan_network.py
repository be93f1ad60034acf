"""`./lab plan`, the network's part: the table of addresses, what is left of it, boots, power and the shutdown.

Owns showing them. Refuses to derive anything: every value is `model.plan`'s.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from cli.console import table, title
from model.addresses import NetworkPlan, VlanPlan
from model.power import PowerPlan, SourcePlan
from model.shutdown import ShutdownPlan


def network(out: Console, plan: NetworkPlan) -> None:
    """VLANs with what is left in each, every address with its owner, and what boots from the network."""
    answered = f"answered at {plan.dns}" if plan.dns else "answered by nobody of ours"
    title(out, "Eä, the network", f"zone {plan.zone}, {answered}; names of others from {', '.join(plan.resolvers)}")
    rows = (
        (vlan.name, vlan.tag or "untagged", vlan.subnet, vlan.gateway, _leases(vlan), vlan.range) for vlan in plan.vlans
    )
    table(out, ("VLAN", "tag", "subnet", "gateway", "leased by", "DHCP range"), rows)
    for vlan in plan.vlans:
        _vlan(out, plan, vlan)
    if plan.netboot:
        out.print()
        by = ", the workstation" if plan.netboot.served_by == "workstation" else ""
        out.print(f"  netbooted from {plan.netboot.address}{by}; firmware boots its disk first, then the network:")
        rows = [(one.name, one.mac or "any other", one.image.hardware if one.image else "its local disk")
                for one in plan.netboot.entries]  # fmt: skip
        rows += [(pi.name, pi.mac, f"Ubuntu, from TFTP folder {pi.folder}/") for pi in plan.netboot.pis]
        table(out, ("machine", "MAC", "gets"), rows)


def _leases(vlan: VlanPlan) -> str:
    if vlan.dhcp == "proxy":
        return "router (proxy)"
    if vlan.dhcp == "server":
        return "ours (relayed)" if vlan.relayed else "ours"
    return "router"


def _vlan(out: Console, plan: NetworkPlan, vlan: VlanPlan) -> None:
    out.print()
    out.print(f"  VLAN {vlan.name}: {vlan.space.free} free of {vlan.space.used + vlan.space.free}{_room(vlan)}")
    hosts = [host for host in plan.hosts if host.vlan == vlan.name]
    rows = ((host.address, host.name, host.kind, host.mac, host.owner) for host in hosts)
    table(out, ("address", "name", "is a", "MAC", "owner"), rows)


def _room(vlan: VlanPlan) -> str:
    longest = vlan.space.longest
    if longest is None:
        return ": no room to grow"
    first, last, size = longest
    return f"; room to grow: {first} to {last}, {size} in a row"


def power(out: Console, plan: PowerPlan) -> None:
    """What hangs on what, at its worst, and what goes dark with it; then each UPS' shutdown."""
    if not plan.sources:
        return
    title(out, "Power", "worst case of everything at once")
    rows = (
        (one.name, one.kind, "no PoE" if one.watts is None else f"{one.watts} W", *_load(one), ", ".join(one.dies))
        for one in plan.sources
    )
    table(out, ("source", "kind", "gives", "load", "left", "dark with it"), rows)
    switches = [one for one in plan.sources if one.ports is not None]
    if switches:
        out.print()
        rows = ((one.name, one.ports, one.free_ports, ", ".join(one.cut_off)) for one in switches)
        table(out, ("switch", "ports", "free", "off the network with it, but not dark"), rows)
    for one in plan.shutdowns:
        _shutdown(out, one)


def _load(one: SourcePlan) -> Iterator[str]:
    if one.watts is None:
        yield from ("", "")
    else:
        yield from (f"{one.load} W", f"{one.watts - one.load} W")


def _shutdown(out: Console, plan: ShutdownPlan) -> None:
    out.print()
    out.print(
        f"  {plan.watcher} watches {plan.ups}: {plan.after_seconds} s on battery, or a low battery, and it shuts down,"
        f" {plan.stage_seconds} s a stage, {plan.seconds} s in all at its worst:"
    )
    ways = {"talos": "Talos API", "ssh": "SSH", "by hand": "not told", "itself": "itself", "dark": "with the battery"}
    stages: dict[int, list[str]] = {}
    for step in plan.steps:
        stages.setdefault(step.stage, []).append(step.name)
    told = {step.stage: (step.what, ways[step.way]) for step in plan.steps}
    rows = ((stage, told[stage][0], ", ".join(names), told[stage][1]) for stage, names in stages.items())
    table(out, ("stage", "what", "machines", "told by"), rows)
