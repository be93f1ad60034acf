"""The router's checklist: what its owner must tell it, with exact values, since this program never drives it.

Owns its lines. Refuses any make's menus: it says what, not where to click.
"""

from collections.abc import Iterator

from model.addresses import NetworkPlan, VlanPlan


def checklist(network: NetworkPlan) -> tuple[str, ...]:
    """One line for each thing to set, in the order in which they can be set."""
    return (
        *(line for vlan in network.vlans for line in _vlan(network, vlan)),
        *_boot(network),
        *_reservations(network),
        *_names(network),
        *_routes(network),
    )


def _vlan(network: NetworkPlan, vlan: VlanPlan) -> Iterator[str]:
    tag = f"tag {vlan.tag}" if vlan.tag else "untagged"
    yield f"VLAN {vlan.name}: {tag}, {vlan.subnet}, gateway {vlan.gateway}"
    if vlan.relayed and network.dns:
        yield f"VLAN {vlan.name}: no DHCP server of its own; relay DHCP to {network.dns}"
    elif not vlan.router_leases:
        yield f"VLAN {vlan.name}: no DHCP server and no relay, ours owns the leases"
    elif vlan.range:
        yield f"VLAN {vlan.name}: DHCP server, scope {vlan.range}, router option {vlan.gateway}"
    elif vlan.space.longest:
        first, last, _ = vlan.space.longest
        yield f"VLAN {vlan.name}: DHCP server, a scope inside {first}-{last}, which is free"


def _boot(network: NetworkPlan) -> Iterator[str]:
    boot = network.netboot
    if boot is None:
        return
    vlan = next(one for one in network.vlans if one.name == boot.vlan)
    if vlan.router_leases:
        later = f"; {boot.vip} from the hand-over on" if boot.address != boot.vip else ""
        yield f"VLAN {vlan.name}: DHCP option 66 (TFTP server) {boot.address}, for the Raspberry Pis{later}"
        yield f"VLAN {vlan.name}: no option 67 (boot file) and no network boot of its own: ours answers"


def _reservations(network: NetworkPlan) -> Iterator[str]:
    leased_by_router = {vlan.name for vlan in network.vlans if vlan.router_leases}
    for host in network.hosts:
        if host.reserve and host.vlan in leased_by_router:
            yield f"VLAN {host.vlan}: reserve {host.address} for {host.mac} ({host.name})"


def _names(network: NetworkPlan) -> Iterator[str]:
    yield from _zone(network)
    yield from _inside(network)


def _inside(network: NetworkPlan) -> Iterator[str]:
    """The public domain, whose names lead straight to the gateways on the LAN."""
    inside = network.inside
    if inside is None:
        return
    if inside.by == "router":
        for name, address in inside.names:
            wildcard = f" (every name below {inside.domain} that is not here)" if name.startswith("*") else ""
            yield f"DNS: answer {name} with {address}{wildcard}"
        yield f"DNS: answer each application's name below {inside.domain} with its gateway's address"
        return
    yield f"DNS: forward {inside.domain} to {network.dns or inside.address}"
    yield f"DNS: admit private addresses in answers for {inside.domain} (rebind protection)"


def _zone(network: NetworkPlan) -> Iterator[str]:
    if network.dns is None:
        yield f"DNS: nobody of ours answers {network.zone}; enter the names that you want there"
        return
    yield f"DNS: forward {network.zone} to {network.dns}"
    for zone in network.reverse_zones:
        yield f"DNS: forward {zone} to {network.dns}"
    yield f"DNS: admit private addresses in answers for {network.zone} (rebind protection)"


def _routes(network: NetworkPlan) -> Iterator[str]:
    if not network.peers:
        yield "static routes: none; every address of the lab lies in a VLAN of the router's own"
    for address, own, router in network.peers:
        yield f"BGP: AS {router}, neighbour {address} in AS {own}; it announces the LoadBalancer addresses"
