"""Who answers a name, and with what: the zone at Cloudflare, and the LAN's resolver.

Owns both zones as data, and following a name in them. Refuses to ask a server, and names that only the router knows:
those are the owner's word.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import NamedTuple

from model.ainur import apps_zone
from model.closure.reading import items, mapping
from model.edge import PUBLISHED
from model.edge_plan import plan_edge, plan_inside
from model.environment import Environment
from model.routes.applied import Applied, text
from model.routes.matching import answered
from model.routes.things import Answer, Attached

EXTERNAL_DNS = "external-dns"
PROXIED = "external-dns.alpha.kubernetes.io/cloudflare-proxied"
_PRIVATE = tuple(
    # RFC 1918; RFC 6598, a provider's own translation; RFC 3927; the machine itself
    IPv4Network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
)
_LONGEST = 8
"""How many CNAMEs are followed, as resolvers do not follow more for long either."""


class Entry(NamedTuple):
    """One record of a zone."""

    target: str | None
    """An address or a name; None is the tunnel."""
    proxied: bool
    who: str
    by: str


def whole(env: Environment) -> bool:
    """Whether the edge makes sense by itself. What does not has its own finding, and nothing is proved before."""
    edge, inside = env.edge, env.edge.dns.inside
    named = [record.target for record in edge.records]
    named += [one.gateway for one in (edge.tunnel, edge.direct, inside) if one and one.gateway]
    hop = edge.tunnel.via if edge.tunnel else None
    if not set(named) <= set(edge.gateways) or (hop is not None and hop not in edge.hops):
        return False
    published = [*(one.hostname for one in edge.gateways.values()), *(one.name for one in edge.records)]
    entered = edge.gateways[edge.entered].audience if edge.entered else "public"
    unanswered = inside is not None and inside.by == "ainur" and env.bootstrap is None
    shut = edge.direct is not None and (edge.tunnel is not None or private(str(edge.direct.address)))
    if env.domain.startswith("*"):
        return False
    return entered == "public" and not shut and not unanswered and len(set(published)) == len(published)


def zone(env: Environment, attached: Iterable[Attached], objects: Iterable[Applied]) -> dict[str, Entry]:
    """Every record at Cloudflare, by its name: this program's, and those that external-dns writes of what it reads."""
    if env.edge.cloudflare is None:
        return {}
    found = dict(_published(env, attached, objects))
    owners = _owned(env)
    for one in plan_edge(env.edge, env.domain).records:
        found[one.name] = Entry(one.content, one.proxied, "`pulumi up`", owners.get(one.name, "edge"))
    return found


def _owned(env: Environment) -> dict[str, str]:
    """Name → path of every public name that this program owns."""
    found = {one.hostname: f"edge.gateways.{name}.hostname" for name, one in env.edge.gateways.items()}
    return found | {one.name: f"edge.records.{index}" for index, one in enumerate(env.edge.records)}


def _published(
    env: Environment, attached: Iterable[Attached], objects: Iterable[Applied]
) -> Iterator[tuple[str, Entry]]:
    if env.edge.dns.outside != EXTERNAL_DNS:
        return
    label, wanted = PUBLISHED
    for route, gateway, _ in attached:
        if route.labels.get(label) == wanted and gateway.audience == "public":
            proxied = _proxied(env, route.annotations.get(PROXIED))
            for host in route.hosts:
                yield host, Entry(gateway.target or gateway.address, proxied, EXTERNAL_DNS, route.file)
    for one in objects:
        for each in items(one.spec.get("endpoints")) if one.held.kind == "DNSEndpoint" else ():
            told = mapping(each)
            target = next((text(target) for target in items(told.get("targets"))), "")
            if text(told.get("recordType")) in ("A", "CNAME") and text(told.get("dnsName")):
                said = {text(mapping(way).get("name")): mapping(way) for way in items(told.get("providerSpecific"))}
                proxied = _proxied(env, mapping(said.get(PROXIED)).get("value"))
                entry = Entry(target.lower().rstrip("."), proxied, EXTERNAL_DNS, one.held.file)
                yield text(told["dnsName"]).lower(), entry


