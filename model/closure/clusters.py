"""A cluster's graph out of an environment and its folders: which folders are apps, and what applies each.

Owns the two engines' ways to find folders. Refuses a folder that nothing applies: it is no app.
"""

import posixpath
from collections.abc import Iterator

from model.closure.graph import Graph, graph
from model.closure.reading import read
from model.closure.standing import standing
from model.closure.things import App
from model.environment import Environment
from model.flux import in_tree
from model.tree import Tree, apps, documents

FLUX_ROOT = "flux"
"""The folder of a cluster that Flux' instance itself applies."""


def closure(env: Environment, tree: Tree, cluster: str) -> Graph:
    """The graph of one of the environment's clusters that GitOps reconciles."""
    gitops = env.gitops
    own = gitops.clusters.get(cluster) if gitops else None
    flux = gitops is not None and gitops.engine == "flux"
    categories = own.categories if own else ()
    every = _flux_apps(tree, cluster, categories) if flux else _argo_apps(tree, cluster, categories)
    return graph(cluster, every, standing(env, tree, cluster))


def _argo_apps(tree: Tree, cluster: str, categories: tuple[str, ...]) -> Iterator[App]:
    """One Application a folder of each category, called as the folder."""
    for category, name in apps(tree, cluster):
        if category in categories and not name.startswith("."):
            yield read(tree, cluster, category, name, name, kustomized=True)


def _flux_apps(tree: Tree, cluster: str, categories: tuple[str, ...]) -> Iterator[App]:
    """A folder of a category, applied by the Kustomization whose path holds it; and what lies beside the folders."""
    paths = flux_paths(tree, cluster)
    named = {(category, "") for category in (*categories, FLUX_ROOT)}
    for category, name in sorted(named | set(apps(tree, cluster))):
        if category in categories or category == FLUX_ROOT:
            folder = posixpath.join(cluster, category, name).rstrip("/")
            units = [unit for unit, path in paths if folder == path or folder.startswith(f"{path}/")]
            made = read(tree, cluster, category, name, units[0] if units else "", kustomized=False)
            if name or made.objects:
                yield made


def flux_paths(tree: Tree, cluster: str) -> list[tuple[str, str]]:
    """(Kustomization, path) of everything that Flux' root applies, the root itself first."""
    found = [("flux-system", f"{cluster}/{FLUX_ROOT}")]
    for file in sorted(tree):
        if file.startswith(f"{cluster}/{FLUX_ROOT}/") and file.endswith(".yaml"):
            for body in documents(tree[file]):
                spec, metadata = body.get("spec"), body.get("metadata")
                if body.get("kind") == "Kustomization" and isinstance(spec, dict) and isinstance(metadata, dict):
                    path = in_tree(str(spec.get("path", "")))
                    found.append((str(metadata.get("name")), path))
    return found
