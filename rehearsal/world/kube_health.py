"""Whether an object that stands does what it is for, as Argo CD's health checks ask.

Owns the reading of an object's own status. It refuses to write one: that is the controllers' work.
"""

from __future__ import annotations

from rehearsal.world import kube_databases, kube_needs, kube_services
from rehearsal.world.kube_cluster import Body, Cluster

_CONDITIONS = {
    "Bundle": "Synced",
    "Certificate": "Ready",
    "ClusterIssuer": "Ready",
    "ClusterSecretStore": "Ready",
    "ExternalSecret": "Ready",
    "Issuer": "Ready",
    "SealedSecret": "Synced",
    "SecretStore": "Ready",
}
"""The condition that Argo CD reads of a kind (Argo CD, ``resource_customizations``)."""


def trouble_of(cluster: Cluster, live: Body) -> str | None:
    """Why an object is not healthy; ``None`` when it is, or nobody can tell."""
    kind, name = live["kind"], live["metadata"]["name"]
    if kind == "PersistentVolumeClaim":
        return kube_needs.unbound(cluster, live["metadata"]["namespace"], name)
    if kind == "Ingress":
        return kube_services.ingress_trouble(live)
    if kind == "Cluster":
        phase = (live.get("status") or {}).get("phase", "no operator has looked at it")
        return None if phase == kube_databases.HEALTHY else f"Cluster {name} is not up: {phase}"
    wanted = _CONDITIONS.get(kind)
    if wanted is None:
        return None
    for condition in (live.get("status") or {}).get("conditions") or ():
        if condition["type"] == wanted:
            good = condition["status"] == "True"
            return None if good else f"{kind} {name} is not {wanted}: {condition.get('message', '')}"
    return f"{kind} {name} is not {wanted}: no controller has looked at it"
