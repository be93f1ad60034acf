"""Who claims which address, MAC, name and port: the ledger that the laws of clashes read.

Owns reading every claim out of an environment, with the dotted path of its owner. Refuses to judge.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from model.arda import ClusterNode
from model.ea import Device, Supply, Switch, Ups
from model.environment import Environment
from model.fields import AddressRange


class Claim(NamedTuple):
    """One address that somebody has for themselves."""

    path: str
    address: IPv4Address
    vlan: str | None
    """The VLAN it must lie in, where the owner says one."""
    who: str
    """The owner in a message's words."""
    served: bool = False
    """Whether it is a LoadBalancer address, handed out from the cluster's pool."""


def claims(env: Environment) -> list[Claim]:
    """Every address that stands in an environment and belongs to one owner."""
    return [*_network(env), *_racks(env), *_clusters(env), *_edge(env)]


def _network(env: Environment) -> Iterator[Claim]:
    network = env.network
    gateways = {vlan.gateway for vlan in network.vlans.values()}
    if network.router.address not in gateways:
        yield Claim("network.router.address", network.router.address, None, "the router")
    for name, vlan in network.vlans.items():
        yield Claim(f"network.vlans.{name}.gateway", vlan.gateway, name, f"the router in VLAN {name}")
    if network.netboot:
        boot = network.netboot
        yield Claim("network.netboot.address", boot.address, boot.vlan, "the boot services' VIP")
        if boot.workstation:
            yield Claim("network.netboot.workstation", boot.workstation, boot.vlan, "the bootstrap workstation")


def switches(env: Environment) -> Iterator[tuple[str, str, Switch]]:
    """(path, name, switch) of every rack."""
    for rack_name, rack in env.network.racks.items():
        for name, switch in rack.switches.items():
            yield f"network.racks.{rack_name}.switches.{name}", name, switch


def batteries(env: Environment) -> Iterator[tuple[str, str, Ups]]:
    """(path, name, UPS) of every rack."""
    for rack_name, rack in env.network.racks.items():
        for name, ups in rack.ups.items():
            yield f"network.racks.{rack_name}.ups.{name}", name, ups


def supplies(env: Environment) -> Iterator[tuple[str, str, Supply]]:
    """(path, name, supply) of every rack."""
    for rack_name, rack in env.network.racks.items():
        for name, supply in rack.supplies.items():
            yield f"network.racks.{rack_name}.supplies.{name}", name, supply


def devices(env: Environment) -> Iterator[tuple[str, str, Device]]:
    """(path, name, device) of every rack."""
    for rack_name, rack in env.network.racks.items():
        for name, device in rack.devices.items():
            yield f"network.racks.{rack_name}.devices.{name}", name, device


def _racks(env: Environment) -> Iterator[Claim]:
    for path, name, one in (*switches(env), *batteries(env), *devices(env)):
        if one.address:
            yield Claim(f"{path}.address", one.address, one.vlan, name)


def _clusters(env: Environment) -> Iterator[Claim]:
    bootstrap, cluster = env.bootstrap, env.cluster
    if bootstrap:
        yield Claim("bootstrap.vip", bootstrap.vip, bootstrap.vlan, f"the API VIP of {bootstrap.name}")
        yield Claim("bootstrap.ingress", bootstrap.ingress, bootstrap.vlan, f"the applications of {bootstrap.name}")
        for name, pi in bootstrap.nodes.items():
            yield Claim(f"bootstrap.nodes.{name}.address", pi.address, bootstrap.vlan, name)
    if cluster:
        yield Claim("cluster.vip", cluster.vip, cluster.vlan, f"the API VIP of {cluster.name}")
        for name, node in cluster.nodes.items():
            yield Claim(f"cluster.nodes.{name}.address", node.address, cluster.vlan, name)
            for vlan, address in node.vlans.items():
                yield Claim(f"cluster.nodes.{name}.vlans.{vlan}", address, vlan, f"{name} in VLAN {vlan}")


def _edge(env: Environment) -> Iterator[Claim]:
    for name, gateway in env.edge.gateways.items():
        yield Claim(f"edge.gateways.{name}.address", gateway.address, None, f"gateway {name}", served=True)
    for name, hop in env.edge.hops.items():
        yield Claim(f"edge.hops.{name}.address", hop.address, None, f"hop {name}", served=True)
    inside = env.edge.dns.inside
    if inside and inside.address:
        yield Claim("edge.dns.inside.address", inside.address, None, "k8s-gateway", served=True)


