"""The kinds a Kubernetes API serves by itself, and what a kind is.

Owns names: group, versions, plural, scope. It refuses to own what a kind's fields are (``kube_fields``,
``kube_judge``); kinds that somebody registers are CustomResourceDefinition objects in their cluster.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """One kind of object. ``group`` is ``""`` for the core group; ``versions`` are those served."""

    name: str
    group: str
    versions: tuple[str, ...]
    plural: str
    namespaced: bool = True

    @property
    def resource(self) -> str:
        """As the API server writes it: ``gateways.gateway.networking.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def _of(group: str, version: str, names: str, *, namespaced: bool = True) -> list[Kind]:
    return [Kind(name, group, (version,), plural(name), namespaced) for name in names.split()]


def plural(name: str) -> str:
    """A kind's plural as Kubernetes forms it: ``policies``, ``classes``, ``gateways``; ``endpoints`` stays."""
    lower = name.lower()
    if lower == "endpoints":
        return lower
    if lower.endswith("y") and lower[-2] not in "aeiou":
        return f"{lower[:-1]}ies"
    return f"{lower}es" if lower.endswith(("s", "ch", "x")) else f"{lower}s"


_BUILTIN = [
    *_of("", "v1", "Namespace Node PersistentVolume", namespaced=False),
    *_of("", "v1", "ConfigMap Secret Service ServiceAccount Pod Endpoints PersistentVolumeClaim LimitRange"),
    *_of("", "v1", "ResourceQuota PodTemplate ReplicationController Event"),
    *_of("apps", "v1", "Deployment StatefulSet DaemonSet ReplicaSet ControllerRevision"),
    *_of("batch", "v1", "Job CronJob"),
    *_of("networking.k8s.io", "v1", "NetworkPolicy Ingress"),
    *_of("networking.k8s.io", "v1", "IngressClass", namespaced=False),
    *_of("rbac.authorization.k8s.io", "v1", "Role RoleBinding"),
    *_of("rbac.authorization.k8s.io", "v1", "ClusterRole ClusterRoleBinding", namespaced=False),
    *_of("policy", "v1", "PodDisruptionBudget"),
    *_of("storage.k8s.io", "v1", "StorageClass CSIDriver CSINode VolumeAttachment", namespaced=False),
    *_of("scheduling.k8s.io", "v1", "PriorityClass", namespaced=False),
    *_of("node.k8s.io", "v1", "RuntimeClass", namespaced=False),
    *_of("autoscaling", "v2", "HorizontalPodAutoscaler"),
    *_of("coordination.k8s.io", "v1", "Lease"),
    *_of("discovery.k8s.io", "v1", "EndpointSlice"),
    *_of("apiregistration.k8s.io", "v1", "APIService", namespaced=False),
    *_of("apiextensions.k8s.io", "v1", "CustomResourceDefinition", namespaced=False),
    *_of(
        "admissionregistration.k8s.io",
        "v1",
        "MutatingWebhookConfiguration ValidatingWebhookConfiguration"
        " ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
        namespaced=False,
    ),
]
BUILTIN = {kind.name: kind for kind in _BUILTIN}


def defined_by(definition: dict[str, Any]) -> Kind:
    """The kind that a CustomResourceDefinition object registers."""
    spec = definition["spec"]
    served = tuple(version["name"] for version in spec["versions"] if version.get("served", True))
    names = spec["names"]
    return Kind(names["kind"], spec["group"], served, names["plural"], spec.get("scope", "Namespaced") == "Namespaced")


def group_of(api_version: str) -> str:
    """``apps`` of ``apps/v1``; ``""`` of ``v1``."""
    return api_version.rpartition("/")[0]
