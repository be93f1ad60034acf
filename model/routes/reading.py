"""Routes out of objects: the Gateway API's, Ingresses, and what a chart's values ask a chart to make of either.

Owns reading them. Refuses to say where a route hangs (`gateways`), and where a chart's own leads.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.graph import Graph, called
from model.closure.reading import items, mapping
from model.closure.things import App
from model.routes.applied import Applied, text, words
from model.routes.things import Backend, Match, Parent, Route, Rule
from model.tree import Chart

KINDS = ("HTTPRoute", "GRPCRoute", "TLSRoute")
AUDIENCE = "iluvatar/audience"
"""Annotation of a route or of its app's kustomization: `lan` says that it is never to be reached from outside."""
INGRESS = "Ingress"


def routes(graph: Graph, objects: tuple[Applied, ...]) -> Iterator[Route]:
    """Every route of a cluster, in the apps' order."""
    notes = {called(app): words(app.notes) for app in graph.apps}
    for one in objects:
        if one.held.kind in KINDS:
            yield _route(graph.cluster, one, notes.get(one.app, {}))
        elif one.held.kind == INGRESS:
            yield _ingress(graph.cluster, one, notes.get(one.app, {}))
    for app in graph.apps:
        yield from _of_charts(graph.cluster, app)


def _route(cluster: str, one: Applied, notes: Mapping[str, str]) -> Route:
    held, spec = one.held, one.spec
    return Route(
        cluster=cluster,
        kind=held.kind,
        namespace=held.namespace,
        name=held.name,
        hosts=_hosts(spec.get("hostnames")),
        parents=_parents(spec, held.namespace),
        rules=tuple(_rule(mapping(rule), held.namespace, held.kind) for rule in items(spec.get("rules"))),
        file=held.file,
        app=one.app,
        labels=one.labels,
        annotations=one.annotations,
        lan=_lan(one.annotations, notes),
    )


def _lan(annotations: Mapping[str, str], notes: Mapping[str, str]) -> bool:
    return annotations.get(AUDIENCE, notes.get(AUDIENCE)) == "lan"


def _hosts(value: object) -> tuple[str, ...]:
    return tuple(one.lower() for one in items(value) if isinstance(one, str))


def _parents(spec: Mapping[str, Any], namespace: str) -> tuple[Parent, ...]:
    found = (mapping(one) for one in items(spec.get("parentRefs")))
    return tuple(
        Parent(text(one.get("namespace")) or namespace, text(one.get("name")), _or_none(one, "sectionName"), _port(one))
        for one in found
        if one.get("kind", "Gateway") == "Gateway"
    )


def _or_none(told: Mapping[str, Any], key: str) -> str | None:
    return text(told.get(key)) or None


def _port(told: Mapping[str, Any]) -> int | None:
    port = told.get("port")
    return port if isinstance(port, int) else None


def _rule(rule: Mapping[str, Any], namespace: str, kind: str) -> Rule:
    matches = tuple(_match(mapping(one), kind) for one in items(rule.get("matches")))
    backends = (mapping(one) for one in items(rule.get("backendRefs")))
    filters = {text(mapping(one).get("type")) for one in items(rule.get("filters"))}
    return Rule(
        matches or (Match("PathPrefix", "/", ""),),
        tuple(
            Backend(
                text(one.get("kind")) or "Service",
                text(one.get("namespace")) or namespace,
                text(one.get("name")),
                _port(one),
            )
            for one in backends
        ),
        # An ExtensionRef may answer by itself, as Envoy Gateway's HTTPRouteFilter does with a direct response
        answers=bool(filters & {"RequestRedirect", "ExtensionRef"}),
    )


def _match(match: Mapping[str, Any], kind: str) -> Match:
    if kind == "GRPCRoute":
        method = mapping(match.get("method"))
        named = f"/{text(method.get('service')) or '*'}/{text(method.get('method')) or '*'}"
        return Match(text(method.get("type")) or "Exact", named, _rest(match, "headers"))
    path = mapping(match.get("path"))
    return Match(
        text(path.get("type")) or "PathPrefix",
        text(path.get("value")) or "/",
        _rest(match, "method", "headers", "queryParams"),
    )


def _rest(match: Mapping[str, Any], *keys: str) -> str:
    """Further conditions, in one spelling whatever their order was."""
    told: list[str] = []
    for key in keys:
        value = match.get(key)
        if isinstance(value, str):
            told.append(value)
        told += sorted(f"{mapping(one).get('name')}={mapping(one).get('value')}" for one in items(value))
    return " ".join(told)


