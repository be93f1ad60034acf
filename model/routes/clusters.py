"""One cluster's part of the proof: its gateways, its routes, what hangs where, and who claims the same.

Owns bringing the cluster's rooms together. Refuses DNS and the tunnel, which are the environment's (`walk`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from model.closure.graph import Graph
from model.closure.reading import items, mapping, said
from model.environment import Environment
from model.routes.applied import Applied, applied
from model.routes.backends import Backends
from model.routes.certificates import Certificates
from model.routes.dns import EXTERNAL_DNS
from model.routes.gateways import Hanging, gateways
from model.routes.hops import Passed, passed
from model.routes.matching import meet, takes, weight
from model.routes.reading import INGRESS, routes
from model.routes.resolver import resolves
from model.routes.things import Attached, Backend, Gap, Gateway, Listener, Route
from model.tree import Tree


@dataclass(frozen=True)
class Cluster:
    """What the folders of one cluster say of requests."""

    name: str
    objects: tuple[Applied, ...]
    gateways: tuple[Gateway, ...]
    routes: tuple[Route, ...]
    attached: tuple[Attached, ...]
    refused: tuple[tuple[Route, Gap], ...]
    """Routes that a gateway does not take, and why."""
    certificates: Certificates
    backends: Backends
    passed: Passed
    publishes: frozenset[str]
    """What its external-dns reads, in the words of its `--source`; empty where none runs."""
    resolves: frozenset[str]
    """Kinds that its k8s-gateway answers for, as its Corefile lists them and its account may read them."""

    @property
    def place(self) -> str:
        """Where a finding about its folders stands."""
        return f"gitops.clusters.{self.name}"

    def kept(self) -> dict[Backend, Route]:
        """Services of routes that their owner keeps to the LAN."""
        return {backend: route for route in self.routes if route.lan for backend in sent(route)}


def cluster(env: Environment, tree: Tree, graph: Graph) -> Cluster:
    """The part of one cluster."""
    objects = applied(graph)
    every = tuple(gateways(env, tree, graph.cluster, objects))
    hanging, found = Hanging(every, objects), tuple(routes(graph, objects))
    place = f"gitops.clusters.{graph.cluster}"
    return Cluster(
        *(graph.cluster, objects, every, found),
        tuple(one for route in found for one in hanging.attached(route)),
        tuple((route, gap) for route in found for gap in hanging.gaps(route, place, said(env, route.file))),
        Certificates(env, graph, objects),
        Backends(env, graph, objects),
        passed(graph, tree),
        frozenset(_publishes(graph, objects)),
        frozenset(resolves(graph, tree, objects)),
    )


SOURCES = {
    "HTTPRoute": "gateway-httproute",
    "GRPCRoute": "gateway-grpcroute",
    "TLSRoute": "gateway-tlsroute",
    "DNSEndpoint": "crd",
}
"""Kind → external-dns' word for reading it (its documentation, "Flags", --source)."""


def _publishes(graph: Graph, objects: tuple[Applied, ...]) -> Iterator[str]:
    for app in graph.apps:
        for _, chart in app.charts:
            if chart.name == EXTERNAL_DNS:
                yield from (str(one) for one in items(chart.values.get("sources")))
    for one in objects:
        pod = mapping(mapping(one.spec.get("template")).get("spec")) if one.held.kind == "Deployment" else {}
        for container in map(mapping, items(pod.get("containers"))):
            if f"/{EXTERNAL_DNS}:" in str(container.get("image", "")):
                flags = (str(flag).partition("=") for flag in items(container.get("args")))
                yield from (value for flag, _, value in flags if flag == "--source")


def sent(route: Route) -> tuple[Backend, ...]:
    """Every backend of a route, each once."""
    return tuple(dict.fromkeys(backend for rule in route.rules for backend in rule.backends))


