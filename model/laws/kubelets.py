"""Laws of the kubelets' certificates: who lets the cluster's CA sign them, for which names, and who checks them.

Owns the approver's pattern and subnets against the nodes, and metrics-server's way to the kubelets. Refuses Talos'
other settings (`settings`).
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from typing import Any, NamedTuple

from model.arda import Cluster
from model.closure.graph import Graph
from model.closure.reading import items, mapping
from model.closure.things import App
from model.environment import Environment
from model.laws.closure import UNREADABLE, graphs, place, said
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.settings import merged_layers
from model.tree import Tree, documents

APPROVER = "kubelet-csr-approver"
METRICS = "metrics-server"
ASKS = "serverTLSBootstrap"
"""The kubelet's own word for asking the cluster's CA for its certificate (KubeletConfiguration)."""
STRANGER = "stranger"
"""A name that is nobody's."""
EVERY = "0.0.0.0/0"
"""What the approver takes where no subnet is named."""


class Approver(NamedTuple):
    """What an approver was told, and where."""

    file: str
    regex: str
    prefixes: str
    """Subnets, separated by commas."""


def asking(cluster: Cluster) -> list[str]:
    """The nodes whose kubelet asks the cluster's CA to sign its certificate, sorted."""
    told = {name: mapping(merged_layers(cluster, node).get("kubelet")) for name, node in cluster.nodes.items()}
    return sorted(name for name, kubelet in told.items() if kubelet.get(ASKS) is True)


def pattern(names: list[str]) -> str:
    """The regular expression that these nodes' names match, and no other does."""
    return f"^({'|'.join(sorted(names))})$"


def approvers(graph: Graph) -> Iterator[Approver]:
    """Every approver on a cluster: its settings are environment variables, of its container, of a ConfigMap that a
    kustomization generates, or values of its chart (postfinance/kubelet-csr-approver, README)."""
    for app in graph.apps:
        if app.name == APPROVER or any(chart.name == APPROVER for _, chart in app.charts):
            told = {"PROVIDER_REGEX": ".*", "PROVIDER_IP_PREFIXES": EVERY}
            file = next(iter(sorted(app.files)), app.folder)
            for where, key, value in _settings(app):
                if key in told:
                    told[key], file = value, where
            yield Approver(file, told["PROVIDER_REGEX"], told["PROVIDER_IP_PREFIXES"])


def _settings(app: App) -> Iterator[tuple[str, str, str]]:
    """(file, variable, value) of everything that an app's folder says to its container."""
    for held in app.objects:
        spec = mapping(mapping(mapping(held.body.get("spec")).get("template")).get("spec"))
        for container in items(spec.get("containers")):
            for one in items(mapping(container).get("env")):
                yield held.file, str(mapping(one).get("name")), str(mapping(one).get("value"))
        if held.kind == "ConfigMap":
            yield from ((held.file, str(key), str(value)) for key, value in mapping(held.body.get("data")).items())
    for file, chart in app.charts:
        yield file, "PROVIDER_REGEX", str(chart.values.get("providerRegex") or ".*")
        yield file, "PROVIDER_IP_PREFIXES", ",".join(map(str, items(chart.values.get("providerIpPrefixes")))) or EVERY


def generated(app: App, tree: Tree) -> Iterator[tuple[str, str, str]]:
    """(file, key, value) of every literal of the ConfigMaps that an app's kustomizations generate."""
    for file in sorted(app.files):
        for document in documents(tree.get(file)):
            for one in items(document.get("configMapGenerator")):
                for literal in items(mapping(one).get("literals")):
                    key, _, value = str(literal).partition("=")
                    yield file, key, value


def _told(graph: Graph, tree: Tree) -> Iterator[Approver]:
    """The same, a generated ConfigMap's values in place."""
    apps = {app.folder: app for app in graph.apps if app.name == APPROVER}
    for found in approvers(graph):
        for app in apps.values():
            for file, key, value in generated(app, tree):
                if key == "PROVIDER_REGEX":
                    found = found._replace(regex=value, file=file)
                if key == "PROVIDER_IP_PREFIXES":
                    found = found._replace(prefixes=value, file=file)
        yield found


def _talos(env: Environment, tree: Tree) -> Iterator[tuple[Cluster, Graph]]:
    for graph in graphs(env, tree):
        if env.cluster and graph.cluster == env.cluster.name:
            yield env.cluster, graph