def _ingress(cluster: str, one: Applied, notes: Mapping[str, str]) -> Route:
    held, spec = one.held, one.spec
    hosts: list[str] = []
    rules: list[Rule] = []
    for rule in (mapping(each) for each in items(spec.get("rules"))):
        hosts.append(text(rule.get("host")).lower())
        paths = items(mapping(rule.get("http")).get("paths"))
        rules += [_ingress_rule(mapping(path), held.namespace) for path in paths]
    tls = (mapping(each) for each in items(spec.get("tls")))
    return Route(
        cluster=cluster,
        kind=INGRESS,
        namespace=held.namespace,
        name=held.name,
        hosts=tuple(filter(None, hosts)),
        parents=(),
        rules=tuple(rules),
        file=held.file,
        app=one.app,
        labels=one.labels,
        annotations=one.annotations,
        tls=tuple((_hosts(each.get("hosts")), text(each.get("secretName"))) for each in tls),
        lan=_lan(one.annotations, notes),
    )


def _ingress_rule(path: Mapping[str, Any], namespace: str) -> Rule:
    service = mapping(mapping(path.get("backend")).get("service"))
    port = mapping(service.get("port"))
    number = port.get("number")
    wanted = number if isinstance(number, int) else text(port.get("name")) or None
    match = Match(text(path.get("pathType")) or "Prefix", text(path.get("path")) or "/", "")
    return Rule((match,), (Backend("Service", namespace, text(service.get("name")), wanted),), answers=False)


def _of_charts(cluster: str, app: App) -> Iterator[Route]:
    """What a chart's values call `ingress`, or hold both `hostnames` and `parentRefs`, is a route of the chart's."""
    for file, chart in app.charts:
        for told, ingress in _asked(chart.values):
            hosts = _hosts(told.get("hostnames")) or _ingress_hosts(told) or _ruling(chart)
            if hosts:
                annotations = words(told.get("annotations"))
                yield Route(
                    cluster=cluster,
                    kind=INGRESS if ingress else text(told.get("kind")) or "HTTPRoute",
                    namespace=chart.namespace,
                    name=chart.release,
                    hosts=hosts,
                    parents=() if ingress else _parents(told, chart.namespace),
                    rules=(),
                    file=file,
                    app=called(app),
                    labels=words(told.get("labels")),
                    annotations=annotations,
                    tls=_secure(told, hosts),
                    chart=chart.name,
                    lan=_lan(annotations, words(app.notes)),
                )


def _ruling(chart: Chart) -> tuple[str, ...]:
    """Argo CD's chart takes the name of its `global.domain` where a route says none (argo-helm, its values)."""
    domain = text(mapping(chart.values.get("global")).get("domain")) if chart.name == "argo-cd" else ""
    return (domain.lower(),) if domain else ()


def _secure(told: Mapping[str, Any], hosts: tuple[str, ...]) -> tuple[tuple[tuple[str, ...], str], ...]:
    """(names, Secret) of an Ingress' TLS; `tls: true` is Argo CD's word for a Secret that it names itself."""
    if told.get("tls") is True:
        return ((hosts, "argocd-server-tls"),)
    tls = (mapping(one) for one in items(told.get("tls")))
    return tuple((_hosts(one.get("hosts")), text(one.get("secretName"))) for one in tls)


def _ingress_hosts(told: Mapping[str, Any]) -> tuple[str, ...]:
    stated = [told.get("hostname"), told.get("host")]
    for one in items(told.get("hosts")):
        stated += [mapping(one).get("host")] if isinstance(one, Mapping) else [one]
    return tuple(dict.fromkeys(one.lower() for one in stated if isinstance(one, str) and one))


def _asked(values: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """(mapping, whether it is an Ingress) of all in a chart's values that asks for a route; what is shared counts once.

    An `ingress` is one that is switched on, or holds several by name that are.
    """
    waiting: list[tuple[str, str, object]] = [("", "", values)]
    seen: set[int] = set()
    while waiting:
        above, key, here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, Mapping):
            if here.get("hostnames") and here.get("parentRefs") and here.get("enabled") is not False:
                yield here, False
            elif "ingress" in (key, above) and here.get("enabled") is True:
                yield here, True
            waiting += [(key, str(name), one) for name, one in reversed(list(here.items()))]
        elif isinstance(here, list):
            waiting += [("", "", one) for one in here]
