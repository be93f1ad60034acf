"""The one table of addresses: who stands where in Eä, and what each machine boots.

Owns the network's plan. DNS records, reservations, boot entries and the router's checklist all derive from this
table; nothing else writes an address down twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Literal

from model.ea import Network, Rack
from model.environment import Environment
from model.images import Image, image
from model.talos import ClusterPlan

NETBOOT_NAMESPACE = "netboot"
"""Where the boot services live on the bootstrap cluster."""

Kind = Literal["router", "vip", "gateway", "node", "device"]


@dataclass(frozen=True)
class Host:
    """One line of the table."""

    address: str
    name: str
    kind: Kind
    owner: str
    """Dotted path of the entry that claims the address."""
    vlan: str | None
    mac: str | None
    reserve: bool
    """Whether its address must be reserved for its MAC where leases are made."""


@dataclass(frozen=True)
class VlanPlan:
    """One segment, with what is left in it."""

    name: str
    tag: int | None
    subnet: str
    gateway: str
    dhcp: Literal["server", "proxy"] | None
    range: str | None
    used: int
    """Addresses spoken for: hosts, the DHCP range and LoadBalancer pools."""
    free: int


@dataclass(frozen=True)
class BootEntry:
    """What one machine gets when it asks the network for something to boot."""

    mac: str | None
    """None: any machine that nobody listed."""
    name: str
    image: Image | None
    """None: its local disk."""
    kernel_ip: str | None = None
    """The kernel's `ip=` argument, for a node that has no reservation."""


@dataclass(frozen=True)
class NetbootPlan:
    """The boot services."""

    address: str
    vlan: str
    entries: tuple[BootEntry, ...]
    """Known machines sorted by MAC, then the entry for unknown ones."""


@dataclass(frozen=True)
class NetworkPlan:
    """Eä, every value decided."""

    zone: str
    """Internal DNS zone, answered by the bootstrap cluster."""
    router: str
    resolvers: tuple[str, ...]
    time_servers: tuple[str, ...]
    vlans: tuple[VlanPlan, ...]
    hosts: tuple[Host, ...]
    """Sorted by address."""
    netboot: NetbootPlan | None


def hosts(environment: Environment) -> tuple[Host, ...]:
    """Every address that somebody claims, sorted by address."""
    found = [*_network_hosts(environment.network), *_cluster_hosts(environment), *_edge_hosts(environment)]
    return tuple(sorted(found, key=lambda host: (int(IPv4Address(host.address)), host.owner)))


def _host(
    network: Network,
    address: IPv4Address,
    name: str,
    kind: Kind,
    owner: str,
    mac: str | None = None,
    reserve: bool = False,
) -> Host:
    vlan = next((name for name, vlan in network.vlans.items() if address in vlan.subnet), None)
    return Host(str(address), name, kind, owner, vlan, mac, reserve)


def _network_hosts(network: Network) -> Iterator[Host]:
    yield _host(network, network.router.address, "router", "router", "network.router")
    for name, vlan in network.vlans.items():
        if vlan.gateway != network.router.address:
            yield _host(network, vlan.gateway, f"router-{name}", "router", f"network.vlans.{name}.gateway")
    if network.netboot:
        yield _host(network, network.netboot.address, "netboot", "vip", "network.netboot.address")
        if network.netboot.workstation:
            yield _host(network, network.netboot.workstation, "workstation", "device", "network.netboot.workstation")
    for rack_name, rack in network.racks.items():
        yield from _rack_hosts(network, f"network.racks.{rack_name}", rack)


def _rack_hosts(network: Network, path: str, rack: Rack) -> Iterator[Host]:
    for name, switch in rack.switches.items():
        if switch.address:
            yield _host(network, switch.address, name, "device", f"{path}.switches.{name}")
    for name, ups in rack.ups.items():
        if ups.address:
            yield _host(network, ups.address, name, "device", f"{path}.ups.{name}")
    for name, device in rack.devices.items():
        reserve = device.mac is not None
        yield _host(network, device.address, name, "device", f"{path}.devices.{name}", device.mac, reserve)


def _cluster_hosts(environment: Environment) -> Iterator[Host]:
    network, bootstrap, cluster = environment.network, environment.bootstrap, environment.cluster
    if bootstrap:
        yield _host(network, bootstrap.vip, bootstrap.name, "vip", "bootstrap.vip")
        for name, pi in bootstrap.nodes.items():
            yield _host(network, pi.address, name, "node", f"bootstrap.nodes.{name}", pi.mac, True)
    if cluster:
        yield _host(network, cluster.vip, cluster.name, "vip", "cluster.vip")
        for name, node in cluster.nodes.items():
            reserve = node.reach in ("router-reservation", "our-reservation")
            yield _host(network, node.address, name, "node", f"cluster.nodes.{name}", node.mac, reserve)


def _edge_hosts(environment: Environment) -> Iterator[Host]:
    edge = environment.edge
    for name, gateway in edge.gateways.items():
        yield _host(environment.network, gateway.address, name, "gateway", f"edge.gateways.{name}")
    for name, hop in edge.hops.items():
        yield _host(environment.network, hop.address, name, "gateway", f"edge.hops.{name}")


def boot_entries(environment: Environment, cluster: ClusterPlan | None) -> tuple[BootEntry, ...]:
    """What every machine boots: a listed one its own image, an unknown one what the environment admits."""
    netboot, talos = environment.network.netboot, environment.versions.talos
    if netboot is None:
        return ()
    nodes = [node for node in cluster.nodes if node.boot == "netboot"] if cluster else []
    known = sorted(
        (BootEntry(node.mac, node.name, node.image, node.kernel_ip) for node in nodes),
        key=lambda entry: entry.mac or "",
    )
    unknown = None
    if netboot.unknown_machines == "maintenance" and netboot.default_class and talos:
        unknown = image(netboot.default_class, environment.hardware[netboot.default_class], talos)
    return (*known, BootEntry(None, "unknown", unknown))


def plan_network(
    environment: Environment, table: tuple[Host, ...], zone: str, entries: tuple[BootEntry, ...]
) -> NetworkPlan:
    """Decide the network from the table of addresses."""
    network = environment.network
    netboot = None
    if network.netboot:
        netboot = NetbootPlan(str(network.netboot.address), network.netboot.vlan, entries)
    return NetworkPlan(
        zone=zone,
        router=str(network.router.address),
        resolvers=tuple(str(address) for address in network.resolvers),
        time_servers=network.time_servers,
        vlans=tuple(_vlan(environment, name, table) for name in sorted(network.vlans)),
        hosts=table,
        netboot=netboot,
    )


def _vlan(environment: Environment, name: str, table: tuple[Host, ...]) -> VlanPlan:
    vlan = environment.network.vlans[name]
    cluster = environment.cluster
    ranges = [vlan.dhcp.range] if vlan.dhcp else []
    if cluster and cluster.load_balancer_pool and cluster.load_balancer_pool.first in vlan.subnet:
        ranges.append(cluster.load_balancer_pool)
    single = {IPv4Address(host.address) for host in table if host.vlan == name}
    outside = {address for address in single if not any(address in taken for taken in ranges)}
    used = len(outside) + sum(len(taken) for taken in ranges)
    return VlanPlan(
        name=name,
        tag=vlan.tag,
        subnet=str(vlan.subnet),
        gateway=str(vlan.gateway),
        dhcp=vlan.dhcp.mode if vlan.dhcp else None,
        range=str(vlan.dhcp.range) if vlan.dhcp else None,
        used=used,
        free=vlan.subnet.num_addresses - 2 - used,
    )
