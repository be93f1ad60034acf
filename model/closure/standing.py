"""What is on a cluster before any app: Kubernetes' own, what k3s and Talos bring, and what this program writes.

Owns that list. A test holds the program's part equal to what the program registers. Refuses bodies: they are
`render`'s.
"""

from collections.abc import Iterator
from typing import NamedTuple

from model import repository
from model.app_secrets import plan_seeds
from model.closure.charts import brings
from model.closure.things import ANYWHERE, KIND, Thing
from model.edge import (
    CERTIFICATES_NAMESPACE,
    DNS_TOKEN_SECRET,
    ENVOY_PROXY,
    GATEWAY_CLASS,
    TUNNEL_SECRET,
    WILDCARD_SECRET,
)
from model.environment import Environment
from model.flux import LOGIN_SECRET, SOPS_SECRET, VERIFY_SECRET
from model.gitops import (
    AUTHORITY_SECRET,
    ENGINE_APP,
    FLUX_INSTANCE_APP,
    MIRROR_APP,
    TRUST,
    names_authority,
    project,
    runs_mirror,
)
from model.netboot import BOOT_CONFIG_MAPS, NETBOOT_NAMESPACE
from model.onepassword import CREDENTIALS_SECRET, NAMESPACE, TOKEN_SECRET, runs_connect
from model.tree import Tree, seeded

KUBERNETES = "Kubernetes"
PROGRAM = "`pulumi up`"


class Standing(NamedTuple):
    """A thing that is there, and who brought it."""

    thing: Thing
    by: str


def standing(env: Environment, tree: Tree, cluster: str) -> Iterator[Standing]:
    """Everything that is on a cluster before its first app."""
    for thing in _kubernetes():
        yield Standing(thing, KUBERNETES)
    if env.bootstrap and env.bootstrap.name == cluster:
        yield from (Standing(thing, "k3s") for thing in _k3s())
    for thing in written(env, tree, cluster):
        yield Standing(thing, PROGRAM)
    if env.gitops and env.gitops.engine == "argocd" and cluster in env.gitops.clusters:
        # Its Applications go into their category's namespace where their folder names no other (`CreateNamespace`)
        for category in env.gitops.clusters[cluster].categories:
            yield Standing(Thing("Namespace", "", category), "Argo CD")
    for app in seeds(env, cluster):
        found = seeded(tree, cluster, app)
        for thing, _ in brings(found) if found else ():
            yield Standing(thing, PROGRAM)


def written(env: Environment, tree: Tree, cluster: str) -> Iterator[Thing]:
    """What this program writes on a cluster, the charts it seeds left out: those are their folders' own."""
    yield from _engine(env, tree, cluster)
    if env.bootstrap and env.bootstrap.name == cluster:
        yield Thing("Namespace", "", NETBOOT_NAMESPACE)
        names = BOOT_CONFIG_MAPS if env.network.netboot else BOOT_CONFIG_MAPS[:1]
        yield from (Thing("ConfigMap", NETBOOT_NAMESPACE, name) for name in names)
    if env.cluster and env.cluster.name == cluster:
        yield from _announced(env)
        controller = seeded(tree, cluster, "envoy-gateway") if env.edge.gateways else None
        if controller:
            yield from _edge(env, controller.namespace)


def seeds(env: Environment, cluster: str) -> Iterator[str]:
    """Apps whose chart this program installs on a cluster, before the engine that adopts it."""
    if env.cluster and env.cluster.name == cluster:
        yield "cilium"
        if env.edge.gateways:
            yield "envoy-gateway"
    if env.gitops and cluster in env.gitops.clusters:
        yield ENGINE_APP[env.gitops.engine]
        if env.gitops.engine == "flux":
            yield FLUX_INSTANCE_APP


