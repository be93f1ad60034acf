"""Laws of network policies: what must pass does, and what nobody opened does not.

Owns the flows that every lab has: names, gateways to their backends, the API server's questions and its callers.
Refuses the form of single policies (`policy_forms`), and flows between applications: nobody but their policies
declares those.
"""

from collections.abc import Iterator

from model.closure.charts import CHARTS
from model.closure.policies import Direction, Pods, Port, verdict
from model.closure.reading import items, mapping
from model.closure.things import Held
from model.closure.workloads import DNS, Traffic
from model.environment import Environment
from model.laws.closure import UNREADABLE, few, graphs, place, said
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.tree import Tree

OWN = "kube-system"
"""The cluster's own: most of its pods share the machines' network, and CoreDNS is everybody's."""
API = Port(6443)
WEBHOOKS = {
    "cert-manager": 10250,
    "cloudnative-pg": 9443,
    "external-secrets": 10250,
    "gateway-helm": 9443,
    "trust-manager": 6443,
}
"""Chart → port at which its pods are asked about every object of its kinds (the charts' values, `webhook`)."""
SHARED = "gitops/shared/policies"
_last: list[tuple[Environment, Tree, list[Traffic]]] = []


def traffic(env: Environment, tree: Tree) -> list[Traffic]:
    """The traffic of the Talos cluster, whose policies Cilium enforces; none of another. The last one is kept."""
    if not (_last and _last[0][0] is env and _last[0][1] is tree):
        ours = env.cluster.name if env.cluster else None
        _last[:] = [(env, tree, [Traffic(graph) for graph in graphs(env, tree) if graph.cluster == ours])]
    return _last[0][2]


def everybody(one: Traffic) -> Iterator[tuple[str, Pods]]:
    """(file, pods) of all that a policy can hold, those of charts included."""
    files = {held.thing: held.file for held in one.objects()}
    named = {f"{thing.kind} {thing.namespace}/{thing.name}": file for thing, file in files.items()}
    yield from ((named.get(pods.who, ""), pods) for pods in one.pods if not pods.host)
    yield from ((file, pods) for file, pods, _ in one.charted)


