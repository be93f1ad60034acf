"""Every Kubernetes cluster of the World.

Owns which clusters stand, who may reach them with which kubeconfig, their nodes, and what of the program's is left in
them. It refuses to own how a cluster came to stand (``talos``, ``hosts``) and what is in one (``kube_cluster``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from rehearsal.world import (
    host_trust,
    kube_argocd,
    kube_certificates,
    kube_databases,
    kube_external_dns,
    kube_flux,
    kube_gateway,
    kube_releases,
    kube_secrets,
    kube_services,
    kube_tunnel,
)
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import DEFAULT_NAMESPACES, PROGRAM, Body, Cluster
from rehearsal.world.kube_pods import keep_nodes, node, not_running
from rehearsal.world.talos_secrets import expires

if TYPE_CHECKING:
    from rehearsal.world import World

_CONTROLLERS = [
    keep_nodes,
    kube_gateway.keep_gateways,
    kube_services.keep_services,
    kube_tunnel.keep_tunnels,
    host_trust.keep_trust,
    kube_secrets.keep_secrets,
    kube_certificates.keep_certificates,
    kube_databases.keep_databases,
    kube_argocd.keep_applications,
    kube_flux.keep_flux,
    kube_external_dns.keep_published,
]
_ITSELF = "kube-apiserver"


class Kubernetes:
    """``section("kubernetes")``: name → cluster record. ``clusters`` holds them as ``Cluster``."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.records: dict[str, Body] = world.section("kubernetes")
        self.clusters: dict[str, Cluster] = {name: self._cluster(name) for name in self.records}

    def _cluster(self, name: str) -> Cluster:
        return Cluster(self.world, name, self.records[name], list(_CONTROLLERS))

    def stand_up(self, name: str, *, server: str, version: str, credential: str, starts_in: float = 0.0) -> None:
        """A cluster's API answers at ``server``; ``credential`` is its authority's certificate, base64.

        It answers from now on, or once somebody has waited ``starts_in`` seconds for it (``answers``).
        """
        self.records[name] = {
            "server": server,
            "version": version,
            "credential": credential,
            "starts_in": starts_in,
            "cni": "k3s" in version,
            "counter": 0,
            "objects": {},
            "releases": {},
        }
        self.clusters[name] = self._cluster(name)
        for namespace in DEFAULT_NAMESPACES:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            self.clusters[name].place(body, _ITSELF)

    def tear_down(self, name: str) -> None:
        """The cluster is gone with all that was in it; gone already is no error."""
        self.records.pop(name, None)
        self.clusters.pop(name, None)

    def add_node(
        self, cluster: str, name: str, *, address: str, labels: dict[str, str], taints: list[dict[str, Any]]
    ) -> None:
        """A kubelet registers, or registers again with other facts."""
        found = self.clusters[cluster]
        before = found.get("Node", None, name)
        if before is not None:
            found.delete("Node", None, name)
        found.place(node(name, address, labels, taints), _ITSELF)

    def remove_node(self, cluster: str, name: str) -> None:
        """A node has left; gone already is no error."""
        self.clusters[cluster].delete("Node", None, name)

    def by_kubeconfig(self, text: str) -> Cluster:
        """The cluster that a kubeconfig reaches; ``Refusal`` in the words of client-go."""
        server, authority, user = _current(text)
        found = next((each for each in self.clusters.values() if each.answers_at(server)), None)
        if found is None:
            host = urlsplit(server).netloc
            raise Refusal(f'Get "{server}/api": dial tcp {host}: connect: connection refused')
        silent = self._silence(found.name, server)
        if silent:
            raise Refusal(f'Get "{server}/api": {silent}')
        if authority != found.record["credential"]:
            raise Refusal(
                f'Get "{server}/api": tls: failed to verify certificate: x509: certificate signed by unknown authority'
            )
        if not (user.get("client-certificate-data") and user.get("client-key-data")) and not user.get("token"):
            raise Refusal("Unauthorized: the server has asked for the client to provide credentials")
        shown = user.get("client-certificate-data")
        if shown and expires(shown) < self.world.now():
            raise Refusal(f'Get "{server}/api": remote error: tls: expired certificate')
        return found

    def wait(self, seconds: float) -> None:
        """Time passes, and APIs that start come nearer to it."""
        starting = [str(each.record["server"]) for each in self.clusters.values() if each.is_starting]
        if starting:
            self.answers(starting[0], patience=seconds)
        else:
            self.world.clock.let_pass(seconds)

    def answers(self, url: str, *, patience: float = 0.0) -> bool:
        """Whether an API answers at ``url``, asked again and again for ``patience`` seconds of the World's time."""
        for cluster in list(self.clusters.values()):  # while somebody waits, a Pi may come up and make one
            left = cluster.record.get("starts_in", 0.0)
            if left and cluster.serves(url):
                waited = min(left, patience)
                cluster.record["starts_in"] = left - waited
                patience -= waited
                self.world.clock.let_pass(waited)
                if waited == left:
                    self.world.journal(
                        "start serving", kind="kubernetes", subject=cluster.name, duration_of="kubernetes.api-answers"
                    )
        return self.world.clock.wait_for(lambda: self._listens(url), patience)

    def _listens(self, url: str) -> bool:
        there = [cluster.name for cluster in self.clusters.values() if cluster.answers_at(url)]
        return any(not self._silence(name, url) for name in there)

    def _silence(self, name: str, url: str) -> str | None:
        return self.world.talos.silence(name, urlsplit(url).hostname or "") or self.world.hosts.silence(name)

    def leftovers(self) -> list[str]:
        """What this program made and what still stands, over all clusters, sorted."""
        return sorted(line for cluster in self.clusters.values() for line in leftovers(cluster))


