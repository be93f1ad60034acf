"""Label selectors, Kubernetes' and Cilium's: which labels they ask for, of a pod and of its namespace.

Owns matching. Refuses what a selector is used for (`policies`). An answer is None where the labels are not known.
"""

from collections.abc import Callable, Mapping
from typing import Any

from model.closure.reading import items, mapping

Labels = Mapping[str, str]
Selector = Callable[[Labels | None, Labels, str], bool | None]
"""(a pod's labels, its namespace's labels, its namespace) → whether it is meant."""

NAMESPACE = "io.kubernetes.pod.namespace"
"""Cilium's label for where a pod is."""
NAMESPACES = "io.cilium.k8s.namespace.labels."
"""What Cilium puts before a label of the namespace."""


def everyone(_ground: object, _peer: object) -> bool | None:
    """The peer that is anybody."""
    return True


def wants(selector: Mapping[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    """(operator, key, values) of everything that a selector asks for."""
    found: list[tuple[str, str, tuple[str, ...]]]
    found = [("In", str(key), (str(value),)) for key, value in mapping(selector.get("matchLabels")).items()]
    for one in map(mapping, items(selector.get("matchExpressions"))):
        values = tuple(map(str, items(one.get("values"))))
        found.append((str(one.get("operator")), str(one.get("key")), values))
    return found


def meets(labels: Labels, operator: str, key: str, values: tuple[str, ...]) -> bool:
    """Whether labels meet one requirement (Kubernetes, "Labels and Selectors"): without the key, `NotIn` is met."""
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    return labels.get(key) in values if operator == "In" else labels.get(key) not in values


def kubernetes_selector(selector: Mapping[str, Any]) -> Selector:
    """A LabelSelector; an empty one means everything."""
    asked = wants(selector)

    def matches(labels: Labels | None, _namespaces: Labels, _namespace: str) -> bool | None:
        if not asked:
            return True
        return None if labels is None else all(meets(labels, *one) for one in asked)

    return matches


def cilium_selector(selector: Mapping[str, Any], home: str) -> Selector:
    """An endpoint selector. `home`: the namespace that is meant when it names none; empty for any."""
    asked = [(operator, _plain(key), values) for operator, key, values in wants(selector)]
    elsewhere = any(key == NAMESPACE or key.startswith(NAMESPACES) for _, key, _ in asked)

    def matches(labels: Labels | None, namespaces: Labels, namespace: str) -> bool | None:
        if home and not elsewhere and namespace != home:
            return False
        around = {NAMESPACE: namespace, **{f"{NAMESPACES}{key}": value for key, value in namespaces.items()}}
        spaces = [one for one in asked if one[1] in around or one[1].startswith(NAMESPACES)]
        if not all(meets(around, *one) for one in spaces):
            return False
        rest = [one for one in asked if one not in spaces]
        if not rest:
            return True
        return None if labels is None else all(meets(labels, *one) for one in rest)

    return matches


def _plain(key: str) -> str:
    """A label's key without where it comes from: `k8s:app` is `app`."""
    source, found, rest = key.partition(":")
    return rest if found and source in ("k8s", "any", "container") else key
