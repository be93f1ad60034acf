"""Argo CD's application controller: what a folder holds is what stands.

Owns the apply of an application's objects, their repair and their pruning. It refuses to own which applications there
are and what their folders hold (``kube_argocd``), when a sync is tried again (``kube_retries``), what the API server
thinks of an object (``kube_cluster``), and waves: all of a folder is applied at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from rehearsal.world import kube_projects
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

MANAGER = "argocd-controller"
"""The field manager of Argo CD's server-side apply (Argo CD, "Server-Side Apply")."""
_ARGO = "argocd"
_TRACKING = "argocd.argoproj.io/tracking-id"
_OPTIONS = "argocd.argoproj.io/sync-options"
_MISSING_IS_FINE = "SkipDryRunOnMissingResource=true"
_DEFINITION = "CustomResourceDefinition"
_FIRST = ("Namespace", _DEFINITION)
"""What is applied before the rest (gitops-engine, ``sync_tasks.go``)."""


class Outcome(NamedTuple):
    """What a sync came to."""

    applied: bool
    """Whether anything of it was applied."""
    trouble: str | None
    """Why it failed, in Argo CD's words."""


def sync(cluster: Cluster, application: Body, documents: list[Body], brought: Iterable[str]) -> Outcome:
    """Apply what the folder holds and prune what it no longer does.

    ``brought``: the kinds that a chart of the same folder brings. One object that cannot be judged keeps all of them
    from being applied; one that the server refuses does not keep the others.
    """
    policy = (application["spec"].get("syncPolicy") or {}).get("automated") or {}
    placed, invalid = _judged(cluster, application, documents, frozenset(brought))
    if invalid:
        return Outcome(False, f"one or more synchronization tasks are not valid: {'; '.join(invalid)}")
    namespace = application["spec"]["destination"].get("namespace")
    if namespace and "CreateNamespace=true" in _wishes(application):
        _make_namespace(cluster, namespace)
    cluster.register(tuple(brought), _ARGO)
    refused, kept = [], set()
    for document in placed:
        try:
            body = _placed(cluster, document, namespace, application["metadata"]["name"])
            kube_projects.permit(cluster, application, body)
            kept.add(_place(body))
            _stand(cluster, body, heal=bool(policy.get("selfHeal")))
        except Refusal as refusal:
            refused.append(f"{_named(document)}: {refusal.message}")
    if policy.get("prune") and not refused:
        _prune(cluster, application["metadata"]["name"], kept)
    return Outcome(True, f"one or more objects failed to apply, reason: {'; '.join(refused)}" if refused else None)


def _judged(
    cluster: Cluster, application: Body, documents: list[Body], brought: frozenset[str]
) -> tuple[list[Body], list[str]]:
    """The objects, kinds' definitions first, and what keeps the whole of them from being applied.

    Source: gitops-engine, ``pkg/sync/sync_context.go``, ``getSyncTasks``: a kind that the server does not know is let
    through when the same sync brings it, or when the object or the application says SkipDryRunOnMissingResource.
    """
    spec, name = application["spec"], application["metadata"]["name"]
    first = [each for each in documents if each["kind"] in _FIRST]
    known = brought | {str(each["spec"]["names"]["kind"]) for each in first if each["kind"] == _DEFINITION}
    said = []
    for document in documents:
        try:
            body = _placed(cluster, document, spec["destination"].get("namespace"), name)
        except Refusal:
            if document["kind"] not in known and _MISSING_IS_FINE not in _wishes(application) | _own(document):
                group, kind = document["apiVersion"].rpartition("/")[0], document["kind"]
                text = f"The Kubernetes API could not find {group}/{kind} for requested resource"
                said.append(f'{_named(document)}: {text}. Make sure the "{kind}" CRD is installed')
            continue
        try:
            kube_projects.permit(cluster, application, body)
        except Refusal as refusal:
            said.append(f"{_named(document)}: {refusal.message}")
    return [*first, *(each for each in documents if each["kind"] not in _FIRST)], said


def _wishes(application: Body) -> frozenset[str]:
    """The sync options of a whole application."""
    return frozenset((application["spec"].get("syncPolicy") or {}).get("syncOptions") or ())


def _own(body: Body) -> frozenset[str]:
    """The sync options that an object's annotation lists."""
    annotations = (body.get("metadata") or {}).get("annotations") or {}
    return frozenset(each.strip() for each in str(annotations.get(_OPTIONS, "")).split(","))


def _named(body: Body) -> str:
    return f"{body['kind']} {(body.get('metadata') or {}).get('name')}"


def _make_namespace(cluster: Cluster, name: str) -> None:
    if cluster.get("Namespace", None, name) is None:
        cluster.place({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, _ARGO)


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


def end(cluster: Cluster, application: str) -> None:
    """An application is deleted with all that it applied."""
    _prune(cluster, application, set())


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
