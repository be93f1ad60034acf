"""What the charts that are known bring: kinds, classes, and what they are called.

Owns facts about published charts, each with where it is known from. Refuses their values' meaning, but for the few
that decide whether something is brought. A chart that is not here is said to be unknown, never refused.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from model.closure.reading import items, mapping
from model.closure.things import ANYWHERE, DEFAULT_CLASS, KIND, Thing
from model.tree import Chart


class Facts(NamedTuple):
    """One chart. `{full}`, `{release}` and `{namespace}` stand for the release's own."""

    source: str
    """Where this is known from."""
    kinds: Mapping[str, str] = {}
    """API group → kinds, in one line."""
    operator: bool = False
    """Whether the kinds are registered by what runs, and not by the chart itself."""
    things: tuple[tuple[str, str], ...] = ()
    """(kind, name) of what is named by others."""
    base: str = ""
    """What Helm's full name is built of, when that is not the chart's name."""
    crds: str = ""
    """A value that must be on for the kinds to be there; empty when nothing switches them."""
    crds_default: bool = True
    asks: tuple[str, ...] = ()
    """Kinds, `group/Kind`, of objects that the chart itself holds."""
    spread: tuple[tuple[str, str], ...] = ()
    """(value that names it, default) of each namespace besides the release's that objects go into; "" when fixed."""


_GATEWAY_API = (
    "BackendTLSPolicy GatewayClass Gateway GRPCRoute HTTPRoute ReferenceGrant TCPRoute TLSRoute UDPRoute "
    "XBackendTrafficPolicy"
)
_CILIUM = (
    "CiliumBGPAdvertisement CiliumBGPClusterConfig CiliumBGPNodeConfig CiliumBGPNodeConfigOverride "
    "CiliumBGPPeerConfig CiliumCIDRGroup CiliumClusterwideEnvoyConfig CiliumClusterwideNetworkPolicy "
    "CiliumEgressGatewayPolicy CiliumEndpoint CiliumEnvoyConfig CiliumIdentity CiliumL2AnnouncementPolicy "
    "CiliumLoadBalancerIPPool CiliumLocalRedirectPolicy CiliumNetworkPolicy CiliumNode CiliumNodeConfig "
    "CiliumPodIPPool"
)
_PROMETHEUS = (
    "Alertmanager AlertmanagerConfig PodMonitor Probe Prometheus PrometheusAgent PrometheusRule ScrapeConfig "
    "ServiceMonitor ThanosRuler"
)
_EXTERNAL_SECRETS = "ClusterExternalSecret ClusterPushSecret ClusterSecretStore ExternalSecret PushSecret SecretStore"
_GENERATORS = (
    "ClusterGenerator ECRAuthorizationToken Fake GithubAccessToken Password QuayAccessToken SSHKey UUID Webhook"
)
_LONGHORN = (
    "BackingImage BackingImageDataSource BackingImageManager Backup BackupBackingImage BackupTarget BackupVolume "
    "Engine EngineImage InstanceManager Node Orphan RecurringJob Replica Setting ShareManager Snapshot "
    "SupportBundle SystemBackup SystemRestore Volume VolumeAttachment"
)
_ROOK = (
    "CephBlockPool CephBlockPoolRadosNamespace CephBucketNotification CephBucketTopic CephCluster CephCOSIDriver "
    "CephFilesystem CephFilesystemMirror CephFilesystemSubVolumeGroup CephNFS CephObjectRealm CephObjectStore "
    "CephObjectStoreUser CephObjectZone CephObjectZoneGroup CephRBDMirror"
)
_CNPG = (
    "Backup Cluster ClusterImageCatalog Database FailoverQuorum ImageCatalog Pooler Publication ScheduledBackup "
    "Subscription"
)
_SNAPSHOTS = "VolumeSnapshot VolumeSnapshotClass VolumeSnapshotContent"

