"""The Helm charts of applications.

Owns facts about each: where it is published and in which form of version, which kinds it registers, which classes its
values make. It refuses to own the charts that a cluster stands on (``kube_charts``), and no chart is carried here: a
value nobody wrote a rule for is believed.
"""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal.world.kube_chart import Chart, Values, pods, value

_CERT_MANAGER = ("Certificate", "CertificateRequest", "Challenge", "ClusterIssuer", "Issuer", "Order")
_EXTERNAL_SECRETS = ("ClusterExternalSecret", "ClusterSecretStore", "ExternalSecret", "PushSecret", "SecretStore")
_LONGHORN = ("BackupTarget", "RecurringJob", "Setting", "Volume")
_ROOK = (
    "CephBlockPool",
    "CephCluster",
    "CephFilesystem",
    "CephObjectStore",
    "CephObjectStoreUser",
    "ObjectBucketClaim",
)
_CNPG = ("Cluster", "ClusterImageCatalog", "Database", "ImageCatalog", "Pooler", "ScheduledBackup")
_SNAPSHOTS = ("VolumeSnapshot", "VolumeSnapshotClass", "VolumeSnapshotContent")
_PROMETHEUS = (
    *("Alertmanager", "AlertmanagerConfig", "PodMonitor", "Probe", "Prometheus", "PrometheusAgent", "PrometheusRule"),
    *("ScrapeConfig", "ServiceMonitor", "ThanosRuler"),
)
_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def _class(name: str, provisioner: str, *, default: bool, late: bool = False) -> Values:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {_DEFAULT: str(default).lower()}},
        "provisioner": provisioner,
        "volumeBindingMode": "WaitForFirstConsumer" if late else "Immediate",
        "allowVolumeExpansion": not late,
    }


def _longhorn_classes(values: Values) -> Iterator[Values]:
    """What the chart's ``persistence`` makes (Longhorn 1.x chart, ``templates/storageclass.yaml``)."""
    yield _class("longhorn", "driver.longhorn.io", default=bool(value(values, "persistence.defaultClass", True)))


def _ceph_classes(values: Values) -> Iterator[Values]:
    """What the pools make (Rook 1.18, ``charts/rook-ceph-cluster/templates``): the operator names the driver."""
    prefix = value(values, "csiDriverNamePrefix", None) or value(values, "operatorNamespace", "rook-ceph")
    for part, driver in (("cephBlockPools", "rbd"), ("cephFileSystems", "cephfs")):
        for pool in value(values, part, []):
            told = pool.get("storageClass") or {}
            if told.get("enabled"):
                yield _class(told["name"], f"{prefix}.{driver}.csi.ceph.com", default=told.get("isDefault") is True)


def _hostpath_classes(values: Values) -> Iterator[Values]:
    """What ``hostpathClass`` makes (localpv-provisioner 4.x, ``templates/hostpath-class.yaml``)."""
    if value(values, "hostpathClass.enabled", True):
        name, default = value(values, "hostpathClass.name", "openebs-hostpath"), "hostpathClass.isDefaultClass"
        yield _class(name, "openebs.io/local", default=value(values, default, False) is True, late=True)


