"""Laws of Eä's addresses: every claim inside its subnet, nobody twice, nothing in a range that is leased or pooled.

Owns single addresses, VLANs and who answers. Refuses ranges against ranges (`ranges`) and cables (`ports`).
"""

from collections.abc import Iterator

from model.environment import Environment
from model.fields import LABEL
from model.laws.claims import Free, batteries, claims, devices, edges, repeated, subnet_of, switches, take
from model.laws.registry import Breach, law
from model.laws.words import nearest


@law("network-vlan-unknown")
def vlan_known(env: Environment) -> Iterator[Breach]:
    """Whatever names a VLAN names one of `network.vlans`."""
    named = [
        (f"{path}.vlan", one.vlan) for path, _, one in (*switches(env), *batteries(env), *devices(env)) if one.vlan
    ]
    named += [(f"network.router.leases.{index}", one) for index, one in enumerate(env.network.router.leases or ())]
    named += [("network.netboot.vlan", env.network.netboot.vlan)] if env.network.netboot else []
    named += [("bootstrap.vlan", env.bootstrap.vlan)] if env.bootstrap else []
    named += [("cluster.vlan", env.cluster.vlan)] if env.cluster else []
    for path, vlan in named:
        if vlan not in env.network.vlans:
            yield Breach(path, f"there is no VLAN '{vlan}'", nearest(vlan, env.network.vlans), "network.vlans")


@law("network-vlan-missing")
def managed_address_has_vlan(env: Environment) -> Iterator[Breach]:
    """A switch or UPS with a management address says in which VLAN it is."""
    for path, name, one in (*switches(env), *batteries(env)):
        if one.address and not one.vlan:
            inside = [vlan for vlan, shape in env.network.vlans.items() if one.address in shape.subnet]
            hint = f"add vlan: {inside[0]}" if inside else "add the VLAN whose subnet holds it"
            yield Breach(f"{path}.address", f"{name} has address {one.address} but no VLAN", hint, "network.vlans")


@law("address-duplicate")
def address_once(env: Environment) -> Iterator[Breach]:
    """An address belongs to one owner."""
    every = {claim.path: claim for claim in claims(env)}
    free = Free(env)
    for address, first, later in repeated((claim.address, claim.path) for claim in every.values()):
        one, other = every[first], every[later]
        inside = env.cluster.load_balancer_pool if other.served and env.cluster else subnet_of(env, other.address)
        hint = take(free.near(inside, other.address) if inside else None, "give one of them another address")
        yield Breach(later, f"{address} belongs to {other.who} and to {one.who}", hint, first)


@law("address-outside", unless=("network-vlan-unknown",))
def address_inside_vlan(env: Environment) -> Iterator[Breach]:
    """An address lies in the subnet of the VLAN that its owner stands in."""
    free = Free(env)
    for claim in claims(env):
        vlan = env.network.vlans.get(claim.vlan or "")
        if vlan and claim.address not in vlan.subnet:
            message = f"{claim.address} of {claim.who} is outside VLAN {claim.vlan}, {vlan.subnet}"
            hint = take(free.near(vlan.subnet, claim.address), f"choose one of {vlan.subnet}")
            yield Breach(claim.path, message, hint, f"network.vlans.{claim.vlan}.subnet")


@law("address-reserved")
def address_usable(env: Environment) -> Iterator[Breach]:
    """Nobody has a subnet's network or broadcast address."""
    free = Free(env)
    reserved = {a: (name, vlan) for name, vlan in env.network.vlans.items() for a in edges(vlan.subnet)}
    for claim in claims(env):
        if claim.address in reserved:
            name, vlan = reserved[claim.address]
            kind = "network" if claim.address == vlan.subnet.network_address else "broadcast"
            message = f"{claim.address} of {claim.who} is the {kind} address of {vlan.subnet}"
            hint = take(free.near(vlan.subnet, claim.address), "choose another address")
            yield Breach(claim.path, message, hint, f"network.vlans.{name}.subnet")


@law("address-leased")
def address_not_leased(env: Environment) -> Iterator[Breach]:
    """A fixed address, and a resolver's, lies outside every DHCP range: a lease could be given to somebody else."""
    free = Free(env)
    leased = [(name, vlan, vlan.dhcp.range) for name, vlan in env.network.vlans.items() if vlan.dhcp]
    fixed = [(claim.path, claim.address, claim.who) for claim in claims(env)]
    fixed += [(f"network.resolvers.{i}", address, "a resolver") for i, address in enumerate(env.network.resolvers)]
    for path, address, who in fixed:
        for name, vlan, run in leased:
            if address in run:
                hint = take(free.near(vlan.subnet, address), "move it out of the range, or make the range smaller")
                message = f"{address} of {who} lies in the DHCP range {run} of VLAN {name}"
                yield Breach(path, message, hint, f"network.vlans.{name}.dhcp.range")


