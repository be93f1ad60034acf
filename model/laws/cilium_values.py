"""Laws of Cilium's values in the GitOps folder: they say what the environment says, and what works on Talos.

Owns the comparison. Refuses the choices themselves (`cilium`), and every value that is Cilium's own business.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from model.arda import Cluster
from model.closure.things import KIND, Thing
from model.environment import Environment
from model.laws.closure import graphs, place
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.settings import merged_layers
from model.talos import BOND
from model.tree import Tree, apps, chart, documents

KUBEPRISM = 7445
"""The one port of the API that answers on localhost of every Talos node, workers included."""
LOCAL = ("localhost", "127.0.0.1")
CGROUPS = "/sys/fs/cgroup"
"""Where Talos has mounted cgroup v2 (its documentation, "Deploy Cilium CNI")."""
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


def agreed(cluster: Cluster, *, vpn: bool = False) -> Iterator[Agreed]:
    """Every value that follows from the environment. `vpn`: whether a subnet router leads to Services."""
    cni, path = cluster.cni, "cluster.cni"
    yield Agreed("routingMode", "tunnel", cni.routing, f"{path}.routing")
    # Talos gives each node its part of the pods' range; Cilium's own pool would be another, 10.0.0.0/8
    yield Agreed("ipam.mode", "cluster-pool", "kubernetes", "cluster.pods")
    if cni.routing == "native":
        yield Agreed("ipv4NativeRoutingCIDR", "", str(cluster.pods), "cluster.pods")
        # Nodes are neighbours in one VLAN, and no router knows the pods' range: each must know the others' parts
        yield Agreed("autoDirectNodeRoutes", False, True, f"{path}.routing")
    yield Agreed("loadBalancer.mode", "snat", cni.load_balancer_mode, f"{path}.load_balancer_mode")
    if vpn and cni.load_balancer_mode == "dsr":  # a gateway's Service is the exception, by its annotation
        yield Agreed("bpf.lbModeAnnotation", False, True, f"{path}.load_balancer_mode")
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
        for one in agreed(env.cluster, vpn=env.edge.vpn is not None) if env.cluster else ():
            given = _at(values, one.key, one.default)
            if given != one.wanted:
                message = f"{folder} has {one.key}: {shown(given)}, and the environment says {shown(one.wanted)}"
                yield Breach(one.path, message, f"set {one.key}: {shown(one.wanted)} in its values, or change it here")


@tree_law("gitops-cilium-sockets", unless=("gitops-yaml",))
def passed_on_packets_are_translated(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where a VPN's subnet router leads to Services, Cilium translates pods' packets, too, not only the sockets that
    pods open: the router is a pod, and what it passes on no socket of its own opened (Cilium, "Socket LoadBalancer
    Bypass in Pod Namespace")."""
    for folder, values in _values(env, tree) if env.edge.vpn else ():
        if _at(values, "socketLB.hostNamespaceOnly", False) is not True:
            message = (
                f"{folder} translates only sockets: what the VPN's router passes on reaches no LoadBalancer address"
            )
            yield Breach("edge.vpn", message, "set socketLB.hostNamespaceOnly: true in its values")


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
    """Cilium does not ask for SYS_MODULE, which its chart does where nobody says otherwise: Talos lets no pod load
    kernel modules, and the agent would not start."""
    for folder, values in _values(env, tree):
        for container in ("ciliumAgent", "cleanCiliumState"):
            key = f"securityContext.capabilities.{container}"
            asked = _at(values, key)
            if not isinstance(asked, list) or "SYS_MODULE" in asked:
                how = "asks for SYS_MODULE" if isinstance(asked, list) else "leaves the chart's, SYS_MODULE among them"
                message = f"{folder}: {key} {how}, and Talos lets no pod load kernel modules"
                yield Breach("cluster.cni", message, "list the chart's own there, without SYS_MODULE")


