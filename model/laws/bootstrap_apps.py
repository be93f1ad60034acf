"""Laws of applications that repeat what the environment says: the mirrored repository, who reads and believes the
mirror, the count of replicas on Ainur.

Owns those. Refuses names and logins (`hosts`, `identity`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.ainur import apps_zone
from model.catalogue import boot_configuration
from model.closure.reading import items, mapping
from model.environment import Environment
from model.gitops import ENGINE_APP
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.tree import Tree, apps, chart, documents, seeded

MIRROR, UPSTREAM = "git-mirror", "git-mirror-upstream"
"""The app, and the ConfigMap that says what it mirrors (`url`)."""


def _apps(env: Environment, tree: Tree) -> Iterator[tuple[str, str, str]]:
    """(cluster, category, app) of everything that the bootstrap cluster runs."""
    for cluster, categories, _ in reconciled(env):
        if env.bootstrap and cluster == env.bootstrap.name:
            yield from ((cluster, category, app) for category, app in apps(tree, cluster) if category in categories)


@tree_law("git-mirror-upstream", unless=("gitops-yaml", "gitops-repository", "secret-in-url"))
def mirror_mirrors_the_repository(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The Git mirror mirrors the repository that the lab is kept from: else Arda follows another one."""
    for cluster, category, app in _apps(env, tree):
        file = f"{cluster}/{category}/{app}/kustomization.yaml"
        for url in _mirrored(tree.get(file)) if app == MIRROR and env.gitops else ():
            if env.gitops and url != env.gitops.repository:
                message = (
                    f"gitops/{env.name}/{file} mirrors {url[:80]}, and the lab is kept from {env.gitops.repository}"
                )
                hint = f"write url={env.gitops.repository} in its configMapGenerator"
                yield Breach(f"gitops.clusters.{cluster}", message[:230], hint[:190], "gitops.repository")


@tree_law("gitops-mirror-missing", unless=("gitops-yaml", "gitops-cluster-unknown"))
def mirror_is_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A cluster that reads the mirror runs Argo CD, and another one, the bootstrap cluster, runs the app git-mirror."""
    for name, cluster in sorted(env.gitops.clusters.items()) if env.gitops else ():
        if cluster.source != "mirror":
            continue
        path, serving = f"gitops.clusters.{name}.source", env.bootstrap.name if env.bootstrap else None
        if serving is None:
            message, hint = f"{name} reads the Git mirror, and there is no bootstrap cluster to run it", ""
        elif serving == name:
            message, hint = f"{name} would read the mirror that it runs itself: empty, it could not even start it", ""
        elif env.gitops and env.gitops.engine != "argocd":
            message, hint = (
                f"{name} reads the Git mirror, and {env.gitops.engine} fetches artefacts, which none holds",
                "",
            )
        elif not any(app == MIRROR for _, _, app in _apps(env, tree)):
            message = f"{name} reads the Git mirror, and {serving} runs no app {MIRROR}"
            hint = f", or add the folder gitops/{env.name}/{serving}/<category>/{MIRROR}"
        else:
            continue
        yield Breach(path, message, f"source: upstream{hint}", "bootstrap")


@tree_law(
    "gitops-mirror-name",
    unless=("gitops-yaml", "gitops-mirror-missing", "gitops-cluster-unknown", "name-dns", "name-domain-wildcard"),
)
def mirror_is_found(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Argo CD that reads the mirror is told its address: the cluster's resolvers are public, and know none of ours."""
    for name, cluster in sorted(env.gitops.clusters.items()) if env.gitops else ():
        engine = seeded(tree, name, ENGINE_APP["argocd"]) if cluster.source == "mirror" else None
        if engine is None or env.bootstrap is None:
            continue
        zone, address = apps_zone(env.bootstrap, f"{env.name}.{env.domain}"), str(env.bootstrap.ingress)
        known = aliases(engine.values)
        wrong = {host: ip for host, ip in known.items() if host.endswith(f".{zone}") and ip != address}
        host = next(iter(wrong), f"{MIRROR}.{zone}")
        if known.get(host) == address:
            continue
        said = f"says that {host} is {wrong[host]}" if host in wrong else f"is not told where {host} is"
        message = f"{name}'s Argo CD {said}; it answers at bootstrap.ingress, {address}"
        hint = f"in its values: global.hostAliases: [{{ip: {address}, hostnames: [{host}]}}]"
        against = "bootstrap.ingress" if host in wrong else "domain"
        yield Breach(f"gitops.clusters.{name}.source", message[:230], hint[:190], against)


