"""A machine's whole configuration as Talos will hold it: what its generator makes of the cluster, and our patch on it.

Owns the generator's defaults and Talos' own merge, as far as they decide which fields a change touches. Refuses
secrets: where one stands in the real configuration, a `Secret` stands here, equal to itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from model.talos import ClusterNodePlan, ClusterPlan
from render.talos import machine_patch

Document = dict[str, Any]
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
REPLACED_LISTS = frozenset({"podSubnets", "serviceSubnets", "auditPolicy"})
"""Lists that a patch replaces; to every other one it appends (Talos, "Configuration Patches")."""
KEYED_LISTS = {"admissionControl": "name", "interfaces": "interface", "vlans": "vlanId"}
"""Lists whose items merge where this field is equal."""
EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


@dataclass(frozen=True)
class Secret:
    """A leaf that only the machine secrets know."""

    path: str


def documents(cluster: ClusterPlan, node: ClusterNodePlan) -> list[Document]:
    """The node's documents, the machine's own (without `kind`) first."""
    made = [_generated(cluster, node), {"apiVersion": "v1alpha1", "kind": "HostnameConfig", "auto": "stable"}]
    for patch in yaml.load_all(machine_patch(cluster, node), Loader=_LOADER):
        _merge_into(made, patch)
    return made


def identity(document: Mapping[str, Any]) -> str:
    """What tells documents apart: `` for the machine's own, else the kind and, where it has one, the name."""
    return " ".join(str(document[key]) for key in ("kind", "name") if document.get(key))


def _merge_into(made: list[Document], patch: Document) -> None:
    for index, document in enumerate(made):
        if identity(document) == identity(patch):
            if patch.get("$patch") == "delete":
                del made[index]
            else:
                made[index] = merged(document, patch)
            return
    made.append(merged({}, patch))


def merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> Document:
    """Talos' strategic merge: mappings key by key, lists appended but for a few, `$patch: delete` takes away."""
    result = dict(left)
    for name, value in right.items():
        before = result.get(name)
        if isinstance(value, dict) and value.get("$patch") == "delete":
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(before if isinstance(before, dict) else {}, value)
            if value and not result[name]:
                del result[name]  # all that was in it is deleted: Talos writes no empty mapping
        elif isinstance(value, list) and isinstance(before, list) and name not in REPLACED_LISTS:
            result[name] = _appended(before, value, KEYED_LISTS.get(name))
        elif value in (None, "") and name in result:
            continue  # an empty value changes nothing
        else:
            result[name] = value
    return result


def _appended(left: list[Any], right: list[Any], key: str | None) -> list[Any]:
    result = list(left)
    for item in right:
        known = [one.get(key) if isinstance(one, dict) and key else None for one in result]
        named = item.get(key) if isinstance(item, dict) and key else None
        if named is not None and named in known:
            result[known.index(named)] = merged(result[known.index(named)], item)
        else:
            result.append(item)
    return result


def _generated(cluster: ClusterPlan, node: ClusterNodePlan) -> Document:
    """As `talosctl gen config` has it (machinery 1.12, `config/generate`); a test holds it to the real one."""
    leads = node.role == "control-plane"
    body = _worker_cluster(cluster) | (_control_plane_cluster(cluster) if leads else {})
    return {
        "version": "v1alpha1",
        "debug": False,
        "persist": True,
        "machine": _machine(cluster, leads),
        "cluster": body,
    }


def _machine(cluster: ClusterPlan, leads: bool) -> Document:
    machine: Document = {
        "type": "controlplane" if leads else "worker",
        "token": Secret("machine.token"),
        "ca": _pair("machine.ca", leads),
        "certSANs": [],
        "kubelet": {
            "image": f"ghcr.io/siderolabs/kubelet:{cluster.kubernetes}",
            "defaultRuntimeSeccompProfileEnabled": True,
            "disableManifestsDirectory": True,
        },
        "network": {},
        "install": {"disk": "/dev/sda", "wipe": False, "grubUseUKICmdline": True},
        "features": {
            "diskQuotaSupport": True,
            "kubePrism": {"enabled": True, "port": 7445},
            "hostDNS": {"enabled": True, "forwardKubeDNSToHost": True},
        },
    }
    if leads:
        machine["nodeLabels"] = {EXCLUDE_LABEL: ""}
    return machine


def _worker_cluster(cluster: ClusterPlan) -> Document:
    return {
        "id": Secret("cluster.id"),
        "secret": Secret("cluster.secret"),
        "controlPlane": {"endpoint": cluster.endpoint},
        "clusterName": cluster.name,
        "network": {
            "dnsDomain": "cluster.local",
            "podSubnets": ["10.244.0.0/16"],
            "serviceSubnets": ["10.96.0.0/12"],
        },
        "token": Secret("cluster.token"),
        "ca": _pair("cluster.ca", False),
        "discovery": {"enabled": True, "registries": {"kubernetes": {"disabled": True}, "service": {}}},
    }


def _control_plane_cluster(cluster: ClusterPlan) -> Document:
    parts = {"controllerManager": "controller-manager", "proxy": "proxy", "scheduler": "scheduler"}
    levels = {"enforce": "baseline", "warn": "restricted", "audit": "restricted"}
    pod_security = {
        "apiVersion": "pod-security.admission.config.k8s.io/v1alpha1",
        "kind": "PodSecurityConfiguration",
        "defaults": levels | {f"{name}-version": "latest" for name in levels},
        "exemptions": {"namespaces": ["kube-system"], "runtimeClasses": [], "usernames": []},
    }
    return {
        "secretboxEncryptionSecret": Secret("cluster.secretboxEncryptionSecret"),
        "ca": _pair("cluster.ca", True),
        "aggregatorCA": _pair("cluster.aggregatorCA", True),
        "serviceAccount": {"key": Secret("cluster.serviceAccount.key")},
        "apiServer": {
            "image": f"registry.k8s.io/kube-apiserver:{cluster.kubernetes}",
            "admissionControl": [{"name": "PodSecurity", "configuration": pod_security}],
            "auditPolicy": {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]},
        },
        **{key: {"image": f"registry.k8s.io/kube-{name}:{cluster.kubernetes}"} for key, name in parts.items()},
        "etcd": {"ca": _pair("cluster.etcd.ca", True)},
    }


def _pair(path: str, with_key: bool) -> Document:
    return {"crt": Secret(f"{path}.crt"), "key": Secret(f"{path}.key") if with_key else ""}
