"""From a route to its pods: Service, port, selector, and the policy that lets the request in.

Owns following backends through plain manifests. Refuses to know what a chart makes: that is said to be unseen.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.graph import Graph
from model.closure.reading import items, mapping, said
from model.closure.things import BUILT_IN, Need, Thing
from model.closure.workloads import Traffic
from model.environment import Environment
from model.routes.applied import Applied, text, words
from model.routes.things import Attached, Backend, Gap, Link, Route

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
_WITHOUT_PODS = BUILT_IN | {
    *("gateway.networking.k8s.io", "cert-manager.io", "external-secrets.io", "externaldns.k8s.io", "cilium.io"),
    *("gateway.envoyproxy.io", "trust.cert-manager.io", "onepassword.com", "bitnami.com"),
}
"""API groups whose objects make no pods: where any other lies in a namespace, an operator may make some."""


class Backends:
    """A cluster's Services, and the pods behind them."""

    def __init__(self, env: Environment, graph: Graph, objects: tuple[Applied, ...]) -> None:
        self._env, self._graph = env, graph
        # Cilium enforces policies on the Talos cluster; of another's nothing is proved
        ours = env.cluster is not None and env.cluster.name == graph.cluster
        self._traffic = Traffic(graph) if ours else None
        self._services = {(one.held.namespace, one.held.name): one for one in objects if one.held.kind == "Service"}
        self._workloads = [one for one in objects if one.held.kind in WORKLOADS]
        self._grants = [one for one in objects if one.held.kind == "ReferenceGrant"]
        self._operated = {one.held.namespace for one in objects if one.held.group not in _WITHOUT_PODS}
        self._charted = {chart.namespace for app in graph.apps for _, chart in app.charts}
        self._place = f"gitops.clusters.{graph.cluster}"

    def links(self, one: Attached) -> Iterator[Link]:
        """Every Service that a route leads to, and the pods behind it."""
        route = one.route
        if route.chart:
            yield Link(
                "service", f"the Service of chart {route.chart}: its port and pods are not seen here", route.file
            )
            return
        seen: set[Backend] = set()
        for rule in route.rules:
            if not rule.backends and not rule.answers:
                message = f"{self._file(route)}: a rule of {route} leads nowhere, and Envoy answers 500"
                gap = Gap("route-backend-none", self._place, message, "give it backendRefs, or a redirect as filter")
                yield Link("service", "a rule without a backend: 500", route.file, gap)
            if rule.answers and not rule.backends:
                yield Link("service", "none: the route answers with a redirect", route.file, ends=True)
            for backend in rule.backends:
                if backend not in seen:
                    seen.add(backend)
                    found = tuple(self._backend(route, backend))
                    yield from found
                    if self._traffic and not any(link.gap for link in found):
                        yield self._policy(self._traffic, one, backend)

    def _file(self, route: Route) -> str:
        return said(self._env, route.file)

    def _backend(self, route: Route, backend: Backend) -> Iterator[Link]:
        where = f"{backend.namespace}/{backend.name}"
        if backend.kind != "Service":
            yield Link("service", f"{backend.kind} {where}: where it leads is not seen here", route.file)
            return
        if backend.namespace != route.namespace and not self._granted(route, backend):
            message = f"{self._file(route)}: {route} may not lead to Service {where} in another namespace"
            hint = f"add a ReferenceGrant in {backend.namespace} for {route.kind} from {route.namespace}"
            gap = Gap("route-backend-reference", self._place, message, hint)
            yield Link(
                "service", f"Service {where} is another namespace's, and nothing grants it: 500", route.file, gap
            )
            return
        service = self._services.get((backend.namespace, backend.name))
        if service is None:
            yield self._unseen(route, backend, where)
            return
        yield from self._plain(route, backend, service)

    def _granted(self, route: Route, backend: Backend) -> bool:
        """ReferenceGrant: `from` who, `to` what, in the namespace of what is referred to."""
        for one in self._grants:
            told = [mapping(each) for each in items(one.spec.get("from"))]
            named = [mapping(each) for each in items(one.spec.get("to"))]
            if (
                one.held.namespace == backend.namespace
                and any(each.get("kind") == route.kind and each.get("namespace") == route.namespace for each in told)
                and any(each.get("kind") == "Service" and each.get("name") in (None, backend.name) for each in named)
            ):
                return True
        return False

    def _unseen(self, route: Route, backend: Backend, where: str) -> Link:
        thing = Thing("Service", backend.namespace, backend.name)
        if found := self._graph.bringers(Need(thing, route.app, route.file, str(route), 0)):
            return Link(
                "service", f"Service {where}, by {found[0].by}: its ports and pods are not seen here", route.file
            )
        if self._graph.unknown and backend.namespace in self._charted:
            return Link("service", f"Service {where}: of a chart that nothing is known of", route.file)
        gap = Gap("gitops-need-missing", self._place, f"nobody brings Service {where}", "add the Service")
        return Link("service", f"nobody brings Service {where}: Envoy answers 500", route.file, gap)

    def _plain(self, route: Route, backend: Backend, service: Applied) -> Iterator[Link]:
        where, file = f"{backend.namespace}/{backend.name}", service.held.file
        ports = [mapping(one) for one in items(service.spec.get("ports"))]
        port = next((one for one in ports if backend.port in (one.get("port"), one.get("name"))), None)
        if port is None:
            has = ", ".join(str(one.get("port")) for one in ports) or "none"
            wanted = "no port" if backend.port is None else f"port {backend.port}"
            message = f"{self._file(route)}: {route} leads to {wanted} of Service {where}, whose ports are {has}"
            gap = Gap("route-backend-port", self._place, message, f"write one of its ports: {has}")
            yield Link("service", f"Service {where} has no such port ({backend.port}), only {has}", file, gap)
            return
        yield Link("service", f"Service {where} port {port.get('port')}", file)
        selector = words(service.spec.get("selector"))
        if service.spec.get("type") == "ExternalName":
            yield Link("pods", f"none: it stands for {text(service.spec.get('externalName'))}", file)
        elif not selector:
            yield Link("pods", "none chosen: its endpoints are written by somebody else", file)
        else:
            yield self._pods(service, selector, port)

    def _pods(self, service: Applied, selector: Mapping[str, str], port: Mapping[str, Any]) -> Link:
        namespace, file = service.held.namespace, service.held.file
        chosen = [one for one in self._workloads if one.held.namespace == namespace and _runs(one, selector)]
        shown = ", ".join(f"{key}={value}" for key, value in selector.items())
        named = f"{said(self._env, file)}: Service {namespace}/{service.held.name}"
        if not chosen:
            if namespace in self._charted or namespace in self._operated:
                return Link("pods", f"with {shown}: not seen here, a chart or an operator makes them", file)
            gap = Gap(
                "route-service-pods",
                self._place,
                f"{named} selects {shown}, which no pod of {namespace} is labelled with",
                "select what the pod template's labels say",
            )
            return Link("pods", f"none has {shown}: no endpoint, so 503", file, gap)
        target = port.get("targetPort", port.get("port"))
        if isinstance(target, str) and not any(target in _ports(one) for one in chosen):
            has = ", ".join(sorted({name for one in chosen for name in _ports(one)})) or "no named port"
            message = f"{named} sends to port '{target}' of its pods, which have {has}"
            gap = Gap("route-service-target", self._place, message, "name a port of the container, or its number")
            return Link("pods", f"no container has a port called {target}: 503", file, gap)
        told = ", ".join(f"{one.held.kind} {one.held.name}" for one in chosen)
        return Link("pods", f"{told} port {target}", chosen[0].held.file)

    def _policy(self, traffic: Traffic, one: Attached, backend: Backend) -> Link:
        gateway = (one.gateway.namespace, one.gateway.name)
        found = traffic.reached(gateway, backend.namespace, backend.name, backend.port)
        if found.passes is False:
            message = (
                f"{self._file(one.route)}: {one.route} does not reach {backend.namespace}/{backend.name}: {found.why}"
            )
            side = backend.namespace if found.direction == "ingress" else gateway[0]
            gap = Gap("policy-route", self._place, message, f"open the port in a policy of namespace {side}")
            return Link("policy", f"shut: {found.why}", gap=gap)
        if found.passes is None:
            return Link("policy", f"not seen here: {found.why}")
        return Link("policy", f"lets it in: {found.why}")


def _template(one: Applied) -> Mapping[str, Any]:
    return one.held.body if one.held.kind == "Pod" else mapping(one.spec.get("template"))


def _labels(one: Applied) -> dict[str, str]:
    return words(mapping(_template(one).get("metadata")).get("labels"))


def _runs(one: Applied, selector: Mapping[str, str]) -> bool:
    return selector.items() <= _labels(one).items()


def _ports(one: Applied) -> set[str]:
    spec = mapping(_template(one).get("spec"))
    containers = [mapping(each) for each in (*items(spec.get("containers")), *items(spec.get("initContainers")))]
    return {text(mapping(port).get("name")) for each in containers for port in items(each.get("ports"))} - {""}
