"""The words of the graph: a thing that can be needed, an object that a folder holds, an app that holds objects.

Owns the shapes, and which kinds have no namespace. Refuses to find any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from model.tree import Chart

KIND = "kind"
"""The kind of a thing that stands for a kind itself; its name is `group/Kind`."""
ANYWHERE = "*"
"""The namespace of a thing that is in every namespace."""
DEFAULT_CLASS = "(default)"
"""The name of whichever StorageClass is the cluster's default."""

BUILT_IN = frozenset(
    ("", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps", "autoscaling")
) | {
    *("authentication.k8s.io", "authorization.k8s.io", "batch", "certificates.k8s.io", "coordination.k8s.io"),
    *("discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io", "networking.k8s.io", "node.k8s.io"),
    *("policy", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io"),
}
"""API groups that every Kubernetes serves itself."""

CLUSTER_WIDE = frozenset(
    (
        *("APIService", "Bundle", "CSIDriver", "CSINode", "CiliumBGPAdvertisement", "CiliumBGPClusterConfig"),
        *("CiliumBGPPeerConfig", "CiliumCIDRGroup", "CiliumClusterwideEnvoyConfig"),
        *("CiliumClusterwideNetworkPolicy", "CiliumEgressGatewayPolicy", "CiliumL2AnnouncementPolicy"),
        *("CiliumLoadBalancerIPPool", "CiliumPodIPPool", "ClusterExternalSecret", "ClusterGenerator"),
        *("ClusterImageCatalog", "ClusterIssuer", "ClusterPushSecret", "ClusterRole", "ClusterRoleBinding"),
        *("ClusterSecretStore", "Connector", "CustomResourceDefinition", "DeviceClass", "FlowSchema", "GatewayClass"),
        *("IngressClass", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"),
        *("MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass"),
        *("PriorityLevelConfiguration", "RuntimeClass", "StorageClass", "ValidatingAdmissionPolicy"),
        *("ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration", "VolumeAttributesClass"),
        *("VolumeSnapshotClass", "VolumeSnapshotContent"),
    )
)
"""Kinds that have no namespace, Kubernetes' own and those that the known charts bring."""


class Thing(NamedTuple):
    """Something that can be needed."""

    kind: str
    namespace: str
    """Empty for what has none; `*` for what is in every namespace."""
    name: str

    def __str__(self) -> str:
        """As a person says it: `Secret networking/wildcard-tls`, `kind Certificate (cert-manager.io)`."""
        if self.kind == KIND:
            group, _, kind = self.name.rpartition("/")
            return f"kind {kind} ({group})"
        if self.name == DEFAULT_CLASS:
            return "a default StorageClass"
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Held:
    """An object as an app applies it, or a patch of one."""

    file: str
    """Path in the tree."""
    body: Mapping[str, Any]
    namespace: str
    """Where it goes; empty for what has no namespace."""
    wave: int = 0
    """Argo CD's sync wave."""
    patch: bool = False
    """Only a part of an object that another file holds: it needs things, and brings none."""
    hashed: bool = False
    """Made by a generator: its name gets a hash of its content, so only its own kustomization can name it."""

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.body.get("kind", ""))

    @property
    def group(self) -> str:
        """Its API group; empty for the core."""
        return str(self.body.get("apiVersion", "")).rpartition("/")[0]

    @property
    def name(self) -> str:
        """Its name."""
        metadata = self.body.get("metadata")
        return str(metadata.get("name", "")) if isinstance(metadata, Mapping) else ""

    @property
    def thing(self) -> Thing:
        """What it is when somebody needs it."""
        return Thing(self.kind, self.namespace, self.name)


@dataclass(frozen=True)
class App:
    """A folder, and everything that applying it applies."""

    cluster: str
    category: str
    name: str
    folder: str
    """Path in the tree."""
    unit: str
    """Who applies it: Argo CD's Application of its name, or a Kustomization of Flux."""
    objects: tuple[Held, ...]
    charts: tuple[tuple[str, Chart], ...]
    """(file, chart), in order."""
    files: frozenset[str]
    """Every file that applying it reads."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """Annotations of its kustomization."""


class Need(NamedTuple):
    """Something that an app needs."""

    thing: Thing
    app: str
    """`category/name` of who needs it."""
    file: str
    by: str
    """Which object says so, as a person says it."""
    wave: int


class Brought(NamedTuple):
    """Something that an app brings."""

    thing: Thing
    app: str
    """`category/name` of who brings it; empty for whoever is there before any app."""
    by: str
    """Which object or chart it comes from, or who is there before."""
    wave: int
    private: bool = False
    """Whether only its own app can name it."""
    later: bool = False
    """Whether it is there only once a controller runs, not with the apply itself."""