_JETSTACK = ("https://charts.jetstack.io", "oci://quay.io/jetstack/charts")
APPLICATIONS = (
    # cert-manager brings its kinds only when told (its chart's crds.enabled, false by default); its webhook judges them
    Chart(
        name="cert-manager",
        repositories=_JETSTACK,
        version=r"v\d+\.\d+\.\d+",
        kinds=_CERT_MANAGER,
        asked=("crds.enabled", False),
        ordinary=pods("cert-manager", "cert-manager-cainjector", "cert-manager-webhook"),
    ),
    Chart(
        name="trust-manager",
        repositories=_JETSTACK,
        version=r"v\d+\.\d+\.\d+",
        kinds=("Bundle",),
        asked=("crds.enabled", True),
        ordinary=pods("trust-manager"),
    ),
    Chart(
        name="dex",
        repositories=("https://charts.dexidp.io",),
        version=r"\d+\.\d+\.\d+",
        ordinary=pods("dex"),
    ),
    Chart(
        name="headlamp",
        repositories=("https://kubernetes-sigs.github.io/headlamp", "https://headlamp-k8s.github.io/headlamp"),
        version=r"\d+\.\d+\.\d+",
        ordinary=pods("headlamp"),
    ),
    Chart(
        name="longhorn",
        repositories=("https://charts.longhorn.io",),
        version=r"v?1\.\d+\.\d+",
        kinds=_LONGHORN,
        privileged=True,
        ordinary=pods("longhorn-driver-deployer", "longhorn-ui"),
        classes=_longhorn_classes,
    ),
    Chart(
        name="omni",
        repositories=("oci://ghcr.io/siderolabs/charts",),
        version=r"v?\d+\.\d+\.\d+",
        ordinary=pods("omni"),
    ),
    Chart(
        name="external-secrets",
        repositories=("https://charts.external-secrets.io", "oci://ghcr.io/external-secrets/charts"),
        version=r"v?\d+\.\d+\.\d+",
        kinds=_EXTERNAL_SECRETS,
        asked=("installCRDs", True),
        ordinary=pods("external-secrets", "external-secrets-cert-controller", "external-secrets-webhook"),
    ),
    Chart(
        name="tailscale-operator",
        repositories=("https://pkgs.tailscale.com/helmcharts",),
        version=r"1\.\d+\.\d+",
        kinds=("Connector", "DNSConfig", "ProxyClass", "ProxyGroup", "Recorder"),
        ordinary=pods("operator"),
    ),
    Chart(
        name="sealed-secrets",
        repositories=("https://bitnami-labs.github.io/sealed-secrets", "https://bitnami.github.io/sealed-secrets"),
        version=r"\d+\.\d+\.\d+",
        kinds=("SealedSecret",),
        ordinary=pods("sealed-secrets-controller"),
    ),
    Chart(
        name="connect",
        repositories=("https://1password.github.io/connect-helm-charts",),
        version=r"\d+\.\d+\.\d+",
        ordinary=pods("onepassword-connect"),
    ),
    Chart(
        name="rook-ceph",
        repositories=("https://charts.rook.io/release", "oci://ghcr.io/rook"),
        version=r"v1\.\d+\.\d+",
        kinds=_ROOK,
        asked=("crds.enabled", True),
        privileged=True,
        ordinary=pods("rook-ceph-operator"),
    ),
    Chart(
        name="rook-ceph-cluster",
        repositories=("https://charts.rook.io/release", "oci://ghcr.io/rook"),
        version=r"v1\.\d+\.\d+",
        privileged=True,
        classes=_ceph_classes,
    ),
    Chart(
        name="localpv-provisioner",
        repositories=("https://openebs.github.io/dynamic-localpv-provisioner",),
        version=r"\d+\.\d+\.\d+",
        privileged=True,
        ordinary=pods("localpv-provisioner"),
        classes=_hostpath_classes,
    ),
    Chart(
        name="cloudnative-pg",
        repositories=("https://cloudnative-pg.github.io/charts",),
        version=r"0\.\d+\.\d+",
        kinds=_CNPG,
        asked=("crds.create", True),
        ordinary=pods("cloudnative-pg"),
    ),
    Chart(
        name="snapshot-controller",
        repositories=("https://piraeus.io/helm-charts", "oci://ghcr.io/piraeusdatastore/helm-charts"),
        version=r"\d+\.\d+\.\d+",
        kinds=_SNAPSHOTS,
        ordinary=pods("snapshot-controller"),
    ),
    Chart(
        name="volsync",
        repositories=("https://backube.github.io/helm-charts",),
        version=r"\d+\.\d+\.\d+",
        kinds=("ReplicationDestination", "ReplicationSource"),
        asked=("manageCRDs", True),
        ordinary=pods("volsync"),
    ),
    Chart(
        name="reloader",
        repositories=("https://stakater.github.io/stakater-charts",),
        version=r"\d+\.\d+\.\d+",
        ordinary=pods("reloader-reloader"),
    ),
    Chart(
        name="node-feature-discovery",
        repositories=(
            "oci://registry.k8s.io/nfd/charts",
            "https://kubernetes-sigs.github.io/node-feature-discovery/charts",
        ),
        version=r"0\.\d+\.\d+",
        kinds=("NodeFeature", "NodeFeatureGroup", "NodeFeatureRule"),
        privileged=True,
        ordinary=pods("node-feature-discovery-master", "node-feature-discovery-gc"),
    ),
    Chart(
        name="kube-prometheus-stack",
        repositories=(
            "https://prometheus-community.github.io/helm-charts",
            "oci://ghcr.io/prometheus-community/charts",
        ),
        version=r"\d+\.\d+\.\d+",
        kinds=_PROMETHEUS,
        asked=("crds.enabled", True),
        ordinary=pods("kube-prometheus-stack-operator", "kube-prometheus-stack-kube-state-metrics"),
    ),
    Chart(
        name="kagent-crds",
        repositories=("oci://ghcr.io/kagent-dev/kagent/helm",),
        version=r"0\.\d+\.\d+",
        kinds=("Agent", "MCPServer", "ModelConfig", "RemoteMCPServer"),
    ),
    Chart(
        name="kagent",
        repositories=("oci://ghcr.io/kagent-dev/kagent/helm",),
        version=r"0\.\d+\.\d+",
        ordinary=pods("kagent-controller", "kagent-ui"),
    ),
)
