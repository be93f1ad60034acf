"""Laws of the GitOps closure: whatever an object needs is brought by somebody, before it, and written by one.

Owns what is wrong with the graph of a cluster's apps (`model.closure`). Refuses the form of folders (`app_folders`).
"""

from collections.abc import Iterable, Iterator

from model.closure.clusters import closure
from model.closure.graph import Graph
from model.closure.reading import said
from model.closure.standing import PROGRAM, served, written
from model.closure.things import DEFAULT_CLASS, KIND, Brought, Held, Need, Thing
from model.environment import Environment
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.laws.words import listed, nearest
from model.tree import Tree

UNREADABLE = (
    *("gitops-yaml", "gitops-kustomization-form", "gitops-resource-missing", "gitops-category-missing"),
    "gitops-cluster-unknown",
)
"""What keeps the folders from being read as they are meant: nothing is said of needs then."""
MOST = 12
"""How many breaches of one law are told of a cluster; the rest is counted."""

_last: list[tuple[Environment, Tree, list[Graph]]] = []


def graphs(env: Environment, tree: Tree) -> list[Graph]:
    """The graph of every cluster that is reconciled. Every law asks for it: the last one is kept."""
    if not (_last and _last[0][0] is env and _last[0][1] is tree):
        _last[:] = [(env, tree, [closure(env, tree, cluster) for cluster, _, _ in reconciled(env)])]
    return _last[0][2]


def place(graph: Graph) -> str:
    """Where a finding about a cluster's folders stands."""
    return f"gitops.clusters.{graph.cluster}"


def unmet(graph: Graph) -> Iterator[Need]:
    """Every need that nobody meets, each thing once an app."""
    seen: set[tuple[Thing, str]] = set()
    for need in graph.needs:
        if not graph.bringers(need) and (need.thing, need.app) not in seen:
            seen.add((need.thing, need.app))
            yield need


def unproven(graph: Graph, need: Need) -> bool:
    """Whether a chart may bring what is needed: one that nothing is known of, or, of what a chart makes for itself and
    no list holds (who may do what), one that is installed there, or is called so."""
    wanted, charts = need.thing, [chart for app in graph.apps for _, chart in app.charts]
    there = wanted.namespace in {chart.namespace for chart in charts}
    if wanted.kind in ("Role", "ServiceAccount") and there:
        return True
    if wanted.kind == "ClusterRole" and any(
        wanted.name.startswith((one.release, one.name)) for one in charts if one.name
    ):
        return True
    return bool(graph.unknown) and (not wanted.namespace or there)


def _makers(graph: Graph, need: Need) -> list[str]:
    """The charts that may bring what is needed."""
    unknown = {chart for _, _, chart in graph.unknown}
    every = {chart.name: chart for app in graph.apps for _, chart in app.charts if chart.name}
    if need.thing.kind == "ClusterRole":
        near = {name for name, one in every.items() if need.thing.name.startswith((one.release, name))}
    else:
        near = {name for name, one in every.items() if one.namespace == need.thing.namespace}
    return sorted(near & unknown or near or unknown)


def declaration(thing: Thing) -> str:
    """What stands in a kustomization.yaml, or in an object of Flux, to say that what it applies makes a thing."""
    named = {KIND: f"{KIND} {thing.name}"}.get(thing.kind, str(thing))
    return f"metadata: {{annotations: {{iluvatar/provides: {named}}}}}"


def few(breaches: Iterable[Breach]) -> Iterator[Breach]:
    """The first of many; the last says how many more there are."""
    every = list(breaches)
    for index, one in enumerate(every[:MOST]):
        more = f" ({len(every) - MOST} more like it)" if index == MOST - 1 and len(every) > MOST else ""
        yield one._replace(message=f"{one.message[: 239 - len(more)]}{more}", hint=one.hint[:200])


