"""Flux: what its operator makes of an instance.

Owns the kinds and the root objects that an instance brings. It refuses to own what they would reconcile.
"""

from __future__ import annotations

from typing import Any

from rehearsal.world.kube_cluster import Body, Cluster

_KINDS = ("Bucket", "ExternalArtifact", "GitRepository", "HelmChart", "HelmRelease", "HelmRepository", "Kustomization")
_FLUX = "flux-operator"
_SOURCES = {"OCIRepository": "oci://", "GitRepository": ("https://", "ssh://", "http://"), "Bucket": ""}


def instance(cluster: Cluster, namespace: str, name: str, values: Body, manager: str) -> None:
    """The chart flux-instance: a FluxInstance named after its release, with ``values.instance`` as its spec."""
    told: Body = values.get("instance") or {}
    spec = {"distribution": {"version": "2.x", "registry": "ghcr.io/fluxcd"}, **told}
    cluster.apply(
        {
            "apiVersion": "fluxcd.controlplane.io/v1",
            "kind": "FluxInstance",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        },
        manager,
    )


def keep_flux(cluster: Cluster) -> None:
    """Controller: each instance brings Flux's kinds and the source and Kustomization at its root."""
    if not any(each["chart"] == "flux-operator" and each["status"] == "deployed" for each in cluster.releases.values()):
        return
    for found in cluster.objects("FluxInstance"):
        trouble = _not_named_flux(found)
        if trouble is None:
            cluster.register((*_KINDS, "OCIRepository"), _FLUX)
            trouble = _root(cluster, found)
        _tell(cluster, found, trouble)


def trouble_of(found: Body) -> str | None:
    """Why an instance is not ready, ``None`` when it is."""
    for condition in found.get("status", {}).get("conditions", []):
        if condition["status"] == "False":
            return f"{condition['reason']}: {condition['message']}"
    return None


def _not_named_flux(found: Body) -> str | None:
    """There is one Flux a cluster, and the operator takes only the name ``flux`` (flux-operator, "FluxInstance")."""
    name = found["metadata"]["name"]
    return None if name == "flux" else f'invalid name "{name}": the only accepted name is flux'


def _root(cluster: Cluster, found: Body) -> str | None:
    sync: dict[str, Any] | None = found["spec"].get("sync")
    if not sync:
        return None
    if not str(sync.get("url", "")).startswith(_SOURCES.get(sync.get("kind", ""), "")):
        return f"{sync.get('kind')} cannot fetch from {sync.get('url')}"
    namespace, name = found["metadata"]["namespace"], sync.get("name") or "flux-system"
    owner = {"apiVersion": found["apiVersion"], "kind": "FluxInstance", "name": found["metadata"]["name"]}
    metadata = {"name": name, "namespace": namespace, "ownerReferences": [owner | {"uid": found["metadata"]["uid"]}]}
    ref = {"tag": sync.get("ref")} if sync["kind"] == "OCIRepository" else {"name": sync.get("ref")}
    source = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": sync["kind"],
        "metadata": metadata,
        "spec": {"url": sync["url"], "interval": "1m", "ref": ref},
    }
    root = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": metadata,
        "spec": {
            "interval": "10m",
            "path": sync["path"],
            "prune": True,
            "sourceRef": {"kind": sync["kind"], "name": name},
        },
    }
    known = (cluster.world.environment.get("gitops") or {}).get("repository")
    fetched = None if sync["url"] == known else f"failed to pull artifact from '{sync['url']}': not found"
    for body in (source, root):
        _tell(cluster, cluster.place(body, _FLUX), fetched)
    return None


def _tell(cluster: Cluster, found: Body, trouble: str | None) -> None:
    reason = "ReconciliationFailed" if trouble else "ReconciliationSucceeded"
    message = trouble or "Reconciliation finished"
    condition = {"type": "Ready", "status": str(trouble is None), "reason": reason, "message": message}
    cluster.set_status(found, {"conditions": [condition]})
