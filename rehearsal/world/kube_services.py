"""Services of type LoadBalancer that somebody writes himself, and Ingresses: which address each gets.

Owns what Cilium's LB IPAM makes of them, and on k3s its own load balancer or kube-vip. It refuses to own the gateways'
(``kube_gateway``), who have theirs first, and who announces an address (``kube_announce``).
"""

from __future__ import annotations

from rehearsal.world import kube_announce, kube_gateway, kube_pods
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

KUBE_VIP = "kube-vip.io/loadbalancerIPs"
"""By it a Service asks kube-vip for an address (kube-vip documentation, "Kubernetes Load-Balancer")."""


def keep_services(cluster: Cluster) -> None:
    """Controller: each Service of type LoadBalancer gets an address of a pool that is announced, or says why not."""
    services = [each for each in cluster.objects("Service") if each["spec"].get("type") == "LoadBalancer"]
    if cluster.is_k3s:
        _on_k3s(cluster, services)
        return
    if not services:
        return
    taken = {
        address["value"]: f"gateway {each['metadata']['name']}"
        for each in cluster.objects("Gateway")
        for address in (each.get("status") or {}).get("addresses") or ()
    }
    # An address once given is kept: those who have one are served first
    for found in sorted(services, key=lambda each: trouble_of(each) is not None):
        try:
            address = _address(cluster, found, taken)
        except Refusal as refusal:
            satisfied = {"type": "cilium.io/IPAMRequestSatisfied", "status": "False", "message": refusal.message}
            cluster.set_status(found, {"loadBalancer": {}, "conditions": [satisfied]})
            continue
        taken[address] = f"service {found['metadata']['namespace']}/{found['metadata']['name']}"
        cluster.set_status(found, {"loadBalancer": {"ingress": [{"ip": address}]}})


def trouble_of(found: Body) -> str | None:
    """Why a Service of type LoadBalancer has no address; ``None`` when it has one, or is of another type."""
    if found["spec"].get("type") != "LoadBalancer":
        return None
    status = found.get("status") or {}
    if (status.get("loadBalancer") or {}).get("ingress"):
        return None
    conditions = status.get("conditions") or [{"message": "no address was given yet"}]
    return f"service {found['metadata']['name']} has no address: {conditions[0]['message']}"


def _on_k3s(cluster: Cluster, services: list[Body]) -> None:
    """k3s' own load balancer answers on every node; without it kube-vip holds what a Service asks for by annotation."""
    told: Body = cluster.record.get("k3s") or {}
    known = [each for each in cluster.objects("Node") if each["status"].get("addresses")]
    nodes = [{"ip": kube_pods.address_of(each)} for each in known]
    taken: dict[str, str] = {}
    for found in services:
        name = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
        asked = (found["metadata"].get("annotations") or {}).get(KUBE_VIP) or found["spec"].get("loadBalancerIP")
        trouble = None
        if "servicelb" not in (told.get("disable") or ()):
            held = nodes
        elif not told.get("vip"):
            held, trouble = [], "servicelb is disabled, and kube-vip does not run"
        elif not asked:
            held, trouble = [], f"it asks kube-vip for none ({KUBE_VIP}), and no cloud provider runs beside"
        elif str(asked) in taken:
            held, trouble = [], f"{asked} is already given to service {taken[str(asked)]}"
        else:
            held = [{"ip": str(asked)}]
            taken[str(asked)] = name
        status: Body = {"loadBalancer": {"ingress": held} if held else {}}
        cluster.set_status(found, status | ({"conditions": [{"message": trouble}]} if trouble else {}))
    traefik = cluster.get("Service", "kube-system", "traefik")
    for found in cluster.objects("Ingress"):
        cluster.set_status(found, {"loadBalancer": (traefik or {}).get("status", {}).get("loadBalancer") or {}})


def ingress_trouble(found: Body) -> str | None:
    """Why nobody reaches an Ingress; ``None`` when somebody does. Argo CD waits for its address."""
    if ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress"):
        return None
    return f"ingress {found['metadata']['name']} has no address: no controller that has one serves it"


def _address(cluster: Cluster, found: Body, taken: dict[str, str]) -> str:
    """The address it gets; ``Refusal`` when it gets none that anybody outside would reach."""
    pools = [each for each in cluster.objects("CiliumLoadBalancerIPPool") if not each["spec"].get("disabled")]
    annotations = found["metadata"].get("annotations") or {}
    asked = next((str(annotations[name]) for name in kube_gateway.PINNED if annotations.get(name)), "")
    wanted = asked.split(",")[0].strip() or found["spec"].get("loadBalancerIP")
    if not wanted:
        free = (each for pool in pools for each in kube_gateway.addresses_of(pool) if each not in taken)
        wanted = next(free, None)
        if wanted is None:
            raise Refusal("no CiliumLoadBalancerIPPool has a free one")
    elif not any(kube_gateway.holds(pool, wanted) for pool in pools):
        raise Refusal(f"{wanted} lies in no CiliumLoadBalancerIPPool")
    elif wanted in taken:
        raise Refusal(f"{wanted} is already given to {taken[wanted]}")
    unheard = kube_announce.unannounced(cluster, found["metadata"].get("labels") or {})
    if unheard:
        raise Refusal(f"{wanted} is given out but nobody announces it: {unheard}")
    return str(wanted)