@tree_law("gitops-approver-missing", unless=UNREADABLE)
def somebody_approves(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where kubelets ask the cluster's CA for their certificates, an app approves the requests: a request that nobody
    approves leaves the kubelet without one, and there are no logs, no exec and no metrics of its pods."""
    for cluster, graph in _talos(env, tree):
        names = asking(cluster)
        if names and not list(_told(graph, tree)):
            message = (
                f"the kubelets of {listed(names, 3)} ask for a certificate, and no app on {graph.cluster} approves"
            )
            hint = f"add <category>/{APPROVER} (gitops/shared has it), with PROVIDER_REGEX={pattern(names)}"
            yield Breach("cluster.talos", message, hint[:199], place(graph))


@tree_law("gitops-approver-names", unless=UNREADABLE)
def the_pattern_is_the_nodes(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The approver's pattern matches the name of every node whose kubelet asks, and no other name: it denies whom it
    does not match, and signs for whomever it does."""
    for cluster, graph in _talos(env, tree):
        names = asking(cluster)
        for approver in _told(graph, tree) if names else ():
            wrong = _wrong(approver.regex, names)
            if wrong:
                message = f"{said(env, approver.file)}: the approver's pattern {approver.regex[:60]} {wrong}"
                yield Breach("cluster.nodes", message[:239], f"PROVIDER_REGEX={pattern(names)}"[:199], place(graph))


def _wrong(regex: str, names: list[str]) -> str:
    """What is wrong with a pattern, as the end of a sentence; empty when nothing is."""
    try:
        found = re.compile(regex)
    except re.error as error:
        return f"is no regular expression: {error}"
    missed = [name for name in names if not found.search(name)]
    if missed:
        return f"matches no {listed(missed, 3)}: their certificates are denied"
    others = (STRANGER, *(f"{name}-x" for name in names), *(f"x-{name}" for name in names))
    strange = [one for one in others if one not in names and found.search(one)]
    return f"matches {strange[0]} too, which is no node" if strange else ""


@tree_law("gitops-approver-subnets", unless=UNREADABLE)
def the_addresses_are_the_nodes(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The approver's subnets hold every node's address: it denies a certificate for any other."""
    for cluster, graph in _talos(env, tree):
        for approver in _told(graph, tree) if asking(cluster) else ():
            subnets = [found for one in approver.prefixes.split(",") if (found := _subnet(one.strip()))]
            missed = [
                f"{name} ({cluster.nodes[name].address})"
                for name in asking(cluster)
                if not any(cluster.nodes[name].address in subnet for subnet in subnets)
            ]
            if missed:
                message = (
                    f"{said(env, approver.file)}: the approver's subnets {approver.prefixes[:60]} are not those of "
                )
                hint = f"PROVIDER_IP_PREFIXES={env.network.vlans[cluster.vlan].subnet}"
                yield Breach("cluster.vlan", f"{message}{listed(missed, 2)}"[:239], hint, place(graph))


def _subnet(text: str) -> IPv4Network | None:
    try:
        found = ip_network(text)
    except ValueError:
        return None
    return found if isinstance(found, IPv4Network) else None


@tree_law("gitops-metrics-unsigned", unless=UNREADABLE)
def metrics_come_from_known_kubelets(env: Environment, tree: Tree) -> Iterator[Breach]:
    """metrics-server checks the kubelets' certificates, so all of them are signed by the cluster's CA: of a kubelet
    that signs its own it has no metrics, unless it is told to check none, and then believes whoever answers."""
    for cluster, graph in _talos(env, tree):
        own = sorted(set(cluster.nodes) - set(asking(cluster)))
        for app in graph.apps:
            for file, insecure in _metrics_servers(app):
                mend = f"set kubelet: {{ {ASKS}: true }} in cluster.talos.all, and add {APPROVER}"
                if own and not insecure:
                    message = (
                        f"{said(env, file)} checks the kubelets, and those of {listed(own, 3)} sign for themselves"
                    )
                    yield Breach("cluster.talos", message[:239], mend, place(graph))
                elif insecure:
                    message = f"{said(env, file)} has --kubelet-insecure-tls: it believes whoever answers as a kubelet"
                    mend = "leave it out" if not own else f"{mend}; then leave it out"
                    yield Breach("cluster.talos", message[:239], mend, place(graph))


def _metrics_servers(app: App) -> Iterator[tuple[str, bool]]:
    """(file, whether it checks nothing) of every metrics-server of an app."""
    for file, chart in app.charts:
        if chart.name == METRICS:
            yield file, _insecure(chart.values)
    for held in app.objects:
        spec = mapping(mapping(mapping(held.body.get("spec")).get("template")).get("spec"))
        for container in items(spec.get("containers")):
            if f"/{METRICS}:" in str(mapping(container).get("image")):
                yield held.file, _insecure(mapping(container))


def _insecure(told: Mapping[str, Any]) -> bool:
    arguments = [*items(told.get("args")), *items(told.get("defaultArgs")), *items(told.get("command"))]
    return any(str(one).startswith("--kubelet-insecure-tls") and not str(one).endswith("=false") for one in arguments)
