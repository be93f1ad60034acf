"""Argo CD's application controller: what a folder holds is what stands.

Owns the apply of an application's objects, their repair and their pruning. It refuses to own which applications there
are and what their folders hold (``kube_argocd``), and what the API server thinks of an object (``kube_cluster``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rehearsal.world import kube_projects
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

MANAGER = "argocd-controller"
"""The field manager of Argo CD's server-side apply (Argo CD, "Server-Side Apply")."""
_TRACKING = "argocd.argoproj.io/tracking-id"


def sync(cluster: Cluster, application: Body, documents: Iterable[Body]) -> list[str]:
    """Apply what the folder holds and prune what it no longer does; why objects were refused, in the server's words."""
    policy = (application["spec"].get("syncPolicy") or {}).get("automated") or {}
    namespace = application["spec"]["destination"].get("namespace")
    refused, kept = [], set()
    for document in documents:
        try:
            body = _placed(cluster, document, namespace, application["metadata"]["name"])
            kube_projects.permit(cluster, application, body)
            kept.add(_place(body))
            _stand(cluster, body, heal=bool(policy.get("selfHeal")))
        except Refusal as refusal:
            refused.append(f"{document['kind']} {(document.get('metadata') or {}).get('name')}: {refusal.message}")
    if policy.get("prune") and not refused:
        _prune(cluster, application["metadata"]["name"], kept)
    return refused


def _placed(cluster: Cluster, document: Body, namespace: str | None, application: str) -> Body:
    """The object where it goes, marked as the application's. ``Refusal`` for a kind nobody serves."""
    kind = cluster.kind(document["apiVersion"], document["kind"])
    metadata = dict(document.get("metadata") or {})
    if kind.namespaced:
        metadata.setdefault("namespace", namespace or "default")
    else:
        metadata.pop("namespace", None)  # kustomize gives its namespace to custom kinds that lie in none
    place = f"{kind.group}/{kind.name}:{metadata.get('namespace', '')}/{metadata.get('name')}"
    tracking = {_TRACKING: f"{application}:{place}"}
    return {**document, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **tracking}}}


def _stand(cluster: Cluster, body: Body, *, heal: bool) -> None:
    """Apply ``body`` unless it stands: when what is wanted has changed, and with ``heal`` when what stands has."""
    before = cluster.said_by(MANAGER, *_place(body))
    other, own = _owner(before or {}), _owner(body)
    if other not in ("", own) and any(each["metadata"]["name"] == other for each in cluster.objects("Application")):
        # Argo CD's SharedResourceWarning: each sync of the one undoes the other's
        raise Refusal(f"is part of applications {other} and {own}")
    if before == body and (not heal or _within(body, cluster.get(*_place(body)))):
        return
    cluster.apply(body, MANAGER)


def _within(wanted: Any, live: Any) -> bool:
    """Whether ``live`` has all that is ``wanted``. Lists count as a whole, and so does a Secret's ``stringData``."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(name == "stringData" or _within(inner, live.get(name)) for name, inner in wanted.items())
    return bool(wanted == live)


def _prune(cluster: Cluster, application: str, kept: set[tuple[str, str | None, str]]) -> None:
    for body in list(cluster.written_by(MANAGER)):
        if _owner(body) == application and _place(body) not in kept:
            cluster.delete(*_place(body))


def _owner(body: Body) -> str:
    """The application that an object is marked as part of; empty for none."""
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(_TRACKING, "")).partition(":")[0]


def _place(body: Body) -> tuple[str, str | None, str]:
    return body["kind"], body["metadata"].get("namespace"), body["metadata"]["name"]
