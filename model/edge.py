"""The edge: Cloudflare's zone and tunnel, and the gateways that requests come in by.

Owns the realm's shape. Refuses routes and certificates of single applications: they live beside the application.
"""

from typing import Literal

from pydantic import Field

from model.fields import Address, Flag, Hostname, Name, Shape, Subnet, Text

GATEWAY_CLASS = "envoy"
"""The class of this program's gateways."""
WILDCARD_SECRET = "wildcard-tls"
"""Where cert-manager puts the wildcard certificate that the gateways serve."""
PUBLISHED = ("external-dns.alpha.kubernetes.io/enabled", "true")
"""The label by which external-dns finds what it publishes: on public gateways, and on routes."""
CERTIFICATES_NAMESPACE = "cert-manager"
"""Where cert-manager runs, and reads its token at Cloudflare."""
ENVOY_PROXY = "gateways"
"""How Envoy's pods and Services are made, whichever gateway they are of."""
DNS_TOKEN_SECRET = "cloudflare-api-token"
"""Where cert-manager and external-dns each read their own API token, key `token`, in their own namespace."""
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


class Direct(Shape):
    """The router forwards ports 80 and 443: requests come in at its public address."""

    address: Address
    """The router's public address. One that changes cannot stand here: then a tunnel serves."""
    gateway: Name
    """The gateway that the router forwards to."""
    proxied: Flag = True
    """Whether Cloudflare stands before it; if not, its records show the router's address."""


class Gateway(Shape):
    """One Envoy gateway, pinned to its address."""

    address: Address
    """Its LoadBalancer address, inside the cluster's pool."""
    hostname: Hostname
    """The name that routes' CNAMEs point to."""
    audience: Literal["public", "lan"]
    """`public` is reached from the internet; `lan` never is. Any number of each."""


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
    """Subnets it makes reachable; `gitops/` has them in its Connector."""


class Certificates(Shape):
    """Who signs what the gateways show; `gitops/` has the issuer of that name, and the wildcard Certificate."""

    issuer: Literal["letsencrypt", "lab-ca"]
    """`letsencrypt`: trusted by all, proved by a DNS record at Cloudflare. `lab-ca`: an authority that the cluster
    makes itself, and that every device must be told to trust. The ClusterIssuer has this name."""
    email: Text | None = None
    """letsencrypt: the account that is written to when a certificate is about to end."""
    server: Literal["production", "staging"] = "production"
    """letsencrypt: `staging` has wide limits, and nobody trusts it: for a first try."""


class Inside(Shape):
    """Who answers the domain's names on the LAN, where the same name leads to the gateway itself."""

    by: Literal["k8s-gateway", "ainur", "router"]
    """`k8s-gateway`: a resolver on the cluster that knows every route; Ainur's dnsmasq, or else the router, forwards
    the domain to it. `ainur`: dnsmasq has all names lead to one gateway. `router`: its owner enters them."""
    address: Address | None = None
    """k8s-gateway: its LoadBalancer address."""
    gateway: Name | None = None
    """ainur: where every name leads that is no gateway's own."""


class Dns(Shape):
    """Who publishes host names, outside and inside. The gateways' own and `records` are always this program's."""

    outside: Literal["external-dns", "program"] = "program"
    """`external-dns`: it publishes the host names of routes labelled for it. `program`: only what stands here."""
    owner: Name | None = None
    """external-dns: whose records its TXT records call its own; the environment's name when left out."""
    inside: Inside | None = None
    """Left out: names are the same on the LAN as outside, or nobody's."""


class Edge(Shape):
    """How a request arrives."""

    cloudflare: Cloudflare | None = None
    """Left out: no public name, no tunnel."""
    tunnel: Tunnel | None = None
    """No port is opened. Left out, and `direct` too: nothing comes in from the internet."""
    direct: Direct | None = None
    """Ports are opened on the router. A tunnel or this, never both."""
    gateways: dict[Name, Gateway] = Field(default_factory=dict)
    """Gateways by name."""
    hops: dict[Name, Hop] = Field(default_factory=dict)
    """Reverse proxies by name."""
    records: tuple[Record, ...] = ()
    """Public names besides the gateways' own."""
    dns: Dns = Dns()
    """Who publishes which name, outside and inside."""
    certificates: Certificates | None = None
    """Left out: nobody signs for the gateways, and their HTTPS does not answer."""
    vpn: Vpn | None = None
    """Left out: no VPN."""

    @property
    def mode(self) -> Literal["tunnel", "direct", "none"]:
        """How requests from the internet come in."""
        if self.tunnel:
            return "tunnel"
        return "direct" if self.direct else "none"

    @property
    def entered(self) -> str | None:
        """The gateway that they come in by; None: none does."""
        way = self.tunnel or self.direct
        return way.gateway if way else None

    @property
    def proxied(self) -> bool:
        """Whether Cloudflare stands before it."""
        return bool(self.tunnel or (self.direct and self.direct.proxied))


def wants_dns_token(edge: Edge) -> bool:
    """Whether cert-manager proves the domain at Cloudflare, with a token of its own."""
    return edge.certificates is not None and edge.certificates.issuer == "letsencrypt" and bool(edge.gateways)
