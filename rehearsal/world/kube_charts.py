"""The Helm charts this lab can install.

Owns where each is found, and facts about those that a cluster stands on: the kinds they register, what their pods need,
which values they cannot run with on Talos. It refuses to own applications' (``kube_catalogue``) and releases
(``kube_helm``), and no chart is carried here: a value nobody wrote a rule for is believed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rehearsal.world.errors import Refusal
from rehearsal.world.kube_catalogue import APPLICATIONS
from rehearsal.world.kube_chart import Chart as Chart
from rehearsal.world.kube_chart import Values, value
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.talos_config import main_document

_GATEWAY_API = (
    *("BackendTLSPolicy", "GatewayClass", "Gateway", "GRPCRoute", "HTTPRoute", "ReferenceGrant"),
    *("TCPRoute", "TLSRoute", "UDPRoute", "XBackendTrafficPolicy", "XListenerSet", "XMesh"),
)
_ENVOY_GATEWAY = (
    *("Backend", "BackendTrafficPolicy", "ClientTrafficPolicy", "EnvoyExtensionPolicy", "EnvoyPatchPolicy"),
    *("EnvoyProxy", "HTTPRouteFilter", "SecurityPolicy"),
)
_CILIUM = (
    *("CiliumBGPAdvertisement", "CiliumBGPClusterConfig", "CiliumBGPNodeConfig", "CiliumBGPNodeConfigOverride"),
    *("CiliumBGPPeerConfig", "CiliumBGPPeeringPolicy", "CiliumCIDRGroup", "CiliumClusterwideEnvoyConfig"),
    *("CiliumClusterwideNetworkPolicy", "CiliumEgressGatewayPolicy", "CiliumEndpoint", "CiliumEndpointSlice"),
    *("CiliumEnvoyConfig", "CiliumGatewayClassConfig", "CiliumIdentity", "CiliumL2AnnouncementPolicy"),
    *("CiliumLoadBalancerIPPool", "CiliumLocalRedirectPolicy", "CiliumNetworkPolicy", "CiliumNode"),
    *("CiliumNodeConfig", "CiliumPodIPPool"),
)
_FLUX_OPERATOR = ("FluxInstance", "FluxReport", "ResourceSet", "ResourceSetInputProvider")


def _cilium_crashes(cluster: Cluster, values: Values) -> Iterator[str]:
    """Cilium 1.18's chart defaults against Talos (Talos documentation, "Deploy Cilium CNI")."""
    if cluster.is_k3s:
        return
    if value(values, "cgroup.autoMount.enabled", True):
        yield "cilium: init container mount-cgroup: nsenter: cannot mount cgroup2: Operation not permitted"
    elif value(values, "cgroup.hostRoot", "/run/cilium/cgroupv2") != "/sys/fs/cgroup":
        yield "cilium: cgroup.hostRoot is not where Talos mounts cgroup v2: /sys/fs/cgroup"
    capabilities = "securityContext.capabilities"
    for container, default in (("ciliumAgent", ["SYS_MODULE"]), ("cleanCiliumState", ["SYS_MODULE"])):
        if "SYS_MODULE" in value(values, f"{capabilities}.{container}", default) and not value(
            values, "securityContext.privileged", False
        ):
            yield f"{container}: unable to apply caps: can't apply capabilities: operation not permitted (SYS_MODULE)"
    if str(value(values, "kubeProxyReplacement", False)).lower() == "true":
        unreachable = _api_unreachable(cluster, values)
        if unreachable:
            yield unreachable
    elif not _kube_proxy_runs(cluster):
        yield "cilium: no kube-proxy runs and kubeProxyReplacement is false: Services answer nowhere"


def _api_unreachable(cluster: Cluster, values: Values) -> str | None:
    """Without kube-proxy the API's Service address leads nowhere: an agent must be told where the API is."""
    host, port = str(value(values, "k8sServiceHost", "")), str(value(values, "k8sServicePort", ""))
    said = "unable to contact k8s api-server"
    if not host:
        return f'cilium: {said} ipAddr="https://10.96.0.1:443" (no kube-proxy, k8sServiceHost unset)'
    if host in ("localhost", "127.0.0.1"):
        if all(prism == port for prism in _kube_prisms(cluster)):
            return None
    elif cluster.answers_at(f"https://{host}:{port}"):
        return None
    return f'cilium: {said} ipAddr="https://{host}:{port}": connect: connection refused'


