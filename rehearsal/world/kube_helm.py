"""Helm releases: installing, upgrading, uninstalling.

Owns a release's life and Helm's words for what goes wrong in it. It refuses to own facts about charts
(``kube_charts``) and whether pods find a node (``kube_pods``).

A release is ``{name, namespace, chart, repository, version, values, revision, status, reasons, network, before}``, kept
by its cluster under ``namespace/name``; ``network`` says that it makes nodes Ready, ``before`` is the revision that was
upgraded, ``None`` after an install. Helm keeps each revision in a Secret of its own (``secrets``); here these two.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.world import kube_charts, kube_flux, kube_pods
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_charts import Chart
from rehearsal.world.kube_cluster import Body, Cluster

HELM = "helm"
_PRIVILEGED_POD = {"hostNetwork": True, "containers": [], "volumes": [{"hostPath": {}}]}


@dataclass(frozen=True)
class Wanted:
    """What somebody wants installed. ``chart`` with ``repository``, or a whole ``oci://`` address."""

    name: str
    namespace: str
    chart: str
    version: str | None
    repository: str | None = None
    values: Body = field(default_factory=dict)
    create_namespace: bool = False
    take_ownership: bool = False
    skip_crds: bool = False
    waits: bool = True

    @property
    def key(self) -> str:
        """Where its release is kept."""
        return f"{self.namespace}/{self.name}"


def foresee(wanted: Wanted) -> Chart:
    """What a preview finds out: the chart can be had."""
    return kube_charts.fetch(wanted.chart, wanted.repository, wanted.version)


def install(cluster: Cluster, wanted: Wanted, midway: Callable[[], None]) -> Body:
    """Install. The release is given back also when its pods never become ready: its ``status`` is then ``failed``.

    ``midway`` is called when the release is recorded and nothing else done: who dies there leaves it pending.
    """
    chart = kube_charts.fetch(wanted.chart, wanted.repository, wanted.version)
    if wanted.key in cluster.releases:
        raise Refusal("cannot re-use a name that is still in use")
    if cluster.get("Namespace", None, wanted.namespace) is None:
        if not wanted.create_namespace:
            raise Refusal(f'create: failed to create: namespaces "{wanted.namespace}" not found')
        cluster.place({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.namespace}}, HELM)
    _owned(cluster, chart, wanted)
    cluster.releases[wanted.key] = _record(wanted, 1, "pending-install")
    midway()
    return _roll_out(cluster, chart, wanted)


def upgrade(cluster: Cluster, wanted: Wanted, midway: Callable[[], None]) -> Body:
    """Upgrade to another version or other values; as ``install`` otherwise."""
    chart = kube_charts.fetch(wanted.chart, wanted.repository, wanted.version)
    before = cluster.releases.get(wanted.key)
    if before is None:
        raise Refusal(f'"{wanted.name}" has no deployed releases')
    if before["status"].startswith("pending-"):
        raise Refusal("another operation (install/upgrade/rollback) is in progress")
    cluster.releases[wanted.key] = _record(wanted, before["revision"] + 1, "pending-upgrade")
    cluster.releases[wanted.key] |= {"network": before["network"], "before": before | {"before": None}}
    midway()
    return _roll_out(cluster, chart, wanted)


