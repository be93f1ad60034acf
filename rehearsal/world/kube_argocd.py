"""Argo CD: applications made from folders.

Owns what its ApplicationSet controller makes of a git directory generator, and what is said of each application. It
refuses to own the repository, which is the World's folder, what a folder holds (``kube_folders``), how objects are
applied (``kube_sync``), and to render charts: a chart brings the kinds that are known of it.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rehearsal.world import (
    git,
    git_mirror,
    kube_apps,
    kube_folders,
    kube_health,
    kube_helm,
    kube_pods,
    kube_projects,
    kube_retries,
    kube_services,
    kube_sync,
    kube_tunnel,
)
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

_ARGO = "argocd"
_HERE = ("https://kubernetes.default.svc", "in-cluster")
_CASCADE = "resources-finalizer.argocd.argoproj.io"
"""Held by it, an Application takes along all that it applied. Its set gives it to each, unless it preserves resources
(Argo CD, ``applicationset/utils/utils.go``, ``RenderTemplateParams``)."""
_EXPRESSION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")


class _Trouble(Exception):
    """Why a set generates nothing: condition reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def keep_applications(cluster: Cluster) -> None:
    """Controller: applications as the sets want them, then what each application finds."""
    if kube_helm.stands(cluster, "argo-cd") is None:
        return
    for found in cluster.objects("ApplicationSet"):
        try:
            wanted = list(_generated(cluster, found))
        except _Trouble as trouble:
            condition = {
                "type": "ErrorOccurred",
                "status": "True",
                "reason": trouble.reason,
                "message": trouble.message,
            }
            cluster.set_status(found, {"conditions": [condition]})
            continue
        condition = {"type": "ErrorOccurred", "status": "False", "reason": "ApplicationSetUpToDate", "message": ""}
        cluster.set_status(found, {"conditions": [condition]})
        _keep(cluster, found, wanted)
    for found in cluster.objects("Application"):
        if "deletionTimestamp" in found["metadata"]:
            kube_sync.end(cluster, found["metadata"]["name"])
            cluster.hold(found, _CASCADE, held=False)
        else:
            cluster.set_status(found, _state_of(cluster, found))


def trouble_of(found: Body) -> str | None:
    """Why a set generates nothing, ``None`` when it does."""
    for condition in found.get("status", {}).get("conditions", []):
        if condition["type"] == "ErrorOccurred" and condition["status"] == "True":
            return f"{condition['reason']}: {condition['message']}"
    return None


def brought_by(cluster: Cluster, found: Body) -> list[Body]:
    """The objects that an application's folder names, each in its namespace; ``Refusal`` when it cannot be read."""
    try:
        documents = _documents_of(cluster, found)
    except _Trouble as trouble:
        raise Refusal(trouble.message) from trouble
    place = {"namespace": (found["spec"].get("destination") or {}).get("namespace")}
    return [{**body, "metadata": {**place, **(body.get("metadata") or {})}} for body in documents]


def _documents_of(cluster: Cluster, found: Body) -> list[Body]:
    source = found["spec"].get("source") or {}
    root = _fetched(cluster, source.get("repoURL", ""), source.get("targetRevision", ""))
    return kube_folders.read(root / source.get("path", ""))


def _keep(cluster: Cluster, owner: Body, wanted: list[Body]) -> None:
    uid = owner["metadata"]["uid"]
    names = {body["metadata"]["name"] for body in wanted}
    for body in wanted:
        reference = {"apiVersion": owner["apiVersion"], "kind": "ApplicationSet", "name": owner["metadata"]["name"]}
        body["metadata"]["ownerReferences"] = [reference | {"uid": uid, "controller": True}]
        made = cluster.place(body, _ARGO)
        preserved = (owner["spec"].get("syncPolicy") or {}).get("preserveResourcesOnDeletion")
        if "deletionTimestamp" not in made["metadata"]:
            cluster.hold(made, _CASCADE, held=not preserved)
    for found in cluster.objects("Application", owner["metadata"]["namespace"]):
        owners = [each["uid"] for each in found["metadata"].get("ownerReferences") or ()]
        if uid in owners and found["metadata"]["name"] not in names:
            cluster.delete("Application", found["metadata"]["namespace"], found["metadata"]["name"])


