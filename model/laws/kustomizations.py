"""Laws of a kustomization's own words: its keys and their types are kustomize's, and what is fetched is pinned.

Owns what kustomize refuses to read, or reads as something else. Refuses where the files lie that it names
(`manifests`, `app_folders`), and to fetch any.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs

from model.closure.charts import spread
from model.closure.reading import KUSTOMIZATIONS, items, kustomization, reached
from model.environment import Environment
from model.laws.closure import few, graphs, said
from model.laws.manifests import REMOTE
from model.laws.registry import Breach, tree_law
from model.laws.words import listed, nearest
from model.tree import Tree, charts_of, documents

TEXT, TEXTS, MAPPING, MAPPINGS, SWITCH = "a text", "a list of texts", "a mapping", "a list of mappings", "true or false"

FIELDS: dict[str, str] = {
    **dict.fromkeys(("apiVersion", "kind", "namePrefix", "nameSuffix", "namespace"), TEXT),
    **dict.fromkeys(("resources", "components", "crds", "bases", "configurations", "generators"), TEXTS),
    **dict.fromkeys(("transformers", "validators", "buildMetadata", "patchesStrategicMerge"), TEXTS),
    **dict.fromkeys(("metadata", "openapi", "commonLabels", "commonAnnotations", "sortOptions"), MAPPING),
    **dict.fromkeys(("helmGlobals", "generatorOptions"), MAPPING),
    **dict.fromkeys(("labels", "patchesJson6902", "patches", "images", "imageTags", "replacements"), MAPPINGS),
    **dict.fromkeys(("replicas", "vars", "configMapGenerator", "secretGenerator", "helmCharts"), MAPPINGS),
    "helmChartInflationGenerator": MAPPINGS,
}
"""Field → its type (kustomize, api/types/kustomization.go, `Kustomization`)."""
CHART_FIELDS: dict[str, str] = {
    **dict.fromkeys(("name", "version", "repo", "releaseName", "namespace", "valuesFile"), TEXT),
    **dict.fromkeys(("valuesMerge", "kubeVersion", "nameTemplate"), TEXT),
    **dict.fromkeys(("additionalValuesFiles", "apiVersions"), TEXTS),
    "valuesInline": MAPPING,
    **dict.fromkeys(("includeCRDs", "skipHooks", "skipTests", "debug", "devel"), SWITCH),
}
"""Likewise of an entry of `helmCharts` (api/types/helmchartargs.go, `HelmChart`)."""
VERSIONS = {"Kustomization": "kustomize.config.k8s.io/v1beta1", "Component": "kustomize.config.k8s.io/v1alpha1"}
"""Kind → its apiVersion (`EnforceFields`)."""
_RELEASED = re.compile(r"v?\d+(\.\d+)+([-+][0-9A-Za-z.+-]+)?|[0-9a-f]{40}")


def _files(env: Environment, tree: Tree) -> Iterator[tuple[str, str]]:
    """(cluster, file) of every kustomization that an app is made of."""
    for graph in graphs(env, tree):
        for file in sorted({file for app in graph.apps for file in app.files}):
            if posixpath.basename(file) in KUSTOMIZATIONS:
                yield graph.cluster, file


@tree_law("gitops-kustomization-form", unless=("gitops-yaml",))
def kustomize_can_read_it(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A kustomization has kustomize's own keys, each with its type: kustomize refuses any other, and builds nothing of
    the app; a chart's misspelt key would seed the chart without its values."""
    for cluster, file in _files(env, tree):
        yield from few(
            Breach(f"gitops.clusters.{cluster}", f"{said(env, file)}{wrong}", hint)
            for wrong, hint in _wrong(tree[file])
        )


def _wrong(text: str) -> Iterator[tuple[str, str]]:
    """(what is wrong, how to mend it) of a kustomization's text."""
    found = documents(text)
    if not found or not found[0].keys() - {"apiVersion", "kind"}:
        what = "is empty" if not _written(text) or found else "is no mapping"
        yield f" {what}, and kustomize refuses it", "name its files: resources: [<file>.yaml]"
        return
    document = found[0]
    yield from _fields(document, FIELDS, "")
    charts = document.get("helmCharts")
    for index, entry in enumerate(charts if isinstance(charts, list) else ()):
        if isinstance(entry, Mapping):
            yield from _fields(entry, CHART_FIELDS, f"helmCharts.{index}.")
    kind = document.get("kind") or "Kustomization"
    if not isinstance(kind, str) or kind not in VERSIONS:
        yield (
            f": its kind is {str(kind)[:60] if isinstance(kind, str) else _called(kind)}",
            "write kind: Kustomization, or Component",
        )
    elif document.get("apiVersion") not in (None, "", VERSIONS[kind]):
        yield f": its apiVersion is no {kind}'s", f"write apiVersion: {VERSIONS[kind]}"


