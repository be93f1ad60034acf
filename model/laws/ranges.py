"""Laws of Eä's ranges: subnets, DHCP ranges, pools, pods and services, against each other and each big enough.

Owns ranges and MTU. Refuses single addresses (`network`).
"""

from collections.abc import Iterator
from ipaddress import IPv4Network

from model.environment import Environment
from model.fields import AddressRange
from model.laws.claims import edges, talos_nodes
from model.laws.registry import Breach, law
from model.laws.words import listed

PRIVATE = tuple(IPv4Network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
"""RFC 1918, and RFC 6598's shared space, which no public host has either."""
NODE_PODS = 24
"""Prefix length of the pod range that each node gets (kube-controller-manager's `--node-cidr-mask-size` default)."""


def subnets(env: Environment) -> list[tuple[str, IPv4Network, str]]:
    """(path, subnet, name in words) of everything that is a subnet of the lab."""
    found = [(f"network.vlans.{name}.subnet", vlan.subnet, f"VLAN {name}") for name, vlan in env.network.vlans.items()]
    if env.cluster:
        found.append(("cluster.pods", env.cluster.pods, "the pod range"))
        found.append(("cluster.services", env.cluster.services, "the service range"))
    return found


@law("network-subnet-overlap")
def subnets_apart(env: Environment) -> Iterator[Breach]:
    """No two of VLANs, pods and services share an address."""
    every = sorted(subnets(env), key=lambda item: (item[1].network_address, item[1].prefixlen))
    widest = every[0]
    for item in every[1:]:
        if item[1].overlaps(widest[1]):
            (path, net, who), (other, wide, owner) = sorted((item, widest), key=lambda one: _owned(one[0]))[::-1]
            yield Breach(path, f"{who} {net} overlaps {owner} {wide}", _apart(net, every), other)
        if item[1].broadcast_address > widest[1].broadcast_address:
            widest = item


def _owned(path: str) -> tuple[bool, str]:
    return (path.startswith("cluster."), path)


def _apart(net: IPv4Network, every: list[tuple[str, IPv4Network, str]]) -> str:
    """A private subnet of the same size that overlaps none."""
    for home in ("192.168.0.0/16", "10.0.0.0/8") if net.prefixlen >= 16 else ("10.0.0.0/8",):
        if net.prefixlen < IPv4Network(home).prefixlen:
            continue
        for number, candidate in enumerate(IPv4Network(home).subnets(new_prefix=net.prefixlen)):
            if not any(candidate.overlaps(other) for _, other, _ in every):
                return f"a free one of that size: {candidate}"
            if number > 512:
                break
    return "choose subnets that share no address"


@law("network-public-range", "warning")
def ranges_private(env: Environment) -> Iterator[Breach]:
    """Subnets, pods and services are private: a public range hides the hosts that really have its addresses."""
    for path, net, who in subnets(env):
        if not any(net.subnet_of(private) for private in PRIVATE):
            yield Breach(
                path,
                f"{who} {net} is not a private range: its real owners become unreachable",
                "use part of 10.0.0.0/8",
            )


@law("network-dhcp-outside")
def dhcp_inside(env: Environment) -> Iterator[Breach]:
    """A DHCP range lies in its subnet, without its network and broadcast addresses."""
    for name, vlan in env.network.vlans.items():
        if vlan.dhcp and not _usable(vlan.dhcp.range, vlan.subnet):
            path = f"network.vlans.{name}.dhcp.range"
            message = f"the DHCP range {vlan.dhcp.range} leaves what {vlan.subnet} can lease"
            yield Breach(path, message, _clipped(vlan.dhcp.range, vlan.subnet), f"network.vlans.{name}.subnet")


def _usable(run: AddressRange, net: IPv4Network) -> bool:
    return run.first in net and run.last in net and not any(edge in run for edge in edges(net))


def _clipped(run: AddressRange, net: IPv4Network) -> str:
    first = max(run.first, net.network_address + 1)
    last = min(run.last, net.broadcast_address - 1)
    return f"did you mean {first}-{last}?" if first <= last else f"choose a range inside {net}"


@law("network-dhcp-small", "warning", unless=("network-dhcp-outside",))
def dhcp_holds_the_machines(env: Environment) -> Iterator[Breach]:
    """The DHCP range of the boot VLAN has an address for every machine that boots there at once."""
    boot = env.network.netboot
    vlan = env.network.vlans.get(boot.vlan) if boot else None
    if not boot or not vlan or not vlan.dhcp:
        return
    booting = [name for name, node in talos_nodes(env) if node.boot == "netboot"]
    booting += [name for name, pi in env.bootstrap.nodes.items() if pi.netboots] if env.bootstrap else []
    have = len(vlan.dhcp.range)
    if have < len(booting):
        message = f"{vlan.dhcp.range} has {have} addresses, and {len(booting)} machines may boot at once"
        yield Breach(f"network.vlans.{boot.vlan}.dhcp.range", message, f"give it at least {len(booting)} addresses")


@law("address-pool-outside")
def pool_inside(env: Environment) -> Iterator[Breach]:
    """The LoadBalancer pool lies in the cluster's VLAN, where ARP for it is asked; with BGP it may lie anywhere."""
    cluster = env.cluster
    if cluster is None or cluster.load_balancer_pool is None or cluster.vlan not in env.network.vlans:
        return
    net = env.network.vlans[cluster.vlan].subnet
    if cluster.cni.l2_announcements and not _usable(cluster.load_balancer_pool, net):
        message = f"the pool {cluster.load_balancer_pool} leaves what VLAN {cluster.vlan}, {net}, can hold"
        hint = _clipped(cluster.load_balancer_pool, net)
        yield Breach("cluster.load_balancer_pool", message, hint, f"network.vlans.{cluster.vlan}.subnet")


@law("address-pool-leased")
def pool_not_leased(env: Environment) -> Iterator[Breach]:
    """The LoadBalancer pool and the DHCP ranges share no address."""
    pool = env.cluster.load_balancer_pool if env.cluster else None
    for name, vlan in env.network.vlans.items():
        if pool and vlan.dhcp and pool.overlaps(vlan.dhcp.range):
            run = vlan.dhcp.range
            message = f"the pool {pool} overlaps the DHCP range {run} of VLAN {name}"
            yield Breach("cluster.load_balancer_pool", message, _beside(pool, run), f"network.vlans.{name}.dhcp.range")


def _beside(pool: AddressRange, run: AddressRange) -> str:
    if pool.last > run.last:
        return f"did you mean {run.last + 1}-{pool.last}?"
    if pool.first < run.first:
        return f"did you mean {pool.first}-{run.first - 1}?"
    return "move it out of the DHCP range"


@law("address-pool-virtual", unless=("address-pool-outside", "network-subnet-overlap"))
def pool_not_virtual(env: Environment) -> Iterator[Breach]:
    """The LoadBalancer pool shares no address with pods and services."""
    cluster = env.cluster
    if cluster is None or cluster.load_balancer_pool is None:
        return
    pool = cluster.load_balancer_pool
    for kind, net in (("pods", cluster.pods), ("services", cluster.services)):
        if pool.first <= net.broadcast_address and net.network_address <= pool.last:
            message = f"the pool {pool} overlaps the range of {kind}, {net}"
            yield Breach("cluster.load_balancer_pool", message, f"choose a range outside {net}", f"cluster.{kind}")


@law("network-pods-small", unless=("network-subnet-overlap",))
def pods_hold_the_nodes(env: Environment) -> Iterator[Breach]:
    """The pod range has a /24 for every node."""
    if env.cluster is None:
        return
    pods, count = env.cluster.pods, len(env.cluster.nodes)
    have = 2 ** (NODE_PODS - pods.prefixlen) if pods.prefixlen <= NODE_PODS else 0
    if have < count:
        need = NODE_PODS - (count - 1).bit_length()
        message = f"the pod range {pods} holds {have} nodes (a /{NODE_PODS} each), and there are {count}"
        wide = IPv4Network((pods.network_address, need), strict=False)
        yield Breach("cluster.pods", message, f"did you mean {wide}?", "cluster.nodes")


@law("network-services-size")
def services_fit(env: Environment) -> Iterator[Breach]:
    """The service range holds the API's address (.1) and the resolver's (.10), and has at most 20 host bits, which is
    all that the API server accepts."""
    services = env.cluster.services if env.cluster else None
    if services and not 12 <= services.prefixlen <= 28:
        why = (
            "too small for the API's and the resolver's address"
            if services.prefixlen > 28
            else "too big for the API server"
        )
        near = IPv4Network((services.network_address, min(max(services.prefixlen, 12), 28)), strict=False)
        yield Breach("cluster.services", f"the service range {services} is {why}", f"did you mean {near}?")


@law("network-mtu")
def mtu_possible(env: Environment) -> Iterator[Breach]:
    """An MTU is one that Ethernet carries and IPv6's minimum allows: 1280 to 9216."""
    mtus = [(f"network.vlans.{name}.mtu", vlan.mtu) for name, vlan in env.network.vlans.items()]
    mtus += [(f"hardware.{name}.mtu", hardware.mtu) for name, hardware in env.hardware.items()]
    for path, mtu in mtus:
        if not 1280 <= mtu <= 9216:
            yield Breach(path, f"no network carries an MTU of {mtu}", f"nearest: {min(max(mtu, 1280), 9216)}")


@law("network-mtu-path", unless=("network-mtu",))
def mtu_along_the_path(env: Environment) -> Iterator[Breach]:
    """No machine sends bigger packets than its VLAN carries: they would vanish without a word."""
    stands = [(node.hardware, env.cluster.vlan) for _, node in talos_nodes(env)] if env.cluster else []
    stands += [(pi.hardware, env.bootstrap.vlan) for pi in env.bootstrap.nodes.values()] if env.bootstrap else []
    for name, vlan_name in sorted(set(stands)):
        hardware, vlan = env.hardware.get(name), env.network.vlans.get(vlan_name)
        if hardware and vlan and hardware.mtu > vlan.mtu:
            message = f"{name} sends packets of {hardware.mtu} bytes, and VLAN {vlan_name} carries {vlan.mtu}"
            yield Breach(f"hardware.{name}.mtu", message, f"nearest: {vlan.mtu}", f"network.vlans.{vlan_name}.mtu")


@law("network-mtu-mixed", "warning", unless=("network-mtu-path", "network-mtu"))
def mtu_alike(env: Environment) -> Iterator[Breach]:
    """All nodes of the cluster send packets of one size."""
    used = {node.hardware for _, node in talos_nodes(env)} & set(env.hardware)
    sizes = sorted({env.hardware[name].mtu for name in used})
    if len(sizes) > 1:
        small = [name for name in sorted(used) if env.hardware[name].mtu == sizes[0]]
        message = f"the nodes' MTUs differ ({listed(map(str, sizes))}): what one sends, another drops"
        yield Breach("cluster.nodes", message, f"set mtu: {sizes[0]} everywhere, as on {listed(small)}", "hardware")
