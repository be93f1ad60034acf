"""Laws of single network policies: whom one selects and names is there, and it says so in a way that is enforced.

Owns what is wrong with one policy by itself. Refuses what they come to together (`policies`).
"""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any

from model.arda import Cluster
from model.closure.policies import Policy
from model.closure.policy_rules import read
from model.closure.reading import items
from model.closure.selectors import NAMESPACE
from model.closure.things import BUILT_IN, Held
from model.closure.workloads import Traffic
from model.environment import Environment
from model.laws.closure import UNREADABLE, few, place, said
from model.laws.policies import traffic
from model.laws.registry import Breach, tree_law
from model.laws.words import listed, nearest
from model.tree import SHARED, Tree

_WITHOUT_PODS = BUILT_IN | {
    *("cilium.io", "gateway.networking.k8s.io", "cert-manager.io", "external-secrets.io", "externaldns.k8s.io"),
    *("trust.cert-manager.io", "source.toolkit.fluxcd.io", "kustomize.toolkit.fluxcd.io", "helm.toolkit.fluxcd.io"),
}
"""API groups whose objects make no pods; any other's may."""
_NAMED = ("kubernetes.io/metadata.name", NAMESPACE, f"k8s:{NAMESPACE}")


def _policies(one: Traffic) -> Iterator[tuple[Held, Policy]]:
    for held in one.objects():
        yield from ((held, policy) for policy in read(held.kind, held.namespace, held.file, held.body))


def _seen(one: Traffic, namespace: str) -> bool:
    """Whether all pods of a namespace are in the folders: no chart and no operator makes any."""
    charts = {chart.namespace for app in one.graph.apps for _, chart in app.charts}
    made = {held.namespace for held in one.objects() if held.group not in _WITHOUT_PODS}
    return namespace not in charts | made


@tree_law("policy-selects-nothing", "warning", unless=UNREADABLE)
def policies_hold_somebody(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A policy selects pods that are there: with a label misspelt they stay as open, or as closed, as before."""
    for one in traffic(env, tree):
        for held, policy in _policies(one):
            if not policy.namespace or not _seen(one, policy.namespace) or held.file.startswith(SHARED):
                continue
            everybody = policy.selector(None, one.ground.labels(policy.namespace), policy.namespace)
            if everybody is None and not any(policy.selects(one.ground, pods) for pods in one.pods):
                here = [pods.labels or {} for pods in one.pods if pods.namespace == policy.namespace]
                there = {f"{key}: {value}" for labels in here for key, value in labels.items()}
                message = f"{said(env, held.file)}: {policy} selects no pod of {policy.namespace}"
                hint = f"pods there have {listed(sorted(there), 4)}" if there else "there are no pods"
                yield Breach(place(one.graph), message[:239], hint[:199])


@tree_law("policy-namespace-unknown", "warning", unless=UNREADABLE)
def named_namespaces_are_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A namespace that a policy names as a peer is made by somebody: from one that is not there nothing ever comes."""
    for one in traffic(env, tree):
        known = {thing.name for thing in one.graph.brought if thing.kind == "Namespace"}
        for held in one.objects():
            if held.file.startswith(SHARED) or not list(read(held.kind, held.namespace, held.file, held.body)):
                continue
            for name in sorted(set(_named(held.body)) - known):
                message = f"{said(env, held.file)}: {held.kind} {held.name} names namespace {name}, which nobody makes"
                yield Breach(place(one.graph), message[:239], nearest(name, known)[:199])


def _named(value: object) -> Iterator[str]:
    """Every namespace that is named by its own label, anywhere in a policy."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _NAMED and isinstance(inner, str):
                yield inner
            if inner == "kubernetes.io/metadata.name" and key == "key":
                yield from map(str, items(value.get("values")))
            yield from _named(inner)
    for inner in value if isinstance(value, list) else ():
        yield from _named(inner)


@tree_law("policy-port-unknown", "warning", unless=UNREADABLE)
def named_ports_are_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A port that a policy opens by its name is a port of some pod that it selects: else nothing is opened."""
    for one in traffic(env, tree):
        for held, policy in _policies(one):
            if not policy.namespace or not _seen(one, policy.namespace) or held.file.startswith(SHARED):
                continue
            named = {
                text
                for rule in policy.rules.get("ingress", ())
                for _, text, _ in rule.ports or ()
                if text and not text.isdecimal()
            }
            chosen = [pods for pods in one.pods if policy.selects(one.ground, pods)]
            has = {name for pods in chosen for name in pods.ports or {}}
            for name in sorted(named - has) if chosen else ():
                message = f"{said(env, held.file)}: {policy} opens port {name}, which no pod that it selects has"
                yield Breach(place(one.graph), message[:239], nearest(name, has)[:199])


@tree_law("policy-by-address", unless=UNREADABLE)
def pods_and_nodes_are_not_addresses(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A policy names pods by their labels and nodes as Cilium's entities: to Cilium neither is ever an address, so a
    rule with a node's, a pod's or a Service's opens nothing (Cilium, "IP/CIDR based")."""
    for one in traffic(env, tree):
        yield from few(_addressed(env, one))


def _addressed(env: Environment, one: Traffic) -> Iterator[Breach]:
    cluster = env.cluster
    for held in one.objects() if cluster else ():
        if cluster is None or not list(read(held.kind, held.namespace, held.file, held.body)):
            continue
        for text, network in _networks(held.body):
            what = _inside(cluster, network)
            if what:
                message = f"{said(env, held.file)}: {held.kind} {held.name} names {text}, {what[0]}: that opens nothing"
                yield Breach(place(one.graph), message[:239], what[1], what[2])


def _inside(cluster: Cluster, network: IPv4Network) -> tuple[str, str, str] | None:
    """(what an address range is, what to write instead, where it is said) of the cluster's own; None for another."""
    if network.subnet_of(cluster.pods):
        return "pods' addresses", "name them by namespaceSelector and podSelector", "cluster.pods"
    if network.subnet_of(cluster.services):
        return (
            "Services' addresses",
            "name the pods behind them: Cilium looks after the translation",
            "cluster.services",
        )
    if network.prefixlen == 32 and network.network_address == cluster.vip:
        return "the API server's address", "CiliumNetworkPolicy: toEntities: [kube-apiserver]", "cluster.vip"
    for name, node in sorted(cluster.nodes.items()):
        if network.prefixlen == 32 and network.network_address == node.address:
            return f"the node {name}", "CiliumNetworkPolicy: entities host and remote-node", f"cluster.nodes.{name}"
    return None


def _networks(value: object) -> Iterator[tuple[str, IPv4Network]]:
    """Every address range of a policy's peers, exceptions left out."""
    if isinstance(value, Mapping):
        stated: list[Any] = [value.get("cidr"), *items(value.get("toCIDR")), *items(value.get("fromCIDR"))]
        for text in (one for one in stated if isinstance(one, str)):
            try:
                network = ip_network(text, strict=False)
            except ValueError:
                continue
            if isinstance(network, IPv4Network):
                yield text, network
        for inner in value.values():
            yield from _networks(inner)
    for inner in value if isinstance(value, list) else ():
        yield from _networks(inner)