@law("address-pooled", unless=("address-duplicate",))
def address_not_in_pool(env: Environment) -> Iterator[Breach]:
    """The LoadBalancer pool swallows no node, VIP, router or device: Cilium would answer ARP for its address."""
    pool = env.cluster.load_balancer_pool if env.cluster else None
    if pool is None:
        return
    free = Free(env)
    for claim in claims(env):
        if not claim.served and claim.address in pool:
            subnet = subnet_of(env, claim.address)
            hint = take(free.near(subnet, claim.address) if subnet else None, "make the pool smaller")
            message = f"{claim.address} of {claim.who} lies in the LoadBalancer pool {pool}"
            yield Breach(claim.path, message, hint, "cluster.load_balancer_pool")


@law("address-virtual", unless=("network-subnet-overlap", "address-outside"))
def address_not_virtual(env: Environment) -> Iterator[Breach]:
    """No machine, resolver or BGP peer has an address that pods or services have: the cluster would keep it inside."""
    if env.cluster is None:
        return
    pool = env.cluster.load_balancer_pool
    pooled = [claim for claim in claims(env) if claim.served and pool and claim.address in pool]  # the pool's own law
    real = [(claim.path, claim.address, claim.who) for claim in claims(env) if claim not in pooled]
    real += [(f"network.resolvers.{i}", address, "a resolver") for i, address in enumerate(env.network.resolvers)]
    peers = env.cluster.cni.bgp.peers if env.cluster.cni.bgp else ()
    real += [(f"cluster.cni.bgp.peers.{i}.address", peer.address, "a BGP peer") for i, peer in enumerate(peers)]
    for path, address, who in real:
        for kind, virtual in (("pods", env.cluster.pods), ("services", env.cluster.services)):
            if address in virtual:
                message = f"{address} of {who} lies in the range of {kind}, {virtual}"
                yield Breach(path, message, f"choose an address outside {virtual}", f"cluster.{kind}")


@law("network-router-nowhere")
def router_is_a_gateway(env: Environment) -> Iterator[Breach]:
    """The router's address is the gateway of some VLAN: else no machine could reach it."""
    gateways = {vlan.gateway: name for name, vlan in env.network.vlans.items()}
    if env.network.router.address not in gateways:
        message = f"the router's address {env.network.router.address} is the gateway of no VLAN"
        yield Breach("network.router.address", message, f"did you mean {next(iter(gateways))}?", "network.vlans")


@law("network-resolvers-none", "warning")
def has_resolvers(env: Environment) -> Iterator[Breach]:
    """There are DNS servers for names that are not ours."""
    if not env.network.resolvers:
        message = "nobody answers names from outside: no machine could pull an image"
        yield Breach(
            "network.resolvers", message, f"name the router, [{env.network.router.address}], or a public resolver"
        )


@law("network-time-none", "warning")
def has_time(env: Environment) -> Iterator[Breach]:
    """There are time servers: a Pi has no clock, and a certificate from the future is refused."""
    if not env.network.time_servers:
        yield Breach("network.time_servers", "no time server is named", "add one, such as time.cloudflare.com")


@law("network-time-form")
def time_servers_are_hosts(env: Environment) -> Iterator[Breach]:
    """A time server is a host name or an IPv4 address."""
    for index, server in enumerate(env.network.time_servers):
        if not all(LABEL.fullmatch(part) for part in server.lower().split(".")):
            message = f"'{server[:60]}' is no host name and no address"
            yield Breach(f"network.time_servers.{index}", message, "write it as time.cloudflare.com")


@law("network-resolver-on-cluster", "warning")
def resolver_outside(env: Environment) -> Iterator[Breach]:
    """No resolver stands on the cluster that needs it to start."""
    owners = {c.address: c for c in claims(env) if c.served or c.path.startswith("cluster.")}
    for index, address in enumerate(env.network.resolvers):
        if address in owners:
            owner = owners[address]
            message = f"resolver {address} is {owner.who}: the cluster would need itself to start"
            hint = f"name a resolver outside the cluster, such as the router {env.network.router.address}"
            yield Breach(f"network.resolvers.{index}", message, hint, owner.path)


@law("network-vlan-tag")
def tag_in_range(env: Environment) -> Iterator[Breach]:
    """An 802.1Q tag is a number from 1 to 4094."""
    for name, vlan in env.network.vlans.items():
        if vlan.tag is not None and not 1 <= vlan.tag <= 4094:
            near = min(max(vlan.tag, 1), 4094)
            yield Breach(
                f"network.vlans.{name}.tag", f"{vlan.tag} is no VLAN tag: they run from 1 to 4094", f"nearest: {near}"
            )


@law("network-vlan-tag-duplicate")
def tag_once(env: Environment) -> Iterator[Breach]:
    """A tag belongs to one VLAN, and only one VLAN is untagged."""
    tags = ((vlan.tag, f"network.vlans.{name}") for name, vlan in env.network.vlans.items())
    used = {vlan.tag for vlan in env.network.vlans.values()}
    for tag, first, later in repeated(tags):
        free = next(number for number in range(10, 4095) if number not in used)
        said = f"both have tag {tag}" if tag is not None else "are both untagged"
        message = f"VLANs {later.rpartition('.')[2]} and {first.rpartition('.')[2]} {said}: a switch would join them"
        yield Breach(f"{later}.tag", message, f"a free tag: {free}", f"{first}.tag")