CHARTS: dict[str, Facts] = {
    "cilium": Facts(
        "cilium/cilium, pkg/k8s/apis/cilium.io/client/crds: its operator registers them",
        {"cilium.io": _CILIUM},
        operator=True,
        things=(("ServiceAccount", "cilium"), ("Service", "hubble-relay"), ("Service", "hubble-ui")),
        spread=(("tls.secretsNamespace.name", "cilium-secrets"),),  # templates/cilium-secrets-namespace.yaml
    ),
    "argo-cd": Facts(
        "argoproj/argo-helm, charts/argo-cd/templates/crds",
        {"argoproj.io": "Application ApplicationSet AppProject"},
        base="argocd",
        crds="crds.install",
        things=(
            ("Service", "{full}-server"),
            ("Service", "{full}-repo-server"),
            ("Secret", "argocd-secret"),
            ("ConfigMap", "argocd-cm"),
            ("ConfigMap", "argocd-rbac-cm"),
            ("AppProject", "default"),
        ),
    ),
    "gateway-helm": Facts(
        "envoyproxy/gateway, charts/gateway-helm/crds",
        {
            "gateway.networking.k8s.io": _GATEWAY_API,
            "gateway.networking.x-k8s.io": "XBackendTrafficPolicy XListenerSet XMesh",
            "gateway.envoyproxy.io": "Backend BackendTrafficPolicy ClientTrafficPolicy EnvoyExtensionPolicy "
            "EnvoyPatchPolicy EnvoyProxy HTTPRouteFilter SecurityPolicy",
        },
        things=(("Service", "envoy-gateway"),),
    ),
    "flux-operator": Facts(
        "controlplaneio-fluxcd/flux-operator, charts/flux-operator/crds",
        {"fluxcd.controlplane.io": "FluxInstance FluxReport ResourceSet ResourceSetInputProvider"},
    ),
    "flux-instance": Facts(
        "fluxcd/flux2, the controllers that the instance names bring theirs",
        {
            "source.toolkit.fluxcd.io": "Bucket ExternalArtifact GitRepository HelmChart HelmRepository OCIRepository",
            "kustomize.toolkit.fluxcd.io": "Kustomization",
            "helm.toolkit.fluxcd.io": "HelmRelease",
            "notification.toolkit.fluxcd.io": "Alert Provider Receiver",
        },
        operator=True,
        asks=("fluxcd.controlplane.io/FluxInstance",),
        things=(("Kustomization", "flux-system"), ("OCIRepository", "flux-system"), ("GitRepository", "flux-system")),
    ),
    "cert-manager": Facts(
        "cert-manager/cert-manager, deploy/crds",
        {
            "cert-manager.io": "Certificate CertificateRequest ClusterIssuer Issuer",
            "acme.cert-manager.io": "Challenge Order",
        },
        crds="crds.enabled",
        crds_default=False,
        spread=(("global.leaderElection.namespace", "kube-system"),),  # templates/rbac.yaml
    ),
    "trust-manager": Facts(
        "cert-manager/trust-manager, deploy/crds",
        {"trust.cert-manager.io": "Bundle"},
        crds="crds.enabled",
        asks=("cert-manager.io/Certificate", "cert-manager.io/Issuer"),
    ),
    "external-secrets": Facts(
        "external-secrets/external-secrets, config/crds/bases",
        {"external-secrets.io": _EXTERNAL_SECRETS, "generators.external-secrets.io": _GENERATORS},
        crds="installCRDs",
    ),
    "connect": Facts(
        "1Password/connect-helm-charts, charts/connect",
        {"onepassword.com": "OnePasswordItem"},
        things=(("Service", "onepassword-connect"),),
        base="onepassword-connect",
    ),
    "longhorn": Facts("longhorn/longhorn, chart/templates", {"longhorn.io": _LONGHORN}),
    "rook-ceph": Facts(
        "rook/rook, deploy/charts/rook-ceph/templates/resources.yaml",
        {"ceph.rook.io": _ROOK, "objectbucket.io": "ObjectBucket ObjectBucketClaim"},
        crds="crds.enabled",
    ),
    "rook-ceph-cluster": Facts(
        "rook/rook, deploy/charts/rook-ceph-cluster/values.yaml", asks=("ceph.rook.io/CephCluster",)
    ),
    "openebs": Facts(
        "openebs/openebs, charts/values.yaml",
        {"local.openebs.io": "LVMNode LVMSnapshot LVMVolume", "snapshot.storage.k8s.io": _SNAPSHOTS},
        things=(("StorageClass", "openebs-hostpath"),),
    ),
    "localpv-provisioner": Facts(
        "openebs/dynamic-localpv-provisioner, deploy/helm/charts/values.yaml",
        things=(("StorageClass", "openebs-hostpath"),),
    ),
    "csi-driver-nfs": Facts("kubernetes-csi/csi-driver-nfs, charts"),
    "snapshot-controller": Facts(
        "piraeusdatastore/helm-charts, charts/snapshot-controller", {"snapshot.storage.k8s.io": _SNAPSHOTS}
    ),
    "cloudnative-pg": Facts(
        "cloudnative-pg/charts, charts/cloudnative-pg", {"postgresql.cnpg.io": _CNPG}, crds="crds.create"
    ),
    "volsync": Facts(
        "backube/volsync, helm/volsync",
        {"volsync.backube": "ReplicationDestination ReplicationSource"},
        crds="manageCRDs",
    ),
    "kagent-crds": Facts(
        "kagent-dev/kagent, helm/kagent-crds", {"kagent.dev": "Agent MCPServer ModelConfig RemoteMCPServer"}
    ),
    "kagent": Facts(
        "kagent-dev/kagent, helm/kagent",
        things=(("Service", "{full}-ui"), ("Service", "{full}-controller")),
        asks=("kagent.dev/ModelConfig",),
    ),
    "kube-prometheus-stack": Facts(
        "prometheus-community/helm-charts, charts/kube-prometheus-stack",
        {"monitoring.coreos.com": _PROMETHEUS},
        crds="crds.enabled",
        spread=(("", "kube-system"),),  # templates/exporters: a ServiceMonitor looks for its Service there
    ),
    "prometheus-operator-crds": Facts(
        "prometheus-community/helm-charts, charts/prometheus-operator-crds", {"monitoring.coreos.com": _PROMETHEUS}
    ),
    "external-dns": Facts("kubernetes-sigs/external-dns, charts/external-dns", {"externaldns.k8s.io": "DNSEndpoint"}),
    "tailscale-operator": Facts(
        "tailscale/tailscale, cmd/k8s-operator/deploy/crds",
        {"tailscale.com": "Connector DNSConfig ProxyClass ProxyGroup Recorder"},
        things=(("ServiceAccount", "operator"), ("ServiceAccount", "proxies")),
    ),
    "sealed-secrets": Facts("bitnami-labs/sealed-secrets, helm/sealed-secrets/crds", {"bitnami.com": "SealedSecret"}),
    "dex": Facts("dexidp/helm-charts, charts/dex", things=(("Service", "{full}"),)),
    "headlamp": Facts("kubernetes-sigs/headlamp, charts/headlamp", things=(("Service", "{full}"),)),
    "omni": Facts("siderolabs/omni, deploy/helm"),
    "metrics-server": Facts(
        "kubernetes-sigs/metrics-server, charts/metrics-server",
        spread=(("", "kube-system"),),  # templates/rolebinding.yaml
    ),
    "kubelet-csr-approver": Facts("postfinance/kubelet-csr-approver, charts/kubelet-csr-approver"),
    "reloader": Facts("stakater/Reloader, deployments/kubernetes/chart/reloader"),
    "alloy": Facts("grafana/alloy, operations/helm/charts/alloy", {"monitoring.grafana.com": "PodLogs"}),
    "k8s-monitoring": Facts("grafana/k8s-monitoring-helm, charts/k8s-monitoring", {"collectors.grafana.com": "Alloy"}),
    "node-feature-discovery": Facts(
        "kubernetes-sigs/node-feature-discovery, deployment/helm",
        {"nfd.k8s-sigs.io": "NodeFeature NodeFeatureGroup NodeFeatureRule"},
    ),
    "app-template": Facts("bjw-s-labs/helm-charts, charts/other/app-template", things=(("Service", "{release}"),)),
}
"""Chart's name → what is known of it."""