def _engine(env: Environment, tree: Tree, cluster: str) -> Iterator[Thing]:
    gitops = env.gitops
    own = gitops.clusters.get(cluster) if gitops else None
    engine = seeded(tree, cluster, ENGINE_APP[gitops.engine]) if gitops and own else None
    if gitops is None or own is None or engine is None:
        return
    yield Thing("Namespace", "", engine.namespace)
    for seed in plan_seeds(own.seeds):
        yield Thing("Namespace", "", seed.namespace)
        yield from (Thing("Secret", seed.namespace, each.name) for each in seed.secrets)
    if gitops.engine == "argocd":
        yield from (Thing("AppProject", engine.namespace, project(cluster, one)) for one in own.categories)
        yield from (Thing("ApplicationSet", engine.namespace, category) for category in own.categories)
        if own.source == "mirror" and env.bootstrap:
            yield Thing("ConfigMap", engine.namespace, TRUST)
        if env.bootstrap and names_authority(tree, cluster):
            yield Thing("Secret", engine.namespace, AUTHORITY_SECRET)
        if gitops.credentials and not (own.source == "mirror" and env.bootstrap):
            yield Thing("Secret", engine.namespace, repository.REPOSITORY_SECRET)
        if runs_mirror(tree, cluster, own.categories):
            yield Thing("Namespace", "", MIRROR_APP)
            if gitops.credentials:
                yield Thing("Secret", MIRROR_APP, repository.MIRROR_SECRET)
        if gitops.secrets == "onepassword" and runs_connect(tree, cluster, own.categories):
            yield Thing("Namespace", "", NAMESPACE)
            yield from (Thing("Secret", NAMESPACE, name) for name in (CREDENTIALS_SECRET, TOKEN_SECRET))
        return
    given = {
        VERIFY_SECRET: gitops.verify is not None and gitops.verify.key is not None,
        SOPS_SECRET: gitops.secrets == "sops",
        LOGIN_SECRET: gitops.registry_login,
    }
    yield from (Thing("Secret", engine.namespace, name) for name, there in given.items() if there)


def _announced(env: Environment) -> Iterator[Thing]:
    cluster = env.cluster
    if cluster is None or cluster.load_balancer_pool is None:
        return
    yield Thing("CiliumLoadBalancerIPPool", "", "lan")
    if cluster.cni.l2_announcements:
        yield Thing("CiliumL2AnnouncementPolicy", "", "lan")
    if cluster.cni.bgp:
        for kind in ("CiliumBGPClusterConfig", "CiliumBGPPeerConfig", "CiliumBGPAdvertisement"):
            yield Thing(kind, "", "lan")


def _edge(env: Environment, namespace: str) -> Iterator[Thing]:
    yield Thing("Namespace", "", namespace)
    yield Thing("GatewayClass", "", GATEWAY_CLASS)
    yield Thing("EnvoyProxy", namespace, ENVOY_PROXY)
    if env.seeds_dns_token:
        yield Thing("Namespace", "", CERTIFICATES_NAMESPACE)
        yield Thing("Secret", CERTIFICATES_NAMESPACE, DNS_TOKEN_SECRET)
    for name in env.edge.gateways:
        yield Thing("Gateway", namespace, name)
        yield Thing("HTTPRoute", namespace, f"{name}-https-redirect")
    if env.edge.tunnel and env.edge.cloudflare:
        yield Thing("Secret", namespace, TUNNEL_SECRET)


def served(env: Environment, tree: Tree, cluster: str) -> Thing | None:
    """The Secret that this program's gateways serve, which an app must make; None without gateways."""
    if env.cluster is None or env.cluster.name != cluster or not env.edge.gateways:
        return None
    controller = seeded(tree, cluster, "envoy-gateway")
    return Thing("Secret", controller.namespace, WILDCARD_SECRET) if controller else None


def _kubernetes() -> Iterator[Thing]:
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        yield Thing("Namespace", "", name)
    yield Thing("ServiceAccount", ANYWHERE, "default")
    yield Thing("ConfigMap", ANYWHERE, "kube-root-ca.crt")
    yield Thing("Service", "default", "kubernetes")
    yield Thing("Service", "kube-system", "kube-dns")
    yield Thing("Role", "kube-system", "extension-apiserver-authentication-reader")


def _k3s() -> Iterator[Thing]:
    """k3s' packaged components (its documentation, "Packaged Components") that stay on; its storage class does not."""
    yield Thing("IngressClass", "", "traefik")
    yield Thing("Service", "kube-system", "traefik")
    groups = {
        "helm.cattle.io": "HelmChart HelmChartConfig",
        "k3s.cattle.io": "Addon ETCDSnapshotFile",
        "traefik.io": "IngressRoute IngressRouteTCP IngressRouteUDP Middleware MiddlewareTCP ServersTransport "
        "ServersTransportTCP TLSOption TLSStore TraefikService",
    }
    for group, kinds in groups.items():
        yield from (Thing(KIND, "", f"{group}/{kind}") for kind in kinds.split())
