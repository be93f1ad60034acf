"""Kubernetes clusters for tests, made without anything that would have brought them up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import any_pb2
from pulumi.runtime.proto import provider_pb2, status_pb2

from rehearsal.standins import kubernetes
from rehearsal.standins.wire import Secret, decode, encode
from rehearsal.world import World
from rehearsal.world.kube_cluster import PROGRAM, Body, Cluster
from rehearsal.world.kube_helm import Wanted, install
from rehearsal.world.talos import kubeconfig_text
from tests.rehearsal.worlds import Engine, lab

REPOSITORY = "https://git.example.org/lab.git"
SERVER = "https://10.0.0.100:6443"
AUTHORITY = "QVVUSE9SSVRZ"
CLOUDFLARE = {"account_id": "a" * 32}
CILIUM: dict[str, Any] = {
    "kubeProxyReplacement": True,
    "k8sServiceHost": "localhost",
    "k8sServicePort": 7445,
    "l2announcements": {"enabled": True},
    "cgroup": {"autoMount": {"enabled": False}, "hostRoot": "/sys/fs/cgroup"},
    "securityContext": {"capabilities": {"ciliumAgent": ["NET_ADMIN"], "cleanCiliumState": ["NET_ADMIN"]}},
}


def no_interruption() -> None:
    """Nobody dies in the middle of an installation."""


def kubeconfig(server: str = SERVER, authority: str = AUTHORITY) -> str:
    """An administrator's kubeconfig."""
    return kubeconfig_text("main", server, authority, "Q0VSVA==", "S0VZ")


def talos_cluster(repository: Path | None = None, *, workers: int = 2) -> Cluster:
    """A Talos cluster ``main``: one tainted control plane and ``workers``, no network yet."""
    environment = lab() | {"gitops": {"repository": REPOSITORY, "revision": "main"}, "edge": {"cloudflare": CLOUDFLARE}}
    world = World(environment, repository=repository)
    world.kubernetes.stand_up("main", server=SERVER, version="v1.34.2", credential=AUTHORITY)
    label = "node-role.kubernetes.io/control-plane"
    taint = {"key": label, "effect": "NoSchedule"}
    world.kubernetes.add_node("main", "cp-1", address="10.0.0.101", labels={label: ""}, taints=[taint])
    for number in range(workers):
        name, address = f"worker-{number}", f"10.0.0.{110 + number}"
        world.kubernetes.add_node("main", name, address=address, labels={}, taints=[])
    cluster: Cluster = world.kubernetes.clusters["main"]
    return cluster


def wanted(chart: str, /, **over: Any) -> Wanted:
    """What it takes to install one of the charts as this lab would."""
    known: dict[str, dict[str, Any]] = {
        "cilium": {
            "namespace": "kube-system",
            "version": "1.18.4",
            "repository": "https://helm.cilium.io",
            "values": CILIUM,
        },
        "argo-cd": {"namespace": "argocd", "version": "9.1.0", "repository": "https://argoproj.github.io/argo-helm"},
        "gateway-helm": {"namespace": "net", "version": "v1.7.0", "chart": "oci://docker.io/envoyproxy/gateway-helm"},
        "flux-operator": {
            "namespace": "flux-system",
            "version": "0.33.0",
            "chart": "oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator",
        },
        "flux-instance": {
            "namespace": "flux-system",
            "version": "0.33.0",
            "chart": "oci://ghcr.io/controlplaneio-fluxcd/charts/flux-instance",
        },
    }
    return Wanted(**({"name": chart, "chart": chart, "create_namespace": True} | known[chart] | over))


def seed(cluster: Cluster, *charts: str, **over: Any) -> Body:
    """Install charts, all as the lab would but for ``over``; the last one's release."""
    release: Body = {}
    for chart in charts:
        release = install(cluster, wanted(chart, **over), no_interruption)
    return release


