"""Flux' kustomize-controller: what a folder of an artefact holds is what stands.

Owns the order of Kustomizations, the apply of their objects, pruning and waiting for health, in the controller's words
(kustomize-controller 1.7.3, ``kustomization_controller.go``). It refuses to own the artefact (``kube_sources``), the
reading of a folder with a kustomization (``kube_folders``) and releases (``kube_releases``); what it cannot do it says.
"""

from __future__ import annotations

import copy
import functools
from pathlib import Path

from rehearsal.world import kube_folders, kube_pods
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_sources import folder_of, is_ready, ready, said, unready

MANAGER = "kustomize-controller"
_UNKNOWN_HERE = ("commonMetadata", "components", "images", "namePrefix", "nameSuffix", "patches", "postBuild")
_OWNER = "kustomize.toolkit.fluxcd.io/"
_FLUX = ("HelmRelease", "Kustomization", "OCIRepository", "GitRepository")


def keep_kustomizations(cluster: Cluster) -> None:
    """Every Kustomization, once."""
    for found in cluster.objects("Kustomization"):
        if not found["spec"].get("suspend") and "deletionTimestamp" not in found["metadata"]:
            try:
                cluster.set_status(found, _reconciled(cluster, found))
            except Refusal as refusal:
                reason, _, message = refusal.message.partition(": ")
                cluster.set_status(found, {**(found.get("status") or {}), "conditions": [unready(reason, message)]})


def _reconciled(cluster: Cluster, found: Body) -> Body:
    """The status of a Kustomization whose objects stand. ``Refusal`` as ``reason: message``."""
    spec, status = found["spec"], dict(found.get("status") or {})
    for field in _UNKNOWN_HERE:
        if spec.get(field):
            raise Refusal(f"BuildFailed: the rack's Flux does not know spec.{field}")
    source = _source(cluster, found)
    folder = folder_of(cluster, source)
    if folder is None:
        raise Refusal("ArtifactFailed: Source artifact not found, retrying in 30s")
    revision = source["status"]["artifact"]["revision"]
    _dependencies(cluster, found, revision)
    # An artefact never changes; a checkout does
    built = _built_once if source["kind"] == "OCIRepository" else _built
    objects = copy.deepcopy(built(folder, str(spec.get("path", ""))))
    stands = _applied(cluster, found, objects)
    if spec.get("prune"):
        _prune(cluster, status.get("inventory") or [], stands)
    status |= {"inventory": stands, "lastAttemptedRevision": revision}
    ill = [one for one in (_ill(cluster, place) for place in _awaited(spec, stands)) if one]
    if ill:
        within = spec.get("timeout", spec["interval"])
        message = f"health check failed after {within}: timeout waiting for: [{', '.join(ill)}]"
        return status | {"conditions": [unready("HealthCheckFailed", message)]}
    done = ready(f"Applied revision: {revision}", "ReconciliationSucceeded")
    return status | {"lastAppliedRevision": revision, "conditions": [done]}


def _source(cluster: Cluster, found: Body) -> Body:
    reference = found["spec"]["sourceRef"]
    place = reference.get("namespace", found["metadata"]["namespace"])
    source = cluster.get(reference["kind"], place, reference["name"])
    if source is None:
        raise Refusal(f"ArtifactFailed: Source '{reference['kind']}/{reference['name']}' not found")
    return source


def _dependencies(cluster: Cluster, found: Body, revision: str) -> None:
    for each in found["spec"].get("dependsOn") or ():
        place = each.get("namespace", found["metadata"]["namespace"])
        name = f"{place}/{each['name']}"
        other = cluster.get("Kustomization", place, each["name"])
        if other is None:
            text = f'kustomizations.kustomize.toolkit.fluxcd.io "{each["name"]}" not found'
            raise Refusal(f"DependencyNotReady: dependency '{name}' not found: {text}")
        if not is_ready(other):
            raise Refusal(f"DependencyNotReady: dependency '{name}' is not ready")
        if (other["status"]).get("lastAppliedRevision") != revision:
            raise Refusal(f"DependencyNotReady: dependency '{name}' revision is not up to date")


