"""Etcd and the cluster around it: who is a member, whether the members have a majority, who joins.

Owns membership and quorum, and what of Kubernetes follows from them: an API that stands, nodes that register. It
refuses to own dialling and configuration (``talos_door``, ``talos``), and Kubernetes itself.

A cluster is ``{name, members: [hostname], nodes: {hostname: facts}}``, ``name`` being ``None`` until it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rehearsal.world.talos_config import main_document
from rehearsal.world.talos_node import Node

if TYPE_CHECKING:
    from rehearsal.world import World

_API_STARTS_IN = 90.0
"""Seconds from bootstrap to a Kubernetes API that answers; Talos itself, and so its kubeconfig, is there at once."""


def has_quorum(cluster: dict[str, Any], nodes: Iterable[Node]) -> bool:
    """Whether a majority of the members runs among ``nodes``; a cluster without members has none."""
    running = {node.hostname for node in nodes if node.running}
    alive = sum(member in running for member in cluster["members"])
    return alive > len(cluster["members"]) // 2


def join(world: World, cluster: dict[str, Any], nodes: list[Node]) -> None:
    """Let every running one of ``nodes`` join, as far as etcd takes anybody in: without a majority it does not.

    A node without its EPHEMERAL volume has nowhere to run a kubelet or etcd from.
    """
    nodes = [node for node in nodes if node.volumes[0].phase == "ready"]
    leader = next((node for node in nodes if node.hostname in cluster["members"]), None)
    if leader is None or not has_quorum(cluster, nodes):
        return
    if cluster["name"] is None:
        cluster["name"] = main_document(leader.documents)["cluster"]["clusterName"]
        world.kubernetes.stand_up(
            cluster["name"],
            server=_served_at(leader, nodes),
            version=leader.kubernetes_version,
            credential=leader.kubernetes_authority,
            starts_in=_API_STARTS_IN,
        )
    for node in sorted(nodes, key=lambda each: each.kind):
        if node.kind == "controlplane" and node.hostname not in cluster["members"] and not node.record.get("etcd"):
            cluster["members"].append(node.hostname)
        facts = node.kubernetes_facts()
        if cluster["nodes"].get(node.hostname) != facts:
            cluster["nodes"][node.hostname] = facts
            world.kubernetes.add_node(cluster["name"], node.hostname, **facts)


def leave(world: World, cluster: dict[str, Any], node: Node, *, graceful: bool) -> None:
    """``node`` is a member no more; with the last one the cluster is gone. Its Node stays until somebody deletes it
    (Talos documentation, "Removing a node")."""
    if node.hostname in cluster["members"]:
        cluster["members"].remove(node.hostname)
    if not cluster["members"]:
        world.kubernetes.tear_down(cluster["name"])
        cluster.update(name=None, nodes={})
    elif graceful:
        cluster["nodes"].pop(node.hostname, None)


def _served_at(leader: Node, nodes: list[Node]) -> str:
    """Where the API really answers: the endpoint when one of the control planes holds its address."""
    host = urlsplit(leader.kubernetes_api).hostname or ""
    held = {held for node in nodes if node.kind == "controlplane" for held in (node.vip, node.record["address"])}
    if host in held or not host.replace(".", "").isdigit():
        return leader.kubernetes_api
    return f"https://{leader.record['address']}:6443"
