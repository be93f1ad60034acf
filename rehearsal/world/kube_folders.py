"""What a GitOps folder holds: a kustomization, its bases and the objects they name.

Owns the reading. It refuses to own who asks for a folder (``kube_argocd``), and to render charts or patches.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from rehearsal.world import kube_charts
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body

_UNREADABLE = "Failed to load target state: failed to generate manifest: "


def read(folder: Path) -> Iterator[Body]:
    """The kustomization in ``folder``, its bases', and the objects they name; ``Refusal`` when there is none."""
    file = folder / "kustomization.yaml"
    if not file.is_file():
        raise Refusal(f"{_UNREADABLE}{folder.name}: app path does not exist or has no kustomization")
    kustomization = (_documents(folder, file) or [{}])[0]
    yield {"kind": "Kustomization", "metadata": {}, "helmCharts": kustomization.get("helmCharts") or []}
    namespace = {"namespace": kustomization["namespace"]} if kustomization.get("namespace") else {}
    named = [body for resource in kustomization.get("resources") or () for body in _resource(folder, str(resource))]
    for body in (*named, *_generated(folder, kustomization)):
        yield {**body, "metadata": {**(body.get("metadata") or {}), **namespace}}


def _generated(folder: Path, kustomization: Body) -> Iterator[Body]:
    """What the generators make. Their names get no hash here, nor do those who refer to them."""
    for field, kind, data in (("configMapGenerator", "ConfigMap", "data"), ("secretGenerator", "Secret", "stringData")):
        for each in kustomization.get(field) or ():
            content = dict(literal.split("=", 1) for literal in each.get("literals") or ())
            for stated in each.get("files") or ():
                key, _, path = str(stated).rpartition("=")
                file = folder / path
                if not file.is_file():
                    raise Refusal(f"{_UNREADABLE}{folder.name}: {path}: no such file")
                content[key or file.name] = file.read_text(encoding="utf-8")
            yield {"apiVersion": "v1", "kind": kind, "metadata": {"name": each["name"]}, data: content}


def _resource(folder: Path, resource: str) -> Iterator[Body]:
    path = (folder / resource).resolve()
    if path.is_dir():
        yield from read(path)
    elif path.is_file():
        yield from _documents(folder, path)
    elif "://" not in resource:
        raise Refusal(f"{_UNREADABLE}{folder.name}: {resource}: no such file")


def _documents(folder: Path, file: Path) -> list[Body]:
    """The objects in ``file``; ``Refusal`` when it is no YAML or holds something else."""
    try:
        found = [body for body in yaml.safe_load_all(file.read_text(encoding="utf-8")) if body]
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0]
        raise Refusal(f"{_UNREADABLE}{folder.name}: {file.name}: {first}") from error
    if not all(isinstance(body, dict) for body in found):
        raise Refusal(f"{_UNREADABLE}{folder.name}: {file.name}: not an object")
    return found


def brought(documents: list[Body]) -> tuple[str, ...]:
    """Custom kinds of the charts that a kustomization names. ``Refusal`` for a chart that cannot be had."""
    kinds: list[str] = []
    for document in documents:
        for chart in document.get("helmCharts", ()):
            repository, name = str(chart.get("repo", "")), str(chart["name"])
            if repository.startswith("oci://"):
                found = kube_charts.fetch(f"{repository.rstrip('/')}/{name}", None, chart.get("version"))
            else:
                found = kube_charts.fetch(name, repository, chart.get("version"))
            kinds += found.kinds
    return tuple(kinds)
