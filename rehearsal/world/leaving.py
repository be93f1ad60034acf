"""What talosctl and kubectl do to a node that leaves a cluster.

Owns the subcommands that drain, that take out of etcd, that wipe and that delete a Node, with what each refuses. It
refuses to own the command lines (``talosctl``, ``kubectl``) and etcd's own rules (``talos_etcd``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.world import kubectl, talosctl
from rehearsal.world.host_tools import Failed, Result
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.talos_node import Node

CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
"""What the node controller puts on a Node whose ``spec.unschedulable`` is true."""
_OWN = ("DaemonSet", "Node")
"""Owners of pods that a drain leaves where they are: daemons, and the mirrors of static pods."""
_SYSTEM = ("STATE", "EPHEMERAL")


# talosctl


def _etcd_of(asked: talosctl.Asked) -> tuple[Node, dict[str, Any]]:
    """The control plane that is asked, and its cluster, whose etcd has a majority. ``Failed`` in Talos' words."""
    node, world = asked.one(), asked.call.world
    if node.kind != "controlplane":
        raise Failed("rpc error: code = Unimplemented desc = etcd is only available on control plane nodes")
    cluster = world.talos.clusters.get(node.authority)
    if cluster is None or not world.talos.is_up(node.authority):
        raise Failed("rpc error: code = Unavailable desc = etcdserver: request timed out")
    return node, cluster


def _leave(asked: talosctl.Asked) -> Result:
    node, cluster = _etcd_of(asked)
    if node.hostname not in cluster["members"]:
        raise Failed("rpc error: code = Unknown desc = failed to get local etcd client: etcd is not running")
    if len(cluster["members"]) == 1:
        raise Failed("rpc error: code = Unknown desc = etcdserver: re-configuration failed due to not enough members")
    cluster["members"].remove(node.hostname)
    node.record["etcd"] = "left"
    asked.call.world.journal("leave etcd", kind="talos", subject=node.hostname)
    return Result()


def _remove_member(asked: talosctl.Asked) -> Result:
    node, cluster = _etcd_of(asked)
    if len(asked.words) != 1:
        raise Failed("accepts 1 arg(s), received 0")
    printed = talosctl.commands()["etcd members"].run(asked).stdout.splitlines()
    found = [words[2] for words in map(str.split, printed) if words[1] == asked.words[0]]
    if not found or node.hostname not in cluster["members"]:
        raise Failed("rpc error: code = Unknown desc = etcdserver: member not found")
    cluster["members"].remove(found[0])
    for other in asked.call.world.talos.nodes():
        if other.authority == node.authority and other.hostname == found[0]:
            other.record["etcd"] = "removed"
    asked.call.world.journal("forget member", kind="talos", subject=found[0])
    return Result()


def _reset(asked: talosctl.Asked) -> Result:
    labels = sorted(asked.options.get("system-labels-to-wipe", "").split(","))
    if labels != sorted(_SYSTEM):
        raise Failed(f"the rack's talosctl resets {' and '.join(_SYSTEM)} together, and nothing else")
    world, node = asked.call.world, asked.one()
    graceful = asked.options.get("graceful", "true") == "true"
    reboot = asked.options.get("reboot", "false") == "true"
    world.talos.reset(str(node.record["address"]), None, asked.client, graceful=graceful, reboot=reboot)
    return Result()


# kubectl


def _node(asked: kubectl.Asked, name: str) -> Body:
    found = asked.cluster.get("Node", None, name)
    if found is None:
        raise Failed(f'Error from server (NotFound): nodes "{name}" not found')
    return found


def _cordon(asked: kubectl.Asked) -> Result:
    _schedule(asked.cluster, _node(asked, asked.words[0]), closed=True)
    return Result(f"node/{asked.words[0]} cordoned\n")


def _uncordon(asked: kubectl.Asked) -> Result:
    _schedule(asked.cluster, _node(asked, asked.words[0]), closed=False)
    return Result(f"node/{asked.words[0]} uncordoned\n")


def _schedule(cluster: Cluster, found: Body, *, closed: bool) -> None:
    spec = found["spec"]
    taints = [taint for taint in spec.get("taints") or () if taint["key"] != CORDONED["key"]]
    spec.pop("unschedulable", None)
    spec["taints"] = [*taints, dict(CORDONED)] if closed else taints
    if closed:
        spec["unschedulable"] = True
    cluster.work()


