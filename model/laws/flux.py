"""Laws of Flux' folders: its root reconciles every category once, in an order that exists, from where the environment
says, and trusts what it says.

Owns `<cluster>/flux/` and the instance's values. Refuses folders in general (`folders`), what objects need of each
other (`closure`) and what is secret in a file (`plain_secrets`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from model.environment import Environment
from model.flux import LOGIN_SECRET, ROOT, SOURCE, in_tree, kustomizations, roots, waits_for
from model.gitops import FLUX_INSTANCE_APP, Gitops
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.laws.words import listed, nearest
from model.tree import Tree, apps, chart

BOTH = "write the same in both places"
SHARED = "let a kustomization.yaml in a folder of its own name it: resources: [../../../../shared/<name>]"


def flux(env: Environment) -> Iterator[tuple[str, tuple[str, ...], Gitops]]:
    """(cluster, categories, gitops) of every cluster that Flux reconciles."""
    return (one for one in reconciled(env) if one[2].engine == "flux")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _instance(tree: Tree, cluster: str, categories: tuple[str, ...]) -> tuple[str, Mapping[str, Any]] | None:
    """Where the instance's chart is pinned, and `values.instance` there; None without such a folder."""
    where = next((c for c, app in apps(tree, cluster) if app == FLUX_INSTANCE_APP and c in categories), None)
    found = chart(tree, cluster, where, FLUX_INSTANCE_APP) if where else None
    return (f"{cluster}/{where}/{FLUX_INSTANCE_APP}", _mapping(found.values.get("instance"))) if found else None


