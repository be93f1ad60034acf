"""Argo CD's projects: where an application may write, and what.

Owns a project's rules as Argo CD reads them (Argo CD 3.2, `app_project_types.go`, `controller/sync.go`). It refuses to
own which repositories it allows, and when an application is judged (``kube_argocd``).
"""

from __future__ import annotations

import fnmatch

from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

_HERE = "https://kubernetes.default.svc"


def reaches(project: Body, server: str, namespace: str) -> bool:
    """Whether a project allows a namespace: some destination says so, and none that begins with ``!`` denies it."""
    allowed = False
    for one in project["spec"].get("destinations") or ():
        wanted = one.get("namespace", "")
        here = fnmatch.fnmatchcase(server, one.get("server") or one.get("name") or "")
        if here and fnmatch.fnmatchcase(namespace, wanted.removeprefix("!")):
            if wanted.startswith("!"):
                return False
            allowed = True
    return allowed


def permit(cluster: Cluster, application: Body, body: Body) -> None:
    """``Refusal`` when the application's project does not allow this object, in the words of its sync."""
    name = application["spec"]["project"]
    project = cluster.get("AppProject", application["metadata"]["namespace"], name)
    if project is None:  # `default`, which allows everything: any other was refused before
        return
    kind = cluster.kind(body["apiVersion"], body["kind"])
    spec, place = project["spec"], (kind.group, kind.name)
    if kind.namespaced:
        listed = spec.get("namespaceResourceWhitelist")
        fits = (listed is None or _among(listed, place)) and not _among(spec.get("namespaceResourceBlacklist"), place)
    else:
        listed = spec.get("clusterResourceWhitelist")
        fits = _among(listed, place) and not _among(spec.get("clusterResourceBlacklist"), place)
    if not fits:
        raise Refusal(f"resource {kind.group}:{kind.name} is not permitted in project {name}")
    namespace = body["metadata"].get("namespace")
    if kind.namespaced and not reaches(project, _HERE, str(namespace)):
        raise Refusal(f"namespace {namespace} is not permitted in project '{name}'")


def _among(listed: object, place: tuple[str, str]) -> bool:
    rules = listed if isinstance(listed, list) else []
    return any(
        fnmatch.fnmatchcase(place[0], one["group"]) and fnmatch.fnmatchcase(place[1], one["kind"]) for one in rules
    )
