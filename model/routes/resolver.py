"""The resolver on the cluster, k8s-gateway: which kinds its Corefile names, and which of them its account may read.

Owns both, as the folders have them. Refuses what it answers, which is DNS (`dns`), and its address (`laws`).
Source: k8s_gateway, README ("Configure") and kubernetes.go of v1.5.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from model.closure.graph import Graph
from model.closure.reading import items, mapping
from model.routes.applied import Applied
from model.tree import Tree

GATEWAY_API = "gateway.networking.k8s.io"
_APP, _IMAGE = "k8s-gateway", "/k8s_gateway:"
_RESOURCES = re.compile(r"^\s*resources\s+(.+)$", re.MULTILINE)
_VERBS = ("get", "list", "watch")


class Right(NamedTuple):
    """Objects that somebody may read."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


DEFINITIONS = Right("apiextensions.k8s.io", "customresourcedefinitions")
"""It looks there first; refused, it takes the Gateway API for absent, and says nothing."""
KINDS = {
    **{kind: Right(GATEWAY_API, f"{kind.lower()}s") for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")},
    "Ingress": Right("networking.k8s.io", "ingresses"),
    "Service": Right("", "services"),
    "DNSEndpoint": Right("externaldns.k8s.io", "dnsendpoints"),
}
"""Word of the Corefile's `resources` → what it reads for it."""


def told(graph: Graph, tree: Tree) -> Iterator[str]:
    """What stands behind `resources`; without it, every kind of route. Nothing where none runs."""
    for app in graph.apps:
        if app.name == _APP:
            found = _RESOURCES.findall(tree.get(f"{app.folder}/Corefile", ""))
            yield from (kind for one in found or ["HTTPRoute GRPCRoute TLSRoute"] for kind in one.split())


def resolves(graph: Graph, tree: Tree, objects: tuple[Applied, ...]) -> Iterator[str]:
    """Kinds that it answers for: those it is told of and may read."""
    return (kind for kind in told(graph, tree) if not missing(kind, objects))


def needed(kind: str) -> tuple[Right, ...]:
    """All that it reads for a kind; nothing for a word that is not known here."""
    own = KINDS.get(kind)
    if own is None:
        return ()
    if own.group == GATEWAY_API:
        return (DEFINITIONS, *(Right(GATEWAY_API, one) for one in ("gatewayclasses", "gateways")), own)
    return (own,) if own.group in ("", "networking.k8s.io") else (DEFINITIONS, own)


def missing(kind: str, objects: tuple[Applied, ...]) -> list[Right]:
    """What it needs for a kind and may not read; none where its Deployment is not in the folders."""
    accounts = list(_accounts(objects))
    rules = [rule for account in accounts for rule in _rules(account, objects)]
    return [one for one in needed(kind) if accounts and not any(_grants(rule, one) for rule in rules)]


def _accounts(objects: tuple[Applied, ...]) -> Iterator[tuple[str, str]]:
    """(namespace, name) of the account that it works by."""
    for one in objects:
        if one.held.kind == "Deployment":
            pod = mapping(mapping(one.spec.get("template")).get("spec"))
            if any(_IMAGE in str(mapping(each).get("image", "")) for each in items(pod.get("containers"))):
                yield one.held.namespace, str(pod.get("serviceAccountName") or "default")


def _rules(account: tuple[str, str], objects: tuple[Applied, ...]) -> Iterator[object]:
    """Rules of the ClusterRoles bound to an account: routes are read in every namespace."""
    roles = {one.held.name: one.held.body for one in objects if one.held.kind == "ClusterRole"}
    for one in objects:
        if one.held.kind == "ClusterRoleBinding":
            subjects = map(mapping, items(one.held.body.get("subjects")))
            if account in {(str(each.get("namespace")), str(each.get("name"))) for each in subjects}:
                role = roles.get(str(mapping(one.held.body.get("roleRef")).get("name")))
                yield from items(mapping(role).get("rules"))


def _grants(rule: object, wanted: Right) -> bool:
    given = mapping(rule)
    if given.get("resourceNames"):
        return False
    wants = (("apiGroups", (wanted.group,)), ("resources", (wanted.resource,)), ("verbs", _VERBS))
    listed = {key: items(given.get(key)) for key, _ in wants}
    return all("*" in listed[key] or set(words) <= set(map(str, listed[key])) for key, words in wants)