def aliases(values: Mapping[str, Any]) -> dict[str, str]:
    """Name → address, as Argo CD's chart writes them into its pods' /etc/hosts."""
    told = items(mapping(values.get("global")).get("hostAliases"))
    return {str(host): str(mapping(one).get("ip")) for one in told for host in items(mapping(one).get("hostnames"))}


@tree_law("gitops-mirror-trust", unless=("gitops-yaml", "gitops-cluster-unknown", "gitops-mirror-missing"))
def trust_has_one_writer(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What Argo CD trusts (argocd-tls-certs-cm) is written by one: by the program where it reads the mirror, else by
    its chart. With two Helm refuses the install, with none its pods wait for it for ever."""
    for cluster, categories, _ in reconciled(env):
        source = env.gitops.clusters[cluster].source if env.gitops and env.gitops.engine == "argocd" else None
        for category, app in apps(tree, cluster) if source else ():
            found = chart(tree, cluster, category, app) if category in categories else None
            if found is None or found.name != ENGINE_APP["argocd"]:
                continue
            told = mapping(mapping(found.values.get("configs")).get("tls")).get("create", True)
            if bool(told) is (source == "upstream"):  # as Helm's `if` takes it
                continue
            folder, wanted = f"{cluster}/{category}/{app}", "true" if source == "upstream" else "false"
            who = "nobody writes" if source == "upstream" else "its chart and the program both write"
            message = f"{cluster} reads {source}, and with the values of {folder} {who} argocd-tls-certs-cm"
            hint = f"set configs.tls.create: {wanted} in gitops/{env.name}/{folder}/values.yaml, or change the source"
            yield Breach(f"gitops.clusters.{cluster}.source", message, hint)


def _mirrored(text: str | None) -> Iterator[str]:
    for document in documents(text):
        for one in items(document.get("configMapGenerator")):
            if isinstance(one, dict) and one.get("name") == UPSTREAM:
                literals = (str(literal).partition("=") for literal in items(one.get("literals")))
                yield from (value for key, _, value in literals if key == "url")


@tree_law("bootstrap-replicas", unless=("gitops-yaml", "bootstrap-boot-disk"))
def replicas_fit_the_disks(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Longhorn on the bootstrap cluster keeps no more replicas than there are Pis with NVMe: each goes to a Pi of its
    own, and a volume with one too few is never healthy."""
    nodes = env.bootstrap.nodes.values() if env.bootstrap else ()
    disks = sum(boot_configuration(frozenset(node.boot)).storage for node in nodes)
    for cluster, category, app in _apps(env, tree):
        found = chart(tree, cluster, category, app)
        if found is None or found.name != "longhorn":
            continue
        persistence, settings = (mapping(found.values.get(part)) for part in ("persistence", "defaultSettings"))
        for said in (persistence.get("defaultClassReplicaCount", 3), settings.get("defaultReplicaCount", 3)):
            if isinstance(said, int) and said > disks:
                message = f"{category}/{app} keeps {said} replicas, and {disks} of {cluster}'s nodes have an NVMe disk"
                hint = f"at most {disks}: persistence.defaultClassReplicaCount, defaultSettings.defaultReplicaCount"
                yield Breach(f"gitops.clusters.{cluster}", message, hint, "bootstrap.nodes")
                break