@dataclass(frozen=True)
class Machine:
    """Anything with a network card: a Pi, a Talos node, a device."""

    path: str
    name: str
    mac: str | None
    port: str | None
    watts: int
    poe: bool
    """Whether the switch port must feed it."""


def machines(env: Environment) -> Iterator[Machine]:
    """Every machine; one whose class is unknown draws 0 W (a law of its own says so)."""
    for name, pi in env.bootstrap.nodes.items() if env.bootstrap else ():
        poe = "poe" in pi.boot
        yield Machine(f"bootstrap.nodes.{name}", name, pi.mac, pi.port, _watts(env, pi.hardware), poe)
    for name, node in talos_nodes(env):
        yield Machine(f"cluster.nodes.{name}", name, node.mac, node.port, _watts(env, node.hardware), node.poe)
    for path, name, device in devices(env):
        yield Machine(path, name, device.mac, device.port, device.watts, device.poe)


def talos_nodes(env: Environment) -> list[tuple[str, ClusterNode]]:
    """The Talos cluster's machines by name; none without a cluster."""
    return list(env.cluster.nodes.items()) if env.cluster else []


def members(env: Environment) -> list[tuple[str, ClusterNode]]:
    """The machines that stay in the Talos cluster."""
    return [(name, node) for name, node in talos_nodes(env) if node.state == "member"]


def leavers(env: Environment) -> list[tuple[str, ClusterNode]]:
    """The machines that leave it or are lost; their addresses, cards and ports are theirs until the entry is gone."""
    return [(name, node) for name, node in talos_nodes(env) if node.state != "member"]


def _watts(env: Environment, hardware: str) -> int:
    return env.hardware[hardware].watts if hardware in env.hardware else 0


def edges(subnet: IPv4Network) -> tuple[IPv4Address, ...]:
    """The addresses of a subnet that no machine may have; a /31 or /32 has none."""
    return (subnet.network_address, subnet.broadcast_address) if subnet.prefixlen < 31 else ()


def subnet_of(env: Environment, address: IPv4Address) -> IPv4Network | None:
    """The subnet of the VLAN that an address lies in."""
    return next((vlan.subnet for vlan in env.network.vlans.values() if address in vlan.subnet), None)


class Free:
    """The addresses that nobody has: claimed by none, leased to none, in no pool. Counts once, answers often."""

    def __init__(self, env: Environment) -> None:
        self._taken = {int(claim.address) for claim in claims(env)}
        self._leased = [vlan.dhcp.range for vlan in env.network.vlans.values() if vlan.dhcp]
        pool = env.cluster.load_balancer_pool if env.cluster else None
        self._pools = [pool] if pool else []

    def near(self, inside: IPv4Network | AddressRange, address: IPv4Address) -> IPv4Address | None:
        """The free address of a subnet, or of the pool itself, that is nearest to `address`."""
        if isinstance(inside, AddressRange):
            first, last, blocked = int(inside.first), int(inside.last), self._leased
        else:
            first, last = int(inside.network_address) + 1, int(inside.broadcast_address) - 1
            blocked = self._leased + self._pools
        start = int(address)
        if not first <= start <= last and not isinstance(inside, AddressRange):
            start = int(inside.network_address) + (start & int(inside.hostmask))  # the same host, in the right subnet
        start = min(max(start, first), last)
        for distance in range(1024):
            for candidate in (start + distance, start - distance):
                if not first <= candidate <= last or candidate in self._taken:
                    continue
                found = IPv4Address(candidate)
                if not any(found in run for run in blocked):
                    return found
        return None


def take(address: IPv4Address | None, otherwise: str) -> str:
    """The hint that proposes an address, or says what else to do."""
    return f"free and nearest: {address}" if address else otherwise


def repeated(items: Iterable[tuple[object, str]]) -> Iterator[tuple[object, str, str]]:
    """(value, path of the first owner, path of a later owner) for every value that has more than one."""
    owners: dict[object, str] = {}
    for value, path in items:
        if value in owners:
            yield value, owners[value], path
        else:
            owners[value] = path