def uninstall(cluster: Cluster, namespace: str, name: str) -> None:
    """Uninstall; the kinds that came with it stay, as Helm leaves CustomResourceDefinitions."""
    key = f"{namespace}/{name}"
    if cluster.releases.pop(key, None) is None:
        return
    for body in [each for each in cluster.written_by(_owner(key)) if each["kind"] != "CustomResourceDefinition"]:
        cluster.delete(body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"])
    cluster.work()


def secrets(cluster: Cluster, namespace: str) -> list[Body]:
    """Helm's own Secrets in a namespace, one a revision, as their metadata (Helm 3, ``pkg/storage/driver``)."""
    kept = [each for each in cluster.releases.values() if each["namespace"] == namespace]
    return [_secret(each) for release in kept for each in (release.get("before"), release) if each]


def _secret(release: Body) -> Body:
    labels = {"owner": "helm", "name": release["name"], "status": release["status"]}
    labels |= {"version": str(release["revision"])}
    return {"name": f"sh.helm.release.v1.{release['name']}.v{release['revision']}", "labels": labels}


def forget(cluster: Cluster, namespace: str, secret: Body) -> None:
    """A revision's Secret is deleted: the one before it is the release, and what the revision did stays done."""
    release = cluster.releases[f"{namespace}/{secret['labels']['name']}"]
    before = release.get("before")
    if secret != _secret(release):
        release["before"] = None
    elif before:
        cluster.releases[f"{namespace}/{release['name']}"] = before
    else:
        del cluster.releases[f"{namespace}/{release['name']}"]
    cluster.work()


def stands(cluster: Cluster, chart: str) -> Body | None:
    """The deployed release of ``chart``, whatever its name."""
    found = (each for each in cluster.releases.values() if each["chart"] == chart and each["status"] == "deployed")
    return next(found, None)


def _owner(key: str) -> str:
    return f"{HELM}/{key}"


def _owned(cluster: Cluster, chart: Chart, wanted: Wanted) -> None:
    """Helm touches no object of another release unless told to take it."""
    for crd in [] if wanted.take_ownership or wanted.skip_crds else cluster.objects("CustomResourceDefinition"):
        if crd["spec"]["names"]["kind"] not in chart.kinds:
            continue
        annotations = crd["metadata"].get("annotations") or {}
        if annotations.get("meta.helm.sh/release-name") != wanted.name:
            raise Refusal(
                f'Unable to continue with install: CustomResourceDefinition "{crd["metadata"]["name"]}" in namespace ""'
                " exists and cannot be imported into the current release: invalid ownership metadata; annotation"
                f' validation error: key "meta.helm.sh/release-name" must equal "{wanted.name}"'
            )


def _record(wanted: Wanted, revision: int, status: str) -> Body:
    return {
        "name": wanted.name,
        "namespace": wanted.namespace,
        "chart": wanted.chart.rpartition("/")[2],
        "repository": wanted.repository or wanted.chart.rpartition("/")[0],
        "version": wanted.version,
        "values": copy.deepcopy(wanted.values),
        "revision": revision,
        "status": status,
        "reasons": [],
        "network": False,
        "before": None,
    }


def _roll_out(cluster: Cluster, chart: Chart, wanted: Wanted) -> Body:
    """Bring the chart's objects in and see whether its pods run."""
    release = cluster.releases[wanted.key]
    annotations = {"meta.helm.sh/release-name": wanted.name, "meta.helm.sh/release-namespace": wanted.namespace}
    if not wanted.skip_crds:
        cluster.register(chart.kinds_with(wanted.values), _owner(wanted.key), annotations)
    reasons = _agents(cluster, chart, wanted)
    release["network"] = chart.network and not reasons
    if not reasons:
        cluster.register(chart.operator_kinds, f"{chart.name}-operator")
    if chart.name == "flux-instance":
        _instance(cluster, release, wanted)
    cluster.work()
    stuck = kube_pods.unschedulable(cluster)
    reasons += [f"{pod}: {stuck}" for pod in chart.ordinary(wanted.values) if stuck]
    release["reasons"] = reasons
    release["status"] = "failed" if reasons and wanted.waits else "deployed"
    if release["before"] and release["status"] == "deployed":
        release["before"]["status"] = "superseded"
    cluster.work()
    return release


def _instance(cluster: Cluster, release: Body, wanted: Wanted) -> None:
    """The one object of the chart flux-instance, which the API server may refuse."""
    try:
        kube_flux.instance(cluster, wanted.namespace, wanted.name, wanted.values, _owner(wanted.key))
    except Refusal:
        release["status"] = "failed"
        raise


def _agents(cluster: Cluster, chart: Chart, wanted: Wanted) -> list[str]:
    """Why the chart's own pods do not stay up, before any question of a node."""
    refused = kube_pods.forbidden(cluster, wanted.namespace, _PRIVILEGED_POD) if chart.privileged else None
    if refused:
        return [f"{chart.name}: pods are forbidden: {refused}"]
    if chart.network and not cluster.objects("Node"):
        return [f"{chart.name}: no nodes available to schedule pods"]
    return list(chart.crashes(cluster, wanted.values))


def summary(release: Body) -> Body:
    """What the provider tells of a release, as ``status`` of its state."""
    return {name: release[name] for name in ("name", "namespace", "chart", "version", "revision", "status")}
