"""What the charts of a GitOps folder bring beside their kinds: pods, StorageClasses, and an operator that then stands.

Owns that, and which operators stand in a cluster. It refuses to render a chart: what its pods are is a fact of
``kube_charts``, and what an operator makes of its objects is its own room's.
"""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal.world import kube_folders, kube_helm, kube_pods
from rehearsal.world.kube_cluster import Body, Cluster

_PRIVILEGED_POD = {"hostNetwork": True, "containers": [], "volumes": [{"hostPath": {}}]}


def bring(cluster: Cluster, documents: list[Body], namespace: str | None, manager: str) -> Iterator[str]:
    """Install the charts that a folder names into ``namespace``; why their pods do not run, one sentence each."""
    for chart, entry in kube_folders.charts(documents):
        place = str(entry.get("namespace") or namespace or "default")
        for body in chart.classes(entry["values"]):
            if cluster.get("StorageClass", None, body["metadata"]["name"]) is None:
                cluster.place(body, manager)
        reasons = list(_troubles(cluster, chart, entry, place))
        standing: dict[str, str] = cluster.record.setdefault("operators", {})
        if reasons:
            standing.pop(chart.name, None)
        else:
            standing[chart.name] = place
            cluster.record.setdefault("values", {})[chart.name] = entry["values"]
        yield from reasons


def _troubles(cluster: Cluster, chart: kube_folders.kube_charts.Chart, entry: Body, namespace: str) -> Iterator[str]:
    forbidden = kube_pods.forbidden(cluster, namespace, _PRIVILEGED_POD) if chart.privileged else None
    if forbidden:
        yield f"{chart.name}: pods are forbidden: {forbidden}"
    homeless = kube_pods.unschedulable(cluster)
    if homeless:
        yield from (f"{pod}: {homeless}" for pod in chart.ordinary(entry["values"]))


def namespace_of(cluster: Cluster, operator: str) -> str | None:
    """The namespace in which an operator's pods run; ``None`` when they do not."""
    release = kube_helm.stands(cluster, operator)
    if release is not None:
        return str(release["namespace"])
    found: dict[str, str] = cluster.record.get("operators") or {}
    return found.get(operator)


def values_of(cluster: Cluster, operator: str) -> Body:
    """The values with which an operator that runs was installed."""
    release = kube_helm.stands(cluster, operator)
    told: dict[str, Body] = cluster.record.get("values") or {}
    return dict((release["values"] if release else told.get(operator)) or {})