def _talos(cluster: Cluster) -> Iterator[Values]:
    names = {found["metadata"]["name"] for found in cluster.objects("Node")}
    for each in cluster.world.talos.nodes():
        if each.hostname in names:
            yield main_document(each.documents)


def _kube_prisms(cluster: Cluster) -> list[str]:
    """KubePrism's port on each Talos node, ``""`` where it is off (Talos 1.12: on at 7445 unless told otherwise)."""
    found = []
    for document in _talos(cluster):
        prism = value(document, "machine.features.kubePrism", {})
        found.append(str(prism.get("port", 7445)) if prism.get("enabled", True) else "")
    return found or ["7445"]


def _kube_proxy_runs(cluster: Cluster) -> bool:
    return not any(value(document, "cluster.proxy.disabled", False) for document in _talos(cluster))


def _cilium_ordinary(values: Values) -> Iterator[str]:
    if value(values, "hubble.enabled", True):
        if value(values, "hubble.relay.enabled", False):
            yield "hubble-relay"
        if value(values, "hubble.ui.enabled", False):
            yield "hubble-ui"


def _argo_cd_ordinary(values: Values) -> Iterator[str]:
    yield from ("argocd-server", "argocd-repo-server", "argocd-application-controller")
    if value(values, "applicationSet.enabled", True):
        yield "argocd-applicationset-controller"


CHARTS = {
    chart.name: chart
    for chart in (
        *APPLICATIONS,
        Chart(
            name="cilium",
            # Cilium's release notes: the registry carries its charts beside the index
            repositories=("https://helm.cilium.io", "oci://quay.io/cilium/charts"),
            version=r"v?1\.1[5-9]\.\d+",
            operator_kinds=_CILIUM,
            network=True,
            privileged=True,
            crashes=_cilium_crashes,
            ordinary=_cilium_ordinary,
        ),
        Chart(
            name="argo-cd",
            repositories=("https://argoproj.github.io/argo-helm",),
            version=r"\d+\.\d+\.\d+",
            kinds=("Application", "ApplicationSet", "AppProject"),
            ordinary=_argo_cd_ordinary,
        ),
        Chart(
            name="gateway-helm",
            repositories=("oci://docker.io/envoyproxy",),
            version=r"v\d+\.\d+\.\d+(-rc\.\d+)?",
            kinds=(*_GATEWAY_API, *_ENVOY_GATEWAY),
            ordinary=lambda _values: iter(("envoy-gateway",)),
        ),
        Chart(
            name="flux-operator",
            repositories=("oci://ghcr.io/controlplaneio-fluxcd/charts",),
            version=r"\d+\.\d+\.\d+",
            kinds=_FLUX_OPERATOR,
            ordinary=lambda _values: iter(("flux-operator",)),
        ),
        Chart(
            name="flux-instance",
            repositories=("oci://ghcr.io/controlplaneio-fluxcd/charts",),
            version=r"\d+\.\d+\.\d+",
        ),
    )
}


def fetch(chart: str, repository: str | None, version: str | None) -> Chart:
    """The chart that ``chart`` names in ``repository``, or with it (``oci://…/name``). ``Refusal`` in Helm's words."""
    if repository and repository.startswith("oci://"):
        raise Refusal(
            f'looks like "{repository}" is not a valid chart repository or cannot be reached: object required'
        )
    where, _, name = chart.rpartition("/") if chart.startswith("oci://") else (repository or "", "", chart)
    found = CHARTS.get(name)
    if not where or found is None or where.rstrip("/") not in found.repositories:
        raise Refusal(f'failed to download "{chart}": chart "{name}" not found in {where or "any"} repository')
    if not version:
        raise Refusal(f'failed to download "{chart}": no version is given, and the rack does not know the newest')
    if not re.fullmatch(found.version, version):
        raise Refusal(
            f'failed to download "{chart}": chart "{name}" version "{version}" not found in {where} repository'
        )
    return found