def serving(attached: tuple[Attached, ...], host: str) -> tuple[Attached, ...]:
    """Those whose route and listener take a name; of one listener's, only those with the narrowest pattern."""
    found = [(one, pattern) for one in attached if (pattern := _pattern(one, host)) is not None]
    best: dict[tuple[str, str, str], tuple[bool, int]] = {}
    for one, pattern in found:
        key = _key(one)
        best[key] = max(best.get(key, (False, -1)), weight(pattern))
    return tuple(one for one, pattern in found if weight(pattern) == best[_key(one)])


def _key(one: Attached) -> tuple[str, str, str]:
    return (one.gateway.cluster, f"{one.gateway.namespace}/{one.gateway.name}", one.listener.name)


def _pattern(one: Attached, host: str) -> str | None:
    """The narrowest pattern of a route that takes a name at its listener; None when none does."""
    if not takes(one.listener.hostname, host):
        return None
    patterns = [host_of for host_of in one.route.hosts or ("",) if takes(host_of or None, host)]
    return max(patterns, key=weight) if patterns else None


def picked(gateway: Gateway, name: str) -> Listener | None:
    """The HTTPS listener that a server name (TLS' SNI) leads to: the narrowest that takes it."""
    found = [one for one in gateway.listeners if one.protocol in ("HTTPS", "TLS") and takes(one.hostname, name)]
    return max(found, key=lambda one: weight(one.hostname), default=None)


def clashes(env: Environment, part: Cluster) -> Iterator[tuple[Route, Gap]]:
    """Two routes that claim one name and path at one listener: the older gets every request, the other none."""
    claimed: dict[tuple[object, ...], Route] = {}
    told: set[tuple[str, ...]] = set()
    for one in part.attached:
        route = one.route
        for host in route.hosts or ("",):
            met = meet(host, one.listener.hostname)
            for match in dict.fromkeys(match for rule in route.rules for match in rule.matches if met is not None):
                first = claimed.setdefault((*_key(one), met, match), route)
                if first == route or (key := (str(first), first.file, str(route), route.file)) in told:
                    continue
                told.add(key)
                name = f"{met or 'every name'}{match.path}"
                message = (
                    f"{said(env, route.file)}: {route} claims {name} at {one.gateway.name}, "
                    f"and so does {first} in {said(env, first.file)}"
                )
                yield route, Gap("route-claimed-twice", part.place, message, "give one of them another name or path")


def plain(env: Environment, part: Cluster) -> Iterator[tuple[Route, Gap]]:
    """Routes that a gateway answers over plain HTTP: its own redirect is for names that nobody claims there."""
    for one in part.attached:
        if one.listener.protocol == "HTTP" and one.route.kind != INGRESS and sent(one.route):
            secure = next((each.name for each in one.gateway.listeners if each.protocol == "HTTPS"), None)
            hint = f"set sectionName: {secure} in its parentRefs" if secure else "give the gateway an HTTPS listener"
            message = f"{said(env, one.route.file)}: {one.route} is answered over plain HTTP by {one.gateway.name}, too"
            yield one.route, Gap("route-plain", part.place, message, hint)


def exposures(env: Environment, part: Cluster) -> Iterator[tuple[Route, Gap]]:
    """What its owner keeps to the LAN, and hangs on a public gateway: itself, or its Service by another route."""
    kept = part.kept()
    for one in part.attached:
        if one.gateway.audience != "public":
            continue
        owner = next((kept[backend] for backend in sent(one.route) if backend in kept), None)
        if one.route.lan or owner:
            what = (
                "is the LAN's alone" if one.route.lan else f"leads to the Service of {owner}, which is the LAN's alone"
            )
            message = (
                f"{said(env, one.route.file)}: {one.route} {what}, and hangs on {one.gateway.name}, which is public"
            )
            lan = next((each.name for each in part.gateways if each.audience == "lan"), None)
            hint = f"set {lan} in its parentRefs" if lan else "add a gateway with audience: lan, and name it there"
            yield one.route, Gap("route-lan-exposed", part.place, message, f"{hint}, or drop iluvatar/audience: lan")