def _generated(cluster: Cluster, found: Body) -> Iterator[Body]:
    spec, namespace = found["spec"], found["metadata"]["namespace"]
    seen: set[str] = set()
    for generator in spec["generators"]:
        if "git" not in generator or "directories" not in generator["git"]:
            raise _Trouble("ErrorOccurred", f"the rack's Argo CD knows no generator {', '.join(generator)}")
        for folder in _directories(cluster, generator["git"]):
            parameters = _parameters(folder, generator["git"].get("values") or {})
            body: Body = _filled(spec["template"], parameters, go=bool(spec.get("goTemplate")), options=_options(spec))
            body = {"apiVersion": found["apiVersion"], "kind": "Application", **body}
            name = body["metadata"]["name"]
            if name in seen:
                raise _Trouble(
                    "ApplicationGenerationFromParamsError",
                    f"ApplicationSet {found['metadata']['name']} contains applications with duplicate name: {name}",
                )
            seen.add(name)
            body["metadata"]["namespace"] = namespace
            _permitted(cluster, body)
            yield body


def _options(spec: Body) -> frozenset[str]:
    return frozenset(spec.get("goTemplateOptions") or ())


def _fetched(cluster: Cluster, url: str, revision: str) -> Path:
    gitops = cluster.world.environment.get("gitops") or {}
    error = "error getting directories from repo: error retrieving Git files: rpc error: code = Internal desc = "
    try:
        if url != gitops.get("repository"):
            git_mirror.fetched_by(cluster.world, cluster, url)
        else:
            git.asked_by_argo_cd(cluster.world, cluster, url)
        if cluster.world.repository is None:
            raise Refusal(f"failed to list refs: repository not found: {url}")
    except Refusal as refusal:
        raise _Trouble("ApplicationGenerationFromParamsError", f"{error}{refusal.message}") from refusal
    if revision not in ("HEAD", "", str(gitops.get("revision", "main"))):
        text = f"{error}unable to resolve '{revision}' to a commit SHA"
        raise _Trouble("ApplicationGenerationFromParamsError", text)
    folder: Path = cluster.world.repository  # one that is fetched from the mirror is the same folder
    return folder


def _directories(cluster: Cluster, generator: Body) -> list[str]:
    root = _fetched(cluster, generator["repoURL"], generator.get("revision", ""))
    walked = (Path(where, name) for where, names, _ in os.walk(root / "gitops") for name in names)
    every = sorted(each.relative_to(root).as_posix() for each in walked)
    rules = generator["directories"]
    chosen = []
    for folder in every:
        hidden = any(part.startswith(".") for part in folder.split("/"))
        hits = [rule for rule in rules if _fits(folder, rule["path"])]
        if hits and not hidden and not any(rule.get("exclude") for rule in hits):
            chosen.append(folder)
    return chosen


def _fits(folder: str, pattern: str) -> bool:
    """Go's path.Match: a star stops at a slash."""
    parts, wanted = folder.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


def _parameters(folder: str, values: dict[str, str]) -> dict[str, Any]:
    segments = folder.split("/")
    normal = re.sub(r"[^a-z0-9.-]", "-", segments[-1].lower())
    path = {"path": folder, "basename": segments[-1], "basenameNormalized": normal, "segments": segments}
    return {"path": path, "values": values}


def _filled(template: Any, parameters: dict[str, Any], *, go: bool, options: frozenset[str]) -> Any:
    if isinstance(template, dict):
        return {key: _filled(inner, parameters, go=go, options=options) for key, inner in template.items()}
    if isinstance(template, list):
        return [_filled(inner, parameters, go=go, options=options) for inner in template]
    if isinstance(template, str):
        return _EXPRESSION.sub(lambda hit: _looked_up(hit[1], parameters, go=go, options=options), template)
    return template