def _written(text: str) -> bool:
    """Whether a text says anything at all."""
    return any(
        line.strip() not in ("", "---", "...") and not line.lstrip().startswith("#") for line in text.split("\n")
    )


def _fields(given: Mapping[Any, Any], known: Mapping[str, str], where: str) -> Iterator[tuple[str, str]]:
    for key, value in given.items():
        wanted = known.get(key) if isinstance(key, str) else None
        if wanted is None:
            yield f": kustomize knows no {where}{str(key)[:60]}", nearest(str(key), known)
        elif value is not None and not _is(value, wanted):
            hint = f"write {key}: {_EXAMPLES[wanted]}"
            yield f": {where}{key} is {_called(value)}, and kustomize takes {wanted}", hint


_EXAMPLES = {
    TEXT: 'in quotes, "…"',
    TEXTS: "[<one>, <another>]",
    MAPPING: "{<key>: <value>}",
    MAPPINGS: "as a list, each entry after a dash",
    SWITCH: "true or false, without quotes",
}


def _is(value: object, wanted: str) -> bool:
    if wanted in (TEXTS, MAPPINGS):
        return isinstance(value, list) and all(_is(one, TEXT if wanted == TEXTS else MAPPING) for one in value)
    return isinstance(value, {TEXT: str, MAPPING: Mapping, SWITCH: bool}[wanted])


def _called(value: object) -> str:
    if isinstance(value, list):
        odd = sorted({_called(one) for one in value})
        return f"a list with {' and '.join(odd)[:80]}" if odd else "an empty list"
    if isinstance(value, bool):
        return "a switch"
    named = {str: TEXT, dict: MAPPING, int: "a number", float: "a number", type(None): "nothing"}
    return named.get(type(value), "no text")


@tree_law("gitops-chart-moved", unless=("gitops-kustomization-form",))
def a_chart_s_objects_stay_where_it_puts_them(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A kustomization's `namespace` is written over all that it builds: of a chart that writes into two, what belongs
    elsewhere is moved away from where the chart's own settings, or a ServiceMonitor, look for it."""
    for cluster, file in _files(env, tree):
        document = next(iter(documents(tree[file])), {})
        over = document.get("namespace")
        for _, chart in charts_of(tree, posixpath.dirname(file), document) if over else ():
            if away := sorted(spread(chart) - {over}):
                what = f"namespace: {over} moves there what chart {chart.name} puts into {listed(away)}"
                hint = "leave it to the entry of helmCharts, and give objects of the folder's own theirs in metadata"
                yield Breach(f"gitops.clusters.{cluster}", f"{said(env, file)}: {what}", hint)


def _remotes(env: Environment, tree: Tree) -> Iterator[tuple[str, str, str]]:
    """(cluster, file, address) of everything that a kustomization has fetched from elsewhere."""
    for cluster, file in _files(env, tree):
        document = next(iter(documents(tree[file])), {})
        for key in ("resources", "components", "bases"):
            for one in items(document.get(key)):
                if isinstance(one, str) and REMOTE.match(one):
                    here = reached(file, one) or ""
                    if here not in tree and kustomization(tree, here) is None:
                        yield cluster, file, one


def _pinned(address: str) -> bool:
    """Whether an address names a release or a commit: in `ref` (or `version`, an older name of it), or, of a single
    file, in its path."""
    path, _, query = address.partition("?")
    stated = parse_qs(query)
    refs = [*stated.get("ref", ()), *stated.get("version", ())]
    parts = [ref.rpartition("/")[2] for ref in refs]
    if not refs and path.endswith((".yaml", ".yml", ".json")):
        parts = path.split("/")
    return any(_RELEASED.fullmatch(part) for part in parts)


@tree_law("gitops-remote-unpinned")
def what_is_fetched_is_pinned(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a kustomization fetches from elsewhere names a release or a commit: a branch is another tomorrow, and runs
    on the cluster without anybody's merge."""
    for cluster, file, address in _remotes(env, tree):
        if not _pinned(address):
            message = f"{said(env, file)} fetches {address[:110]}, whatever that is on the day"
            yield Breach(f"gitops.clusters.{cluster}", message[:239], "add ?ref= a release's tag, or a commit in full")


@tree_law("gitops-remote-unknown", "note", unless=("gitops-remote-unpinned",))
def what_is_fetched_is_known(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a kustomization fetches from elsewhere is read by no law: its objects are in no graph."""
    for cluster, file, address in _remotes(env, tree):
        message = f"{said(env, file)} fetches {address[:110]}: what is in it is not known here"
        hint = "copy it into the app's folder, or say what it brings: iluvatar/provides in the kustomization's metadata"
        yield Breach(f"gitops.clusters.{cluster}", message[:239], hint)
