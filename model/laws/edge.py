"""Laws of the edge: gateways, tunnel and records close on each other, and every name has somebody who publishes it.

Owns how a request arrives. Refuses routes of single applications, which are Git's.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from model.environment import Environment
from model.laws.claims import Free, repeated, take
from model.laws.ranges import PRIVATE
from model.laws.registry import Breach, law
from model.laws.words import nearest

ID = re.compile(r"[0-9a-f]{32}")


@law("edge-cluster-missing")
def gateways_have_a_cluster(env: Environment) -> Iterator[Breach]:
    """Gateways and hops run on the cluster."""
    for kind in ("gateways", "hops"):
        if getattr(env.edge, kind) and env.cluster is None:
            yield Breach(
                f"edge.{kind}",
                f"there are {kind}, and no cluster that they run on",
                "add cluster, or leave them out",
                "cluster",
            )


@law("edge-pool-missing", unless=("edge-cluster-missing",))
def gateways_have_a_pool(env: Environment) -> Iterator[Breach]:
    """Gateways and hops have a LoadBalancer pool to be pinned in."""
    if env.cluster and env.cluster.load_balancer_pool is None and any(served(env)):
        message = "gateways need LoadBalancer addresses, and the cluster has no pool"
        yield Breach(
            "cluster.load_balancer_pool", message, "add a range that holds the gateways' addresses", "edge.gateways"
        )


@law("edge-address-outside-pool")
def gateway_in_pool(env: Environment) -> Iterator[Breach]:
    """A gateway's or hop's address lies in the LoadBalancer pool: Cilium gives no other."""
    pool = env.cluster.load_balancer_pool if env.cluster else None
    if pool is None:
        return
    free = Free(env)
    for path, address in served(env):
        if address not in pool:
            who = "k8s-gateway" if path.startswith("edge.dns") else path.split(".")[2]
            message = f"{address} of {who} is outside the LoadBalancer pool {pool}"
            yield Breach(
                path, message, take(free.near(pool, address), "make the pool bigger"), "cluster.load_balancer_pool"
            )


def served(env: Environment) -> Iterator[tuple[str, IPv4Address]]:
    """(path, address) of every gateway and hop, and of k8s-gateway."""
    if env.edge.dns.inside and env.edge.dns.inside.address:
        yield "edge.dns.inside.address", env.edge.dns.inside.address
    for kind, many in (("gateways", env.edge.gateways), ("hops", env.edge.hops)):
        for name, one in many.items():
            yield f"edge.{kind}.{name}.address", one.address


@law("edge-tunnel-gateway")
def tunnel_ends_at_a_gateway(env: Environment) -> Iterator[Breach]:
    """The tunnel ends at a gateway that exists."""
    tunnel = env.edge.tunnel
    if tunnel and tunnel.gateway not in env.edge.gateways:
        message = f"the tunnel ends at '{tunnel.gateway}', which is no gateway"
        yield Breach("edge.tunnel.gateway", message, nearest(tunnel.gateway, env.edge.gateways), "edge.gateways")


@law("edge-tunnel-via")
def tunnel_goes_through_a_hop(env: Environment) -> Iterator[Breach]:
    """What stands between tunnel and gateway exists."""
    tunnel = env.edge.tunnel
    if tunnel and tunnel.via and tunnel.via not in env.edge.hops:
        message = f"the tunnel goes through '{tunnel.via}', which is no hop"
        yield Breach("edge.tunnel.via", message, nearest(tunnel.via, env.edge.hops), "edge.hops")


@law("edge-tunnel-audience")
def tunnel_ends_at_the_public(env: Environment) -> Iterator[Breach]:
    """The tunnel does not lead to a gateway that is the LAN's alone."""
    tunnel = env.edge.tunnel
    gateway = env.edge.gateways.get(tunnel.gateway) if tunnel else None
    if tunnel and gateway and gateway.audience == "lan":
        public = [name for name, one in env.edge.gateways.items() if one.audience == "public"]
        message = f"the tunnel would open {tunnel.gateway} to the internet, and its audience is lan"
        hint = f"did you mean {public[0]}?" if public else "add a gateway with audience: public"
        yield Breach("edge.tunnel.gateway", message, hint, f"edge.gateways.{tunnel.gateway}.audience")


