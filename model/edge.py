"""The edge: Cloudflare's zone and tunnel, and the gateways that requests come in by.

Owns the realm's shape. Refuses routes and certificates of single applications: they live beside the application.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from model.fields import Address, Flag, Hostname, Name, Shape, Subnet, Text

GATEWAY_CLASS = "envoy"
"""The class of this program's gateways."""
WILDCARD_SECRET = "wildcard-tls"
"""Where cert-manager puts the wildcard certificate that the gateways serve."""
TUNNEL_SECRET = "cloudflared-token"
"""Where cloudflared reads the tunnel's token."""


class ZoneSettings(Shape):
    """How Cloudflare answers for the zone's proxied names. `null` leaves one as it is at Cloudflare."""

    ssl: Literal["off", "flexible", "full", "strict"] | None = "strict"
    """Between Cloudflare and the origin: `strict` speaks TLS only, and checks the certificate."""
    always_use_https: Flag | None = True
    """Whether a request over HTTP is sent to HTTPS."""
    min_tls_version: Literal["1.0", "1.1", "1.2", "1.3"] | None = "1.2"
    """The oldest TLS that a visitor may speak."""
    http3: Flag | None = True
    """Whether visitors may come over QUIC."""


class Cloudflare(Shape):
    """The account and zone that hold the public names."""

    account_id: Text
    """Account id, 32 hex digits."""
    zone_id: Text
    """Zone id, 32 hex digits. Written down, not looked up: a look-up would dial out in every preview."""
    zone_settings: ZoneSettings = ZoneSettings()
    """Settings of the whole zone. They stay at Cloudflare when the stack is destroyed."""


class Tunnel(Shape):
    """The Cloudflare tunnel: requests come in without an open port."""

    name: Name
    """Its name at Cloudflare, unique in the account."""
    gateway: Name
    """The gateway that the tunnel's requests end at."""
    via: Name | None = None
    """A hop between tunnel and gateway, one of `hops`."""


class Gateway(Shape):
    """One Envoy gateway, pinned to its address."""

    address: Address
    """Its LoadBalancer address, inside the cluster's pool."""
    hostname: Hostname
    """The name that routes' CNAMEs point to."""
    audience: Literal["public", "lan"]
    """`public` is reached from the internet; `lan` never is."""


class Hop(Shape):
    """A reverse proxy that stands before a gateway."""

    address: Address
    """Its LoadBalancer address."""


class Record(Shape):
    """A public name that this program owns."""

    name: Hostname
    """The name, inside the zone."""
    target: Name
    """The gateway it leads to."""


class Vpn(Shape):
    """Tailscale: the way in for the owner."""

    routes: tuple[Subnet, ...] = Field(min_length=1)
    """Subnets it makes reachable."""


class Edge(Shape):
    """How a request arrives."""

    cloudflare: Cloudflare | None = None
    """Left out: no public name, no tunnel."""
    tunnel: Tunnel | None = None
    """Left out: public gateways are reached directly."""
    gateways: dict[Name, Gateway] = Field(default_factory=dict)
    """Gateways by name."""
    hops: dict[Name, Hop] = Field(default_factory=dict)
    """Reverse proxies by name."""
    records: tuple[Record, ...] = ()
    """Public names besides the gateways' own."""
    vpn: Vpn | None = None
    """Left out: no VPN."""


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


def plan_edge(edge: Edge, domain: str) -> EdgePlan:
    """Decide names, records and the tunnel's rules for a domain."""
    gateways = tuple(
        GatewayPlan(name, str(gateway.address), gateway.hostname, gateway.audience)
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
    )


def _settings(wanted: ZoneSettings) -> tuple[tuple[str, str], ...]:
    found = sorted(wanted.model_dump().items())
    return tuple((name, _word(value)) for name, value in found if value is not None)


def _word(value: bool | str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return value


def _records(edge: Edge) -> list[RecordPlan]:
    """A public gateway behind the tunnel is a proxied CNAME to it; every other gateway an unproxied A."""
    tunnelled = {edge.tunnel.gateway} if edge.tunnel else set()
    found = []
    for name, gateway in edge.gateways.items():
        through = name in tunnelled
        kind: Literal["A", "CNAME"] = "CNAME" if through else "A"
        found.append(RecordPlan(gateway.hostname, kind, None if through else str(gateway.address), through, through))
    for record in edge.records:
        target = edge.gateways[record.target].hostname
        found.append(RecordPlan(record.name, "CNAME", target, False, record.target in tunnelled))
    return found


def _tunnel(edge: Edge, domain: str) -> TunnelPlan | None:
    if edge.tunnel is None:
        return None
    gateway = edge.gateways[edge.tunnel.gateway]
    service = f"https://{edge.hops[edge.tunnel.via].address if edge.tunnel.via else gateway.address}:443"
    names = (domain, f"*.{domain}")
    rules = tuple((name, service, gateway.hostname) for name in names)
    return TunnelPlan(edge.tunnel.name, (*rules, (None, "http_status:404", None)))
