"""What a GitOps folder holds: a kustomization, its bases and the objects they name.

Owns the reading, and remembering what was read until a file of it changes: the World asks whenever it looks whether a
machine boots. It refuses to own who asks for a folder (``kube_argocd``), what a patch does (``kube_merge``), and to
render charts.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator
from pathlib import Path

import yaml

from rehearsal.world import kube_charts, kube_merge
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body

_UNREADABLE = "Failed to load target state: failed to generate manifest: "


_Seen = dict[Path, tuple[int, ...]]
"""Files that were read, each with what tells it from a later one of its name."""
_KNOWN: dict[Path, tuple[_Seen, list[Body]]] = {}


def read(folder: Path) -> list[Body]:
    """The kustomization in ``folder``, its bases', and the objects they name; ``Refusal`` when there is none."""
    known = _KNOWN.get(folder)
    if known is None or any(_stamp(file) != stamp for file, stamp in known[0].items()):
        seen: _Seen = {}
        known = _KNOWN[folder] = seen, list(_read(folder, seen))
    return copy.deepcopy(known[1])


def below(folder: Path) -> list[Body]:
    """As Flux reads a folder: its kustomization, or else every YAML file below it, and the kustomizations on the way.

    Source: fluxcd/pkg, ``kustomize/kustomize_generator.go``, ``scanManifests``.
    """
    if (folder / "kustomization.yaml").is_file():
        return read(folder)
    found: list[Body] = []
    for each in sorted(folder.iterdir()):
        if each.is_dir():
            found += below(each)
        elif each.suffix in (".yaml", ".yml"):
            found += _documents(folder, each, {})
    return found


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = os.stat(file)
    except OSError:
        return ()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _text(file: Path, seen: _Seen) -> str:
    seen[file] = _stamp(file)
    return file.read_text(encoding="utf-8")


def _read(folder: Path, seen: _Seen) -> Iterator[Body]:
    file = folder / "kustomization.yaml"
    if not file.is_file():
        raise Refusal(f"{_UNREADABLE}{folder.name}: app path does not exist or has no kustomization")
    yield from _built(folder, (_documents(folder, file, seen) or [{}])[0], [], seen)


def _built(folder: Path, kustomization: Body, before: list[Body], seen: _Seen) -> Iterator[Body]:
    """What a kustomization makes of what it names, and a component of what stood ``before``."""
    charts = [{**chart, "values": _values(folder, chart, seen)} for chart in kustomization.get("helmCharts") or ()]
    yield {"kind": "Kustomization", "metadata": {}, "helmCharts": charts}
    namespace = {"namespace": kustomization["namespace"]} if kustomization.get("namespace") else {}
    stated = [str(each) for each in kustomization.get("resources") or ()]
    named = before + [body for resource in stated for body in _resource(folder, resource, seen)]
    named += _generated(folder, kustomization, seen)
    for component in kustomization.get("components") or ():
        inner = (folder / str(component)).resolve()
        if not (inner / "kustomization.yaml").is_file():
            raise Refusal(f"{_UNREADABLE}{folder.name}: {component}: no such file")
        content = (_documents(inner, inner / "kustomization.yaml", seen) or [{}])[0]
        named = list(_built(inner, content, named, seen))[1:]  # its own entry of charts: a component has none
    for target, patch in _patches(folder, kustomization, seen):
        named = kube_merge.patched(folder.name, named, target, patch)
    for body in named:
        yield {**body, "metadata": {**(body.get("metadata") or {}), **namespace}}


def _patches(folder: Path, kustomization: Body, seen: _Seen) -> Iterator[tuple[Body, Body]]:
    """(target, patch) of every patch: a file's or in line; without a target it is the object that the patch names."""
    for each in kustomization.get("patches") or ():
        file = folder / str(each.get("path"))
        if "path" in each and not file.is_file():
            raise Refusal(f"{_UNREADABLE}{folder.name}: {each['path']}: no such file")
        told = _documents(folder, file, seen) if "path" in each else [yaml.safe_load(each["patch"])]
        for patch in told:
            if not isinstance(patch, dict):
                raise Refusal(f"{_UNREADABLE}{folder.name}: the rack's kustomize knows no JSON patches")
            own = {"kind": patch.get("kind"), "name": (patch.get("metadata") or {}).get("name")}
            yield each.get("target") or own, patch


def _values(folder: Path, chart: Body, seen: _Seen) -> Body:
    """A chart's values as kustomize hands them over: the file's, and over them those in line."""
    found: Body = {}
    for stated in (chart.get("valuesFile"), *(chart.get("additionalValuesFiles") or ())):
        if stated:
            file = folder / str(stated)
            if not file.is_file():
                raise Refusal(f"{_UNREADABLE}{folder.name}: {stated}: no such file")
            _over(found, next(iter(_documents(folder, file, seen)), {}))
    _over(found, chart.get("valuesInline") or {})
    return found


def _over(into: Body, body: Body) -> None:
    for name, value in body.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _over(into[name], value)
        else:
            into[name] = value


def _generated(folder: Path, kustomization: Body, seen: _Seen) -> Iterator[Body]:
    """What the generators make. Their names get no hash here, nor do those who refer to them."""
    for field, kind, data in (("configMapGenerator", "ConfigMap", "data"), ("secretGenerator", "Secret", "stringData")):
        for each in kustomization.get(field) or ():
            content = dict(literal.split("=", 1) for literal in each.get("literals") or ())
            for stated in each.get("files") or ():
                key, _, path = str(stated).rpartition("=")
                file = folder / path
                if not file.is_file():
                    raise Refusal(f"{_UNREADABLE}{folder.name}: {path}: no such file")
                content[key or file.name] = _text(file, seen)
            yield {"apiVersion": "v1", "kind": kind, "metadata": {"name": each["name"]}, data: content}


def _resource(folder: Path, resource: str, seen: _Seen) -> Iterator[Body]:
    path = (folder / resource).resolve()
    if path.is_dir():
        yield from _read(path, seen)
    elif path.is_file():
        yield from _documents(folder, path, seen)
    elif "://" not in resource:
        raise Refusal(f"{_UNREADABLE}{folder.name}: {resource}: no such file")


def _documents(folder: Path, file: Path, seen: _Seen) -> list[Body]:
    """The objects in ``file``; ``Refusal`` when it is no YAML or holds something else."""
    try:
        found = [body for body in yaml.safe_load_all(_text(file, seen)) if body]
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise Refusal(f"{_UNREADABLE}{folder.name}: {file.name}: {first}") from error
    if not all(isinstance(body, dict) for body in found):
        raise Refusal(f"{_UNREADABLE}{folder.name}: {file.name}: not an object")
    return found


def charts(documents: list[Body]) -> Iterator[tuple[kube_charts.Chart, Body]]:
    """The charts that a kustomization names, with the entry of each. ``Refusal`` for one that cannot be had."""
    for document in documents:
        for entry in document.get("helmCharts", ()):
            repository, name = str(entry.get("repo", "")), str(entry["name"])
            if repository.startswith("oci://"):
                yield kube_charts.fetch(f"{repository.rstrip('/')}/{name}", None, entry.get("version")), entry
            else:
                yield kube_charts.fetch(name, repository, entry.get("version")), entry


def brought(documents: list[Body]) -> tuple[str, ...]:
    """Custom kinds of the charts that a kustomization names. ``Refusal`` for a chart that cannot be had."""
    return tuple(kind for chart, entry in charts(documents) for kind in chart.kinds_with(entry["values"]))
