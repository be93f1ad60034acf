"""Flux' helm-controller: a HelmRelease is the release that Helm has.

Owns when it installs, upgrades and takes over a release that somebody else installed (helm-controller 1.4,
``internal/reconcile/atomic_release.go``). It refuses to own Helm (``kube_helm``) and charts (``kube_charts``).
"""

from __future__ import annotations

from typing import Any

from rehearsal.world import kube_helm
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_sources import is_ready, ready, unready

CONTROLLER = "helm-controller"
"""Who installed a release that Helm knows of nobody else's."""


def keep_releases(cluster: Cluster) -> None:
    """Every HelmRelease: what it waits for, then its release as it says."""
    for found in cluster.objects("HelmRelease"):
        if found["spec"].get("suspend"):
            continue
        condition = _waits(cluster, found) or _released(cluster, found)
        cluster.set_status(found, {**(found.get("status") or {}), "conditions": [condition]})


def _waits(cluster: Cluster, found: Body) -> Body | None:
    namespace = found["metadata"]["namespace"]
    for each in found["spec"].get("dependsOn") or ():
        other = cluster.get("HelmRelease", each.get("namespace", namespace), each["name"])
        if other is None or not is_ready(other):
            name = f"{each.get('namespace', namespace)}/{each['name']}"
            return unready("DependencyNotReady", f"dependency '{name}' is not ready")
    reference = found["spec"].get("chartRef")
    if not reference:
        return unready("SourceNotReady", "the rack's Flux knows charts by chartRef alone")
    place = reference.get("namespace", namespace)
    source = cluster.get(reference["kind"], place, reference["name"])
    if source is None or not is_ready(source):
        return unready("SourceNotReady", f"{reference['kind']} '{place}/{reference['name']}' is not ready")
    return None


def _released(cluster: Cluster, found: Body) -> Body:
    """Install or upgrade when what is wanted is not what this HelmRelease last released."""
    spec, metadata = found["spec"], found["metadata"]
    reference = spec["chartRef"]
    source = cluster.get(reference["kind"], reference.get("namespace", metadata["namespace"]), reference["name"])
    url, tag = (source or {"spec": {}})["spec"].get("url"), ((source or {})["spec"].get("ref") or {}).get("tag")
    wanted = kube_helm.Wanted(
        name=spec.get("releaseName") or metadata["name"],
        namespace=spec.get("targetNamespace") or metadata["namespace"],
        chart=str(url),
        version=tag,
        values=spec.get("values") or {},
        create_namespace=bool((spec.get("install") or {}).get("createNamespace")),
        take_ownership=True,
    )
    release = cluster.releases.get(wanted.key)
    own = (found.get("status") or {}).get("lastReleased")
    asked = [wanted.chart, wanted.version, wanted.values]
    if release is None or own != asked or _differs(release, wanted):
        try:
            act = kube_helm.install if release is None else kube_helm.upgrade
            made = act(cluster, wanted, lambda: None)
        except Refusal as refusal:
            return unready("InstallFailed" if release is None else "UpgradeFailed", refusal.message)
        if release is None:
            made["by"] = CONTROLLER
        release = made
        found.setdefault("status", {})["lastReleased"] = asked
    chart = f"{release['chart']}@{release['version']}"
    did = "install" if release["revision"] == 1 else "upgrade"
    if release["status"] != "deployed":
        why = "; ".join(release["reasons"])
        return unready(f"{did.title()}Failed", f"Helm {did} failed for release {wanted.key} with chart {chart}: {why}")
    done = f"Helm {did} succeeded for release {wanted.key}.v{release['revision']} with chart {chart}"
    return ready(done, f"{did.title()}Succeeded")


def _differs(release: Body, wanted: kube_helm.Wanted) -> bool:
    """Whether somebody else released it with something else since; a release that failed is tried again."""
    now: list[Any] = [release["version"], release["values"], release["status"]]
    return now != [wanted.version, wanted.values, "deployed"]