def _drain(asked: kubectl.Asked) -> Result:
    name, cluster = asked.words[0], asked.cluster
    found, said = _node(asked, name), [f"node/{name} cordoned"]
    _schedule(cluster, found, closed=True)
    for pod in _pods_on(cluster, name):
        metadata = pod["metadata"]
        place = f'pods/"{metadata["name"]}" -n "{metadata["namespace"]}"'
        owners = [owner["kind"] for owner in metadata.get("ownerReferences") or ()]
        if any(owner in _OWN for owner in owners) and "ignore-daemonsets" in asked.options:
            continue
        if not owners:
            text = "cannot delete cannot delete Pods that declare no controller (use --force to override): "
            raise Failed(f'error: unable to drain node "{name}" due to error: {text}{metadata["name"]}')
        if _held(cluster, pod):
            text = "Cannot evict pod as it would violate the pod's disruption budget."
            why = f"error when evicting {place} (will retry after 5s): {text}"
            raise Failed(f'{why}\nerror: unable to drain node "{name}" due to error: global timeout reached')
        cluster.delete("Pod", metadata["namespace"], metadata["name"])
        said.append(f"evicting pod {metadata['namespace']}/{metadata['name']}")
    asked.call.world.journal("drain", kind="kubernetes", subject=name, duration_of="kubernetes.drain")
    return Result("".join(f"{line}\n" for line in [*said, f"node/{name} drained"]))


def _pods_on(cluster: Cluster, name: str) -> Iterator[Body]:
    return (pod for pod in cluster.objects("Pod") if pod["spec"].get("nodeName") == name)


def _held(cluster: Cluster, pod: Body) -> bool:
    """Whether a disruption budget that covers the pod allows none now."""
    labels = pod["metadata"].get("labels") or {}
    for budget in cluster.objects("PodDisruptionBudget", pod["metadata"]["namespace"]):
        wanted = (budget["spec"].get("selector") or {}).get("matchLabels") or {}
        covers = all(labels.get(key) == value for key, value in wanted.items())
        if covers and (budget.get("status") or {}).get("disruptionsAllowed", 1) == 0:
            return True
    return False


def _annotate(asked: kubectl.Asked) -> Result:
    kind, name, *pairs = asked.words
    if kind != "node":
        raise Failed("the rack's kubectl annotates nodes only")
    annotations = _node(asked, name)["metadata"].setdefault("annotations", {})
    for pair in pairs:
        key, sets, value = pair.partition("=")
        if not sets and key.endswith("-"):
            annotations.pop(key[:-1], None)
            continue
        if annotations.get(key, value) != value and "overwrite" not in asked.options:
            raise Failed(f"error: --overwrite is false but found the following declared annotation(s): '{key}'")
        annotations[key] = value
    return Result(f"node/{name} annotated\n")


def _delete_node(asked: kubectl.Asked) -> Result:
    name, world = asked.words[0], asked.call.world
    if asked.cluster.get("Node", None, name) is None and "ignore-not-found" in asked.options:
        return Result()
    _node(asked, name)
    world.kubernetes.remove_node(asked.cluster.name, name)
    for cluster in world.talos.clusters.values():
        if cluster["name"] == asked.cluster.name:
            cluster["nodes"].pop(name, None)
    for pod in list(_pods_on(asked.cluster, name)):
        asked.cluster.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
    world.journal("delete node", kind="kubernetes", subject=name)
    return Result(f'node "{name}" deleted\n')


TALOSCTL: dict[str, talosctl.Command] = {
    "etcd leave": talosctl.Command(_leave),
    "etcd remove-member": talosctl.Command(_remove_member),
    "reset": talosctl.Command(_reset, {"graceful": False, "reboot": False, "system-labels-to-wipe": True}),
}
KUBECTL: dict[str, kubectl.Command] = {
    "cordon": kubectl.Command(_cordon),
    "uncordon": kubectl.Command(_uncordon),
    "drain": kubectl.Command(_drain, {"ignore-daemonsets": False, "delete-emptydir-data": False, "timeout": True}),
    "annotate": kubectl.Command(_annotate, {"overwrite": False}),
    "delete node": kubectl.Command(_delete_node, {"ignore-not-found": False}),
}
