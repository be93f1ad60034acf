"""`./lab plan`, GitOps' part: what is reconciled, in which order it comes up, and who writes what.

Owns showing them. Refuses to derive anything: it is `model.closure`'s and `foresight.ledger`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console

from cli.console import say, table, title
from cli.words import count
from foresight.ledger import EVERY, HELM, NEVER, ledger, passing
from model.closure.clusters import closure
from model.closure.graph import Graph
from model.closure.standing import PROGRAM
from model.environment import Environment
from model.gitops import GitopsClusterPlan
from model.tree import Tree


def gitops(out: Console, clusters: Iterable[GitopsClusterPlan], env: Environment, tree: Tree) -> None:
    """The folders, the order of their apps, and what passes from this program to the engine."""
    planned = list(clusters)
    first = planned[0]
    title(out, "GitOps", f"{first.engine}, from {first.repository} at {first.revision}")
    rows = ((one.cluster, category, folder) for one in planned for category, folder in one.categories)
    table(out, ("cluster", "category", "folder"), rows)
    for one in planned:
        _order(out, closure(env, tree, one.cluster))
    rows = [(row.cluster, row.what.removesuffix(EVERY), row.then) for row in passing(ledger(env, tree))]
    title(out, "What passes to GitOps", f"once, and for good; every object: ./lab plan {env.name} --ledger")
    table(out, ("cluster", "what `pulumi up` installs", "who keeps it then"), rows)


def _order(out: Console, graph: Graph) -> None:
    out.print()
    say(out, f"{graph.cluster}: {count(len(graph.needs), 'need')}, all met; its apps can come up in this order:")
    rows = []
    for number, apps in enumerate(graph.order, 1):
        for app in apps:
            why = "; ".join(f"{before} for {need.thing}" for before, need in sorted(graph.edges[app].items()))
            rows.append((number, app, why))
    table(out, ("round", "app", "needs"), rows)


def owners(out: Console, env: Environment, tree: Tree) -> None:
    """The whole ledger."""
    rows = ledger(env, tree)
    title(out, "Who writes what", "docs/gitops/who-owns-what.md says what it means")
    shown = ((row.cluster, row.what.removesuffix(EVERY), row.first, row.then or NEVER) for row in rows)
    table(out, ("cluster", "object; of a chart, every object in it", "written by", "passes to"), shown)
    out.print()
    for manager in dict.fromkeys(row.manager for row in rows):
        writers = sorted({_writer(row.first) for row in rows if row.manager == manager})
        say(out, f"{' and '.join(writers)}{' for charts' if manager == HELM else ''}: field manager {manager}")


def _writer(first: str) -> str:
    """Who writes, without its name: an Application is one of many."""
    return first if first == PROGRAM else f"{first.partition(' ')[0]}s"


def plain(env: Environment, tree: Tree) -> dict[str, Any]:
    """Graph and ledger as what JSON can hold."""
    found: dict[str, Any] = {"closure": {}, "ledger": [row._asdict() for row in ledger(env, tree)]}
    for cluster in env.gitops.clusters if env.gitops else ():
        graph = closure(env, tree, cluster)
        found["closure"][cluster] = {
            "order": [list(one) for one in graph.order],
            "apps": {f"{app.category}/{app.name}": {"folder": app.folder, "by": app.unit} for app in graph.apps},
            "needs": [
                {
                    "app": need.app,
                    "file": need.file,
                    "by": need.by,
                    "needs": str(need.thing),
                    "from": sorted({one.app or one.by for one in graph.bringers(need)}),
                }
                for need in graph.needs
            ],
            "unknownCharts": sorted({chart for _, _, chart in graph.unknown}),
        }
    return found