@tree_law("gitops-cilium-cgroup", unless=("gitops-yaml",))
def cgroups_are_talos_own(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Cilium uses the cgroup file system that Talos has mounted: to mount one itself it would need rights that no pod
    gets, and the agent would not start."""
    for folder, values in _values(env, tree):
        mounts, root = _at(values, "cgroup.autoMount.enabled", True), _at(values, "cgroup.hostRoot", "")
        if mounts is not False or root != CGROUPS:
            message = f"{folder} has cgroup.autoMount.enabled: {shown(mounts)} and cgroup.hostRoot: {shown(root)}"
            hint = f"set cgroup.autoMount.enabled: false and cgroup.hostRoot: {CGROUPS}"
            yield Breach("cluster.cni", f"{message}; Talos has mounted them", hint)


@tree_law("gitops-cilium-rate", unless=("gitops-yaml",))
def leases_are_renewed_in_time(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Announcing by L2, Cilium may ask the API often enough to keep a lease for every address of the pool: held back,
    it loses them, and addresses jump from node to node (Cilium, "L2 Announcements", "Sizing client rate limit")."""
    pool = env.cluster.load_balancer_pool if env.cluster and env.cluster.cni.l2_announcements else None
    for folder, values in _values(env, tree):
        if pool is None:
            continue
        seconds = re.fullmatch(r"(\d+)s", str(_at(values, "l2announcements.leaseRenewDeadline", "5s")))
        needed = math.ceil((int(pool.last) - int(pool.first) + 1) / int(seconds.group(1) if seconds else 5) or 1)
        given = _at(values, "k8sClientRateLimit.qps", 10)
        if isinstance(given, int) and given < needed:
            message = f"{folder} has k8sClientRateLimit.qps: {given}, and {pool} needs {needed} to keep its leases"
            yield Breach(
                "cluster.load_balancer_pool", message, f"set k8sClientRateLimit.qps: {needed}, burst: {2 * needed}"
            )


def links(env: Environment) -> dict[str, str]:
    """Node → the link that carries its address: its class's first card, or the bond."""
    cluster = env.cluster
    return {
        name: BOND if merged_layers(cluster, node).get("bond") else env.hardware[node.hardware].nics[0]
        for name, node in (cluster.nodes.items() if cluster else ())
        if cluster and node.hardware in env.hardware and env.hardware[node.hardware].nics
    }


@tree_law("gitops-cilium-interfaces", unless=("gitops-yaml",))
def links_are_the_nodes_own(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The links that Cilium is told of are those that carry the nodes' addresses: on a link that it does not know it
    answers nobody, and a pattern that matches none announces nothing."""
    known = links(env)
    for folder, values in _values(env, tree):
        devices = [str(one) for one in _list(_at(values, "devices"))]
        # A device that ends in + is every one that begins so (Cilium's values, `devices`)
        patterns = [f"^{re.escape(one.rstrip('+'))}{'.*' if one.endswith('+') else '$'}" for one in devices]
        yield from _unmatched(f"{folder}: devices {', '.join(devices)}", patterns, known)
    name = env.cluster.name if env.cluster else ""
    for path in sorted(tree):
        for body in documents(tree[path]) if path.startswith(f"{name}/") and path.endswith(".yaml") else ():
            if body.get("kind") == "CiliumL2AnnouncementPolicy":
                patterns = [str(one) for one in _list(_at(body, "spec.interfaces"))]
                yield from _unmatched(f"{path}: interfaces {', '.join(patterns)}", patterns, known)


def _unmatched(who: str, patterns: list[str], known: Mapping[str, str]) -> Iterator[Breach]:
    try:
        found = [re.compile(one) for one in patterns]
    except re.error as error:
        yield Breach("cluster.nodes", f"{who}: no regular expression: {error}"[:239], "mend the expression")
        return
    missed = sorted(node for node, link in known.items() if found and not any(one.search(link) for one in found))
    if missed:
        has = ", ".join(sorted({known[node] for node in missed}))
        message = f"{who} match no link of {listed(missed, 3)}: {'its is' if len(missed) == 1 else 'theirs is'} {has}"
        yield Breach("cluster.nodes", message[:239], f"name {has}, or leave it out")


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value] if isinstance(value, str) else []


@tree_law("gitops-cilium-random", unless=("gitops-yaml", "gitops-cilium-parted"))
def certificates_are_not_rendered(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Hubble's certificates are not made by Helm: they would be new at every render, and never in sync."""
    for folder, values in _values(env, tree):
        on = _at(values, "hubble.enabled", True) and _at(values, "hubble.tls.auto.enabled", True)
        if on and _at(values, "hubble.tls.auto.method", "helm") == "helm":
            message = f"{folder} lets Helm make Hubble's certificates, new ones at every render"
            yield Breach("cluster.cni.hubble", message, "set hubble.tls.auto.method: cronJob")


@tree_law("gitops-cilium-gateway-kinds", unless=("gitops-yaml",))
def gateways_kinds_come_first(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where Cilium serves gateways, somebody else brings the kinds of Gateway API: its chart does not, and without them
    its operator serves none (Cilium, "Gateway API Support", "Prerequisites")."""
    if env.cluster is None or not env.cluster.cni.gateway_api:
        return
    wanted = Thing(KIND, "", "gateway.networking.k8s.io/GatewayClass")
    for graph in graphs(env, tree):
        if graph.cluster == env.cluster.name and wanted not in graph.brought:
            message = f"Cilium is to serve gateways, and no app on {graph.cluster} brings the kinds of Gateway API"
            hint = "add an app with the CustomResourceDefinitions of gateway-api, as its release has them"
            yield Breach("cluster.cni.gateway_api", message, hint, place(graph))