@tree_law("gitops-flux-path", unless=("gitops-category-missing",))
def paths_exist(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A path that Flux reconciles is a folder of the environment's own: the artefact has the repository's paths, and of
    gitops/shared/ only what a kustomization there names."""
    folders = {path.rpartition("/")[0] for path in tree}
    base = f"gitops/{env.name}"
    for cluster, categories, _ in flux(env):
        named = [(file, name, str(spec.get("path", ""))) for file, name, spec in kustomizations(tree, cluster)]
        instance = _instance(tree, cluster, categories)
        if instance:
            named.append((instance[0], "its root", str(_mapping(instance[1].get("sync")).get("path", ""))))
        for file, name, path in named:
            target = in_tree(path)
            inside = path.removeprefix("./").startswith(f"{base}/")
            if not inside or not any(folder == target or folder.startswith(f"{target}/") for folder in folders):
                message = f"{file} reconciles {name} from '{path[:80]}', which is no folder of the artefact"
                known = [f"./{base}/{cluster}/{category}" for category in (*categories, ROOT)]
                hint = SHARED if path.removeprefix("./").startswith("gitops/shared/") else nearest(path, known)
                yield Breach(f"gitops.clusters.{cluster}", message, hint)


@tree_law("gitops-flux-category", unless=("gitops-flux-path", "gitops-category-missing"))
def categories_are_reconciled(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Every category is reconciled by Flux' root: a folder that nothing applies changes nothing."""
    for cluster, categories, _ in flux(env):
        targets = {in_tree(str(spec.get("path", ""))) for _, spec in roots(tree, cluster).values()}
        for index, category in enumerate(categories):
            if not any(one == f"{cluster}/{category}" or one.startswith(f"{cluster}/{category}/") for one in targets):
                message = f"nothing in {cluster}/{ROOT}/ reconciles the category {category}"
                path = f"./gitops/{env.name}/{cluster}/{category}"
                hint = f"add {cluster}/{ROOT}/{category}.yaml, a Kustomization with path: {path}"
                yield Breach(f"gitops.clusters.{cluster}.categories.{index}", message, hint)


@tree_law("gitops-flux-twice", unless=("gitops-flux-path",))
def folders_are_reconciled_once(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A folder is reconciled by one Kustomization: two that apply one object undo and prune each other's work."""
    for cluster, _, _ in flux(env):
        targets = {SOURCE: f"{cluster}/{ROOT}"}
        for name, (file, spec) in roots(tree, cluster).items():
            mine = in_tree(str(spec.get("path", "")))
            for other, theirs in targets.items():
                if f"{mine}/".startswith(f"{theirs}/") or f"{theirs}/".startswith(f"{mine}/"):
                    message = f"{file}: {name} applies {mine}, and {other} applies {theirs}"
                    yield Breach(f"gitops.clusters.{cluster}", message, "give each a folder of its own")
            targets[name] = mine


@tree_law("gitops-flux-order")
def dependencies_exist(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a Kustomization waits for is there, and does not wait for it in turn: else it waits for ever."""
    for cluster, _, _ in flux(env):
        known = roots(tree, cluster)
        for name, (file, spec) in known.items():
            for wanted in waits_for(spec):
                if wanted not in known or wanted == name:
                    message = f"{file} makes {name} wait for '{wanted[:60]}', which nothing reconciles"
                    yield Breach(f"gitops.clusters.{cluster}", message, nearest(wanted, set(known) - {name}))
        way = _circle({name: [*waits_for(spec)] for name, (_, spec) in known.items()})
        if way:
            message = f"none of {listed(way)} ever starts: each waits for the next, and the last for the first"
            yield Breach(f"gitops.clusters.{cluster}", message, f"take one dependsOn out of {cluster}/{ROOT}/")


def _circle(waits: Mapping[str, list[str]]) -> list[str]:
    """The members of one circle of several, empty when there is none."""
    left = {name: {one for one in each if one in waits and one != name} for name, each in waits.items()}
    while free := [name for name, each in left.items() if not each & set(left)]:
        for name in free:
            del left[name]
    way: list[str] = []
    step = min(left, default=None)
    while step is not None and step not in way:
        way.append(step)
        step = min(left[step] & set(left))
    return way[way.index(step) :] if step is not None else []


@tree_law("gitops-flux-wait")
def dependencies_are_awaited(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What others wait for is ready only when its objects are: `wait: true`, or `healthChecks`. Without either it is
    ready as soon as it is applied, and the order means nothing."""
    for cluster, _, _ in flux(env):
        known = roots(tree, cluster)
        awaited = {wanted for _, spec in known.values() for wanted in waits_for(spec)}
        for name in sorted(awaited & set(known)):
            file, spec = known[name]
            if spec.get("wait") is not True and not spec.get("healthChecks"):
                message = f"{file}: others wait for {name}, which is ready before anything of it runs"
                yield Breach(f"gitops.clusters.{cluster}", message, "give it wait: true")


@tree_law("gitops-flux-orphan")
def a_category_taken_out_leaves_its_data(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A Kustomization of Flux' root that prunes lets go of its objects when it is taken out itself: else the file's
    deletion, or a slip in its name, deletes every volume that it applied."""
    for cluster, _, _ in flux(env):
        for name, (file, spec) in roots(tree, cluster).items():
            if spec.get("prune") is True and spec.get("deletionPolicy") != "Orphan":
                message = f"{file}: whoever takes {name} out deletes all that it applied, volumes and their data too"
                yield Breach(f"gitops.clusters.{cluster}", message, "give it deletionPolicy: Orphan")


@tree_law("gitops-flux-source")
def source_is_the_environments(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Flux fetches what the environment names, and every Kustomization takes it from there."""
    for cluster, categories, gitops in flux(env):
        instance = _instance(tree, cluster, categories)
        kind = "OCIRepository" if gitops.repository.startswith("oci://") else "GitRepository"
        if instance:
            where, sync = instance[0], _mapping(instance[1].get("sync"))
            wanted = {"kind": ("repository", kind), "url": ("repository", gitops.repository)}
            wanted["ref"] = ("revision", gitops.revision)
            for key, (field, value) in wanted.items():
                given = str(sync.get(key))
                if given != value and not (key == "ref" and given.endswith(f"/{value}")):
                    message = f"{where} fetches {key} {given[:80]}, not {value[:80]}"
                    yield Breach(f"gitops.{field}", message, BOTH, f"gitops.clusters.{cluster}")
        for name, (file, spec) in roots(tree, cluster).items():
            source = _mapping(spec.get("sourceRef"))
            if (source.get("kind"), source.get("name")) != (kind, SOURCE):
                message = f"{file}: {name} takes its folder from {source.get('kind')} {source.get('name')}"
                yield Breach(
                    f"gitops.clusters.{cluster}", message[:200], f"sourceRef: {{kind: {kind}, name: {SOURCE}}}"
                )


@tree_law("gitops-flux-verify", unless=("gitops-verify-key", "gitops-flux-only"))
def signatures_are_asked_for(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What the environment says of signatures is what Flux' source is told: a patch of the instance's OCIRepository."""
    for cluster, categories, gitops in flux(env):
        instance = _instance(tree, cluster, categories)
        if instance is None:
            continue
        told = _patched(instance[1])
        wanted = gitops.verify.block if gitops.verify else None
        if told == wanted:
            continue
        if wanted is None:
            message, hint = (
                f"{instance[0]} asks for signatures, and gitops.verify does not say whose",
                "add gitops.verify",
            )
        else:
            value = yaml.safe_dump(wanted, default_flow_style=True, width=1000).strip()
            message = f"{instance[0]} does not ask for the signature that gitops.verify names"
            hint = f"instance.kustomize.patches: on kind OCIRepository, add /spec/verify with {value[:120]}"
        yield Breach("gitops.verify", message, hint, f"gitops.clusters.{cluster}")


def _patched(instance: Mapping[str, Any]) -> object:
    """What a patch of the instance puts at `/spec/verify` of its OCIRepository (flux-operator, "Customization")."""
    patches = _mapping(instance.get("kustomize")).get("patches")
    for patch in patches if isinstance(patches, list) else ():
        if _mapping(_mapping(patch).get("target")).get("kind") != "OCIRepository":
            continue
        try:
            steps = yaml.safe_load(str(_mapping(patch).get("patch", "")))
        except yaml.YAMLError:
            continue
        for step in steps if isinstance(steps, list) else ():
            if _mapping(step).get("path") == "/spec/verify":
                return _mapping(step).get("value")
        merged = _mapping(_mapping(steps).get("spec")).get("verify")
        if merged:
            return merged
    return None


@tree_law("gitops-flux-login", unless=("gitops-flux-only",))
def login_is_named(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where the registry wants a login, Flux' source names the Secret with it; elsewhere it names none."""
    for cluster, categories, gitops in flux(env):
        instance = _instance(tree, cluster, categories)
        given = _mapping(instance[1].get("sync")).get("pullSecret") if instance else None
        wanted = LOGIN_SECRET if gitops.registry_login else None
        if instance and given != wanted:
            message = f"{instance[0]} pulls with {f'the Secret {given}' if given else 'no login'}"
            hint = f"sync.pullSecret: {wanted}" if wanted else "set gitops.registry_login, or take sync.pullSecret out"
            yield Breach("gitops.registry_login", message[:200], hint, f"gitops.clusters.{cluster}")