def _proxied(env: Environment, told: object) -> bool:
    """What an annotation says, or else what holds for all."""
    return env.edge.proxied if told is None else told == "true"


def follow(records: Mapping[str, Entry], name: str, domain: str) -> Answer | None:
    """What Cloudflare says of a name, followed to its end; None when it knows no such name."""
    key = answered(records, name)
    if key is None:
        return None
    first, way = records[key], [key]
    while len(way) < _LONGEST:
        here = records[key]
        if here.target is None:
            return _answer(first, [*way, "the tunnel"], tunnel=True)
        way.append(here.target)
        if _is_address(here.target):
            return _answer(first, way, address=here.target)
        key = answered(records, here.target)
        if key is None:
            ours = here.target == domain or here.target.endswith(f".{domain}")
            return _answer(first, way, dangling=here.target if ours else None)
    return _answer(first, way, dangling=way[-1])


def _answer(
    first: Entry, way: list[str], *, address: str | None = None, tunnel: bool = False, dangling: str | None = None
) -> Answer:
    who = f"Cloudflare, written by {first.who}"
    return Answer(who, " → ".join(way), first.by, address, tunnel, first.proxied, dangling)


def inside(
    env: Environment, name: str, attached: Iterable[Attached], records: Mapping[str, Entry]
) -> tuple[Answer, ...]:
    """What a machine on the LAN is told: one answer an address, none when nobody knows the name."""
    own = f"{env.name}.{env.domain}"
    if env.bootstrap and (name == own or name.endswith(f".{own}")):
        return _ainur(env, name)
    plan = plan_inside(env.edge, env.domain)
    if plan is None or not (name == env.domain or name.endswith(f".{env.domain}")):
        found = follow(records, name, env.domain)
        return (found,) if found else ()
    written = dict(plan.names)
    if plan.by == "router":
        address = written.get(name) or next((one.gateway.address for one in attached), None)
        told = f"{name} → {address}, if its owner entered it"
        return (Answer("the router, by hand", told, "edge.dns.inside", address),) if address else ()
    if plan.by == "ainur":
        address = written.get(name) or plan.address
        return (Answer("Ainur's dnsmasq", f"{name} → {address}", "edge.dns.inside", address),) if address else ()
    found = dict.fromkeys(one.gateway.address for one in attached if one.gateway.cluster == cluster(env))
    # It asks outside for a name that no route has (gitops/, the chart's values)
    outside = follow(records, name, env.domain)
    every = tuple(Answer("k8s-gateway", f"{name} → {one}", "edge.dns.inside", one) for one in found if one)
    return every or ((outside,) if outside else ())


def cluster(env: Environment) -> str:
    """The cluster that the gateways stand on; empty without one."""
    return env.cluster.name if env.cluster else ""


def _ainur(env: Environment, name: str) -> tuple[Answer, ...]:
    """The internal zone: every name below the applications' is Traefik's (`render.dnsmasq`)."""
    if env.bootstrap is None:
        return ()
    apps = apps_zone(env.bootstrap, f"{env.name}.{env.domain}")
    if name.endswith(f".{apps}"):
        address = str(env.bootstrap.ingress)
        return (Answer("Ainur's dnsmasq", f"*.{apps} → {address}", "bootstrap.ingress", address),)
    return ()


def _is_address(value: str) -> bool:
    parts = value.split(".")
    return len(parts) == 4 and all(one.isdecimal() and len(one) < 4 and int(one) < 256 for one in parts)


def private(address: str) -> bool:
    """Whether nobody on the internet reaches an address."""
    return _is_address(address) and any(IPv4Address(address) in net for net in _PRIVATE)
