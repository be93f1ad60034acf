"""Databases that CloudNativePG's operator makes.

Owns what a Cluster of ``postgresql.cnpg.io`` becomes: claims, Services, the Secret of its owner, and what it
waits for. It refuses to own what is in a database, failovers and backups: a ScheduledBackup only stands.
"""

from __future__ import annotations

import base64

from rehearsal.world import kube_apps, kube_needs
from rehearsal.world.kube_cluster import Body, Cluster

_MANAGER = "cloudnative-pg"
HEALTHY = "Cluster in healthy state"
"""The phase of a Cluster that serves (CloudNativePG 1.28, ``api/v1/cluster_types.go``)."""
_OWNERS = ("dbname", "fqdn-uri", "host", "jdbc-uri", "password", "pgpass", "port", "uri", "user", "username")
"""Keys of the Secret ``<cluster>-app`` (CloudNativePG, "Connecting from an application")."""


def keep_databases(cluster: Cluster) -> None:
    """Controller: every Cluster, once its operator runs."""
    if kube_apps.namespace_of(cluster, "cloudnative-pg") is None:
        return
    for found in cluster.objects("Cluster"):
        waiting = next((why for claim in _claims(cluster, found) if (why := claim)), None)
        if waiting is None:
            _serve(cluster, found)
        cluster.set_status(found, {"phase": waiting or HEALTHY})


def _claims(cluster: Cluster, found: Body) -> list[str | None]:
    """A claim for each instance; why it gets no volume, or nothing."""
    spec, metadata = found["spec"], found["metadata"]
    told = spec.get("storage") or {}
    said = []
    for number in range(1, int(spec.get("instances", 1)) + 1):
        name = f"{metadata['name']}-{number}"
        if cluster.get("PersistentVolumeClaim", metadata["namespace"], name) is None:
            wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": told.get("size", "1Gi")}}}
            if told.get("storageClass"):
                wanted["storageClassName"] = told["storageClass"]
            place = {"name": name, "namespace": metadata["namespace"]}
            claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": place, "spec": wanted}
            cluster.place(claim, _MANAGER)
        said.append(kube_needs.unbound(cluster, metadata["namespace"], name))
    return said


def _serve(cluster: Cluster, found: Body) -> None:
    name, namespace = found["metadata"]["name"], found["metadata"]["namespace"]
    for role in ("rw", "ro", "r"):
        if cluster.get("Service", namespace, f"{name}-{role}") is None:
            place = {"name": f"{name}-{role}", "namespace": namespace}
            spec = {"selector": {"cnpg.io/cluster": name}, "ports": [{"name": "postgres", "port": 5432}]}
            cluster.place({"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": spec}, _MANAGER)
    if cluster.get("Secret", namespace, f"{name}-app") is None:
        data = {key: base64.b64encode(f"{name}'s {key}".encode()).decode() for key in _OWNERS}
        place = {"name": f"{name}-app", "namespace": namespace}
        cluster.place({"apiVersion": "v1", "kind": "Secret", "metadata": place, "data": data}, _MANAGER)