def _missing(env: Environment, graph: Graph, kinds: frozenset[str] | None) -> Iterator[Breach]:
    """What nobody brings, of these kinds, or of every kind that has no law of its own."""
    for need in unmet(graph):
        ours = need.thing.kind in kinds if kinds else need.thing.kind not in _OWN_LAWS
        if ours and (need.thing.kind == "Namespace" or not unproven(graph, need)):
            message = f"{said(env, need.file)}: {need.by} needs {need.thing}, which nobody brings"
            yield Breach(place(graph), message, _mending(graph, need), None, _PROGRAMS)


_PROGRAMS = ("bootstrap", "cluster", "edge", "network")
"""The parts of an environment that what this program writes follows from."""
_OWN_LAWS = frozenset((KIND, "Namespace"))


def _mending(graph: Graph, need: Need) -> str:
    wanted = need.thing
    if wanted.kind == KIND:
        return f"add the app whose chart brings it, or its CustomResourceDefinition, to {graph.cluster}"
    if wanted.kind == "Namespace":
        return f"add a Namespace {wanted.name}, with the Pod Security label that its pods need, to {need.app}"
    if wanted.name == DEFAULT_CLASS:
        return "name a storageClassName, or mark one class as the default"
    hashed = [one.app for one in graph.brought.get(wanted, ()) if one.private]
    if hashed:
        return f"its name gets a hash in {hashed[0]}: set disableNameSuffixHash there, or move this into that app"
    same = {one.name: one for one in graph.brought if one.kind == wanted.kind and one.namespace == wanted.namespace}
    other = sorted(str(one) for one in graph.brought if (one.kind, one.name) == (wanted.kind, wanted.name))
    if other:
        return f"there is {listed(other, 2)}"
    near = nearest(wanted.name, same) if same else "add it to an app"
    if near.startswith("did you"):
        return near
    return f"add it to an app; a chart or script that makes it: in its kustomization.yaml, {declaration(wanted)}"