def full_name(chart: Chart) -> str:
    """What Helm calls the objects of a release: `fullnameOverride`, the release, or release and chart."""
    facts = CHARTS.get(chart.name)
    base = str(chart.values.get("nameOverride") or (facts.base if facts else "") or chart.name)
    given = str(chart.values.get("fullnameOverride") or "")
    return given or (chart.release if base in chart.release else f"{chart.release}-{base}")


def brings(chart: Chart) -> Iterator[tuple[Thing, bool]]:
    """(thing, whether it is there only once the chart's controller runs) of a known chart."""
    facts = CHARTS.get(chart.name)
    if facts is None:
        return
    if not facts.crds or _on(chart.values, facts.crds, default=facts.crds_default):
        for group, kinds in facts.kinds.items():
            yield from ((Thing(KIND, "", f"{group}/{kind}"), facts.operator) for kind in kinds.split())
    words = {"full": full_name(chart), "release": chart.release, "namespace": chart.namespace}
    for kind, name in facts.things:
        namespace = "" if kind == "StorageClass" else chart.namespace
        yield Thing(kind, namespace, name.format(**words)), True
    yield from ((thing, True) for thing in _classes(chart))


def asks(chart: Chart) -> Iterator[Thing]:
    """What a known chart's own objects need."""
    facts = CHARTS.get(chart.name)
    yield from (Thing(KIND, "", kind) for kind in (facts.asks if facts else ()))