def _built(folder: Path, path: str) -> list[Body]:
    """The objects of a folder: its kustomization's, or every YAML file's below it."""
    aim = (folder / path.removeprefix("./")).resolve()
    if not aim.is_dir() or not aim.is_relative_to(folder.resolve()):
        text = f"stat /tmp/kustomization/{path.removeprefix('./')}: no such file or directory"
        raise Refusal(f"ArtifactFailed: kustomization path not found: {text}")
    try:
        return [body for body in kube_folders.below(aim) if "apiVersion" in body]
    except Refusal as refusal:
        words = refusal.message.removeprefix("Failed to load target state: failed to generate manifest: ")
        raise Refusal(f"BuildFailed: kustomize build failed: {words}") from refusal


_built_once = functools.lru_cache(maxsize=64)(_built)


def _applied(cluster: Cluster, found: Body, objects: list[Body]) -> list[list[str]]:
    """Apply all, or say whose dry run failed; ``[kind, namespace, name]`` of each."""
    metadata, stands = found["metadata"], []
    labels = {f"{_OWNER}name": metadata["name"], f"{_OWNER}namespace": metadata["namespace"]}
    for document in objects:
        own = document.get("metadata") or {}
        which = "/".join(filter(None, (document["kind"], own.get("namespace"), own.get("name"))))
        try:
            kind = cluster.kind(document["apiVersion"], document["kind"])
            if kind.namespaced and not own.get("namespace"):
                raise Refusal("namespace not specified: the server could not find the requested resource")
            body = {
                **_decrypted(cluster, found, document),
                "metadata": {**own, "labels": {**own.get("labels", {}), **labels}},
            }
            place = (document["kind"], own.get("namespace") if kind.namespaced else None, own["name"])
            if cluster.said_by(MANAGER, *place) != body:
                cluster.apply(body, MANAGER)
        except Refusal as refusal:
            raise Refusal(f"ReconciliationFailed: {which} dry-run failed: {refusal.message}") from refusal
        stands.append([place[0], place[1] or "", place[2]])
    return stands


def _decrypted(cluster: Cluster, found: Body, document: Body) -> Body:
    """A Secret that SOPS encrypted, as who has the key would read it: here the key's being there is all that counts."""
    if not isinstance(document.get("sops"), dict):
        return document
    decryption = found["spec"].get("decryption") or {}
    if decryption.get("provider") != "sops":
        raise Refusal("is SOPS encrypted, configuring decryption is required for this secret to be reconciled")
    name = (decryption.get("secretRef") or {}).get("name", "")
    if cluster.get("Secret", found["metadata"]["namespace"], name) is None:
        raise Refusal(f'cannot get decryption Secret: secrets "{name}" not found')
    return {part: value for part, value in document.items() if part != "sops"}


def _prune(cluster: Cluster, before: list[list[str]], stands: list[list[str]]) -> None:
    for kind, namespace, name in (each for each in before if each not in stands):
        found = cluster.get(kind, namespace or None, name)
        if found is not None:
            if kind == "Kustomization":
                _end(cluster, found)
            cluster.delete(kind, namespace or None, name)


def _end(cluster: Cluster, found: Body) -> None:
    """What a Kustomization that is deleted takes along: all that it applied, unless its ``deletionPolicy`` orphans it.

    Left out, the policy mirrors ``prune``.
    """
    policy = found["spec"].get("deletionPolicy", "MirrorPrune")
    if policy in ("Delete", "WaitForTermination") or (policy == "MirrorPrune" and found["spec"].get("prune")):
        _prune(cluster, (found.get("status") or {}).get("inventory") or [], [])


def _awaited(spec: Body, stands: list[list[str]]) -> list[list[str]]:
    if spec.get("wait"):
        return stands
    return [[each["kind"], each.get("namespace", ""), each["name"]] for each in spec.get("healthChecks") or ()]


def _ill(cluster: Cluster, place: list[str]) -> str | None:
    """Why an object is not healthy, as kstatus counts; None when it is."""
    kind, namespace, name = place
    live, which = cluster.get(kind, namespace or None, name), "/".join(filter(None, place))
    if live is None:
        return f"{which} status: 'NotFound'"
    if kind in _FLUX:
        return None if is_ready(live) else f"{which} status: 'InProgress': {said(live) or 'not reconciled yet'}"
    why = kube_pods.not_running(cluster, live)
    return f"{which} status: 'InProgress': {why}" if why else None
