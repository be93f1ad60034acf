"""Talos machine configuration: one merged patch per node, as the documents of Talos 1.12.

Owns every byte of the patch. Refuses lists that two layers could both append to: Talos appends across patches, so
there is one patch a node and each document appears in it once.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from model.talos import ClusterNodePlan, ClusterPlan, DataDisk

KUBEPRISM_PORT = 7445
DISKS_OF_TALOS = ("longhorn", "openebs")
"""Storage systems that want a filesystem; Ceph takes the raw disk, which Talos must leave alone."""


SEALED: dict[str, Any] = {"provider": "luks2", "keys": [{"slot": 0, "tpm": {}}]}
"""Disk encryption with a key that only this machine's TPM gives (Talos 1.12, "Disk Encryption")."""


def machine_patch(cluster: ClusterPlan, node: ClusterNodePlan) -> str:
    """The node's patch as YAML documents, the machine's own first; equal plans give equal bytes."""
    documents = [_machine(cluster, node), *_network(cluster, node), *_encryption(cluster), *_volumes(cluster, node)]
    return "---\n".join(yaml.safe_dump(document, sort_keys=False, width=4096) for document in documents)


def api_answers(cluster: ClusterPlan) -> str:
    """A command that succeeds once the Kubernetes API answers at the VIP, with a refusal too; waits ten minutes.

    Run on the owner's machine, without credentials: Talos forbids anonymous requests, and 401 is an answer.
    """
    return (
        "curl --silent --show-error --insecure --retry 120 --retry-delay 5 --retry-all-errors --output /dev/null "
        f"--write-out '%{{http_code}}\\n' {cluster.endpoint}/readyz"
    )


def _machine(cluster: ClusterPlan, node: ClusterNodePlan) -> dict[str, Any]:
    control_plane = node.role == "control-plane"
    machine: dict[str, Any] = {
        "install": {"diskSelector": dict(node.install), "image": node.image.installer, "wipe": False},
        "kubelet": {"nodeIP": {"validSubnets": [cluster.subnet]}},
        # Cilium masquerades in eBPF, which breaks CoreDNS behind the host's forwarder (Talos, "Host DNS")
        "features": {
            "kubePrism": {"enabled": True, "port": KUBEPRISM_PORT},
            "hostDNS": {"enabled": True, "forwardKubeDNSToHost": False},
        },
    }
    mounts = [_mount(disk) for disk in node.data if disk.kind in DISKS_OF_TALOS]
    if mounts:
        machine["kubelet"]["extraMounts"] = mounts
    if node.labels:
        machine["nodeLabels"] = dict(node.labels)
    body: dict[str, Any] = {
        "network": {"cni": {"name": "none"}, "podSubnets": [cluster.pods], "serviceSubnets": [cluster.services]},
        "proxy": {"disabled": True},
    }
    if control_plane:
        body |= _control_plane(cluster, machine)
    return {"machine": machine, "cluster": body}


def _control_plane(cluster: ClusterPlan, machine: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {
        "allowSchedulingOnControlPlanes": cluster.schedulable_control_planes,
        "apiServer": {"certSANs": [cluster.vip]},
        "etcd": {"advertisedSubnets": [cluster.subnet]},
    }
    if cluster.schedulable_control_planes:
        # Talos labels control planes away from load balancers; where they carry workloads they must announce too
        machine["nodeLabels"] = machine.get("nodeLabels", {}) | {
            "node.kubernetes.io/exclude-from-external-load-balancers": {"$patch": "delete"}
        }
    return body


def _network(cluster: ClusterPlan, node: ClusterNodePlan) -> Iterator[dict[str, Any]]:
    yield {"apiVersion": "v1alpha1", "kind": "HostnameConfig", "auto": "off", "hostname": node.name}
    yield {
        "apiVersion": "v1alpha1",
        "kind": "LinkConfig",
        "name": node.link,
        "up": True,
        "mtu": node.mtu,
        "addresses": [{"address": f"{node.address}/{node.prefix}"}],
        "routes": [{"gateway": node.gateway}],
    }
    if node.role == "control-plane":
        yield {"apiVersion": "v1alpha1", "kind": "Layer2VIPConfig", "name": cluster.vip, "link": node.link}
    yield {
        "apiVersion": "v1alpha1",
        "kind": "ResolverConfig",
        "nameservers": [{"address": address} for address in cluster.resolvers],
        "searchDomains": {"domains": [cluster.search_domain]},
    }
    if cluster.time_servers:
        servers = {"servers": list(cluster.time_servers)}
        yield {"apiVersion": "v1alpha1", "kind": "TimeSyncConfig", "enabled": True, "ntp": servers}
    if node.watchdog:
        yield {"apiVersion": "v1alpha1", "kind": "WatchdogTimerConfig", "device": node.watchdog, "timeout": "5m"}


def _encryption(cluster: ClusterPlan) -> Iterator[dict[str, Any]]:
    """Talos' own partitions, unlocked by the TPM that secure boot measures into."""
    if cluster.disk_encryption:
        for name in ("STATE", "EPHEMERAL"):
            yield {"apiVersion": "v1alpha1", "kind": "VolumeConfig", "name": name, "encryption": dict(SEALED)}


def _volumes(cluster: ClusterPlan, node: ClusterNodePlan) -> Iterator[dict[str, Any]]:
    for disk in node.data:
        if disk.kind in DISKS_OF_TALOS:
            volume: dict[str, Any] = {
                "apiVersion": "v1alpha1",
                "kind": "UserVolumeConfig",
                "name": disk.system,
                "provisioning": {"diskSelector": {"match": disk.match}, "grow": True, "minSize": "10GiB"},
                "filesystem": {"type": "xfs"},
            }
            yield volume | ({"encryption": dict(SEALED)} if cluster.disk_encryption else {})


def _mount(disk: DataDisk) -> dict[str, Any]:
    path = f"/var/mnt/{disk.system}"
    return {"destination": path, "type": "bind", "source": path, "options": ["bind", "rshared", "rw"]}
