"""The edge: Cloudflare's zone and tunnel, and the gateways that requests come in by.

Owns the realm's shape. Refuses routes and certificates of single applications: they live beside the application.
"""

from typing import Literal

from pydantic import Field

from model.fields import Address, Hostname, Name, Shape, Subnet, Text


class Cloudflare(Shape):
    """The account and zone that hold the public names."""

    account_id: Text
    """Account id, 32 hex digits."""
    zone_id: Text
    """Zone id, 32 hex digits. Written down, not looked up: a look-up would dial out in every preview."""


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
