"""The GitOps folders as data: what apps there are, and the chart each one pins.

Owns reading an app folder's texts. Refuses the disk: the listing is handed in as `path → text`, paths relative to
`gitops/<environment>/`; what the environments share lies under `../shared/`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from model.yaml_reader import DEEPEST

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, where PyYAML has it: ten times as fast."""

Tree = Mapping[str, str]

SHARED = "../shared/"
"""What a tree's paths begin with in the folder that several environments build upon."""


@dataclass(frozen=True)
class Chart:
    """A pinned Helm chart, as the folder that reconciles it says. One source for whoever installs it first."""

    name: str
    repository: str
    """`https://…` or `oci://…`, without the chart's name."""
    version: str
    release: str
    namespace: str
    values: Mapping[str, Any]

    @property
    def oci(self) -> bool:
        """Whether the chart comes from an OCI registry."""
        return self.repository.startswith("oci://")


def apps(tree: Tree, cluster: str) -> tuple[tuple[str, str], ...]:
    """Every `(category, app)` of a cluster, sorted."""
    parts = (path.split("/") for path in tree)
    return tuple(sorted({(p[1], p[2]) for p in parts if p[0] == cluster and len(p) > 3}))


def chart(tree: Tree, cluster: str, category: str, app: str) -> Chart | None:
    """The chart that `<cluster>/<category>/<app>/` pins, or None when the folder or its chart is not there.

    Two forms, one an engine: `kustomization.yaml` with `helmCharts` (Argo CD), `release.yaml` with an OCIRepository
    and a HelmRelease that names it (Flux). Errors: none; what is malformed is a finding of the GitOps laws.
    """
    folder = f"{cluster}/{category}/{app}"
    return _kustomize_chart(tree, folder) or _flux_chart(tree, folder)


def _kustomize_chart(tree: Tree, folder: str) -> Chart | None:
    charts = charts_of(tree, folder, _mapping(tree.get(f"{folder}/kustomization.yaml")))
    return charts[0][1] if charts else None


def charts_of(tree: Tree, folder: str, kustomization: Mapping[str, Any]) -> list[tuple[str, Chart]]:
    """(file, chart) of every chart that a folder's kustomization renders, in its order."""
    entries = kustomization.get("helmCharts")
    return [
        (
            f"{folder}/kustomization.yaml",
            Chart(
                name=str(entry.get("name", "")),
                repository=str(entry.get("repo", "")),
                version=str(entry.get("version", "")),
                release=str(entry.get("releaseName", entry.get("name", ""))),
                namespace=str(entry.get("namespace", kustomization.get("namespace", ""))),
                values=_mapping(tree.get(f"{folder}/{entry.get('valuesFile')}")),
            ),
        )
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
    ]


def _flux_chart(tree: Tree, folder: str) -> Chart | None:
    bodies = documents(tree.get(f"{folder}/release.yaml"))
    return next((found for body in bodies if (found := release_of(body, bodies))), None)


def release_of(body: Mapping[str, Any], beside: Sequence[Mapping[str, Any]]) -> Chart | None:
    """The chart that a HelmRelease installs, by the OCIRepository that lies beside it; None for anything else."""
    metadata = body.get("metadata")
    sources = [_spec(one) for one in beside if one.get("kind") == "OCIRepository" and _source_of(body, one)]
    if body.get("kind") != "HelmRelease" or not sources or not isinstance(metadata, dict):
        return None
    repository, _, name = str(sources[-1].get("url", "")).rpartition("/")
    reference = sources[-1].get("ref")
    values = _spec(body).get("values")
    return Chart(
        name=name,
        repository=repository,
        version=str(reference.get("tag", "")) if isinstance(reference, dict) else "",
        release=str(_spec(body).get("releaseName", metadata.get("name", ""))),
        namespace=str(_spec(body).get("targetNamespace", metadata.get("namespace", ""))),
        values=values if isinstance(values, dict) else {},
    )


def _source_of(release: Mapping[str, Any], source: Mapping[str, Any]) -> bool:
    """Whether a source is the one that a release names; one that names none takes what lies beside it."""
    reference, metadata = _spec(release).get("chartRef"), source.get("metadata")
    wanted = reference.get("name") if isinstance(reference, dict) else None
    return wanted is None or not isinstance(metadata, dict) or metadata.get("name") == wanted


def seeded(tree: Tree, cluster: str, app: str) -> Chart | None:
    """The chart of an app that this program installs first, in whichever category it lives; None when none pins it."""
    found = (chart(tree, cluster, category, name) for category, name in apps(tree, cluster) if name == app)
    return next((one for one in found if one), None)


def seed(tree: Tree, cluster: str, app: str) -> Chart:
    """The same, of an app that must be there.

    Errors: LookupError naming the folder that is missing; the GitOps laws find it before anything is planned.
    """
    if found := seeded(tree, cluster, app):
        return found
    raise LookupError(f"no folder {cluster}/<category>/{app} pins a chart")


def _spec(document: Any) -> dict[str, Any]:
    found = document.get("spec") if isinstance(document, dict) else None
    return found if isinstance(found, dict) else {}


def _mapping(text: str | None) -> dict[str, Any]:
    return next(iter(documents(text)), {})


def documents(text: str | None) -> list[dict[str, Any]]:
    """The mappings that a YAML text holds, one a document; none when there is no text or it cannot be read.

    Every law reads the same few files: what was read is kept, and must not be changed.
    """
    return list(_documents(text)) if text else []


@lru_cache(maxsize=4096)
def _documents(text: str) -> tuple[dict[str, Any], ...]:
    try:
        found = [] if _deep(text) else list(yaml.load_all(text, Loader=LOADER))
    except (yaml.YAMLError, ValueError, RecursionError):  # no YAML, an impossible date
        return ()
    return tuple(document for document in found if isinstance(document, dict))


def _deep(text: str) -> bool:
    """Whether a text is nested without end: libyaml has no limit of its own, and would take the process down."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            return True
    return False
