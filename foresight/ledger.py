"""The ledger: who writes each object of a lab's clusters, as which field manager, and when it passes to another.

Owns that list, out of the environment and its folders. Refuses to write any, and what a chart holds in single
objects: a chart passes as a whole.
"""

from collections.abc import Iterator
from typing import NamedTuple

from model.closure.clusters import closure
from model.closure.graph import Graph, called
from model.closure.standing import PROGRAM, seeds, written
from model.environment import Environment
from model.tree import Chart, Tree, seeded

PULUMI = "pulumi-kubernetes-<8 hex digits>"
"""What pulumi-kubernetes calls itself in server-side apply: a name of its own for each object, kept in the state."""
HELM = "pulumi-resource-kubernetes"
"""Helm's library calls itself after the program that it is in (helm.sh/helm/v3, `getManagedFieldsManager`)."""
ARGO_CD = "argocd-controller"
"""Argo CD's application controller (its documentation, "Server-Side Apply")."""
APPLICATION_SETS = "argocd-applicationset-controller"
KUSTOMIZE = "kustomize-controller"
HELM_CONTROLLER = "helm-controller"
NEVER = "never"
EVERY = ", and every object in it"
"""How a chart's line ends."""


class Row(NamedTuple):
    """One line of the ledger."""

    cluster: str
    what: str
    """The object, or the chart with all that it holds."""
    first: str
    """Who writes it first."""
    manager: str
    """As which field manager."""
    then: str
    """Who writes it from then on; empty when it never passes."""
    when: str
    """When it passes, or `never`."""


def ledger(env: Environment, tree: Tree) -> tuple[Row, ...]:
    """Every object of the clusters that GitOps reconciles, each once: first what this program writes, then the apps."""
    found: list[Row] = []
    for cluster in env.gitops.clusters if env.gitops else ():
        graph = closure(env, tree, cluster)
        found += _seeds(env, tree, graph)
        found += [Row(cluster, str(thing), PROGRAM, PULUMI, "", NEVER) for thing in written(env, tree, cluster)]
        found += _apps(env, graph, set(seeds(env, cluster)))
    return tuple(found)


def _flux(env: Environment) -> bool:
    return env.gitops is not None and env.gitops.engine == "flux"


def _seeds(env: Environment, tree: Tree, graph: Graph) -> Iterator[Row]:
    cluster = graph.cluster
    for app in seeds(env, cluster):
        chart = seeded(tree, cluster, app)
        if chart is None:
            continue
        if _flux(env):
            then = f"{HELM_CONTROLLER}, HelmRelease {_release(graph, app, chart)}"
            when = "its HelmRelease is applied: an upgrade of the same release to the same chart, version and values"
        else:
            then = f"{ARGO_CD}, Application {app}"
            when = "the Application first syncs: server-side apply takes over every field"
        yield Row(cluster, _said(chart), PROGRAM, HELM, then, when)


def _release(graph: Graph, app: str, chart: Chart) -> str:
    """The name of the HelmRelease that installs an app's chart: it need not be the release's."""
    held = (one for each in graph.apps if each.name == app for one in each.objects if one.kind == "HelmRelease")
    return next((one.name for one in held if not one.patch), chart.release)


def _said(chart: Chart) -> str:
    return f"chart {chart.name}: release {chart.namespace}/{chart.release}{EVERY}"


def _apps(env: Environment, graph: Graph, ours: set[str]) -> Iterator[Row]:
    manager = KUSTOMIZE if _flux(env) else ARGO_CD
    for app in graph.apps:
        by = f"Kustomization {app.unit}" if _flux(env) else f"Application {app.name}"
        if not _flux(env):
            yield Row(
                graph.cluster, f"Application {app.name}", f"ApplicationSet {app.category}", APPLICATION_SETS, "", NEVER
            )
        for held in app.objects:
            if not held.patch:
                hashed = " (and a hash)" if held.hashed else ""
                yield Row(graph.cluster, f"{held.thing}{hashed}", by, manager, "", NEVER)
        for _, chart in app.charts:
            if app.name not in ours:
                who = f"{HELM_CONTROLLER}" if _flux(env) else manager
                yield Row(graph.cluster, f"{_said(chart)} ({called(app)})", by, who, "", NEVER)


def passing(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """What changes hands."""
    return tuple(row for row in rows if row.then)


def markdown(rows: tuple[Row, ...]) -> str:
    """What this program writes on a lab's clusters, as a page shows it: what passes, then what never does."""
    lines = ["| cluster | `pulumi up` installs | then it is | from when |", "|---|---|---|---|"]
    for row in passing(rows):
        lines.append(f"| {row.cluster} | {row.what.removesuffix(EVERY)} | {row.then} | {row.when} |")
    lines += ["", "| cluster | stays `pulumi up`'s |", "|---|---|"]
    for cluster in dict.fromkeys(row.cluster for row in rows):
        kept: dict[str, list[str]] = {}
        for row in rows:
            if row.cluster == cluster and row.first == PROGRAM and not row.then:
                kind, _, name = row.what.partition(" ")
                kept.setdefault(kind, []).append(name)
        told = "; ".join(f"{kind} {', '.join(sorted(names))}" for kind, names in sorted(kept.items()))
        lines.append(f"| {cluster} | {told} |")
    return "\n".join(lines)