def body(kind: str, name: str, namespace: str | None = None, *, api: str = "v1", **rest: Any) -> Body:
    """An object."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def make(cluster: Cluster, kind: str, name: str, namespace: str | None = None, **rest: Any) -> Body:
    """Create an object as the program does."""
    return cluster.create(body(kind, name, namespace, **rest), PROGRAM)


def namespace_made(cluster: Cluster, name: str, level: str = "baseline") -> None:
    """A namespace with a Pod Security level."""
    labels = {"pod-security.kubernetes.io/enforce": level}
    made = body("Namespace", name)
    made["metadata"]["labels"] = labels
    cluster.create(made, PROGRAM)


GATEWAY = "gateway.networking.k8s.io/v1"
CILIUM_IO = "cilium.io/v2alpha1"
ARGO = "argoproj.io/v1alpha1"
POOL = {"blocks": [{"start": "10.0.0.220", "stop": "10.0.0.239"}]}
POLICY = {"loadBalancerIPs": True, "interfaces": ["^eth0$"]}
CLASS = {"controllerName": "gateway.envoyproxy.io/gatewayclass-controller"}


def gateway(address: str | None = "10.0.0.239", **over: Any) -> Body:
    """The spec of a gateway of class ``envoy``."""
    spec: Body = {
        "gatewayClassName": "envoy",
        "listeners": [{"name": "http", "protocol": "HTTP", "port": 80}],
    }
    if address:
        spec["infrastructure"] = {"annotations": {"lbipam.cilium.io/ips": address}}
    return spec | over


def with_gateways(**over: Body) -> Cluster:
    """A cluster in which a Gateway gets its address: ``over`` replaces the spec of pool, policy or gateway class."""
    cluster = talos_cluster()
    seed(cluster, "cilium", "gateway-helm")
    make(cluster, "CiliumLoadBalancerIPPool", "lan", api=CILIUM_IO, spec=over.get("pool", POOL))
    make(cluster, "CiliumL2AnnouncementPolicy", "lan", api=CILIUM_IO, spec=over.get("policy", POLICY))
    make(cluster, "GatewayClass", "envoy", api=GATEWAY, spec=over.get("class_", CLASS))
    return cluster


def named(name: str, namespace: str | None = None) -> dict[str, Any]:
    """Metadata."""
    return {"name": name} | ({"namespace": namespace} if namespace else {})


def cilium_release(**over: Any) -> dict[str, Any]:
    """The inputs of a release of Cilium that comes up."""
    return {
        "chart": "cilium",
        "name": "cilium",
        "namespace": "kube-system",
        "version": "1.18.4",
        "repositoryOpts": {"repo": "https://helm.cilium.io"},
        "values": CILIUM,
    } | over


class Provider(Engine):
    """The engine with a configured Kubernetes provider."""

    def __init__(self, world: World, **config: Any) -> None:
        super().__init__(kubernetes.stand_in(), world)
        request = provider_pb2.ConfigureRequest(args=encode({"kubeconfig": Secret(kubeconfig())} | config))
        self.servicer.Configure(request, self.call)

    def create(
        self, token: str, preview: bool = False, *, named: str = "it", **news: Any
    ) -> tuple[str, dict[str, Any], set[Any]]:
        """Checked and created, as the engine does it."""
        request = provider_pb2.CheckRequest(urn=self.urn(token, named), news=encode(news))
        inputs = self.servicer.Check(request, self.call).inputs
        urn = self.urn(token, named)
        answer = self.servicer.Create(
            provider_pb2.CreateRequest(urn=urn, properties=inputs, preview=preview), self.call
        )
        state, secrets = decode(answer.properties)
        return answer.id, state, set(secrets)

    def faults_in_config(self, **news: Any) -> list[tuple[str, str]]:
        request = provider_pb2.CheckRequest(urn=self.urn("pulumi:providers:kubernetes", "it"), news=encode(news))
        return [(each.property, each.reason) for each in self.servicer.CheckConfig(request, self.call).failures]

    def config_diff(self, olds: dict[str, Any], news: dict[str, Any]) -> tuple[bool, list[str]]:
        request = provider_pb2.DiffRequest(old_inputs=encode(olds), olds=encode(olds), news=encode(news))
        answer = self.servicer.DiffConfig(request, self.call)
        return answer.changes == provider_pb2.DiffResponse.DIFF_SOME, list(answer.replaces)

    def remove(self, token: str, known: str) -> None:
        self.servicer.Delete(provider_pb2.DeleteRequest(id=known, urn=self.urn(token, "it")), self.call)

    def half_made(self) -> tuple[str, dict[str, Any], set[Any]]:
        """What the engine was told to remember of something that did not become ready."""
        status = status_pb2.Status.FromString(dict(self.call.metadata)["grpc-status-details-bin"])
        failed = provider_pb2.ErrorResourceInitFailed()
        assert any_pb2.Any.Unpack(status.details[0], failed)
        state, secrets = decode(failed.properties)
        return failed.id, state, set(secrets)
