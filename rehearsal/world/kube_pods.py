"""Nodes, and whether pods come to run on them.

Owns a node's readiness, scheduling by taints, and Pod Security. It refuses to own what a pod mounts and reads
(``kube_needs``), and pods one by one: whether a workload's pods would run is all that anybody here asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.world import kube_kubelets, kube_needs
from rehearsal.world.kube_cluster import Body, Cluster

_NOT_READY = "node.kubernetes.io/not-ready"
_BASELINE_CAPABILITIES = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP"}
    | {"SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
)
"""What the baseline level lets a container add (Kubernetes documentation, "Pod Security Standards")."""


def node(name: str, address: str, labels: dict[str, str], taints: list[Body]) -> Body:
    """A Node object as a kubelet registers it."""
    own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": own | labels},
        "spec": {"taints": list(taints)} if taints else {},
        "status": {"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]},
    }


def address_of(found: Body) -> str:
    """A Node's own address."""
    return next(str(each["address"]) for each in found["status"]["addresses"] if each["type"] == "InternalIP")


def keep_nodes(cluster: Cluster) -> None:
    """Controller: a node is Ready once a network runs on it."""
    networked = cluster.record["cni"] or any(release.get("network") for release in cluster.releases.values())
    for found in cluster.objects("Node"):
        reason = "KubeletReady" if networked else "KubeletNotReady"
        message = (
            "kubelet is posting ready status"
            if networked
            else "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
            "message:Network plugin returns error: cni plugin not initialized"
        )
        condition = {"type": "Ready", "status": str(bool(networked)), "reason": reason, "message": message}
        if found["metadata"]["name"] in (cluster.record.get("away") or ()):
            unheard = "Kubelet stopped posting node status."
            condition |= {"status": "Unknown", "reason": "NodeStatusUnknown", "message": unheard}
        cluster.set_status(found, {**found["status"], "conditions": [condition]})


def is_ready(found: Body) -> bool:
    """Whether a Node is Ready."""
    conditions = found["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def unschedulable(cluster: Cluster, tolerations: list[Body] | None = None) -> str | None:
    """Why an ordinary pod finds no node, in the scheduler's words; ``None`` when it finds one."""
    nodes = cluster.objects("Node")
    if not nodes:
        return "no nodes available to schedule pods"
    obstacles: dict[str, int] = {}
    for found in nodes:
        taints = [each for each in found["spec"].get("taints") or () if each["effect"] != "PreferNoSchedule"]
        if not is_ready(found):
            taints.append({"key": _NOT_READY, "effect": "NoSchedule"})
        untolerated = [taint for taint in taints if not any(_tolerates(t, taint) for t in tolerations or ())]
        if not untolerated:
            return None
        text = f"node(s) had untolerated taint {{{untolerated[0]['key']}: {untolerated[0].get('value', '')}}}"
        obstacles[text] = obstacles.get(text, 0) + 1
    listed = ", ".join(f"{count} {text}" for text, count in sorted(obstacles.items()))
    return f"0/{len(nodes)} nodes are available: {listed}"


def _tolerates(toleration: Body, taint: Body) -> bool:
    key = toleration.get("key")
    if toleration.get("effect") not in (None, taint["effect"]):
        return False
    if toleration.get("operator") == "Exists":
        return key in (None, taint["key"])
    return key == taint["key"] and toleration.get("value", "") == taint.get("value", "")


def level(cluster: Cluster, namespace: str) -> str:
    """The Pod Security level of ``namespace``: Talos enforces baseline everywhere but in kube-system, k3s nothing."""
    found = cluster.get("Namespace", None, namespace)
    labels = found["metadata"].get("labels", {}) if found else {}
    default = "privileged" if cluster.is_k3s or namespace == "kube-system" else "baseline"
    return str(labels.get("pod-security.kubernetes.io/enforce", default))


def forbidden(cluster: Cluster, namespace: str, pod: Body) -> str | None:
    """Why Pod Security refuses ``pod`` (a pod's spec) in ``namespace``; ``None`` when it does not."""
    enforced = level(cluster, namespace)
    if enforced == "privileged":
        return None
    found = [*_beyond_baseline(pod)]
    if enforced == "restricted":
        found += _beyond_restricted(pod)
    return f'violates PodSecurity "{enforced}:latest": {", ".join(found)}' if found else None


def _containers(pod: Body) -> list[Body]:
    return [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]


def _beyond_baseline(pod: Body) -> Iterator[str]:
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name)]
    if shared:
        yield f"host namespaces ({', '.join(shared)})"
    if any("hostPath" in volume for volume in pod.get("volumes") or ()):
        yield "hostPath volumes"
    for container in _containers(pod):
        context = container.get("securityContext") or {}
        name = container.get("name")
        if context.get("privileged"):
            yield f'privileged (container "{name}" must not set securityContext.privileged=true)'
        added = set((context.get("capabilities") or {}).get("add") or ()) - _BASELINE_CAPABILITIES
        if added:
            yield f'non-default capabilities (container "{name}" must not include {", ".join(sorted(added))})'
        if any(port.get("hostPort") for port in container.get("ports") or ()):
            yield f'hostPort (container "{name}" uses a hostPort)'


def _beyond_restricted(pod: Body) -> Iterator[str]:
    whole: dict[str, Any] = pod.get("securityContext") or {}
    for container in _containers(pod):
        context = {**whole, **(container.get("securityContext") or {})}
        name = container.get("name")
        if context.get("allowPrivilegeEscalation") is not False:
            yield f'allowPrivilegeEscalation != false (container "{name}")'
        if "ALL" not in ((context.get("capabilities") or {}).get("drop") or ()):
            yield f'unrestricted capabilities (container "{name}" must set securityContext.capabilities.drop=["ALL"])'
        if not context.get("runAsNonRoot"):
            yield f'runAsNonRoot != true (container "{name}")'
        if not context.get("seccompProfile"):
            yield f'seccompProfile (container "{name}")'


def pod_of(body: Body) -> Body | None:
    """The pod's spec inside a workload; ``None`` when ``body`` is no workload."""
    if body["kind"] == "Pod":
        return dict(body["spec"])
    spec = body.get("spec") or {}
    if body["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template = spec.get("template") if isinstance(spec, dict) else None
    return dict(template["spec"]) if isinstance(template, dict) and "spec" in template else None


_WORKLOADS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")


def not_running(cluster: Cluster, body: Body) -> str | None:
    """Why the pods of a workload do not come to run; ``None`` when they do, or when ``body`` is no workload."""
    pod = pod_of(body) if body["kind"] in _WORKLOADS else None
    if pod is None:
        return None
    namespace = body["metadata"].get("namespace", "default")
    refused = forbidden(cluster, namespace, pod)
    if refused:
        return f'pods "{body["metadata"]["name"]}" is forbidden: {refused}'
    tolerations: list[Body] = pod.get("tolerations") or []
    everywhere = body["kind"] == "DaemonSet" and pod.get("hostNetwork") and cluster.objects("Node")
    homeless = None if everywhere else unschedulable(cluster, tolerations)
    return homeless or kube_needs.missing(cluster, namespace, pod) or kube_kubelets.unscraped(cluster, body)
