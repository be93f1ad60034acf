"""What kubectl shows of a cluster, what it waits for, and how it scales.

Owns the printed forms (kubectl 1.34) and which of its waits are over. It refuses any other change, and to own pods:
an agent of the network is on every node whose machine runs, an operator wherever its release stands.
"""

from __future__ import annotations

from typing import Any

from rehearsal.world import kube_pods
from rehearsal.world.errors import Refusal
from rehearsal.world.host_tools import Failed, Result
from rehearsal.world.kube_cluster import Body, Cluster, desired
from rehearsal.world.kube_helm import stands
from rehearsal.world.kubectl import Asked, Command

_KINDS = {
    "node": "Node",
    "nodes": "Node",
    "crd": "CustomResourceDefinition",
    "volumes.longhorn.io": "Volume",
    "replicas.longhorn.io": "Replica",
    "cephclusters.ceph.rook.io": "CephCluster",
    "cephcluster": "CephCluster",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "deployment": "Deployment",
}
"""Words for kinds of objects."""


def _get(asked: Asked) -> Result:
    if "raw" in asked.options:
        if asked.options["raw"] != "/readyz":
            raise Failed("the rack's kubectl was taught --raw /readyz only")
        return Result("ok")
    if not asked.words or asked.words[0] not in _KINDS:
        raise Failed(f"the rack's kubectl was not taught to get {' '.join(asked.words)}")
    found = _objects(asked, asked.words[0], asked.words[1:])
    form = asked.options.get("output", "")
    if form == "name":
        return Result("".join(f"{_named(asked.words[0], each)}\n" for each in found))
    if not form.startswith("custom-columns=") or "no-headers" not in asked.options:
        raise Failed("the rack's kubectl prints -o name, or -o custom-columns=… with --no-headers")
    paths = [column.partition(":")[2] for column in form.removeprefix("custom-columns=").split(",")]
    rows = ["   ".join(str(_at(each, path)) for path in paths) for each in found]
    return Result("".join(f"{row}\n" for row in rows))


def _named(word: str, body: Body) -> str:
    full = {"CustomResourceDefinition": "customresourcedefinition.apiextensions.k8s.io", "Node": "node"}
    full |= {"Deployment": "deployment.apps"}
    return f"{full.get(body['kind'], word)}/{body['metadata']['name']}"


def _objects(asked: Asked, word: str, names: list[str]) -> list[Body]:
    kind = _KINDS[word]
    if "." in word and asked.cluster.get("CustomResourceDefinition", None, word) is None:
        raise Failed(f'error: the server doesn\'t have a resource type "{word.partition(".")[0]}"')
    found = [seen(asked.cluster, each) for each in asked.cluster.objects(kind) if _asked_for(asked, each)]
    if not names:
        return found
    chosen = [each for each in found if each["metadata"]["name"] in names]
    if not chosen and "ignore-not-found" not in asked.options:
        raise Failed(f'Error from server (NotFound): {word} "{names[0]}" not found')
    return chosen


def _asked_for(asked: Asked, body: Body) -> bool:
    """Whether the options' namespace and labels choose a workload; of other kinds all are asked for."""
    if body["kind"] != "Deployment":
        return True
    name, _, value = asked.options.get("selector", "").partition("=")
    labels = body["metadata"].get("labels") or {}
    return body["metadata"]["namespace"] == asked.namespace and (not name or labels.get(name) == value)


def seen(cluster: Cluster, body: Body) -> Body:
    """An object as the API shows it now: a Node with its kubelet's release, not Ready when its machine is down."""
    if body["kind"] != "Node":
        return body
    talos = cluster.world.talos
    node = next((each for each in talos.nodes() if each.hostname == body["metadata"]["name"]), None)
    if node is None:
        return body
    conditions = body["status"].get("conditions", [])
    if not node.running:
        conditions = [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]
    info = {"kubeletVersion": node.kubernetes_version}
    return {**body, "status": {**body["status"], "conditions": conditions, "nodeInfo": info}}


def _at(body: Any, path: str) -> Any:
    found = body
    for step in path.strip(".").split("."):
        found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, bool):
        return str(found).lower()
    return "<none>" if found is None else found


def _wait(asked: Asked) -> Result:
    """``wait --for=condition=…``: over at once, or not within its time, which passes."""
    if asked.options.get("for") == "delete":
        return _wait_for_end(asked)
    condition = asked.options.get("for", "").removeprefix("condition=")
    if condition not in ("Ready", "Established"):
        raise Failed("the rack's kubectl waits for the conditions Ready and Established")
    late = _late(asked, condition)
    if late:
        asked.cluster.world.kubernetes.wait(_seconds(asked.options.get("timeout", "30s")))
        late = _late(asked, condition)
    if late:
        return Result(
            stderr="".join(f"error: timed out waiting for the condition on {each}\n" for each in late), code=1
        )
    return Result("condition met\n")


