"""Law of Services that other pods ask for: there are pods behind each.

Owns Services that are plain manifests. Refuses those that a route or an Ingress leads to, whose ports and pods are the
proof's (`routes`). Says nothing where a chart, an operator or a kustomization may make or label the pods.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.graph import Graph
from model.closure.reading import KUSTOMIZATIONS, items, mapping
from model.closure.things import BUILT_IN, App, Held
from model.environment import Environment
from model.laws.closure import UNREADABLE, few, graphs, place, said
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.tree import Tree, documents

_PODS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job")
_WITHOUT_PODS = BUILT_IN | {
    *("gateway.networking.k8s.io", "cert-manager.io", "external-secrets.io", "externaldns.k8s.io", "cilium.io"),
    *("trust.cert-manager.io", "bitnami.com", "monitoring.coreos.com", "argoproj.io"),
    *("kustomize.toolkit.fluxcd.io", "source.toolkit.fluxcd.io", "notification.toolkit.fluxcd.io"),
}
"""API groups whose objects make no pods. Any other's may: an operator's."""


@tree_law("gitops-service-pods", unless=UNREADABLE)
def services_have_pods(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A Service selects pods that are there: one that selects none has no endpoint, and whoever sends to it waits."""
    for graph in graphs(env, tree):
        yield from few(_without_pods(env, tree, graph))


def _without_pods(env: Environment, tree: Tree, graph: Graph) -> Iterator[Breach]:
    labels = [pod for app in graph.apps for held in app.objects for pod in _labels(tree, app, held)]
    unseen, routed = set(_unseen(tree, graph)), set(_routed(graph))
    for held in _own(graph, "Service"):
        spec = mapping(held.body.get("spec"))
        selector = mapping(spec.get("selector"))
        named = (held.namespace, held.name)
        if not selector or spec.get("type") == "ExternalName" or held.namespace in unseen or named in routed:
            continue
        there = [told for where, told in labels if where == held.namespace]
        if not any(selector.items() <= told.items() for told in there):
            wanted = ", ".join(f"{key}: {value}" for key, value in selector.items())
            message = (
                f"{said(env, held.file)}: Service {held.name} selects {wanted}, which no pod of {held.namespace} has"
            )
            known = sorted({f"{key}: {value}" for told in there for key, value in told.items() if key in selector})
            hint = f"pods there have {listed(known)}" if known else "write the labels of its pods' template"
            yield Breach(place(graph), message[:239], hint[:199])


def _own(graph: Graph, kind: str) -> Iterator[Held]:
    for app in graph.apps:
        yield from (held for held in app.objects if held.kind == kind and not held.patch)


def _labels(tree: Tree, app: App, held: Held) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(namespace, labels) of the pods that an object makes, with those that a kustomization gives to all."""
    if held.patch:
        return
    spec = mapping(held.body.get("spec"))
    if held.kind in _PODS:
        template = mapping(spec.get("template"))
    elif held.kind == "CronJob":
        template = mapping(mapping(mapping(spec.get("jobTemplate")).get("spec")).get("template"))
    elif held.kind == "Pod":
        template = held.body
    else:
        return
    yield held.namespace, {**mapping(mapping(template.get("metadata")).get("labels")), **_added(tree, app)}


def _kustomizations(tree: Tree, app: App) -> Iterator[Mapping[str, Any]]:
    for file in sorted(app.files):
        if file.rpartition("/")[2] in KUSTOMIZATIONS:
            yield next(iter(documents(tree[file])), {})


def _added(tree: Tree, app: App) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for document in _kustomizations(tree, app):
        found |= mapping(document.get("commonLabels"))
        for one in items(document.get("labels")):
            found |= mapping(mapping(one).get("pairs"))
    return found


def _unseen(tree: Tree, graph: Graph) -> Iterator[str]:
    """Namespaces into which somebody puts pods, or labels, that no file shows."""
    for app in graph.apps:
        yield from (chart.namespace for _, chart in app.charts)
        yield from (held.namespace for held in app.objects if held.group not in _WITHOUT_PODS)
        if any(_rewrites(document) for document in _kustomizations(tree, app)):
            yield from {held.namespace for held in app.objects}
        patches = [held for held in app.objects if held.patch and held.kind in (*_PODS, "CronJob", "Pod", "Service")]
        yield from (held.namespace for held in patches if _mentions(held.body))


def _rewrites(document: Mapping[str, Any]) -> bool:
    """Whether a kustomization changes labels or selectors in a way that is not followed here."""
    if document.get("transformers") or document.get("vars"):
        return True
    keys = ("patches", "patchesJson6902", "patchesStrategicMerge", "replacements")
    return any(_mentions(document.get(key)) for key in keys)


def _mentions(value: object) -> bool:
    text = str(value)
    return "abels" in text or "elector" in text


def _routed(graph: Graph) -> Iterator[tuple[str, str]]:
    """(namespace, name) of every Service that a route or an Ingress leads to."""
    for app in graph.apps:
        for held in app.objects:
            spec = mapping(held.body.get("spec"))
            rules = [mapping(one) for one in items(spec.get("rules"))]
            if held.kind == "Ingress":
                paths = [mapping(one) for rule in rules for one in items(mapping(rule.get("http")).get("paths"))]
                for path in paths:
                    yield held.namespace, str(mapping(mapping(path.get("backend")).get("service")).get("name"))
            elif held.kind.endswith("Route"):
                for backend in (mapping(one) for rule in rules for one in items(rule.get("backendRefs"))):
                    yield str(backend.get("namespace") or held.namespace), str(backend.get("name"))
