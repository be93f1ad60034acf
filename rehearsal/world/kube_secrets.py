"""Secrets that an operator makes: External Secrets' and sealed ones.

Owns what stands in place of a Secret until its operator has made it, and the operator's words for what it lacks. It
refuses to own any value: what comes out of a vault is a word of the rack's own.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from rehearsal.world import kube_apps
from rehearsal.world.kube_cluster import Body, Cluster

_MANAGER = "secrets-operator"
_VALUE = b"out-of-the-vault-out-of-the-vault-out-of"
"""What the rack's vault gives, whatever it is asked for: in the form of an API token, for a few are."""


def keep_secrets(cluster: Cluster) -> None:
    """Controller: stores that have their credentials, and the Secrets that are asked of them or sealed."""
    if kube_apps.namespace_of(cluster, "external-secrets") is not None:
        for found in (*cluster.objects("ClusterSecretStore"), *cluster.objects("SecretStore")):
            _tell(cluster, found, next(_unready(cluster, found), None))
        for found in cluster.objects("ExternalSecret"):
            _tell(cluster, found, _fetch(cluster, found))
    if kube_apps.namespace_of(cluster, "sealed-secrets") is not None:
        for found in cluster.objects("SealedSecret"):
            _make(cluster, found["metadata"]["namespace"], found["metadata"]["name"], found["spec"]["encryptedData"])
            cluster.set_status(found, {"conditions": [{"type": "Synced", "status": "True"}]})


def value_of(cluster: Cluster, namespace: str, reference: Body) -> str:
    """What a Secret holds at the key that ``{name, key}`` names; empty when there is no such Secret or key."""
    secret = cluster.get("Secret", namespace, str(reference.get("name"))) or {}
    return base64.b64decode((secret.get("data") or {}).get(reference.get("key")) or "").decode()


def _tell(cluster: Cluster, found: Body, trouble: str | None) -> None:
    told = {"type": "Ready", "status": str(trouble is None), "reason": "NotReady" if trouble else "Valid"}
    cluster.set_status(found, {"conditions": [told | {"message": trouble or ""}]})


def _unready(cluster: Cluster, store: Body) -> Iterator[str]:
    """Credentials that a store names and that are not there."""
    for reference in _references(store["spec"].get("provider") or {}):
        namespace = reference.get("namespace") or store["metadata"].get("namespace")
        secret = cluster.get("Secret", namespace, reference["name"]) if namespace else None
        if secret is None:
            place = f"in namespace {namespace}" if namespace else "in no namespace: a ClusterSecretStore must name it"
            yield f'could not get secret data from provider: secrets "{reference["name"]}" not found {place}'
        elif "key" in reference and reference["key"] not in (secret.get("data") or {}):
            yield f'cannot find secret data for key: "{reference["key"]}" in {namespace}/{reference["name"]}'


def _references(found: Any) -> Iterator[Body]:
    if isinstance(found, dict):
        for name, inner in found.items():
            if name.lower().endswith("secretref") and isinstance(inner, dict) and "name" in inner:
                yield inner
            else:
                yield from _references(inner)
    elif isinstance(found, list):
        for inner in found:
            yield from _references(inner)


def _fetch(cluster: Cluster, found: Body) -> str | None:
    spec, metadata = found["spec"], found["metadata"]
    reference = spec.get("secretStoreRef") or {}
    kind, name = reference.get("kind", "SecretStore"), str(reference.get("name"))
    store = cluster.get(kind, metadata["namespace"] if kind == "SecretStore" else None, name)
    if store is None:
        return f'could not get {kind} "{name}": {kind.lower()}s.external-secrets.io "{name}" not found'
    conditions = (store.get("status") or {}).get("conditions") or [{"status": "False"}]
    if conditions[0]["status"] != "True":
        return f'{kind} "{name}" is not ready: {conditions[0].get("message", "")}'
    keys = [str(each["secretKey"]) for each in spec.get("data") or ()]
    keys += list(((spec.get("target") or {}).get("template") or {}).get("data") or ())
    _make(cluster, metadata["namespace"], (spec.get("target") or {}).get("name") or metadata["name"], keys)
    return None


def _make(cluster: Cluster, namespace: str, name: str, keys: Any) -> None:
    if cluster.get("Secret", namespace, name) is None:
        data = {key: base64.b64encode(_VALUE).decode() for key in keys}
        metadata = {"name": name, "namespace": namespace}
        cluster.place({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, _MANAGER)