@law("edge-tunnel-cloudflare")
def tunnel_has_an_account(env: Environment) -> Iterator[Breach]:
    """A tunnel belongs to a Cloudflare account."""
    if env.edge.tunnel and env.edge.cloudflare is None:
        yield Breach(
            "edge.tunnel",
            "there is a tunnel, and no Cloudflare account that holds it",
            "add edge.cloudflare",
            "edge.cloudflare",
        )


@law("edge-hop-unused", "warning")
def hop_is_used(env: Environment) -> Iterator[Breach]:
    """A hop is on the tunnel's way."""
    via = env.edge.tunnel.via if env.edge.tunnel else None
    for name in env.edge.hops:
        if name != via:
            yield Breach(
                f"edge.hops.{name}",
                f"nothing goes through {name}",
                f"add via: {name} to the tunnel, or leave it out",
                "edge.tunnel",
            )


@law("edge-public-unreachable", unless=("edge-tunnel-gateway", "edge-direct-gateway"))
def public_gateway_is_reached(env: Environment) -> Iterator[Breach]:
    """A public gateway with a private address is behind the tunnel, or the router forwards to it: a public record of a
    private address leads nowhere, and Cloudflare proxies none."""
    for name, gateway in env.edge.gateways.items():
        if gateway.audience == "public" and name != env.edge.entered and any(gateway.address in net for net in PRIVATE):
            message = f"{name} is public, and nobody on the internet reaches {gateway.address}"
            hint = f"add a tunnel with gateway: {name}, or direct, or set audience: lan"
            yield Breach(f"edge.gateways.{name}.audience", message, hint, "edge.tunnel")


@law("edge-unpublished", "warning")
def names_are_published(env: Environment) -> Iterator[Breach]:
    """Somebody publishes each gateway's name: this program at Cloudflare, or who answers on the LAN."""
    for name, gateway in env.edge.gateways.items():
        if env.edge.cloudflare is None and (env.edge.dns.inside is None or gateway.audience == "public"):
            message = f"nobody publishes {gateway.hostname}: there is no Cloudflare zone"
            lan = gateway.audience == "lan"
            hint = f"add edge.cloudflare{', or edge.dns.inside' if lan else ''}, or a record at your own DNS"
            yield Breach(f"edge.gateways.{name}.hostname", message, hint, "edge.cloudflare")


@law("edge-record-nowhere")
def records_have_a_zone(env: Environment) -> Iterator[Breach]:
    """Records are put into a zone."""
    if env.edge.records and env.edge.cloudflare is None:
        yield Breach(
            "edge.records",
            "there are records, and no Cloudflare zone to put them into",
            "add edge.cloudflare",
            "edge.cloudflare",
        )


def hostnames(env: Environment) -> Iterator[tuple[str, str]]:
    """(name, path) of every public name that this program owns."""
    for name, gateway in env.edge.gateways.items():
        yield gateway.hostname, f"edge.gateways.{name}.hostname"
    for index, record in enumerate(env.edge.records):
        yield record.name, f"edge.records.{index}.name"


@law("edge-name-outside-zone", unless=("name-domain-wildcard",))
def names_in_zone(env: Environment) -> Iterator[Breach]:
    """A public name lies in the lab's domain, the zone that records are put into."""
    for name, path in hostnames(env):
        if name != env.domain and not name.endswith(f".{env.domain}"):
            near = f"{name.split('.')[0]}.{env.domain[:100]}"
            yield Breach(path, f"{name} is outside the zone {env.domain[:100]}", f"did you mean {near}?", "domain")


@law("edge-name-duplicate")
def name_published_once(env: Environment) -> Iterator[Breach]:
    """A public name has one record: Cloudflare refuses a second CNAME."""
    for name, first, later in repeated(hostnames(env)):
        yield Breach(later, f"{name} is published twice", "leave one out", first)


