"""Laws of Cilium's values in the GitOps folder: they say what the environment says, and what works on Talos.

Owns the comparison. Refuses the choices themselves (`cilium`), and every value that is Cilium's own business.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from model.arda import Cluster
from model.environment import Environment
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.tree import Tree, apps, chart

KUBEPRISM = 7445
"""The one port of the API that answers on localhost of every Talos node, workers included."""
LOCAL = ("localhost", "127.0.0.1")
API = 6443
"""The port of the API at the cluster's virtual address."""


class Agreed(NamedTuple):
    """A value that stands in both places."""

    key: str
    """Dotted, in Cilium's values."""
    default: object
    """What Cilium takes when the key is left out (its chart's own default)."""
    wanted: object
    """What the environment says."""
    path: str
    """Where it says so."""


def agreed(cluster: Cluster) -> Iterator[Agreed]:
    """Every value that follows from the environment."""
    cni, path = cluster.cni, "cluster.cni"
    yield Agreed("routingMode", "tunnel", cni.routing, f"{path}.routing")
    if cni.routing == "native":
        yield Agreed("ipv4NativeRoutingCIDR", "", str(cluster.pods), "cluster.pods")
    yield Agreed("loadBalancer.mode", "snat", cni.load_balancer_mode, f"{path}.load_balancer_mode")
    yield Agreed("loadBalancer.algorithm", "random", "maglev" if cni.maglev else "random", f"{path}.maglev")
    yield Agreed("l2announcements.enabled", False, cni.l2_announcements, f"{path}.l2_announcements")
    yield Agreed("bgpControlPlane.enabled", False, cni.bgp is not None, f"{path}.bgp")
    yield Agreed("gatewayAPI.enabled", False, cni.gateway_api, f"{path}.gateway_api")
    yield Agreed("hubble.enabled", True, cni.hubble, f"{path}.hubble")


def _values(env: Environment, tree: Tree) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(folder, values) of Cilium on the Talos cluster, when the folder pins it."""
    name = env.cluster.name if env.cluster else None
    for cluster, categories, _ in reconciled(env):
        for category, app in apps(tree, cluster):
            if cluster == name and app == "cilium" and category in categories:
                found = chart(tree, cluster, category, app)
                if found:
                    yield f"{cluster}/{category}/{app}", found.values


def _at(values: object, key: str, default: object = None) -> object:
    for part in key.split("."):
        if not isinstance(values, Mapping) or part not in values:
            return default
        values = values[part]
    return values


def shown(value: object) -> str:
    """A value as YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)[:60] or "nothing"


@tree_law("gitops-cilium-parted", unless=("gitops-yaml",))
def values_agree(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Cilium's values in the folder say what the environment says: Git would undo on the cluster what the
    program installed."""
    for folder, values in _values(env, tree):
        for one in agreed(env.cluster) if env.cluster else ():
            given = _at(values, one.key, one.default)
            if given != one.wanted:
                message = f"{folder} has {one.key}: {shown(given)}, and the environment says {shown(one.wanted)}"
                yield Breach(one.path, message, f"set {one.key}: {shown(one.wanted)} in its values, or change it here")


@tree_law("gitops-cilium-kubeprism", unless=("gitops-yaml",))
def api_is_reached_through_kubeprism(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Cilium's values say where the API is: KubePrism, localhost:7445, or the cluster's virtual address and 6443. On
    localhost only 7445 answers on every node: at 6443 nothing listens on a worker, which then never gets a network."""
    for folder, values in _values(env, tree):
        host, port = _at(values, "k8sServiceHost"), _at(values, "k8sServicePort")
        mend = f"set k8sServiceHost: localhost and k8sServicePort: {KUBEPRISM}"
        if host in (None, "", "auto") or port in (None, ""):
            message = f"{folder} does not say where the API is, and its Service is not there before Cilium"
            yield Breach("cluster.cni", message, mend)
        elif host in LOCAL and str(port) != str(KUBEPRISM):
            message = f"{folder} reaches the API at {host}:{shown(port)}, where no worker listens"
            yield Breach("cluster.cni", message, f"set k8sServicePort: {KUBEPRISM}")
        elif host not in LOCAL and env.cluster and (str(host), str(port)) != (str(env.cluster.vip), str(API)):
            message = f"{folder} reaches the API at {shown(host)}:{shown(port)}, where it does not answer"
            yield Breach("cluster.cni", message, mend, "cluster.vip")


@tree_law("gitops-cilium-proxy", unless=("gitops-yaml",))
def cilium_replaces_the_proxy(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Cilium replaces kube-proxy: Talos is told to run none, and without either no Service is reached."""
    for folder, values in _values(env, tree):
        given = _at(values, "kubeProxyReplacement", False)
        if given not in (True, "true"):
            message = f"{folder} has kubeProxyReplacement: {shown(given)}, and Talos runs no kube-proxy"
            yield Breach("cluster.cni", message, "set kubeProxyReplacement: true")


@tree_law("gitops-cilium-modules", unless=("gitops-yaml",))
def no_kernel_modules(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Cilium does not ask for SYS_MODULE: Talos lets no pod load kernel modules, and the agent would not start."""
    for folder, values in _values(env, tree):
        asked = _at(values, "securityContext.capabilities.ciliumAgent")
        if isinstance(asked, list) and "SYS_MODULE" in asked:
            yield Breach("cluster.cni", f"{folder} asks for SYS_MODULE, which Talos refuses", "leave SYS_MODULE out")


@tree_law("gitops-cilium-random", unless=("gitops-yaml", "gitops-cilium-parted"))
def certificates_are_not_rendered(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Hubble's certificates are not made by Helm: they would be new at every render, and never in sync."""
    for folder, values in _values(env, tree):
        on = _at(values, "hubble.enabled", True) and _at(values, "hubble.tls.auto.enabled", True)
        if on and _at(values, "hubble.tls.auto.method", "helm") == "helm":
            message = f"{folder} lets Helm make Hubble's certificates, new ones at every render"
            yield Breach("cluster.cni.hubble", message, "set hubble.tls.auto.method: cronJob")
