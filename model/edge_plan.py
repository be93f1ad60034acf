"""The edge, decided: records, the tunnel's rules, what each gateway asks of its address, and who answers on the LAN.

Owns what follows from `edge` and the domain. Refuses the shape (`edge`), and to judge: the laws have.
"""

from dataclasses import dataclass
from typing import Literal

from model.edge import Edge, Gateway, ZoneSettings, wants_dns_token


@dataclass(frozen=True)
class RecordPlan:
    """A record at Cloudflare. Exactly one of `content` and `tunnel` is set."""

    name: str
    type: Literal["A", "CNAME"]
    content: str | None
    tunnel: bool
    """Whether it points at the tunnel, whose id only the tunnel itself knows."""
    proxied: bool


@dataclass(frozen=True)
class TunnelPlan:
    """The tunnel and its rules, first match wins; the last is the catch-all."""

    name: str
    ingress: tuple[tuple[str | None, str, str | None], ...]
    """(host name or None for all, service URL, TLS server name or None)."""


@dataclass(frozen=True)
class GatewayPlan:
    """One gateway, pinned."""

    name: str
    address: str
    hostname: str
    audience: Literal["public", "lan"]
    published: bool
    """Whether external-dns publishes its routes' names, as CNAMEs to its own."""
    named_inside: bool
    """Whether k8s-gateway answers its own name on the LAN."""
    snat: bool
    """Whether it is the exception in a cluster that answers directly, so that the VPN's subnet router reaches it."""


@dataclass(frozen=True)
class InsidePlan:
    """The domain's names on the LAN."""

    by: Literal["k8s-gateway", "ainur", "router"]
    domain: str
    address: str | None
    """k8s-gateway: where the domain is forwarded to. ainur: where every name leads that is not in `names`."""
    names: tuple[tuple[str, str], ...]
    """(name, address) of what this program knows: gateways and records, sorted. What apps are called is Git's."""


@dataclass(frozen=True)
class EdgePlan:
    """How a request arrives, every value decided. Sorted by name."""

    domain: str
    account_id: str | None
    zone_id: str | None
    gateways: tuple[GatewayPlan, ...]
    records: tuple[RecordPlan, ...]
    tunnel: TunnelPlan | None
    zone_settings: tuple[tuple[str, str], ...]
    """(setting's name at Cloudflare, value)."""
    announced: bool
    """Whether addresses are announced by ARP, by a node that need not have the pod."""
    dns_token: bool
    """Whether this program hands cert-manager its token at Cloudflare."""


def plan_edge(
    edge: Edge, domain: str, *, announced: bool = True, direct_return: bool = False, seeds: bool = False
) -> EdgePlan:
    """Decide names, records and the tunnel's rules for a domain. `announced`: by L2; `direct_return`: the cluster's
    nodes answer clients themselves; `seeds`: no store of secrets serves the apps, so this program hands out tokens."""
    inside = edge.dns.inside
    named = inside is not None and inside.by == "k8s-gateway"
    gateways = tuple(
        GatewayPlan(
            name=name,
            address=str(gateway.address),
            hostname=gateway.hostname,
            audience=gateway.audience,
            published=gateway.audience == "public" and edge.dns.outside == "external-dns",
            named_inside=named,
            snat=direct_return and edge.vpn is not None and any(gateway.address in net for net in edge.vpn.routes),
        )
        for name, gateway in sorted(edge.gateways.items())
    )
    records = _records(edge) if edge.cloudflare else []
    return EdgePlan(
        domain=domain,
        account_id=edge.cloudflare.account_id if edge.cloudflare else None,
        zone_id=edge.cloudflare.zone_id if edge.cloudflare else None,
        gateways=gateways,
        records=tuple(sorted(records, key=lambda record: record.name)),
        tunnel=_tunnel(edge, domain) if edge.tunnel and edge.cloudflare else None,
        zone_settings=_settings(edge.cloudflare.zone_settings) if edge.cloudflare else (),
        announced=announced,
        dns_token=seeds and wants_dns_token(edge),
    )


def plan_inside(edge: Edge, domain: str) -> InsidePlan | None:
    """Who answers the domain on the LAN, and with what; None when nobody of ours was named."""
    inside = edge.dns.inside
    if inside is None:
        return None
    found = {gateway.hostname: str(gateway.address) for gateway in edge.gateways.values()}
    found |= {record.name: str(edge.gateways[record.target].address) for record in edge.records}
    every = edge.gateways[inside.gateway].address if inside.gateway else inside.address
    return InsidePlan(inside.by, domain, str(every) if every else None, tuple(sorted(found.items())))


def _settings(wanted: ZoneSettings) -> tuple[tuple[str, str], ...]:
    found = sorted(wanted.model_dump().items())
    return tuple((name, _word(value)) for name, value in found if value is not None)


def _word(value: bool | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value


def _records(edge: Edge) -> list[RecordPlan]:
    """Behind the tunnel a proxied CNAME to it, behind the router an A with its address, any other its own address."""
    found = []
    for name, gateway in edge.gateways.items():
        found.append(_own(edge, name, gateway))
    for record in edge.records:
        target = edge.gateways[record.target].hostname
        proxied = record.target == edge.entered and edge.proxied
        found.append(RecordPlan(record.name, "CNAME", target, False, proxied))
    return found


def _own(edge: Edge, name: str, gateway: Gateway) -> RecordPlan:
    if name != edge.entered:
        return RecordPlan(gateway.hostname, "A", str(gateway.address), False, False)
    if edge.direct:
        return RecordPlan(gateway.hostname, "A", str(edge.direct.address), False, edge.direct.proxied)
    return RecordPlan(gateway.hostname, "CNAME", None, True, True)


def _tunnel(edge: Edge, domain: str) -> TunnelPlan | None:
    if edge.tunnel is None:
        return None
    gateway = edge.gateways[edge.tunnel.gateway]
    service = f"https://{edge.hops[edge.tunnel.via].address if edge.tunnel.via else gateway.address}:443"
    # cloudflared checks the certificate for one name; the gateway's serves all
    rules = tuple((name, service, gateway.hostname) for name in (domain, f"*.{domain}"))
    return TunnelPlan(edge.tunnel.name, (*rules, (None, "http_status:404", None)))