def leftovers(cluster: Cluster) -> list[str]:
    """``<cluster>/helm-release/<namespace>/<name>`` and ``<cluster>/object/<Kind>/[<namespace>/]<name>``."""
    ours = [key for key, release in cluster.releases.items() if release.get("by") != kube_releases.CONTROLLER]
    found = [f"{cluster.name}/helm-release/{key}" for key in ours]
    for body in cluster.written_by(PROGRAM):
        metadata = body["metadata"]
        place = [metadata["namespace"], metadata["name"]] if metadata.get("namespace") else [metadata["name"]]
        found.append("/".join([cluster.name, "object", body["kind"], *place]))
    return sorted(found)


def trouble_of(cluster: Cluster, body: Body) -> str | None:
    """Why an object that is stored does not do what it is for; ``None`` when it does or nobody can tell."""
    if body["kind"] in ("GatewayClass", "Gateway") or body["kind"].endswith("Route"):
        return kube_gateway.trouble_of(body)
    if body["kind"] == "ApplicationSet":
        return kube_argocd.trouble_of(body)
    if body["kind"] == "Service":
        return kube_services.trouble_of(body)
    if body["kind"] == "FluxInstance":
        return kube_flux.trouble_of(body)
    return not_running(cluster, body)


def _current(text: str) -> tuple[str, str, Body]:
    """``(server, authority, user)`` of a kubeconfig's current context. ``Refusal`` when it is no kubeconfig."""
    try:
        document = yaml.safe_load(text)
        context = _named(document["contexts"], document["current-context"])["context"]
        cluster = _named(document["clusters"], context["cluster"])["cluster"]
        user = _named(document["users"], context["user"])["user"]
        return str(cluster["server"]), str(cluster.get("certificate-authority-data", "")), dict(user)
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise Refusal(f"failed to parse kubeconfig: invalid configuration: {error!r}") from error


def _named(entries: list[Body], name: str) -> Body:
    return next((entry for entry in entries if entry["name"] == name), {})


def active_cluster(text: str) -> tuple[str, str]:
    """``(server, authority)`` a kubeconfig points at; what makes the provider think it another cluster."""
    server, authority, _ = _current(text)
    return server, authority
