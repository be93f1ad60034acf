"""Folders as an engine applies them: what a kustomization names, generates and patches, in which namespace.

Owns following `resources` and `components` and what they do to names and namespaces. Refuses to render a chart, to
apply a patch, and to fetch anything: what is named elsewhere is not seen.
"""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from model.closure.things import CLUSTER_WIDE, App, Held
from model.environment import Environment
from model.tree import SHARED, Chart, Tree, charts_of, documents, release_of

KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""Names that kustomize looks for in a folder."""
WAVE = "argocd.argoproj.io/sync-wave"
_DEEPEST = 20
"""How far kustomizations may lead on to others; a circle ends here, and is found by its own law."""


@dataclass
class _Found:
    objects: list[Held] = field(default_factory=list)
    charts: list[tuple[str, Chart]] = field(default_factory=list)
    files: set[str] = field(default_factory=set)


def mapping(value: object) -> Mapping[str, Any]:
    """A value that is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: object) -> list[Any]:
    """A value that is a list, else an empty one."""
    return value if isinstance(value, list) else []


def said(env: Environment, file: str) -> str:
    """A file as the checkout has it."""
    return f"gitops/{file.removeprefix('../')}" if file.startswith("../") else f"gitops/{env.name}/{file}"


def kustomization(tree: Tree, folder: str) -> str | None:
    """The kustomization of a folder, by its path."""
    return next((path for name in KUSTOMIZATIONS if (path := posixpath.join(folder, name)) in tree), None)