@tree_law("gitops-kind-missing", unless=UNREADABLE)
def kinds_are_brought(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The kind of every object is one that the cluster knows: Kubernetes' own, or brought by a chart or definition in
    the folders. Else the object is refused for ever."""
    for graph in graphs(env, tree):
        yield from few(_missing(env, graph, frozenset((KIND,))))


@tree_law("gitops-namespace-missing", unless=UNREADABLE)
def namespaces_are_made(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Every namespace that something goes into is made by somebody: an app, this program, or Kubernetes itself."""
    for graph in graphs(env, tree):
        yield from few(_missing(env, graph, frozenset(("Namespace",))))


@tree_law("gitops-need-missing", unless=UNREADABLE)
def needs_are_met(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Whatever an object names is brought by somebody: ConfigMaps, Secrets, Services, gateways, classes, issuers,
    stores, accounts. A pod whose Secret nobody makes waits for ever."""
    for graph in graphs(env, tree):
        yield from few(_missing(env, graph, None))


@tree_law("gitops-need-unproven", "note", unless=UNREADABLE)
def needs_are_proven(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What an object needs is known to be brought; a chart that nothing is known of may bring it, or may not."""
    for graph in graphs(env, tree):
        found = (need for need in unmet(graph) if need.thing.kind != "Namespace" and unproven(graph, need))
        yield from few(
            Breach(
                place(graph),
                f"{said(env, need.file)}: {need.by} needs {need.thing}, which nobody is known to bring",
                f"look whether {listed(_makers(graph, need), 3)} does, and say so in its kustomization.yaml "
                f"(Flux: HelmRelease): {declaration(need.thing)}",
            )
            for need in found
        )


@tree_law("gitops-chart-unknown", "note", unless=UNREADABLE)
def charts_are_known(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a chart brings is known (model/closure/charts.py): else nothing can be proven of what needs it."""
    for graph in graphs(env, tree):
        for _, file, chart in graph.unknown:
            message = f"{said(env, file)}: what the chart {chart} brings is not known here, and taken on trust"
            yield Breach(place(graph), message, "add it to model/closure/charts.py, or say it: iluvatar/provides")


@tree_law("gitops-circle", unless=(*UNREADABLE, "gitops-need-missing", "gitops-kind-missing"))
def no_circle(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No app needs itself by way of others: of such a circle none would ever come up."""
    for graph in graphs(env, tree):
        way = graph.circle
        if way:
            steps = [graph.edges[one][following] for one, following in zip(way, (*way[1:], way[0]), strict=True)]
            told = "; ".join(f"{need.app} needs {need.thing}" for need in steps)
            yield Breach(place(graph), f"none of {listed(way)} comes up first: {told}"[:239], "move one of those needs")


@tree_law("gitops-two-writers", unless=UNREADABLE)
def one_writer(env: Environment, tree: Tree) -> Iterator[Breach]:
    """An object is written by one: two apps, or an app and this program, would undo each other for ever."""
    for graph in graphs(env, tree):
        ours = set(written(env, tree, graph.cluster))
        yield from few(_twice(env, graph, ours))


def _twice(env: Environment, graph: Graph, ours: set[Thing]) -> Iterator[Breach]:
    first: dict[tuple[str, Thing], tuple[str, Held]] = {}
    for app in graph.apps:
        for held in app.objects:
            if held.patch or held.hashed:
                continue
            if held.thing in ours:
                message = f"{said(env, held.file)} holds {held.thing}, which {PROGRAM} writes"
                yield Breach(place(graph), message, "take it out of the folder, or give it another name")
            folder, other = first.setdefault((held.group, held.thing), (app.folder, held))
            if folder != app.folder:
                message = f"{held.thing} is in {said(env, other.file)} and in {said(env, held.file)}"
                yield Breach(place(graph), message, f"keep it in one of {folder} and {app.folder}")


@tree_law("gitops-object-twice", unless=UNREADABLE)
def object_once(env: Environment, tree: Tree) -> Iterator[Breach]:
    """An app holds an object once: kustomize refuses to build it otherwise, and nothing of the app is applied."""
    for graph in graphs(env, tree):
        for app in graph.apps:
            seen: dict[tuple[str, Thing], str] = {}
            for held in app.objects:
                key = (held.group, held.thing)
                if not held.patch and seen.setdefault(key, held.file) is not held.file:
                    message = f"{held.thing} is in {said(env, seen[key])} and in {said(env, held.file)}, of one app"
                    yield Breach(place(graph), message[:239], "keep one")


@tree_law("gitops-gateway-certificate", "warning", unless=UNREADABLE)
def gateways_have_their_certificate(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The certificate that this program's gateways serve is made by an app: until then nothing answers over HTTPS."""
    for graph in graphs(env, tree):
        wanted = served(env, tree, graph.cluster)
        if wanted and wanted not in graph.brought:
            message = f"the gateways serve {wanted}, which no app on {graph.cluster} makes"
            yield Breach(
                place(graph), message, "add cert-manager, and a Certificate with that secretName", "edge.gateways"
            )


def _earliest(found: tuple[Brought, ...], app: str) -> Brought | None:
    """Who brings something first inside an app; None when it is not from that app, or not only."""
    if not found or any(one.app != app for one in found):
        return None
    return min(found, key=lambda one: one.wave)


@tree_law("gitops-wave", unless=UNREADABLE)
def waves_follow_needs(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Inside an app of Argo CD, nothing comes in an earlier sync wave than what it needs: a wave waits until all of the
    one before is healthy, so it would wait for ever."""
    if env.gitops is None or env.gitops.engine != "argocd":
        return
    for graph in graphs(env, tree):
        for need in graph.needs:
            source = _earliest(graph.bringers(need), need.app)
            if source and need.wave < source.wave:
                message = (
                    f"{said(env, need.file)}: {need.by} in wave {need.wave} needs {need.thing}, "
                    f"which {source.by} brings in wave {source.wave}"
                )
                hint = f'annotate it with argocd.argoproj.io/sync-wave: "{source.wave + source.later}"'
                yield Breach(place(graph), message[:239], hint)