def _wait_for_end(asked: Asked) -> Result:
    """``wait pod -l … --for=delete``: over when no Deployment with those labels wants a pod."""
    if asked.words != ["pod"] or "selector" not in asked.options:
        raise Failed("the rack's kubectl waits for the end of pods chosen by a label")
    left = [each for each in _objects(asked, "deployment", []) if each["spec"].get("replicas", 1)]
    if not left:
        return Result()
    asked.cluster.world.kubernetes.wait(_seconds(asked.options.get("timeout", "30s")))
    said = "".join(f"error: timed out waiting for the condition on pods/{each['metadata']['name']}\n" for each in left)
    return Result(stderr=said, code=1)


def _scale(asked: Asked) -> Result:
    name = asked.words[0].removeprefix("deployment.apps/") if asked.words else ""
    found = asked.cluster.get("Deployment", asked.namespace, name)
    if found is None or not asked.options.get("replicas", "").isdigit():
        raise Failed(f'Error from server (NotFound): deployments.apps "{name}" not found')
    wanted = desired(found)
    wanted["spec"] = {**wanted["spec"], "replicas": int(asked.options["replicas"])}
    asked.cluster.apply(wanted, "kubectl")
    return Result(f"deployment.apps/{name} scaled\n")


def _late(asked: Asked, condition: str) -> list[str]:
    """Who is not there yet. ``Failed`` when nobody of that name is."""
    if asked.words[:1] == ["pod"]:
        return _agents(asked)
    if condition == "Established":
        names = [each.partition("/")[2] for each in asked.words]
        missing = [name for name in names if asked.cluster.get("CustomResourceDefinition", None, name) is None]
        if missing:
            text = f'customresourcedefinitions.apiextensions.k8s.io "{missing[0]}" not found'
            raise Failed(f"Error from server (NotFound): {text}")
        return []
    nodes = {each["metadata"]["name"]: seen(asked.cluster, each) for each in asked.cluster.objects("Node")}
    wanted = list(nodes) if "all" in asked.options else [each.partition("/")[2] for each in asked.words]
    missing = [name for name in wanted if name not in nodes]
    if missing:
        raise Failed("".join(f'Error from server (NotFound): nodes "{name}" not found\n' for name in missing).rstrip())
    return [f"nodes/{name}" for name in wanted if not kube_pods.is_ready(nodes[name])]


def _agents(asked: Asked) -> list[str]:
    """Cilium's agent on one node."""
    chosen = asked.options.get("field-selector", "").removeprefix("spec.nodeName=")
    if asked.options.get("selector") != "k8s-app=cilium" or not chosen:
        raise Failed("the rack's kubectl was taught about one node's agent of Cilium only")
    node = asked.cluster.get("Node", None, chosen)
    if node is None or not _releases(asked.cluster, "cilium"):
        raise Failed("error: no matching resources found")
    return [] if kube_pods.is_ready(seen(asked.cluster, node)) else [f"pods/cilium on {chosen}"]


def _releases(cluster: Cluster, chart: str) -> list[Body]:
    return [each for each in cluster.releases.values() if each["chart"] == chart]


def _rollout_status(asked: Asked) -> Result:
    if asked.words != ["deployment/cilium-operator"]:
        raise Failed("the rack's kubectl was taught about deployment/cilium-operator only")
    release = next(iter(_releases(asked.cluster, "cilium")), None)
    if release is None:
        raise Failed('Error from server (NotFound): deployments.apps "cilium-operator" not found')
    if stands(asked.cluster, "cilium") is None or not release["network"]:
        asked.cluster.world.kubernetes.wait(_seconds(asked.options.get("timeout", "30s")))
        said = "".join(f"{reason}\n" for reason in release["reasons"])
        return Result(stderr=f"{said}error: timed out waiting for the condition\n", code=1)
    return Result('deployment "cilium-operator" successfully rolled out\n')


def _seconds(duration: str) -> float:
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    if duration[-1:] not in units or not duration[:-1].isdigit():
        raise Refusal(f'invalid argument "{duration}" for "--timeout" flag: time: invalid duration')
    return float(duration[:-1]) * units[duration[-1]]


_CHOOSING = {"all-namespaces": False, "ignore-not-found": False, "no-headers": False, "raw": True}
COMMANDS: dict[str, Command] = {
    "get": Command(_get, _CHOOSING),
    "wait": Command(_wait, {"for": True, "timeout": True, "all": False, "field-selector": True}),
    "scale": Command(_scale, {"replicas": True}),
    "rollout status": Command(_rollout_status, {"timeout": True}),
}
