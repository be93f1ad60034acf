"""Talos machine configuration: one merged patch per node, as the documents of Talos 1.12.

Owns every byte of the patch, and the main document; the others are `render.talos_documents`'. Refuses lists that two
layers could both append to: Talos appends across patches, so there is one patch a node and each document appears in
it once.
"""

from typing import Any

import yaml

from model.merge import merged
from model.storage import LONGHORN_LABEL
from model.talos import ClusterNodePlan, ClusterPlan, DataDisk
from render.talos_documents import documents

KUBEPRISM_PORT = 7445


def machine_patch(cluster: ClusterPlan, node: ClusterNodePlan) -> str:
    """The node's patch as YAML documents, the machine's own first; equal plans give equal bytes."""
    every = [_main(cluster, node), *documents(cluster, node)]
    return "---\n".join(yaml.safe_dump(document, sort_keys=False, width=4096) for document in every)


def _main(cluster: ClusterPlan, node: ClusterNodePlan) -> dict[str, Any]:
    """What the layers say, and over it what follows from the environment: a law keeps the two apart."""
    said = {"machine": node.settings.machine, "cluster": node.settings.cluster}
    return merged([said, {"machine": _machine(cluster, node), "cluster": _cluster(cluster, node)}])


def _machine(cluster: ClusterPlan, node: ClusterNodePlan) -> dict[str, Any]:
    settings = node.settings
    kubelet: dict[str, Any] = {"nodeIP": {"validSubnets": [cluster.subnet]}}
    if settings.kubelet:
        kubelet["extraConfig"] = dict(settings.kubelet)
    mounts = [_mount(disk) for disk in node.data if disk.kind != "rook-ceph"]
    if mounts:
        kubelet["extraMounts"] = mounts
    machine: dict[str, Any] = {
        "install": {"diskSelector": dict(node.install), "image": node.image.installer, "wipe": False},
        "kubelet": kubelet,
        # Cilium masquerades in eBPF, which breaks CoreDNS behind the host's forwarder (Talos, "Host DNS")
        "features": {
            "kubePrism": {"enabled": True, "port": KUBEPRISM_PORT},
            "hostDNS": {"enabled": True, "forwardKubeDNSToHost": False},
        },
    }
    if settings.cert_sans:
        machine["certSANs"] = list(settings.cert_sans)
    if settings.sysctls:
        machine["sysctls"] = dict(settings.sysctls)
    if settings.kernel_modules:
        modules = settings.kernel_modules.items()
        machine["kernel"] = {"modules": [{"name": name} | _parameters(given) for name, given in modules]}
    return machine | _node_metadata(cluster, node)


def _parameters(given: tuple[str, ...]) -> dict[str, Any]:
    return {"parameters": list(given)} if given else {}


def _node_metadata(cluster: ClusterPlan, node: ClusterNodePlan) -> dict[str, Any]:
    labels: dict[str, Any] = dict(node.settings.labels)
    if any(disk.kind == "longhorn" for disk in node.data):
        labels.setdefault(LONGHORN_LABEL, "true")
    if node.role == "control-plane" and cluster.schedulable_control_planes:
        # Talos labels control planes away from load balancers; where they carry workloads they must announce too
        labels["node.kubernetes.io/exclude-from-external-load-balancers"] = {"$patch": "delete"}
    found = {"nodeLabels": labels, "nodeAnnotations": node.settings.annotations, "nodeTaints": node.settings.taints}
    return {key: dict(value) for key, value in found.items() if value}


def _cluster(cluster: ClusterPlan, node: ClusterNodePlan) -> dict[str, Any]:
    body: dict[str, Any] = {
        "network": {"cni": {"name": "none"}, "podSubnets": [cluster.pods], "serviceSubnets": [cluster.services]},
        "proxy": {"disabled": True},
    }
    if node.role == "control-plane":
        body |= {
            "allowSchedulingOnControlPlanes": cluster.schedulable_control_planes,
            "apiServer": {"certSANs": list(dict.fromkeys((cluster.vip, *node.settings.cert_sans)))},
            "etcd": {"advertisedSubnets": [cluster.subnet]},
        }
    return body


def _mount(disk: DataDisk) -> dict[str, Any]:
    path = f"/var/mnt/{disk.system}"
    return {"destination": path, "type": "bind", "source": path, "options": ["bind", "rshared", "rw"]}
