"""Laws of the GitOps folders: what the environment names and what the folders hold are the same, readable and pinned.

Owns the folders' form. Refuses what the objects in them say (`manifests`) and what an application means.
"""

import re
from collections.abc import Iterator

import yaml

from model.environment import Environment
from model.gitops import ENGINE_APP, FLUX_INSTANCE_APP, Gitops
from model.laws.gitops import clusters
from model.laws.registry import Breach, tree_law
from model.laws.words import listed, nearest
from model.tree import LOADER, Tree, apps, chart
from model.yaml_reader import DEEPEST

PINNED = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")


def reconciled(env: Environment) -> Iterator[tuple[str, tuple[str, ...], Gitops]]:
    """(cluster, categories, gitops) of every cluster that exists and is reconciled."""
    known = clusters(env)
    for name, cluster in env.gitops.clusters.items() if env.gitops else ():
        if env.gitops and name in known:
            yield name, cluster.categories, env.gitops


def _folders(tree: Tree, cluster: str) -> set[str]:
    parts = (path.split("/") for path in tree)
    return {part[1] for part in parts if part[0] == cluster and len(part) > 2}


@tree_law("gitops-category-missing")
def category_has_a_folder(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A category that is named is a folder of the repository; Git keeps no empty one, so it holds at least a README."""
    for cluster, categories, _ in reconciled(env):
        folders = _folders(tree, cluster)
        for index, category in enumerate(categories):
            if category not in folders:
                path = f"gitops.clusters.{cluster}.categories.{index}"
                message = f"there is no folder gitops/{env.name}/{cluster}/{category}"
                yield Breach(path, message, nearest(category, folders), "gitops.clusters")


@tree_law("gitops-category-unlisted", "warning", unless=("gitops-category-missing", "gitops-category-none"))
def folder_is_a_category(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A folder of the repository is a category that is named: else nothing applies what it holds.

    Flux' own root folder, `flux`, is applied by the instance.
    """
    for cluster, categories, gitops in reconciled(env):
        rooted = {"flux"} if gitops.engine == "flux" else set()
        for folder in sorted(_folders(tree, cluster) - set(categories) - rooted):
            message = f"nothing applies the folder gitops/{env.name}/{cluster}/{folder}"
            yield Breach(f"gitops.clusters.{cluster}.categories", message, f"add {folder}, or remove the folder")


def _apps(tree: Tree, cluster: str, categories: tuple[str, ...]) -> dict[str, str]:
    """App → category, of the categories that are named."""
    return {app: category for category, app in apps(tree, cluster) if category in categories}


@tree_law("gitops-engine-missing", unless=("gitops-category-missing", "gitops-category-none"))
def engine_has_a_folder(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The engine's own chart is pinned in a folder of each cluster, which the program seeds it from."""
    for cluster, categories, gitops in reconciled(env):
        yield from _seeded(
            tree, cluster, categories, ENGINE_APP[gitops.engine], f"gitops.clusters.{cluster}", "gitops.engine"
        )
        if gitops.engine == "flux":
            where = f"gitops.clusters.{cluster}"
            yield from _seeded(tree, cluster, categories, FLUX_INSTANCE_APP, where, "gitops.engine")


@tree_law("gitops-seed-missing", unless=("gitops-category-missing", "gitops-category-none"))
def seeds_have_folders(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What the program installs before Git takes over has its chart in a folder: Cilium, and Envoy Gateway where there
    are gateways."""
    cluster = env.cluster
    if cluster is None:
        return
    named = env.gitops.clusters.get(cluster.name) if env.gitops else None
    categories = named.categories if named else tuple(sorted(_folders(tree, cluster.name)))
    yield from _seeded(tree, cluster.name, categories, "cilium", "cluster.cni", None)
    if env.edge.gateways:
        yield from _seeded(tree, cluster.name, categories, "envoy-gateway", "edge.gateways", None)


def _seeded(
    tree: Tree, cluster: str, categories: tuple[str, ...], app: str, path: str, against: str | None
) -> Iterator[Breach]:
    category = _apps(tree, cluster, categories).get(app)
    if category is None:
        message = f"{cluster} has no folder <category>/{app} that pins its chart"
        yield Breach(path, message, f"add {app}/ to one of {listed(categories) or 'its categories'}", against)
    elif chart(tree, cluster, category, app) is None:
        message = f"{cluster}/{category}/{app} pins no chart"
        yield Breach(path, message, "its kustomization.yaml needs helmCharts, or its release.yaml a chart", against)


@tree_law("gitops-tunnel-missing", unless=("gitops-category-missing", "gitops-category-none", "edge-cluster-missing"))
def tunnel_has_a_connector(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where there is a tunnel, cloudflared runs on the cluster: else the tunnel ends nowhere."""
    name = env.cluster.name if env.cluster else None
    for cluster, categories, _ in reconciled(env):
        if env.edge.tunnel and cluster == name and "cloudflared" not in _apps(tree, cluster, categories):
            message = f"the tunnel {env.edge.tunnel.name} ends nowhere: {cluster} has no folder <category>/cloudflared"
            yield Breach("edge.tunnel", message, "add cloudflared/ to its networking category")


@tree_law("edge-hop-missing", unless=("gitops-category-missing", "gitops-category-none", "edge-cluster-missing"))
def hop_runs(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What stands between tunnel and gateway runs on the cluster, from a folder of its name: else the tunnel leads to
    an address that nothing answers at."""
    name = env.cluster.name if env.cluster else None
    for cluster, categories, _ in reconciled(env):
        running = _apps(tree, cluster, categories) if cluster == name else {}
        for hop, one in env.edge.hops.items():
            if cluster == name and hop not in running:
                message = f"nothing answers at {one.address}: {cluster} has no folder <category>/{hop}"
                hint = f"add {hop}/ to one of {listed(categories)}, or take the hop out of the tunnel's way"
                yield Breach(f"edge.hops.{hop}", message, hint, f"gitops.clusters.{cluster}.categories")


@tree_law("gitops-app-twice")
def app_lives_once(env: Environment, tree: Tree) -> Iterator[Breach]:
    """An application lives in one category of a cluster: its name is its Application's."""
    for cluster, categories, _ in reconciled(env):
        seen: dict[str, str] = {}
        for category, app in apps(tree, cluster):
            if category in categories and seen.setdefault(app, category) != category:
                message = f"{app} lives in {seen[app]} and in {category} on {cluster}"
                yield Breach(f"gitops.clusters.{cluster}.categories", message, "remove one folder")


@tree_law("gitops-yaml")
def files_are_yaml(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Every .yaml file of the folders can be read, and is not nested without end."""
    for path, cluster, text in _files(env, tree):
        problem = _unreadable(text)
        if problem:
            yield Breach(f"gitops.clusters.{cluster}", f"gitops/{env.name}/{path}{problem}", "mend the file")


def _unreadable(text: str) -> str | None:
    """What keeps a file from being read, with its line, as the end of a sentence; None when nothing does."""
    depth = 0
    try:
        for event in yaml.parse(text, Loader=LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                return f": more than {DEEPEST} levels of nesting"
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        return f"{line}: {error.problem or 'it cannot be read'}"
    except (yaml.YAMLError, UnicodeError):
        return ": it is no text that YAML allows"
    return None


def _files(env: Environment, tree: Tree) -> Iterator[tuple[str, str, str]]:
    """(path, cluster, text) of every YAML file that is reconciled."""
    known = {cluster for cluster, _, _ in reconciled(env)}
    for path, text in sorted(tree.items()):
        cluster = path.partition("/")[0]
        if cluster in known and path.endswith((".yaml", ".yml")):
            yield path, cluster, text


@tree_law("gitops-chart-unpinned", unless=("gitops-yaml",))
def charts_are_pinned(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A chart that a folder names has one release, not a range and not the newest."""
    for cluster, categories, _ in reconciled(env):
        for category, app in apps(tree, cluster):
            found = chart(tree, cluster, category, app) if category in categories else None
            if found and not PINNED.fullmatch(found.version):
                said = f"'{found.version[:40]}'" if found.version else "nothing"
                message = f"{cluster}/{category}/{app} pins chart {found.name} to {said}"
                yield Breach(f"gitops.clusters.{cluster}", message, "give it one release, under a # renovate: line")
