"""What the apps of a category may write: every namespace but those that are there before any app and are not theirs.

Owns that rule. Refuses the object that says it to Argo CD (`render.argocd`), and Flux, which has no such thing.
"""

from model.closure.brings import declared
from model.closure.charts import spread
from model.closure.clusters import closure
from model.closure.standing import KUBERNETES, PROGRAM, standing
from model.closure.things import App
from model.environment import Environment
from model.tree import Tree


def closed(env: Environment, tree: Tree, cluster: str) -> dict[str, tuple[str, ...]]:
    """Category → namespaces that its apps may not write, sorted; empty where Argo CD reconciles nothing.

    A namespace that Kubernetes or this program brings is closed, but to the category that is called so, or that has an
    app whose folder, chart or `iluvatar/provides` names it, or whose chart is known to write there. All others are
    open: a new app may bring its own.
    """
    own = env.gitops.clusters.get(cluster) if env.gitops else None
    if own is None or env.gitops is None or env.gitops.engine != "argocd":
        return {}
    before = {
        one.thing.name
        for one in standing(env, tree, cluster)
        if one.thing.kind == "Namespace" and one.by in (KUBERNETES, PROGRAM)
    }
    used: dict[str, set[str]] = {category: {category} for category in own.categories}
    for app in closure(env, tree, cluster).apps:
        used[app.category] |= _written(app)
    return {category: tuple(sorted(before - used[category])) for category in sorted(own.categories)}


def _written(app: App) -> set[str]:
    """Every namespace that an app says it puts something into."""
    said = {thing.namespace for thing in declared(app.notes)}
    charts = {namespace for _, chart in app.charts for namespace in (chart.namespace, *spread(chart))}
    return {held.namespace for held in app.objects} | charts | said
