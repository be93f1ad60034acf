"""Laws of needs between Flux' Kustomizations: what is needed is there before, or with it, never after.

Owns that order. Refuses the Kustomizations themselves (`flux`), and needs that nobody meets (`closure`).
"""

from collections.abc import Iterator

from model.closure.graph import Graph
from model.closure.things import KIND, Brought, Need
from model.environment import Environment
from model.flux import roots, waits_for
from model.laws.closure import UNREADABLE, few, graphs, place, said
from model.laws.registry import Breach, tree_law
from model.tree import Tree


def _before(tree: Tree, cluster: str) -> dict[str, set[str]]:
    """Kustomization → every one that is ready before it begins, the root's among them."""
    direct = {name: set(waits_for(spec)) for name, (_, spec) in roots(tree, cluster).items()}
    found = {}
    for name in direct:
        reached, waiting = {"flux-system"}, [name]
        while waiting:
            for one in direct.get(waiting.pop(), set()) - reached:
                reached.add(one)
                waiting.append(one)
        found[name] = reached
    return found


@tree_law("gitops-flux-before", unless=(*UNREADABLE, "gitops-flux-order", "gitops-flux-path", "gitops-flux-twice"))
def needs_come_before(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What an object of a Kustomization needs is in the same one, or in one that it depends on. A kind that a
    HelmRelease brings is in an earlier one: Flux tries all objects of a Kustomization, and applies none when one is
    of a kind that nobody knows."""
    if env.gitops is None or env.gitops.engine != "flux":
        return
    for graph in graphs(env, tree):
        before = _before(tree, graph.cluster)
        units = {f"{app.category}/{app.name}".rstrip("/"): app.unit for app in graph.apps}
        late = ((need, source) for need in graph.needs if (source := _late(graph, need, units, before)))
        seen: set[tuple[object, str]] = set()
        breaches = []
        for need, source in late:
            if (need.thing, need.app) not in seen:
                seen.add((need.thing, need.app))
                own, theirs = units[need.app], units[source.app]
                message = f"{said(env, need.file)}: {need.by} needs {need.thing}, which {source.app} brings in {theirs}"
                hint = f"let {own} depend on {theirs}" if own != theirs else f"move it to a Kustomization after {own}"
                breaches.append(Breach(place(graph), message, hint))
        yield from few(breaches)


def _late(graph: Graph, need: Need, units: dict[str, str], before: dict[str, set[str]]) -> Brought | None:
    """Who brings what is needed, when all who do bring it too late; None when one is in time, or nobody brings it."""
    own = units[need.app]
    found = graph.bringers(need)
    for one in found:
        theirs = units.get(one.app, "")
        by_release = need.thing.kind == KIND and one.by.startswith("chart ")
        if not one.app or theirs in before.get(own, ()) or (theirs == own and not by_release):
            return None
    return found[0] if found else None
