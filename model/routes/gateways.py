"""Gateways and which routes hang on their listeners: this program's, those of the folders, and k3s' Traefik.

Owns the Gateway API's rules of attachment. Refuses a route's own rules (`backends`) and DNS.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.reading import items, mapping
from model.edge import WILDCARD_SECRET
from model.environment import Environment
from model.routes.applied import Applied, text, words
from model.routes.matching import meet, selects
from model.routes.reading import INGRESS
from model.routes.things import Attached, Audience, Gap, Gateway, Listener, Parent, Route
from model.tree import Tree, seeded

HTTP, HTTPS, TLS = "HTTP", "HTTPS", "TLS"
_KINDS = {HTTP: ("HTTPRoute", "GRPCRoute"), HTTPS: ("HTTPRoute", "GRPCRoute"), TLS: ("TLSRoute",)}
_PINS = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
TARGET = "external-dns.alpha.kubernetes.io/target"
"""Annotation of a gateway: the name that external-dns points its routes' records to."""
TRAEFIK = "traefik"


def gateways(env: Environment, tree: Tree, cluster: str, objects: tuple[Applied, ...]) -> Iterator[Gateway]:
    """Every gateway of a cluster."""
    if env.cluster and env.cluster.name == cluster:
        controller = seeded(tree, cluster, "envoy-gateway")
        for name, one in env.edge.gateways.items() if controller else ():
            yield Gateway(
                *(cluster, controller.namespace if controller else "", name, str(one.address), one.audience),
                target=one.hostname,
                listeners=listeners(controller.namespace if controller else ""),
                by=f"edge.gateways.{name}",
            )
    yield from (_held(env, cluster, one) for one in objects if one.held.kind == "Gateway")
    if env.bootstrap and env.bootstrap.name == cluster:
        # k3s' packaged Traefik: its entry points `web` and `websecure` (k3s, "Networking Services")
        entries = (Listener("web", HTTP, 80, None, "All"), Listener("websecure", HTTPS, 443, None, "All"))
        address = str(env.bootstrap.ingress)
        yield Gateway(cluster, "kube-system", TRAEFIK, address, "lan", None, entries, "bootstrap.ingress")


def listeners(namespace: str) -> tuple[Listener, ...]:
    """What this program's gateways listen for. A test holds it equal to the Gateways that are rendered."""
    certificate = ((namespace, WILDCARD_SECRET),)
    return (
        Listener("http", HTTP, 80, None, "Same"),
        Listener("https", HTTPS, 443, None, "All", (), certificate),
    )


def _held(env: Environment, cluster: str, one: Applied) -> Gateway:
    spec, held = one.spec, one.held
    pinned = words(mapping(spec.get("infrastructure")).get("annotations"))
    address = next((pinned[key] for key in _PINS if key in pinned), None)
    stated = (mapping(each) for each in items(spec.get("addresses")))
    address = address or next((text(each.get("value")) for each in stated), None)
    return Gateway(
        *(cluster, held.namespace, held.name, address, _audience(env, address)),
        target=one.annotations.get(TARGET),
        listeners=tuple(listener(mapping(each), held.namespace) for each in items(spec.get("listeners"))),
        by=held.file,
        labels=one.labels,
    )


def _audience(env: Environment, address: str | None) -> Audience:
    """A gateway of the folders is public where the stack file says so of its address, as hops and tunnel do."""
    public = {str(one.address) for one in env.edge.gateways.values() if one.audience == "public"}
    return "public" if address in public else "lan"


def listener(told: Mapping[str, Any], namespace: str) -> Listener:
    """One listener of a Gateway object."""
    allowed, tls = mapping(told.get("allowedRoutes")), mapping(told.get("tls"))
    spaces = mapping(allowed.get("namespaces"))
    chosen: str | Mapping[str, Any] = text(spaces.get("from")) or "Same"
    references = (mapping(each) for each in items(tls.get("certificateRefs")))
    port = told.get("port")
    return Listener(
        name=text(told.get("name")),
        protocol=text(told.get("protocol")),
        port=port if isinstance(port, int) else 0,
        hostname=text(told.get("hostname")).lower() or None,
        namespaces=mapping(spaces.get("selector")) if chosen == "Selector" else chosen,
        kinds=tuple(text(mapping(each).get("kind")) for each in items(allowed.get("kinds"))),
        certificates=tuple((text(each.get("namespace")) or namespace, text(each.get("name"))) for each in references),
        passthrough=tls.get("mode") == "Passthrough",
    )