def spread(chart: Chart) -> set[str]:
    """Namespaces besides its own that a known chart's objects go into."""
    facts = CHARTS.get(chart.name)
    named = ((_value(chart.values, path), default) for path, default in (facts.spread if facts else ()))
    return {str(given or default) for given, default in named} - {chart.namespace}


def _classes(chart: Chart) -> Iterator[Thing]:
    """Classes of volumes and snapshots that a chart makes as its values say."""
    values = chart.values
    if chart.name == "longhorn":
        yield from (Thing("StorageClass", "", name) for name in ("longhorn", "longhorn-static"))
        if _on(values, "persistence.defaultClass", default=True):
            yield Thing("StorageClass", "", DEFAULT_CLASS)
    stated = [mapping(values.get(key)) for key in ("storageClass", "hostpathClass")]
    stated += [mapping(one) for one in items(values.get("storageClasses"))]
    for pool in ("cephBlockPools", "cephFileSystems", "cephObjectStores"):
        stated += [mapping(mapping(one).get("storageClass")) for one in items(values.get(pool))]
    for key in ("cephBlockPoolsVolumeSnapshotClass", "cephFileSystemVolumeSnapshotClass"):
        snapshots = mapping(values.get(key))
        if snapshots.get("enabled") is True:
            yield Thing("VolumeSnapshotClass", "", str(snapshots.get("name")))
    for one in stated:
        if one.get("name") and one.get("enabled", True):
            yield Thing("StorageClass", "", str(one["name"]))
        if one.get("isDefault") is True or one.get("isDefaultClass") is True:
            yield Thing("StorageClass", "", DEFAULT_CLASS)


def assumed(chart: Chart, thing: Thing) -> bool:
    """Whether a thing is called as the chart calls its own: after the release, where the release is."""
    if thing.namespace not in (chart.namespace, ANYWHERE):
        return False
    return any(thing.name == name or thing.name.startswith(f"{name}-") for name in (chart.release, full_name(chart)))


def _on(values: Mapping[str, Any], path: str, *, default: bool) -> bool:
    found = _value(values, path)
    return default if found is None else found is True


def _value(values: Mapping[str, Any], path: str) -> Any:
    found: Any = values
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    return found