@law("edge-name-internal", unless=("edge-name-outside-zone",))
def names_keep_off_the_internal_zone(env: Environment) -> Iterator[Breach]:
    """No public name lies in the internal zone, which our own DNS answers alone."""
    zone = f"{env.name}.{env.domain}"
    for name, path in hostnames(env):
        if name == zone or name.endswith(f".{zone}"):
            yield Breach(
                path,
                f"{name} lies in the internal zone {zone}",
                f"did you mean {name.split('.')[0]}.{env.domain}?",
                "name",
            )


@law("edge-gateway-wildcard")
def gateway_name_is_plain(env: Environment) -> Iterator[Breach]:
    """A gateway's own name is no wildcard: CNAMEs point to it."""
    for name, gateway in env.edge.gateways.items():
        if gateway.hostname.startswith("*."):
            message = f"{gateway.hostname} is a wildcard, and nothing can point to one"
            yield Breach(
                f"edge.gateways.{name}.hostname", message, f"did you mean {name.split('-')[-1]}{gateway.hostname[1:]}?"
            )


@law("edge-record-target")
def record_leads_to_a_gateway(env: Environment) -> Iterator[Breach]:
    """A record leads to a gateway that exists."""
    for index, record in enumerate(env.edge.records):
        if record.target not in env.edge.gateways:
            message = f"{record.name} leads to '{record.target}', which is no gateway"
            yield Breach(
                f"edge.records.{index}.target", message, nearest(record.target, env.edge.gateways), "edge.gateways"
            )


@law("edge-cloudflare-id")
def ids_are_ids(env: Environment) -> Iterator[Breach]:
    """Account and zone ids are 32 hex digits, and not one and the same."""
    cloudflare = env.edge.cloudflare
    if cloudflare is None:
        return
    for kind in ("account_id", "zone_id"):
        value = getattr(cloudflare, kind)
        if not ID.fullmatch(value):
            message = f"'{value[:40]}' is no Cloudflare id of 32 hex digits"
            yield Breach(f"edge.cloudflare.{kind}", message, "copy it from the zone's overview page")
    if cloudflare.account_id == cloudflare.zone_id:
        message = "the account and the zone have one id"
        yield Breach("edge.cloudflare.zone_id", message, "the overview page shows both", "edge.cloudflare.account_id")


@law("edge-vpn-route", "warning")
def routes_lead_somewhere(env: Environment) -> Iterator[Breach]:
    """A route of the VPN leads to something of the lab."""
    nets = [vlan.subnet for vlan in env.network.vlans.values()]
    nets += [env.cluster.pods, env.cluster.services] if env.cluster else []
    for index, route in enumerate(env.edge.vpn.routes if env.edge.vpn else ()):
        if not any(route.overlaps(net) for net in nets):
            yield Breach(
                f"edge.vpn.routes.{index}",
                f"nothing of the lab is in {route}",
                f"did you mean {nets[0]}?",
                "network.vlans",
            )


@law("edge-zone-ssl", "warning")
def origin_is_reached_by_tls(env: Environment) -> Iterator[Breach]:
    """Cloudflare reaches the origin by TLS and checks its certificate."""
    ssl = env.edge.cloudflare.zone_settings.ssl if env.edge.cloudflare else None
    if ssl not in (None, "strict"):
        said = "without TLS" if ssl in ("off", "flexible") else "whatever certificate it shows"
        path = "edge.cloudflare.zone_settings.ssl"
        yield Breach(path, f"with ssl: {ssl} Cloudflare talks to the origin {said}", "set it to strict")


@law("edge-zone-tls", "warning")
def visitors_speak_current_tls(env: Environment) -> Iterator[Breach]:
    """Visitors speak TLS 1.2 or newer: browsers dropped what is older, and RFC 8996 with them."""
    oldest = env.edge.cloudflare.zone_settings.min_tls_version if env.edge.cloudflare else None
    if oldest in ("1.0", "1.1"):
        path = "edge.cloudflare.zone_settings.min_tls_version"
        yield Breach(path, f"visitors may speak TLS {oldest}, which is broken", 'nearest: "1.2"')
