"""The Helm charts this lab can install.

Owns facts about each: where it is published and in which form of version, which kinds it registers, what its pods need,
which values it cannot run with on Talos. It refuses to own releases (``kube_helm``), and no chart is carried here: a
value nobody wrote a rule for is believed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.talos_config import main_document

Values = dict[str, Any]

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
_CERT_MANAGER = ("Certificate", "CertificateRequest", "Challenge", "ClusterIssuer", "Issuer", "Order")
_EXTERNAL_SECRETS = ("ClusterExternalSecret", "ClusterSecretStore", "ExternalSecret", "PushSecret", "SecretStore")
_LONGHORN = ("BackupTarget", "RecurringJob", "Setting", "Volume")
_FLUX_OPERATOR = ("FluxInstance", "FluxReport", "ResourceSet", "ResourceSetInputProvider")


@dataclass(frozen=True)
class Chart:
    """One chart. ``repositories`` are ``https`` indexes or ``oci`` folders, without the chart's name.

    ``kinds`` come with the chart, ``operator_kinds`` are registered by its operator once that runs; ``network`` makes
    nodes Ready; ``privileged`` needs a namespace that allows it; ``crashes`` says why its pods would not stay up with
    these values; ``ordinary`` names its pods that need a Ready, untainted node. ``asked`` is the value that brings its
    kinds, and whether it is true where nobody says; ``classes`` are its StorageClasses, a default one first.
    """

    name: str
    repositories: tuple[str, ...]
    version: str
    kinds: tuple[str, ...] = ()
    operator_kinds: tuple[str, ...] = ()
    network: bool = False
    privileged: bool = False
    crashes: Callable[[Cluster, Values], Iterator[str]] = lambda _cluster, _values: iter(())
    ordinary: Callable[[Values], Iterator[str]] = lambda _values: iter(())
    asked: tuple[str, bool] | None = None
    classes: Callable[[Values], Iterator[Values]] = lambda _values: iter(())

    def kinds_with(self, values: Values) -> tuple[str, ...]:
        """The kinds that come with the chart when it is installed with ``values``."""
        return self.kinds if self.asked is None or value(values, *self.asked) else ()


def value(values: Values, path: str, default: Any) -> Any:
    """The value at a dotted ``path``, or the chart's default."""
    found: Any = values
    for step in path.split("."):
        if not isinstance(found, dict) or found.get(step) is None:
            return default
        found = found[step]
    return found


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


def _longhorn_classes(values: Values) -> Iterator[Values]:
    """What the chart's ``persistence`` makes (Longhorn 1.x chart, ``templates/storageclass.yaml``)."""
    default = str(bool(value(values, "persistence.defaultClass", True))).lower()
    annotations = {"storageclass.kubernetes.io/is-default-class": default}
    yield {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "longhorn", "annotations": annotations},
        "provisioner": "driver.longhorn.io",
        "allowVolumeExpansion": True,
    }


def _pods(*names: str) -> Callable[[Values], Iterator[str]]:
    return lambda _values: iter(names)


_JETSTACK = ("https://charts.jetstack.io", "oci://quay.io/jetstack/charts")
_APPLICATIONS = (
    # cert-manager brings its kinds only when told (its chart's crds.enabled, false by default); its webhook judges them
    Chart(
        name="cert-manager",
        repositories=_JETSTACK,
        version=r"v\d+\.\d+\.\d+",
        kinds=_CERT_MANAGER,
        asked=("crds.enabled", False),
        ordinary=_pods("cert-manager", "cert-manager-cainjector", "cert-manager-webhook"),
    ),
    Chart(
        name="trust-manager",
        repositories=_JETSTACK,
        version=r"v\d+\.\d+\.\d+",
        kinds=("Bundle",),
        asked=("crds.enabled", True),
        ordinary=_pods("trust-manager"),
    ),
    Chart(
        name="dex",
        repositories=("https://charts.dexidp.io",),
        version=r"\d+\.\d+\.\d+",
        ordinary=_pods("dex"),
    ),
    Chart(
        name="headlamp",
        repositories=("https://kubernetes-sigs.github.io/headlamp", "https://headlamp-k8s.github.io/headlamp"),
        version=r"\d+\.\d+\.\d+",
        ordinary=_pods("headlamp"),
    ),
    Chart(
        name="longhorn",
        repositories=("https://charts.longhorn.io",),
        version=r"v?1\.\d+\.\d+",
        kinds=_LONGHORN,
        privileged=True,
        ordinary=_pods("longhorn-driver-deployer", "longhorn-ui"),
        classes=_longhorn_classes,
    ),
    Chart(
        name="omni",
        repositories=("oci://ghcr.io/siderolabs/charts",),
        version=r"v?\d+\.\d+\.\d+",
        ordinary=_pods("omni"),
    ),
    Chart(
        name="external-secrets",
        repositories=("https://charts.external-secrets.io", "oci://ghcr.io/external-secrets/charts"),
        version=r"v?\d+\.\d+\.\d+",
        kinds=_EXTERNAL_SECRETS,
        asked=("installCRDs", True),
        ordinary=_pods("external-secrets", "external-secrets-cert-controller", "external-secrets-webhook"),
    ),
    Chart(
        name="sealed-secrets",
        repositories=("https://bitnami-labs.github.io/sealed-secrets", "https://bitnami.github.io/sealed-secrets"),
        version=r"\d+\.\d+\.\d+",
        kinds=("SealedSecret",),
        ordinary=_pods("sealed-secrets-controller"),
    ),
    Chart(
        name="connect",
        repositories=("https://1password.github.io/connect-helm-charts",),
        version=r"\d+\.\d+\.\d+",
        ordinary=_pods("onepassword-connect"),
    ),
)


CHARTS = {
    chart.name: chart
    for chart in (
        *_APPLICATIONS,
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
