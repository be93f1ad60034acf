"""Laws of Cilium's choices: options that exclude each other, who announces addresses, BGP.

Owns `cluster.cni` and who announces the pool. Refuses Cilium's values, which are Git's.
"""

from collections.abc import Iterator

from model.arda import BgpPeer
from model.environment import Environment
from model.laws.claims import claims
from model.laws.registry import Breach, law

RESERVED_ASN = {23456: "AS_TRANS (RFC 6793)", 65535: "reserved (RFC 7300)", 4294967295: "reserved (RFC 7300)"}


def peers(env: Environment) -> list[tuple[str, BgpPeer]]:
    """(path, peer) of every BGP neighbour."""
    bgp = env.cluster.cni.bgp if env.cluster else None
    return [(f"cluster.cni.bgp.peers.{index}", peer) for index, peer in enumerate(bgp.peers)] if bgp else []


@law("cluster-announce-none")
def somebody_announces(env: Environment) -> Iterator[Breach]:
    """The LoadBalancer pool is announced, by L2 or by BGP: else no one on the LAN finds its addresses."""
    cluster = env.cluster
    if cluster and cluster.load_balancer_pool and not cluster.cni.l2_announcements and not cluster.cni.bgp:
        message = f"nobody announces the pool {cluster.load_balancer_pool}: L2 is off, and there is no BGP"
        yield Breach(
            "cluster.cni.l2_announcements", message, "set it to true, or add bgp", "cluster.load_balancer_pool"
        )


@law("cluster-announce-twice", "warning")
def one_announces(env: Environment) -> Iterator[Breach]:
    """The pool is announced one way: with both, the router and the LAN take different paths to one address."""
    if env.cluster and env.cluster.cni.bgp and env.cluster.cni.l2_announcements:
        message = "LoadBalancer addresses are announced by L2 and by BGP"
        yield Breach("cluster.cni.l2_announcements", message, "set it to false", "cluster.cni.bgp")


@law("cluster-cni-gateways")
def one_serves_gateways(env: Environment) -> Iterator[Breach]:
    """Either Cilium or Envoy serves gateways: both would claim each Gateway's address."""
    if env.cluster and env.cluster.cni.gateway_api and env.edge.gateways:
        message = "Cilium's own Gateway API is on, and edge.gateways are Envoy's"
        yield Breach("cluster.cni.gateway_api", message, "set it to false, or leave edge.gateways out", "edge.gateways")


@law("cluster-cni-dsr-tunnel")
def dsr_needs_native_routing(env: Environment) -> Iterator[Breach]:
    """Direct server return needs native routing: inside a VXLAN tunnel Cilium refuses to start with it."""
    if env.cluster and env.cluster.cni.load_balancer_mode != "snat" and env.cluster.cni.routing == "tunnel":
        message = f"load_balancer_mode {env.cluster.cni.load_balancer_mode} does not work inside a tunnel"
        yield Breach(
            "cluster.cni.load_balancer_mode", message, "set it to snat, or routing: native", "cluster.cni.routing"
        )


@law("cluster-cni-dsr-vpn", unless=("cluster-cni-dsr-tunnel",))
def dsr_and_vpn(env: Environment) -> Iterator[Breach]:
    """With direct server return, LoadBalancer addresses are not reached by a VPN's subnet router: the answer leaves
    past it, and the connection is dropped. With dsr single Services can be the exception (`gitops-vpn-direct`), with
    hybrid none can (Cilium, "Annotation-based DSR and SNAT Mode")."""
    cluster, vpn = env.cluster, env.edge.vpn
    if not (cluster and vpn and cluster.load_balancer_pool) or cluster.cni.load_balancer_mode != "hybrid":
        return
    for index, route in enumerate(vpn.routes):
        if cluster.load_balancer_pool.first in route or cluster.load_balancer_pool.last in route:
            message = (
                f"load_balancer_mode {cluster.cni.load_balancer_mode} answers past the VPN's subnet router: addresses "
                f"of the pool {cluster.load_balancer_pool} are not reached by the route {route}"
            )
            yield Breach(
                "cluster.cni.load_balancer_mode",
                message,
                "set it to dsr, where gateways are the exception, or to snat",
                f"edge.vpn.routes.{index}",
            )


@law("cluster-bgp-asn-reserved")
def asn_usable(env: Environment) -> Iterator[Breach]:
    """An AS number is one that a router may have."""
    bgp = env.cluster.cni.bgp if env.cluster else None
    numbers = [("cluster.cni.bgp.asn", bgp.asn)] if bgp else []
    numbers += [(f"{path}.asn", peer.asn) for path, peer in peers(env)]
    numbers += [("network.router.asn", env.network.router.asn)] if env.network.router.asn else []
    for path, asn in numbers:
        if asn in RESERVED_ASN:
            yield Breach(path, f"AS {asn} is nobody's: {RESERVED_ASN[asn]}", "choose a private one, 64512 to 65534")


@law("cluster-bgp-asn-same", "warning")
def asn_differs(env: Environment) -> Iterator[Breach]:
    """The cluster and its neighbour have different AS numbers: with one, a neighbour does not pass routes on."""
    bgp = env.cluster.cni.bgp if env.cluster else None
    for path, peer in peers(env):
        if bgp and peer.asn == bgp.asn:
            message = (
                f"the cluster and its neighbour {peer.address} are both AS {peer.asn}: such routes are not passed on"
            )
            yield Breach(
                f"{path}.asn",
                message,
                f"nearest: {bgp.asn + 1 if bgp.asn < 65534 else bgp.asn - 1}",
                "cluster.cni.bgp.asn",
            )


@law("cluster-bgp-peer")
def peer_is_outside(env: Environment) -> Iterator[Breach]:
    """A BGP neighbour is not one of the cluster's own addresses."""
    own = {claim.address: claim for claim in claims(env) if claim.served or claim.path.startswith("cluster.")}
    for path, peer in peers(env):
        if peer.address in own:
            owner = own[peer.address]
            message = f"the BGP neighbour {peer.address} is {owner.who}, of the cluster itself"
            yield Breach(
                f"{path}.address", message, f"did you mean the router, {env.network.router.address}?", owner.path
            )


@law("cluster-bgp-peer-duplicate")
def peer_once(env: Environment) -> Iterator[Breach]:
    """A BGP neighbour is named once."""
    seen: dict[object, str] = {}
    for path, peer in peers(env):
        if peer.address in seen:
            yield Breach(
                f"{path}.address",
                f"the BGP neighbour {peer.address} is named twice",
                "leave one out",
                seen[peer.address],
            )
        seen.setdefault(peer.address, f"{path}.address")


@law("cluster-bgp-router-asn")
def router_asn_agrees(env: Environment) -> Iterator[Breach]:
    """Where the neighbour is the router, both places give it one AS number."""
    router = env.network.router
    for path, peer in peers(env):
        if peer.address == router.address and router.asn is not None and router.asn != peer.asn:
            message = f"the router is AS {peer.asn} here, and AS {router.asn} in network.router"
            yield Breach(f"{path}.asn", message, f"did you mean {router.asn}?", "network.router.asn")