def reached(file: str, target: str) -> str | None:
    """Where a kustomization's relative path leads, or None when that is not in the tree's reach."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(file), target))
    return path if not path.startswith("..") or path.startswith(SHARED) else None


def read(tree: Tree, cluster: str, category: str, name: str, unit: str, *, kustomized: bool) -> App:
    """One app's folder. `kustomized`: without a kustomization its YAML files count as they are, as Flux takes them.

    An empty `name` is the files that lie in the category itself.
    """
    folder = posixpath.join(cluster, category, name).rstrip("/")
    found = _Found()
    own = kustomization(tree, folder)
    default = category if kustomized else "default"
    notes: Mapping[str, Any] = {}
    if own:
        notes = mapping(_metadata(_first(tree, own)).get("annotations"))
        _kustomization(tree, own, default, found, 0)
    elif not kustomized:
        for path in sorted(tree):
            beside = posixpath.dirname(path) == folder if not name else path.startswith(f"{folder}/")
            if beside and path.endswith((".yaml", ".yml")):
                _file(tree, path, default, found)
    releases = ((held.file, release_of(held.body, [one.body for one in found.objects])) for held in found.objects)
    found.charts += [(file, chart) for file, chart in releases if chart]
    return App(
        *(cluster, category, name, folder, unit),
        tuple(found.objects),
        tuple(found.charts),
        frozenset(found.files),
        notes,
    )


def _kustomization(tree: Tree, file: str, default: str, found: _Found, depth: int) -> None:
    if depth > _DEEPEST:
        return
    found.files.add(file)
    document = _first(tree, file)
    before = len(found.objects)
    namespace = str(document.get("namespace") or "")
    for target in _paths(document, "resources", "bases", "components"):
        path = reached(file, target)
        if path is None:
            continue
        inner = kustomization(tree, path)
        if path in tree:
            _file(tree, path, default, found)
        elif inner and inner not in (file,):
            _kustomization(tree, inner, default, found, depth + 1)
    found.objects += _generated(document, file, default)
    found.objects += _patches(tree, document, file, default, found.files)
    found.charts += charts_of(tree, posixpath.dirname(file), document)
    found.files |= {path for path in named_files(document, file) if path in tree}
    found.objects[before:] = [_within(one, namespace, document) for one in found.objects[before:]]


def _paths(document: Mapping[str, Any], *keys: str) -> Iterator[str]:
    for key in keys:
        yield from (one for one in items(document.get(key)) if isinstance(one, str))


def named_files(document: Mapping[str, Any], file: str) -> Iterator[str]:
    """Every file, not folder, that a kustomization reads besides its resources, by its path in the tree."""
    stated = [*_paths(document, "crds", "configurations", "patchesStrategicMerge", "transformers", "generators")]
    for key in ("configMapGenerator", "secretGenerator"):
        for one in items(document.get(key)):
            stated += [str(each).rpartition("=")[2] for each in items(mapping(one).get("files"))]
            stated += [str(each) for each in items(mapping(one).get("envs"))]
    for key in ("patches", "patchesJson6902", "replacements"):
        stated += [str(mapping(one)["path"]) for one in items(document.get(key)) if mapping(one).get("path")]
    for one in items(document.get("helmCharts")):
        stated += [str(mapping(one)["valuesFile"])] if mapping(one).get("valuesFile") else []
        stated += [str(each) for each in items(mapping(one).get("additionalValuesFiles"))]
    for target in stated:
        path = None if "\n" in target or "://" in target else reached(file, target)
        if path:
            yield path


def _file(tree: Tree, path: str, default: str, found: _Found) -> None:
    found.files.add(path)
    for document in documents(tree[path]):
        for body in items(document.get("items")) if document.get("kind") == "List" else (document,):
            if isinstance(body, Mapping) and _kind(body) and _metadata(body).get("name"):
                found.objects.append(_placed(path, body, default))


def _placed(file: str, body: Mapping[str, Any], default: str, *, patch: bool = False, hashed: bool = False) -> Held:
    metadata = _metadata(body)
    own = "" if body.get("kind") in CLUSTER_WIDE else str(metadata.get("namespace") or default)
    wave = str(mapping(metadata.get("annotations")).get(WAVE, "0"))
    number = int(wave) if wave.lstrip("-").isdecimal() and len(wave) < 9 else 0
    return Held(file, body, own, number, patch, hashed)


def _generated(document: Mapping[str, Any], file: str, default: str) -> Iterator[Held]:
    plain = mapping(document.get("generatorOptions")).get("disableNameSuffixHash") is True
    for key, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        for one in items(document.get(key)):
            name = mapping(one).get("name")
            if not name:
                continue
            metadata = {"name": str(name)} | ({"namespace": one["namespace"]} if one.get("namespace") else {})
            body = {"apiVersion": "v1", "kind": kind, "metadata": metadata}
            kept = plain or mapping(mapping(one).get("options")).get("disableNameSuffixHash") is True
            yield _placed(file, body, default, hashed=not kept)


def _patches(tree: Tree, document: Mapping[str, Any], file: str, default: str, files: set[str]) -> Iterator[Held]:
    for one in items(document.get("patches")):
        path = reached(file, str(mapping(one)["path"])) if mapping(one).get("path") else None
        text = tree.get(path) if path else mapping(one).get("patch")
        if path in tree:
            files.add(str(path))
        for body in documents(text if isinstance(text, str) else None):
            if _kind(body):
                yield _placed(path or file, body, default, patch=True)


def _within(held: Held, namespace: str, document: Mapping[str, Any]) -> Held:
    """An object after its kustomization's own `namespace`, `namePrefix` and `nameSuffix`."""
    prefix, suffix = str(document.get("namePrefix") or ""), str(document.get("nameSuffix") or "")
    body = held.body
    if prefix or suffix:
        metadata = dict(_metadata(body))
        body = {**body, "metadata": {**metadata, "name": f"{prefix}{metadata.get('name')}{suffix}"}}
    place = namespace if namespace and held.namespace else held.namespace
    if body is held.body and place == held.namespace:
        return held
    return Held(held.file, body, place, held.wave, held.patch, held.hashed)


def _kind(body: Mapping[str, Any]) -> str:
    """An object's kind; empty for what is none."""
    kind = body.get("kind")
    return kind if isinstance(kind, str) else ""


def _first(tree: Tree, file: str) -> Mapping[str, Any]:
    return next(iter(documents(tree[file])), {})


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(body.get("metadata"))
