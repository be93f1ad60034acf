"""How the network outside learns of LoadBalancer addresses.

Owns what Cilium makes of its announcements: a node that answers ARP for an address, or one that tells a BGP neighbour.
It refuses to own which address a Service gets (``kube_gateway``) and what a neighbour makes of what it is told.
"""

from __future__ import annotations

import re
from typing import Any

from rehearsal.world import kube_helm, kube_pods
from rehearsal.world.kube_charts import value
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_judge import matches
from rehearsal.world.talos_config import of_kind

Values = dict[str, Any]


def unannounced(cluster: Cluster, labels: dict[str, str]) -> str | None:
    """Why nobody outside learns of the address of a LoadBalancer Service with ``labels``; ``None`` when they do."""
    release = kube_helm.stands(cluster, "cilium")
    if release is None:
        return "Cilium does not stand"
    ways = {"L2": _by_arp(cluster, release["values"]), "BGP": _by_bgp(cluster, release["values"], labels)}
    if None in ways.values():
        return None
    if not cluster.objects("CiliumBGPClusterConfig"):
        return ways["L2"]
    return ways["BGP"] if not cluster.objects("CiliumL2AnnouncementPolicy") else f"{ways['L2']}; {ways['BGP']}"


def _by_arp(cluster: Cluster, values: Values) -> str | None:
    """Why no node answers ARP for LoadBalancer addresses; ``None`` when one does."""
    if not value(values, "l2announcements.enabled", False):
        return "l2announcements.enabled is false in Cilium's values"
    if str(value(values, "kubeProxyReplacement", False)).lower() != "true":
        return "L2 announcements need kubeProxyReplacement"
    policies = [each for each in cluster.objects("CiliumL2AnnouncementPolicy") if each["spec"].get("loadBalancerIPs")]
    if not policies:
        return "no CiliumL2AnnouncementPolicy has loadBalancerIPs"
    nodes = cluster.objects("Node")
    chosen = [
        (policy, node)
        for policy in policies
        for node in nodes
        if matches(policy["spec"].get("nodeSelector"), node["metadata"].get("labels") or {})
    ]
    if not chosen:
        return "no CiliumL2AnnouncementPolicy chooses a node"
    if any(_on_link(cluster, policy, node) for policy, node in chosen if kube_pods.is_ready(node)):
        return None
    links = sorted({link for _, node in chosen for link in _links_of(cluster, node)})
    return f"no announcing node has a link that the policies' interfaces name; the nodes have {', '.join(links)}"


def _on_link(cluster: Cluster, policy: Body, node: Body) -> bool:
    patterns = policy["spec"].get("interfaces")
    if not patterns:
        return True
    return any(re.search(pattern, link) for pattern in patterns for link in _links_of(cluster, node))


def _links_of(cluster: Cluster, node: Body) -> list[str]:
    """The links of a node that carry an address: the machine's own, with VLANs where its configuration makes them."""
    address = kube_pods.address_of(node)
    for each in cluster.world.talos.nodes():
        if each.hostname != node["metadata"]["name"]:
            continue
        carried = []
        for kind in ("VLANConfig", "BondConfig", "LinkConfig"):
            for document in of_kind(each.documents, kind):
                held = [str(entry["address"]).partition("/")[0] for entry in document.get("addresses") or ()]
                if address in held:
                    carried.append(str(document["name"]))
        known = [link for link in carried if link in each.machine.nics or "." in link or link.startswith("bond")]
        return known or list(each.machine.nics)
    return ["eth0"]


def _by_bgp(cluster: Cluster, values: Values, labels: dict[str, str]) -> str | None:
    """Why no node tells a neighbour of a Service with ``labels``; ``None`` when one does."""
    if not value(values, "bgpControlPlane.enabled", False):
        return "bgpControlPlane.enabled is false in Cilium's values"
    told = [each for each in cluster.objects("CiliumBGPAdvertisement") if _advertises(each, labels)]
    if not told:
        return "no CiliumBGPAdvertisement chooses the LoadBalancerIP of this Service"
    configs = {each["metadata"]["name"] for each in cluster.objects("CiliumBGPPeerConfig") if _carries(each, told)}
    if not configs:
        return "no family of a CiliumBGPPeerConfig chooses the labels of its CiliumBGPAdvertisement"
    instances = [
        (found["spec"].get("nodeSelector"), instance)
        for found in cluster.objects("CiliumBGPClusterConfig")
        for instance in found["spec"]["bgpInstances"]
        if any((peer.get("peerConfigRef") or {}).get("name") in configs for peer in _neighbours(instance))
    ]
    if not instances:
        return "no CiliumBGPClusterConfig has an AS of its own and a neighbour with that CiliumBGPPeerConfig"
    ready = [node["metadata"].get("labels") or {} for node in cluster.objects("Node") if kube_pods.is_ready(node)]
    if not any(matches(selector, node) for selector, _ in instances for node in ready):
        return "no CiliumBGPClusterConfig chooses a node that is Ready"
    return None


def _advertises(found: Body, labels: dict[str, str]) -> bool:
    """Whether an advertisement tells of the LoadBalancer address of a Service: one without a selector tells of none."""
    for each in found["spec"]["advertisements"]:
        addresses = (each.get("service") or {}).get("addresses") or ()
        chosen = each.get("selector") is not None and matches(each["selector"], labels)
        if each["advertisementType"] == "Service" and "LoadBalancerIP" in addresses and chosen:
            return True
    return False


def _carries(config: Body, told: list[Body]) -> bool:
    """Whether a family of a peer's configuration takes one of those advertisements up."""
    families = config["spec"].get("families") or ()
    selectors = [each["advertisements"] for each in families if each.get("advertisements")]
    return any(matches(chosen, each["metadata"].get("labels") or {}) for chosen in selectors for each in told)


def _neighbours(instance: Body) -> list[Body]:
    """The peers a node can really dial: it has an AS of its own, and they an address and one of theirs."""
    peers = instance.get("peers") or []
    return [peer for peer in peers if instance.get("localASN") and peer.get("peerAddress") and peer.get("peerASN")]
