"""Laws of the ways in and of who answers for them: ports opened on the router, names inside and outside, certificates.

Owns what `edge.direct`, `edge.dns` and `edge.certificates` mean beside the rest of the file. Refuses the tunnel and the
records (`edge`), and what the folders repeat of it (`edge_folders`).
"""

import re
from collections.abc import Iterator

from model.environment import Environment
from model.laws.ranges import PRIVATE
from model.laws.registry import Breach, law
from model.laws.words import nearest

MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


@law("edge-way-twice")
def one_way_in(env: Environment) -> Iterator[Breach]:
    """Requests come in by a tunnel or by the router's ports, not by both: one name has one record."""
    if env.edge.tunnel and env.edge.direct:
        message = "there is a tunnel, and ports are opened on the router as well"
        yield Breach("edge.direct", message, "leave one of the two out", "edge.tunnel")


@law("edge-direct-gateway", unless=("edge-way-twice",))
def router_forwards_to_a_public_gateway(env: Environment) -> Iterator[Breach]:
    """The router forwards to a gateway that exists, and that is for the internet."""
    direct = env.edge.direct
    if direct is None:
        return
    gateway = env.edge.gateways.get(direct.gateway)
    if gateway is None:
        message = f"the router forwards to '{direct.gateway}', which is no gateway"
        yield Breach("edge.direct.gateway", message, nearest(direct.gateway, env.edge.gateways), "edge.gateways")
    elif gateway.audience == "lan":
        message = f"the router would open {direct.gateway} to the internet, and its audience is lan"
        path = f"edge.gateways.{direct.gateway}.audience"
        yield Breach("edge.direct.gateway", message, "name a gateway with audience: public", path)


@law("edge-direct-address")
def router_is_reached_from_outside(env: Environment) -> Iterator[Breach]:
    """The router's public address is a public one: behind a provider's own translation no port can be opened."""
    direct = env.edge.direct
    if direct and any(direct.address in net for net in PRIVATE):
        message = f"{direct.address} is private: nobody on the internet reaches the router there"
        yield Breach("edge.direct.address", message, "write the address that the provider gave, or use a tunnel")


@law("edge-dns-outside")
def external_dns_has_a_zone(env: Environment) -> Iterator[Breach]:
    """external-dns writes into a Cloudflare zone."""
    if env.edge.dns.outside == "external-dns" and env.edge.cloudflare is None:
        message = "external-dns publishes the routes' names, and there is no Cloudflare zone to put them into"
        yield Breach("edge.dns.outside", message, "add edge.cloudflare, or leave outside out", "edge.cloudflare")


@law("edge-dns-inside")
def inside_is_answered(env: Environment) -> Iterator[Breach]:
    """Who answers on the LAN is told what it needs, and no more: k8s-gateway its address, dnsmasq a gateway."""
    inside = env.edge.dns.inside
    if inside is None:
        return
    for key, of in (("address", "k8s-gateway"), ("gateway", "ainur")):
        given = getattr(inside, key)
        if inside.by == of and given is None:
            message = f"{of} answers for {env.domain} on the LAN, and nobody says {_what(key)}"
            yield Breach("edge.dns.inside", message, f"add {key}: to edge.dns.inside")
        elif inside.by != of and given is not None:
            yield Breach(f"edge.dns.inside.{key}", f"{key} is {of}'s, and {inside.by} answers", f"leave {key} out")


def _what(key: str) -> str:
    return "at which address" if key == "address" else "where every name leads"


@law("edge-dns-inside-gateway", unless=("edge-dns-inside",))
def inside_leads_to_a_gateway(env: Environment) -> Iterator[Breach]:
    """Where dnsmasq has every name lead is a gateway."""
    inside = env.edge.dns.inside
    if inside and inside.gateway and inside.gateway not in env.edge.gateways:
        message = f"every name leads to '{inside.gateway}', which is no gateway"
        yield Breach("edge.dns.inside.gateway", message, nearest(inside.gateway, env.edge.gateways), "edge.gateways")


@law("edge-dns-inside-ainur")
def ainur_runs_dnsmasq(env: Environment) -> Iterator[Breach]:
    """Ainur's dnsmasq answers only where there are an Ainur, and an address that it answers at."""
    inside = env.edge.dns.inside
    if inside and inside.by == "ainur" and (env.bootstrap is None or env.network.netboot is None):
        message = f"Ainur's dnsmasq is to answer for {env.domain}, and no dnsmasq of ours runs here"
        path = "bootstrap" if env.bootstrap is None else "network.netboot"
        yield Breach("edge.dns.inside.by", message, "set by: k8s-gateway, or router", path)


@law("edge-certificates-email")
def account_has_an_address(env: Environment) -> Iterator[Breach]:
    """Let's Encrypt's account has an e-mail address; the lab's own authority writes to nobody."""
    wanted = env.edge.certificates
    if wanted is None:
        return
    if wanted.issuer == "letsencrypt" and not MAIL.fullmatch(wanted.email or ""):
        shown = (
            f"'{wanted.email[:60]}' is no e-mail address" if wanted.email else "Let's Encrypt's account has no email"
        )
        yield Breach("edge.certificates.email", shown, "write one that is read: it is told before a certificate ends")
    elif wanted.issuer == "lab-ca" and wanted.email:
        yield Breach("edge.certificates.email", "the lab's own authority writes to nobody", "leave email out")


@law("edge-certificates-zone")
def domain_can_be_proved(env: Environment) -> Iterator[Breach]:
    """Let's Encrypt wants proof of the domain, which is a record in its zone at Cloudflare: no port is open for any
    other, and a wildcard has no other."""
    wanted = env.edge.certificates
    if wanted and wanted.issuer == "letsencrypt" and env.edge.cloudflare is None:
        message = f"Let's Encrypt wants a record in {env.domain} as proof, and there is no Cloudflare zone"
        hint = "add edge.cloudflare, or set issuer: lab-ca"
        yield Breach("edge.certificates.issuer", message, hint, "edge.cloudflare")


@law("edge-certificates-untrusted")
def origin_is_trusted(env: Environment) -> Iterator[Breach]:
    """What stands outside trusts the certificate of a gateway that it comes to: cloudflared checks it, and so does
    Cloudflare with ssl strict; neither knows the lab's own authority, nor Let's Encrypt's staging one."""
    wanted, edge = env.edge.certificates, env.edge
    if wanted is None or edge.entered is None or edge.cloudflare is None:
        return
    checked = edge.tunnel is not None or (edge.proxied and edge.cloudflare.zone_settings.ssl == "strict")
    who = "cloudflared" if edge.tunnel else "Cloudflare"
    if checked and wanted.issuer == "lab-ca":
        message = f"{who} checks the certificate of {edge.entered}, and knows nothing of the lab's own authority"
        yield Breach("edge.certificates.issuer", message, "set issuer: letsencrypt", f"edge.{edge.mode}")
    elif checked and wanted.server == "staging":
        message = f"{who} checks the certificate of {edge.entered}, and does not trust Let's Encrypt's staging"
        yield Breach("edge.certificates.server", message, "set it to production", f"edge.{edge.mode}")


@law("edge-certificates-staging", "warning", unless=("edge-certificates-untrusted",))
def browsers_trust_it(env: Environment) -> Iterator[Breach]:
    """Staging is for a first try: no browser trusts its certificates."""
    wanted = env.edge.certificates
    if wanted and wanted.issuer == "letsencrypt" and wanted.server == "staging":
        message = "certificates come from Let's Encrypt's staging, which no browser trusts"
        yield Breach("edge.certificates.server", message, "set it to production once one was issued")