def _looked_up(expression: str, parameters: dict[str, Any], *, go: bool, options: frozenset[str]) -> str:
    indexed = re.fullmatch(r"index \.path\.segments (\d+)", expression) if go else None
    if indexed:
        return str(parameters["path"]["segments"][int(indexed[1])])
    if go:
        if not re.fullmatch(r"(\.[A-Za-z]\w*)+", expression):
            raise _Trouble("RenderTemplateParamsError", f"the rack's Argo CD cannot evaluate {{{{ {expression} }}}}")
        found: Any = parameters
        for step in expression[1:].split("."):
            found = found.get(step) if isinstance(found, dict) else None
        if found is None and "missingkey=error" in options:
            text = f'failed to execute go template: map has no entry for key "{expression.rpartition(".")[2]}"'
            raise _Trouble("RenderTemplateParamsError", text)
        return "<no value>" if found is None else str(found)
    flat = {"path": parameters["path"]["path"], "path.basename": parameters["path"]["basename"]}
    flat |= {f"path[{number}]": part for number, part in enumerate(parameters["path"]["segments"])}
    flat |= {f"values.{name}": text for name, text in parameters["values"].items()}
    return flat.get(expression, f"{{{{{expression}}}}}")


def _permitted(cluster: Cluster, body: Body) -> None:
    """``_Trouble`` when the application's project does not allow its source or its destination."""
    spec, namespace = body["spec"], body["metadata"]["namespace"]
    destination = spec["destination"]
    server, wanted = destination.get("server") or destination.get("name", ""), destination.get("namespace", "")
    if server not in _HERE:
        raise _unfit(f"there are no clusters with this name or server: {server}")
    project = cluster.get("AppProject", namespace, spec["project"])
    if project is None:
        if spec["project"] == "default":  # argo-cd makes this one, and it allows everything
            return
        raise _unfit(f"application references project {spec['project']} which does not exist")
    url = (spec.get("source") or {}).get("repoURL", "")
    if not any(fnmatch.fnmatchcase(url, pattern) for pattern in project["spec"].get("sourceRepos") or ()):
        raise _unfit(f"application repo {url} is not permitted in project '{spec['project']}'")
    if not kube_projects.reaches(project, server, wanted):
        where = f"application destination server '{server}' and namespace '{wanted}'"
        raise _unfit(f"{where} do not match any of the allowed destinations in project '{spec['project']}'")


def _unfit(message: str) -> _Trouble:
    return _Trouble("ApplicationValidationError", message)


def _state_of(cluster: Cluster, found: Body) -> Body:
    """Sync and health of an application, after what its folder brings stands."""
    try:
        documents = _documents_of(cluster, found)
        kinds = kube_folders.brought(documents)
    except (_Trouble, Refusal) as trouble:
        condition = {"type": "ComparisonError", "message": trouble.message}
        return {"sync": {"status": "Unknown"}, "health": {"status": "Unknown"}, "conditions": [condition]}
    objects = [body for body in documents if "apiVersion" in body]
    outcome = kube_retries.given_up(cluster, found, documents)
    if outcome is None:
        outcome = kube_sync.sync(cluster, found, objects, kinds)
        kube_retries.remember(cluster, found, documents, outcome)
    destination = found["spec"]["destination"].get("namespace")
    stuck = list(kube_apps.bring(cluster, documents, destination, _ARGO)) if outcome.applied else []
    stuck += [reason for body in objects if (reason := _stuck(cluster, body, destination))]
    health = {"status": "Degraded", "message": "; ".join(stuck)} if stuck else {"status": "Healthy"}
    if outcome.trouble:
        return {
            "sync": {"status": "OutOfSync"},
            "health": health | {"status": "Missing"},
            "conditions": [{"type": "SyncError", "message": outcome.trouble}],
        }
    return {"sync": {"status": "Synced"}, "health": health, "conditions": []}


def _stuck(cluster: Cluster, body: Body, namespace: str | None) -> str | None:
    """Why a workload of the folder does not run, in the words of whoever holds it up."""
    metadata = {"namespace": namespace, **(body.get("metadata") or {})}
    waits = kube_pods.not_running(cluster, {**body, "metadata": metadata})
    name = str(metadata.get("name"))
    live = cluster.get(body["kind"], metadata["namespace"], name) or cluster.get(body["kind"], None, name)
    tells = {"Deployment": kube_tunnel.trouble_of, "Service": kube_services.trouble_of}.get(body["kind"])
    told = tells(live) if live and tells else None
    return waits or told or (kube_health.trouble_of(cluster, live) if live else None)
