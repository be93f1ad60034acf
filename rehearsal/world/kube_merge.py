"""What a kustomization changes in the objects it has taken in: its components, and patches.

Owns strategic merge patches with a target, as kustomize applies them (kubernetes-sigs/kustomize, ``api/filters`` and
``kyaml/yaml/merge2``). It refuses to own reading (``kube_folders``), JSON patches, and every other transformer: a
kustomization that needs one is refused here, not half done.
"""

from __future__ import annotations

from typing import Any

from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body

_KEYS = {
    "containers": "name",
    "env": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""Lists of a pod that are merged, and by which field (Kubernetes API, ``patchMergeKey``)."""
_TARGETS = frozenset({"kind", "name", "group", "version"})


def patched(folder: str, bodies: list[Body], target: Body, patch: Body) -> list[Body]:
    """``bodies``, those that ``target`` fits patched. ``Refusal`` for a target that the rack cannot read."""
    strange = target.keys() - _TARGETS
    if strange:
        raise Refusal(f"{folder}: the rack's kustomize knows no patch target {', '.join(sorted(strange))}")
    own = {part: patch[part] for part in patch if part not in ("apiVersion", "kind", "metadata")}
    metadata = {part: value for part, value in (patch.get("metadata") or {}).items() if part != "name"}
    return [_merged(body, {**own, "metadata": metadata}) if _fits(body, target) else body for body in bodies]


def _fits(body: Body, target: Body) -> bool:
    group, _, version = str(body.get("apiVersion", "")).rpartition("/")
    own = {"kind": body.get("kind"), "name": (body.get("metadata") or {}).get("name")}
    return all({**own, "group": group, "version": version}[field] == wanted for field, wanted in target.items())


def _merged(found: Any, patch: Any, field: str = "") -> Any:
    if isinstance(found, dict) and isinstance(patch, dict):
        merged = {name: inner for name, inner in found.items() if patch.get(name, inner) is not None}
        for name, inner in patch.items():
            if inner is not None:
                merged[name] = _merged(found.get(name), inner, name)
        return merged
    if isinstance(found, list) and isinstance(patch, list) and field in _KEYS:
        key = _KEYS[field]
        wanted = {each[key]: each for each in patch}
        there = [_merged(each, wanted.pop(each[key])) if each.get(key) in wanted else each for each in found]
        return there + list(wanted.values())
    if isinstance(patch, dict):
        return {name: _merged(None, inner, name) for name, inner in patch.items() if inner is not None}
    return patch