class Hanging:
    """A cluster's gateways, and which route hangs where."""

    def __init__(self, every: tuple[Gateway, ...], objects: tuple[Applied, ...]) -> None:
        self.every = every
        self._by_name = {(one.namespace, one.name): one for one in every}
        self._labels = {one.held.name: one.labels for one in objects if one.held.kind == "Namespace"}

    def attached(self, route: Route) -> tuple[Attached, ...]:
        """Every listener that takes a route."""
        if route.kind == INGRESS:
            entry = next((one for one in self.every if one.name == TRAEFIK and one.by == "bootstrap.ingress"), None)
            return tuple(Attached(route, entry, one) for one in entry.listeners) if entry else ()
        found: list[Attached] = []
        for parent in route.parents:
            gateway = self._by_name.get((parent.namespace, parent.name))
            for one in self._meant(gateway, parent) if gateway else ():
                if gateway and self._refusal(route, gateway, one) is None:
                    found += [Attached(route, gateway, one)] * (Attached(route, gateway, one) not in found)
        return tuple(found)

    def gaps(self, route: Route, place: str, said: str) -> Iterator[Gap]:
        """Why a route hangs on nothing of what it names. A gateway that is not there is a need's own finding."""
        for parent in route.parents:
            gateway = self._by_name.get((parent.namespace, parent.name))
            if gateway is None:
                continue
            what, meant = f"{said}: {route}", self._meant(gateway, parent)
            if not meant:
                wanted = f"listener {parent.section}" if parent.section else f"a listener at port {parent.port}"
                names = ", ".join(f"{one.name} ({one.port})" for one in gateway.listeners)
                message = f"{what} names {wanted} of {gateway.name}, which has {names or 'none'}"
                yield Gap("route-listener-missing", place, message, "name one of these as sectionName, or none")
                continue
            refusals = [self._refusal(route, gateway, one) for one in meant]
            if None not in refusals:
                code, why, hint = min(filter(None, refusals), key=lambda one: _WORST.index(one[0]))
                yield Gap(code, place, f"{what} is not taken by {gateway.name}: {why}", hint, _key(gateway))

    def _meant(self, gateway: Gateway, parent: Parent) -> list[Listener]:
        return [
            one for one in gateway.listeners if parent.section in (None, one.name) and parent.port in (None, one.port)
        ]

    def _refusal(self, route: Route, gateway: Gateway, one: Listener) -> tuple[str, str, str] | None:
        """(code, why, hint) of a listener that does not take a route; None when it does."""
        if route.kind not in (one.kinds or _KINDS.get(one.protocol, ())):
            protocol = f"{one.protocol} listener {one.name}"
            hint = "a TLSRoute needs a TLS listener, an HTTPRoute or GRPCRoute an HTTPS one"
            return "route-listener-kind", f"its {protocol} takes no {route.kind}", hint
        if not self._admits(route.namespace, gateway, one):
            hint = f"set allowedRoutes.namespaces of the listener to admit {route.namespace}"
            if gateway.by.startswith("edge."):
                hint = "name its listener https as sectionName: that one takes routes from everywhere"
            why = f"its listener {one.name} takes no route from namespace {route.namespace}"
            return "route-listener-namespace", why, hint
        if route.hosts and all(meet(host, one.hostname) is None for host in route.hosts):
            hint = f"give the route a name that {one.hostname} takes, or the gateway a listener for its own"
            why = f"its listener {one.name} is for {one.hostname}, not {', '.join(route.hosts[:3])}"
            return "route-listener-hostname", why, hint
        return None

    def _admits(self, namespace: str, gateway: Gateway, one: Listener) -> bool:
        if isinstance(one.namespaces, str):
            return one.namespaces == "All" or (one.namespaces == "Same" and namespace == gateway.namespace)
        labels = {"kubernetes.io/metadata.name": namespace, **self._labels.get(namespace, {})}
        return bool(one.namespaces) and selects(one.namespaces, labels)


_WORST = ("route-listener-hostname", "route-listener-kind", "route-listener-namespace")
"""Of several listeners that each refuse a route, the reason of the one that came closest is told."""


def _key(gateway: Gateway) -> str | None:
    """A gateway of the stack file as a finding's other owner."""
    return gateway.by if gateway.by.startswith("edge.") else None
