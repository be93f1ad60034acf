"""The one table of addresses: who stands where in Eä, and what each machine boots.

Owns the network's plan. DNS records, reservations, boot entries and the router's checklist all derive from this
table; nothing else writes an address down twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from model.ainur import apps_zone
from model.ea import Network, Rack
from model.edge_plan import InsidePlan, plan_inside
from model.environment import Environment
from model.hardware import Arch
from model.netboot import BootEntry, Discovery, NetbootPlan, ipxe_archive, pi_entries, pi_system
from model.space import Space, space

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
    router_leases: bool
    """Whether the owner's router is its DHCP server."""
    relayed: bool
    """Whether our DHCP server stands in another VLAN, so that the router must relay to it."""
    space: Space
    """What is left in it."""


@dataclass(frozen=True)
class NetworkPlan:
    """Eä, every value decided."""

    zone: str
    """Internal DNS zone."""
    reverse_zones: tuple[str, ...]
    """The zones of its addresses, `1.168.192.in-addr.arpa`; sorted."""
    dns: str | None
    """The address that answers both: the boot services'. None: nobody of ours does."""
    below: tuple[tuple[str, str], ...]
    """(zone, address): every name below the zone has the address, whichever applications there are."""
    inside: InsidePlan | None
    """Who answers the public domain's names on the LAN. None: whoever answers them outside."""
    interfaces: tuple[str, ...]
    """Links that the bootstrap cluster's machines have their address on: dnsmasq answers on no other."""
    router: str
    resolvers: tuple[str, ...]
    time_servers: tuple[str, ...]
    vlans: tuple[VlanPlan, ...]
    hosts: tuple[Host, ...]
    """Sorted by address."""
    netboot: NetbootPlan | None
    peers: tuple[tuple[str, int, int], ...]
    """(node's address, its AS number, the router's) where the cluster tells the router its addresses by BGP."""


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
        yield _host(network, bootstrap.ingress, f"{bootstrap.name}-ingress", "vip", "bootstrap.ingress")
        for name, pi in bootstrap.nodes.items():
            yield _host(network, pi.address, name, "node", f"bootstrap.nodes.{name}", pi.mac, True)
    if cluster:
        yield _host(network, cluster.vip, cluster.name, "vip", "cluster.vip")
        for name, node in cluster.nodes.items():
            reserve = node.reach in ("router-reservation", "our-reservation")
            yield _host(network, node.address, name, "node", f"cluster.nodes.{name}", node.mac, reserve)
            for vlan, address in node.vlans.items():
                yield _host(network, address, f"{name}-{vlan}", "node", f"cluster.nodes.{name}.vlans.{vlan}")


def _edge_hosts(environment: Environment) -> Iterator[Host]:
    edge = environment.edge
    for name, gateway in edge.gateways.items():
        yield _host(environment.network, gateway.address, name, "gateway", f"edge.gateways.{name}")
    for name, hop in edge.hops.items():
        yield _host(environment.network, hop.address, name, "gateway", f"edge.hops.{name}")
    if edge.dns.inside and edge.dns.inside.address:
        yield _host(environment.network, edge.dns.inside.address, "k8s-gateway", "gateway", "edge.dns.inside")


def plan_network(
    environment: Environment, table: tuple[Host, ...], zone: str, entries: tuple[BootEntry, ...]
) -> NetworkPlan:
    """Decide the network from the table of addresses."""
    network = environment.network
    vlans = tuple(_vlan(environment, name, table) for name in sorted(network.vlans))
    pis = environment.bootstrap.nodes.values() if environment.bootstrap else ()
    answering = network.netboot.address if network.netboot and environment.bootstrap else None
    return NetworkPlan(
        zone=zone,
        reverse_zones=tuple(sorted({zone for vlan in network.vlans.values() for zone in reverse_zones(vlan.subnet)})),
        dns=str(answering) if answering else None,
        below=((apps_zone(environment.bootstrap, zone), str(environment.bootstrap.ingress)),)
        if environment.bootstrap
        else (),
        inside=plan_inside(environment.edge, environment.domain),
        interfaces=tuple(sorted({environment.hardware[pi.hardware].nics[0] for pi in pis})),
        router=str(network.router.address),
        resolvers=tuple(str(address) for address in network.resolvers),
        time_servers=network.time_servers,
        vlans=vlans,
        hosts=table,
        netboot=_netboot(environment, vlans, entries),
        peers=_peers(environment),
    )


