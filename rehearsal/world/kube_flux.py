"""Flux: what its operator makes of an instance, and the order in which its controllers look.

Owns the kinds and the root objects that an instance brings. It refuses to own what each controller does
(``kube_sources``, ``kube_kustomize``, ``kube_releases``).
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from rehearsal.world import kube_kustomize, kube_releases, kube_sources
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_sources import ready, unready

_KINDS = ("Bucket", "ExternalArtifact", "GitRepository", "HelmChart", "HelmRelease", "HelmRepository", "Kustomization")
_FLUX = "flux-operator"
_DONE = "ReconciliationSucceeded"
_ROUNDS = 12
"""So often do the controllers look at what the others made: a chain of Kustomizations is no longer."""
ROOTS = ("OCIRepository", "GitRepository", "Kustomization", "HelmRelease")
"""What Flux' controllers reconcile here."""
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
    before = None
    for _ in range(_ROUNDS):
        kube_sources.keep_sources(cluster)
        kube_kustomize.keep_kustomizations(cluster)
        kube_releases.keep_releases(cluster)
        now = json.dumps([each.get("status") for kind in ROOTS for each in cluster.objects(kind)])
        if now == before:
            break
        before = now


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
    """The source and the Kustomization at the root, as the instance says; why not, when that cannot be."""
    sync: dict[str, Any] | None = found["spec"].get("sync")
    if not sync:
        return None
    if not str(sync.get("url", "")).startswith(_SOURCES.get(sync.get("kind", ""), "")):
        return f"{sync.get('kind')} cannot fetch from {sync.get('url')}"
    namespace = found["metadata"]["namespace"]
    name = sync.get("name") or namespace
    owner = {"apiVersion": found["apiVersion"], "kind": "FluxInstance", "name": found["metadata"]["name"]}
    metadata = {"name": name, "namespace": namespace, "ownerReferences": [owner | {"uid": found["metadata"]["uid"]}]}
    ref = {"tag": sync.get("ref")} if sync["kind"] == "OCIRepository" else {"name": sync.get("ref")}
    source: Body = {
        "apiVersion": "source.toolkit.fluxcd.io/v1",
        "kind": sync["kind"],
        "metadata": metadata,
        "spec": {"url": sync["url"], "interval": "1m", "ref": ref},
    }
    if sync.get("pullSecret"):
        source["spec"]["secretRef"] = {"name": sync["pullSecret"]}
    root: Body = {
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
    for body in (source, root):
        try:
            _patch(found, body)
        except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            return f"failed to apply patches: {error}"
        if cluster.said_by(_FLUX, body["kind"], namespace, name) != body:
            cluster.place(body, _FLUX)
    return None


def _patch(found: Body, body: Body) -> None:
    """The instance's JSON patches that add a field (flux-operator, "Customization"); no other is known here."""
    for patch in (found["spec"].get("kustomize") or {}).get("patches") or ():
        if (patch.get("target") or {}).get("kind") != body["kind"]:
            continue
        for step in yaml.safe_load(patch["patch"]):
            if step["op"] != "add":
                raise KeyError(f"the rack's flux-operator knows no op {step['op']}")
            *way, last = step["path"].strip("/").split("/")
            place = body
            for part in way:
                place = place[part]
            place[last] = step["value"]


def _tell(cluster: Cluster, found: Body, trouble: str | None) -> None:
    condition = unready("ReconciliationFailed", trouble) if trouble else ready("Reconciliation finished", _DONE)
    cluster.set_status(found, {"conditions": [condition]})
