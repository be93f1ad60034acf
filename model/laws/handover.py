"""Laws of the hand-over: what this program seeds, the engine renders again to the last letter, then and ever after.

Owns what makes a folder render otherwise than its seed was installed. Refuses the charts' values (`cilium_values`):
they are read out of the same folder, so they cannot differ.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.randomness import random
from model.closure.reading import items, mapping
from model.closure.standing import PROGRAM, seeds
from model.closure.things import App
from model.environment import Environment
from model.laws.closure import UNREADABLE, graphs, place, said
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.tree import Tree, documents

CHANGES = (
    *(
        "commonAnnotations",
        "commonLabels",
        "images",
        "labels",
        "namePrefix",
        "nameSuffix",
        "patches",
        "patchesJson6902",
    ),
    *("patchesStrategicMerge", "replacements", "replicas", "transformers"),
)
"""Fields of a kustomization that change what a chart has rendered (kustomize, "kustomization.yaml")."""
UNREAD = (
    "additionalValuesFiles",
    "apiVersions",
    "kubeVersion",
    "nameTemplate",
    "skipHooks",
    "valuesInline",
    "valuesMerge",
)
"""Fields of a chart in it that the seed does not read."""
RELEASE_UNREAD = ("chart", "kubeConfig", "postRenderers", "valuesFrom")
"""Fields of a HelmRelease that the seed does not read."""


@tree_law("gitops-chart-random", unless=UNREADABLE)
def charts_render_the_same(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A chart renders the same each time: no password, certificate, date or name is made anew. Else it is never in
    sync, and what reads it restarts again and again."""
    for graph in graphs(env, tree):
        for app in graph.apps:
            for file, chart in app.charts:
                for row in random(chart):
                    message = f"{said(env, file)}: chart {chart.name} makes {row.what} anew at every render"
                    yield Breach(place(graph), message, row.mending)
            for file, entry in _entries(tree, app):
                if not entry.get("releaseName"):
                    message = f"{said(env, file)}: chart {entry.get('name')} has no releaseName, so Helm makes one up"
                    hint = f"set releaseName: {entry.get('name')}"
                    yield Breach(place(graph), message[:239], hint[:199])


def _entries(tree: Tree, app: App) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(file, entry) of every chart that the app's kustomizations name."""
    for file in sorted(app.files):
        if file.rpartition("/")[2].lower().startswith("kustomization"):
            for one in items(next(iter(documents(tree[file])), {}).get("helmCharts")):
                yield file, mapping(one)


@tree_law("gitops-seed-differs", unless=UNREADABLE)
def seeds_render_alike(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The folder of what this program installs first says nothing that it does not read: chart, version, values,
    release and namespace. Anything else the engine would change the moment it takes over."""
    for graph in graphs(env, tree):
        ours = set(seeds(env, graph.cluster))
        for app in graph.apps:
            if app.name in ours:
                for file, what in (*_kustomized(tree, app), *_released(app)):
                    message = (
                        f"{said(env, file)}: {what}, which {PROGRAM} does not do when it installs {app.name} first"
                    )
                    yield Breach(place(graph), message[:239], "say it in the chart's values file instead")


def _kustomized(tree: Tree, app: App) -> Iterator[tuple[str, str]]:
    for file in sorted(app.files):
        if file != f"{app.folder}/kustomization.yaml":
            continue
        document = next(iter(documents(tree[file])), {})
        entries = [mapping(one) for one in items(document.get("helmCharts"))]
        changing = [key for key in CHANGES if document.get(key)]
        if changing:
            yield file, f"{listed(changing)} changes what the chart renders"
        for entry in entries[:1]:
            unread = [key for key in UNREAD if entry.get(key)]
            if unread:
                yield file, f"the chart has {listed(unread)}"
            if entry.get("includeCRDs") is not True:
                yield file, "the chart's CustomResourceDefinitions are left out (includeCRDs)"
            outer = document.get("namespace")
            if outer and entry.get("namespace") and outer != entry["namespace"]:
                yield file, f"everything moves to the namespace {outer}, and the chart is made for {entry['namespace']}"
        if len(entries) > 1:
            yield file, f"there are {len(entries)} charts in one folder"


def _released(app: App) -> Iterator[tuple[str, str]]:
    for held in app.objects:
        spec = mapping(held.body.get("spec"))
        if held.kind != "HelmRelease" or held.patch:
            continue
        unread = [key for key in RELEASE_UNREAD if spec.get(key)]
        if unread:
            yield held.file, f"the HelmRelease has {listed(unread)}"
        place_of = mapping(held.body.get("metadata")).get("namespace")
        if spec.get("storageNamespace", place_of) != place_of:
            yield held.file, "Helm's own record is looked for in another namespace (storageNamespace)"
        if mapping(spec.get("install")).get("crds") == "Skip":
            yield held.file, "the chart's CustomResourceDefinitions are left out (install.crds: Skip)"
        if spec.get("targetNamespace") and not spec.get("releaseName"):
            yield held.file, "Flux puts the namespace before the release's name (targetNamespace without releaseName)"
