"""Laws of Flux' folders: its root reconciles every category, in an order that exists, from where the environment says.

Owns `<cluster>/flux/` and the instance's root. Refuses folders in general (`folders`).
"""

from collections.abc import Iterator
from typing import Any

from model.environment import Environment
from model.gitops import FLUX_INSTANCE_APP, Gitops
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.laws.words import nearest
from model.tree import Tree, apps, chart, documents

ROOT = "flux"
"""The folder of a cluster that the instance itself applies."""


def _flux(env: Environment) -> Iterator[tuple[str, tuple[str, ...], Gitops]]:
    return (one for one in reconciled(env) if one[2].engine == "flux")


def _roots(tree: Tree, cluster: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name → (file, spec) of every Kustomization in a cluster's root folder."""
    found = {}
    for path, text in sorted(tree.items()):
        if path.startswith(f"{cluster}/{ROOT}/") and path.endswith(".yaml"):
            for one in documents(text):
                metadata, spec = one.get("metadata"), one.get("spec")
                if one.get("kind") == "Kustomization" and isinstance(metadata, dict) and isinstance(spec, dict):
                    found[str(metadata.get("name"))] = (path, spec)
    return found


def _target(spec: dict[str, Any]) -> str:
    return str(spec.get("path", "")).removeprefix("./").strip("/")


@tree_law("gitops-flux-path", unless=("gitops-category-missing",))
def paths_exist(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A path that Flux' root reconciles is a folder of the repository."""
    folders = {path.rpartition("/")[0] for path in tree}
    for cluster, categories, _ in _flux(env):
        for name, (file, spec) in _roots(tree, cluster).items():
            target = _target(spec)
            if not any(folder == target or folder.startswith(f"{target}/") for folder in folders):
                message = f"{file} reconciles {name} from '{target[:80]}', which is no folder"
                near = nearest(target, [f"{cluster}/{category}" for category in categories])
                yield Breach(f"gitops.clusters.{cluster}", message, near)


@tree_law("gitops-flux-category", unless=("gitops-flux-path", "gitops-category-missing"))
def categories_are_reconciled(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Every category is reconciled by Flux' root: a folder that nothing applies changes nothing."""
    for cluster, categories, _ in _flux(env):
        targets = {_target(spec) for _, spec in _roots(tree, cluster).values()}
        for index, category in enumerate(categories):
            if f"{cluster}/{category}" not in targets:
                message = f"nothing in {cluster}/{ROOT}/ reconciles the category {category}"
                hint = f"add {cluster}/{ROOT}/{category}.yaml, a Kustomization with path: ./{cluster}/{category}"
                yield Breach(f"gitops.clusters.{cluster}.categories.{index}", message, hint)


@tree_law("gitops-flux-order")
def dependencies_exist(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a Kustomization of Flux' root waits for is there: else it waits for ever."""
    for cluster, _, _ in _flux(env):
        roots = _roots(tree, cluster)
        for name, (file, spec) in roots.items():
            waits = spec.get("dependsOn")
            for one in waits if isinstance(waits, list) else ():
                wanted = str(one.get("name")) if isinstance(one, dict) else str(one)
                if wanted not in roots or wanted == name:
                    message = f"{file} makes {name} wait for '{wanted[:60]}', which nothing reconciles"
                    yield Breach(f"gitops.clusters.{cluster}", message, nearest(wanted, set(roots) - {name}))


@tree_law("gitops-flux-source")
def source_is_the_environments(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The Flux instance fetches what the environment names: repository and revision stand in both places."""
    for cluster, categories, gitops in _flux(env):
        where = next((c for c, app in apps(tree, cluster) if app == FLUX_INSTANCE_APP and c in categories), None)
        found = chart(tree, cluster, where, FLUX_INSTANCE_APP) if where else None
        instance = found.values.get("instance") if found else None
        sync = instance.get("sync") if isinstance(instance, dict) else None
        for key, wanted in (("url", gitops.repository), ("ref", gitops.revision)):
            given = str(sync.get(key, wanted)) if isinstance(sync, dict) else wanted
            field = "repository" if key == "url" else "revision"
            if given != wanted and not given.endswith(f"/{wanted}"):
                message = f"{cluster}/{where}/{FLUX_INSTANCE_APP} fetches {key} {given[:80]}, not {wanted[:80]}"
                yield Breach(
                    f"gitops.{field}", message, "write one of them in both places", f"gitops.clusters.{cluster}"
                )