@tree_law("policy-default-deny", unless=UNREADABLE)
def namespaces_are_closed(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where the environment says default_deny, every namespace that an app puts pods into is closed both ways but for
    what a policy opens; the cluster's own, kube-system, is not."""
    if env.cluster is None or not env.cluster.cni.default_deny:
        return
    for one in traffic(env, tree):
        yield from few(_open(env, one))


def _open(env: Environment, one: Traffic) -> Iterator[Breach]:
    directions: tuple[Direction, ...] = ("ingress", "egress")
    seen: set[tuple[str, str]] = set()
    for file, pods in everybody(one):
        for direction in directions:
            key = (pods.namespace, direction)
            if pods.namespace != OWN and key not in seen and not one.ground.closed(pods, direction):
                seen.add(key)
                way = "in from anywhere" if direction == "ingress" else "out to anywhere"
                message = f"{said(env, file)}: no policy closes namespace {pods.namespace}: {pods.who} is open {way}"
                hint = f"add {SHARED}/closed to a kustomization with namespace: {pods.namespace}"
                yield Breach(place(one.graph), message[:239], hint[:199], "cluster.cni.default_deny")


@tree_law("policy-dns", unless=UNREADABLE)
def names_are_answered(env: Environment, tree: Tree) -> Iterator[Breach]:
    """In a namespace that is closed on the way out, every pod may ask CoreDNS: without names it finds nothing, and
    every other opening is worth nothing."""
    for one in traffic(env, tree):
        seen: set[str] = set()
        for _, pods in everybody(one):
            closed = one.ground.closed(Pods("its pods", pods.namespace, None, None), "egress")
            if not closed or pods.namespace in seen:
                continue
            found = verdict(one.ground, pods, DNS, Port(53, "UDP"))
            if found.passes is False:
                seen.add(pods.namespace)
                message = f"{pods.who} cannot ask for any name: {found.why}"
                hint = f"add {SHARED}/closed, which opens the way to CoreDNS, to a kustomization of {pods.namespace}"
                yield Breach(place(one.graph), message[:239], hint[:199])


def routed(one: Traffic) -> Iterator[tuple[Held, tuple[str, str], tuple[str, str, int | str | None]]]:
    """(route, gateway's namespace and name, Service's namespace, name and port) of every way that a route opens."""
    for held in one.objects():
        if held.group != "gateway.networking.k8s.io" or not held.kind.endswith("Route"):
            continue
        spec = mapping(held.body.get("spec"))
        backends = [
            mapping(each) for rule in items(spec.get("rules")) for each in items(mapping(rule).get("backendRefs"))
        ]
        for parent in map(mapping, items(spec.get("parentRefs"))):
            gateway = (str(parent.get("namespace") or held.namespace), str(parent.get("name")))
            for each in backends:
                if each.get("kind", "Service") == "Service" and parent.get("kind", "Gateway") == "Gateway":
                    where = str(each.get("namespace") or held.namespace)
                    yield held, gateway, (where, str(each.get("name")), each.get("port"))


@tree_law("policy-route", unless=UNREADABLE)
def routes_get_through(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a route leads to is reached by its gateway: the policies of both sides let it pass."""
    for one in traffic(env, tree):
        yield from few(_routes(env, one, passes=False))


@tree_law("policy-route-unproven", "note", unless=UNREADABLE)
def routes_are_proven(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a route leads to is known to be reached by its gateway; of a chart's pods neither labels nor ports are in
    the folders."""
    for one in traffic(env, tree):
        yield from few(_routes(env, one, passes=None))


def _routes(env: Environment, one: Traffic, *, passes: bool | None) -> Iterator[Breach]:
    seen: set[tuple[str, str, str]] = set()
    for held, gateway, (namespace, service, port) in routed(one):
        found = one.reached(gateway, namespace, service, port)
        key = (found.why, namespace, service)
        if found.passes is passes and key not in seen:
            seen.add(key)
            verb = "does not reach" if passes is False else "is not known to reach"
            message = f"{said(env, held.file)}: {held.kind} {held.name} {verb} {namespace}/{service}: {found.why}"
            side = namespace if found.direction == "ingress" else gateway[0]
            piece = "gateway" if found.direction == "ingress" else "edge"
            hint = f"add {SHARED}/{piece} to a kustomization of namespace {side}, or open the port in a policy there"
            yield Breach(place(one.graph), message[:239], hint[:199])


@tree_law("policy-webhook", unless=UNREADABLE)
def the_api_server_gets_its_answers(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Whom the API server asks, webhooks and aggregated APIs, its requests reach: else every object that it asks about
    is refused, or the API is not there."""
    for one in traffic(env, tree):
        for who, pods, port in _asked(one):
            found = verdict(one.ground, "kube-apiserver", pods, port)
            if found.passes is False:
                message = f"the API server asks {who}, and is not let in: {found.why}"
                hint = f"add {SHARED}/webhook to a kustomization of namespace {pods.namespace}"
                yield Breach(place(one.graph), message[:239], hint[:199])


def _asked(one: Traffic) -> Iterator[tuple[str, Pods, Port]]:
    for _, pods, chart in one.charted:
        if chart.name in WEBHOOKS:
            yield f"chart {chart.name}", pods, Port(WEBHOOKS[chart.name])
    for held in one.objects():
        spec = mapping(held.body.get("spec"))
        clients = [mapping(mapping(each).get("clientConfig")) for each in items(held.body.get("webhooks"))]
        for service in (mapping(told.get("service")) for told in (spec, *clients)):
            if service.get("name") and (held.kind == "APIService" or held.kind.endswith("WebhookConfiguration")):
                where, name = str(service.get("namespace") or held.namespace), str(service["name"])
                for pods, port in one.behind(where, name, service.get("port") or 443):
                    yield f"{held.kind} {held.name}", pods, port


@tree_law("policy-api", unless=UNREADABLE)
def callers_reach_the_api_server(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Whoever works with the API server, controllers and pods whose account may do something, is let out to it."""
    for one in traffic(env, tree):
        charts = [(pods, f"chart {chart.name}") for _, pods, chart in one.charted if _operator(chart.name)]
        stuck = [
            (pods.namespace, who, found.why)
            for pods, who in (*charts, *((pods, pods.who) for pods in one.callers))
            if (found := verdict(one.ground, pods, "kube-apiserver", API)).passes is False
        ]
        for namespace in sorted({where for where, _, _ in stuck}):
            names = listed(sorted(who for where, who, _ in stuck if where == namespace), 3)
            why = next(why for where, _, why in stuck if where == namespace)
            hint = f"add {SHARED}/api to a kustomization of namespace {namespace}, or an egress rule to kube-apiserver"
            yield Breach(place(one.graph), f"{names} cannot ask the API server: {why}"[:239], hint[:199])


def _operator(chart: str) -> bool:
    """Whether a chart runs a controller of kinds of its own."""
    return chart in CHARTS and bool(CHARTS[chart].kinds)