def reverse_zones(subnet: IPv4Network) -> tuple[str, ...]:
    """The reverse zones that hold a subnet's addresses: zones end at whole octets (RFC 1035, 3.5)."""
    octets = min(max(-(-subnet.prefixlen // 8), 1), 3)
    wide = subnet if subnet.prefixlen <= 8 * octets else subnet.supernet(new_prefix=8 * octets)
    parts = (str(one.network_address).split(".")[:octets] for one in wide.subnets(new_prefix=8 * octets))
    return tuple(".".join([*reversed(part), "in-addr.arpa"]) for part in parts)


def _netboot(
    environment: Environment, vlans: tuple[VlanPlan, ...], entries: tuple[BootEntry, ...]
) -> NetbootPlan | None:
    boot, cluster = environment.network.netboot, environment.cluster
    if boot is None:
        return None
    discovery = None
    if cluster:
        vlan = next(vlan for vlan in vlans if vlan.name == cluster.vlan)
        last = max((node.address for node in cluster.nodes.values()), default=cluster.vip)
        reach = "our-reservation" if vlan.dhcp == "server" else "router-reservation"
        discovery = Discovery(_likely_classes(environment, boot.default_class), reach, vlan.space.after(last))
    subnet = str(environment.network.vlans[boot.vlan].subnet)
    loaders = tuple(sorted(boot.loaders))
    return NetbootPlan(
        address=str(boot.workstation if boot.served_by == "workstation" else boot.address),
        served_by=boot.served_by,
        vip=str(boot.address),
        vlan=boot.vlan,
        subnet=subnet,
        loaders=loaders,
        entries=entries,
        pis=pi_entries(environment),
        discovery=discovery,
        pi_system=pi_system(boot),
        ipxe=ipxe_archive(boot),
        checksums=dict(sorted(boot.checksums.items())),
    )


def _likely_classes(environment: Environment, default: str | None) -> dict[Arch, str]:
    """Architecture → the default class, else one that a node has, else any: of those that may come by iPXE."""
    nodes = environment.cluster.nodes.values() if environment.cluster else ()
    found: dict[Arch, str] = {}
    for name in (*filter(None, (default,)), *(node.hardware for node in nodes), *environment.hardware):
        hardware = environment.hardware[name]
        if hardware.firmware in ("bios", "uefi"):
            found.setdefault(hardware.arch, name)
    return dict(sorted(found.items()))


def _peers(environment: Environment) -> tuple[tuple[str, int, int], ...]:
    cluster, router = environment.cluster, environment.network.router
    if cluster is None or cluster.cni.bgp is None or router.asn is None:
        return ()
    if not any(peer.address == router.address for peer in cluster.cni.bgp.peers):
        return ()
    own = cluster.cni.bgp.asn
    return tuple(sorted((str(node.address), own, router.asn) for node in cluster.nodes.values()))


def _vlan(environment: Environment, name: str, table: tuple[Host, ...]) -> VlanPlan:
    vlan = environment.network.vlans[name]
    cluster, bootstrap = environment.cluster, environment.bootstrap
    ranges = [vlan.dhcp.range] if vlan.dhcp else []
    if cluster and cluster.load_balancer_pool and cluster.load_balancer_pool.first in vlan.subnet:
        ranges.append(cluster.load_balancer_pool)
    single = (IPv4Address(host.address) for host in table if host.vlan == name)
    ours = vlan.dhcp is not None and vlan.dhcp.mode == "server"
    return VlanPlan(
        name=name,
        tag=vlan.tag,
        subnet=str(vlan.subnet),
        gateway=str(vlan.gateway),
        dhcp=vlan.dhcp.mode if vlan.dhcp else None,
        range=str(vlan.dhcp.range) if vlan.dhcp else None,
        router_leases=not ours,
        relayed=ours and bootstrap is not None and bootstrap.vlan != name,
        space=space(vlan.subnet, single, ranges),
    )
