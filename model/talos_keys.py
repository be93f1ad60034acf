"""Talos' own keys and documents, and which of them the model writes itself.

Owns facts of Talos 1.12's configuration (machinery, `config/schemas/config.schema.json`; a test in tests/real holds
them to it), and for every key that follows from the environment the key to use instead. Refuses to judge.
"""

from collections.abc import Mapping
from typing import NamedTuple

_MACHINE = """
    acceptedCAs baseRuntimeSpecOverrides ca certSANs controlPlane env features files install kernel kubelet logging
    network nodeAnnotations nodeLabels nodeTaints pods seccompProfiles sysctls sysfs token type udev
"""
MACHINE = frozenset(_MACHINE.split())
"""Keys of `machine` that are not deprecated."""

_CLUSTER = """
    acceptedCAs adminKubeconfig aescbcEncryptionSecret aggregatorCA allowSchedulingOnControlPlanes apiServer ca
    clusterName controlPlane controllerManager coreDNS discovery etcd externalCloudProvider extraManifestHeaders
    extraManifests id inlineManifests network proxy scheduler secret secretboxEncryptionSecret serviceAccount
    token
"""
CLUSTER = frozenset(_CLUSTER.split())
"""Keys of `cluster` that are not deprecated."""

_SECRETS = "no layer: it is the machine secrets', which Pulumi keeps encrypted"
_IMAGE = "hardware.<class>.talos and versions.talos"
_ADDRESSES = "cluster.vlan, nodes.<node>.address and vlans, and the layer's bond and resolvers"
_FIXED = "no layer: Cilium is set up for it"
_KUBERNETES = "versions.kubernetes"
_APPLICATIONS = "gitops: Talos would create it and Git change it"

DERIVED: Mapping[str, str] = {
    "machine.type": "nodes.<node>.role",
    "machine.token": _SECRETS,
    "machine.ca": _SECRETS,
    "machine.acceptedCAs": _SECRETS,
    "machine.certSANs": "the layer's cert_sans",
    "machine.disks": "storage.systems",
    "machine.features.hostDNS": _FIXED,
    "machine.features.kubePrism": _FIXED,
    "machine.install": _IMAGE,
    "machine.kernel.modules": "the layer's kernel_modules",
    "machine.kubelet.extraConfig": "the layer's kubelet",
    "machine.kubelet.image": _KUBERNETES,
    "machine.kubelet.nodeIP": "cluster.vlan",
    "machine.network": _ADDRESSES,
    "machine.nodeAnnotations": "the layer's annotations",
    "machine.nodeLabels": "the layer's labels",
    "machine.nodeTaints": "the layer's taints",
    "machine.registries": "the layer's registry_mirrors",
    "machine.sysctls": "the layer's sysctls",
    "machine.systemDiskEncryption": "cluster.disk_encryption",
    "machine.time": "the layer's time_servers",
    "cluster.acceptedCAs": _SECRETS,
    "cluster.aescbcEncryptionSecret": _SECRETS,
    "cluster.aggregatorCA": _SECRETS,
    "cluster.allowSchedulingOnControlPlanes": "cluster.schedulable_control_planes",
    "cluster.apiServer.certSANs": "the layer's cert_sans",
    "cluster.apiServer.image": _KUBERNETES,
    "cluster.ca": _SECRETS,
    "cluster.clusterName": "cluster.name",
    "cluster.controlPlane": "cluster.vip",
    "cluster.controllerManager.image": _KUBERNETES,
    "cluster.etcd.advertisedSubnets": "cluster.vlan",
    "cluster.etcd.ca": _SECRETS,
    "cluster.extraManifests": _APPLICATIONS,
    "cluster.id": _SECRETS,
    "cluster.inlineManifests": _APPLICATIONS,
    "cluster.network": "cluster.pods and cluster.services",
    "cluster.proxy": _FIXED,
    "cluster.scheduler.image": _KUBERNETES,
    "cluster.secret": _SECRETS,
    "cluster.secretboxEncryptionSecret": _SECRETS,
    "cluster.serviceAccount": _SECRETS,
    "cluster.token": _SECRETS,
}
"""Place in Talos' configuration → what in the environment it follows from."""

CONTROL_PLANE_ONLY = ("etcd",)
"""Keys of `cluster` that Talos refuses on a worker (1.12, `v1alpha1_validation.go`)."""

_KUBELET = """
    apiVersion authentication authorization cgroupRoot kind kubeletCgroups port protectKernelDefaults resolvConf
    rotateCertificates systemCgroups staticPodPath seccompDefault
"""
KUBELET_PROTECTED = frozenset(_KUBELET.split())
"""Fields of the kubelet's configuration that Talos lets nobody change (1.12, `ProtectedConfigurationFields`)."""


class Document(NamedTuple):
    """A kind of document besides the main one."""

    named: bool
    """Whether there may be several, each with a name."""
    instead: str | None = None
    """What in the environment it follows from, when the model writes it."""


_STORAGE = "storage.systems, so that no disk is used twice or touched by mistake"
_KEY = "no layer: it holds a key, and nothing here is secret"

DOCUMENTS: Mapping[str, Document] = {
    "BondConfig": Document(True, "the layer's bond"),
    "BridgeConfig": Document(True),
    "DHCPv4Config": Document(True, "no layer: a node's address is static"),
    "DHCPv6Config": Document(True),
    "DummyLinkConfig": Document(True),
    "EthernetConfig": Document(True),
    "EventSinkConfig": Document(False),
    "ExistingVolumeConfig": Document(True, _STORAGE),
    "ExtensionServiceConfig": Document(True),
    "HCloudVIPConfig": Document(True, "cluster.vip"),
    "HostnameConfig": Document(False, "the node's name under cluster.nodes"),
    "KmsgLogConfig": Document(True),
    "KubeSpanEndpoints": Document(False),
    "Layer2VIPConfig": Document(True, "cluster.vip"),
    "LinkAliasConfig": Document(True),
    "LinkConfig": Document(True),
    "NetworkDefaultActionConfig": Document(False),
    "NetworkRuleConfig": Document(True),
    "OOMConfig": Document(False),
    "PCIDriverRebindConfig": Document(True),
    "RawVolumeConfig": Document(True, _STORAGE),
    "RegistryAuthConfig": Document(True, _KEY),
    "RegistryMirrorConfig": Document(True, "the layer's registry_mirrors"),
    "RegistryTLSConfig": Document(True),
    "ResolverConfig": Document(False, "the layer's resolvers"),
    "SideroLinkConfig": Document(False, _KEY),
    "StaticHostConfig": Document(True),
    "SwapVolumeConfig": Document(True, _STORAGE),
    "TimeSyncConfig": Document(False, "the layer's time_servers"),
    "TrustedRootsConfig": Document(True, "the layer's trusted_roots"),
    "UserVolumeConfig": Document(True, _STORAGE),
    "VLANConfig": Document(True, "nodes.<node>.vlans"),
    "VolumeConfig": Document(True),
    "WatchdogTimerConfig": Document(False, "hardware.<class>.watchdog and the layer's watchdog_timeout"),
    "WireguardConfig": Document(True, _KEY),
    "ZswapConfig": Document(False),
}
"""Every kind of document that Talos 1.12 reads."""
