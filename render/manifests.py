"""Kubernetes objects that follow from the inventory: namespaces, address pools, gateways, boot files.

Owns their bodies. Refuses what runs: that is Git's.
"""

from collections.abc import Mapping
from typing import Any, Literal

from model.edge import CERTIFICATES_NAMESPACE, DNS_TOKEN_SECRET, ENVOY_PROXY, GATEWAY_CLASS, PUBLISHED, WILDCARD_SECRET
from model.edge_plan import GatewayPlan
from model.talos import BgpPlan, ClusterPlan

Manifest = dict[str, Any]

GATEWAY_CONTROLLER = "gateway.envoyproxy.io/gatewayclass-controller"
"""The name Envoy Gateway watches for (its documentation, "GatewayClass")."""


def namespace(name: str, security: Literal["privileged", "baseline", "restricted"] = "baseline") -> Manifest:
    """A namespace with the Pod Security level that its pods need."""
    labels = {f"pod-security.kubernetes.io/{mode}": security for mode in ("enforce", "warn")}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def config_map(name: str, in_namespace: str, data: Mapping[str, str]) -> Manifest:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": in_namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def address_pool(pool: str) -> Manifest:
    """The addresses that Cilium may give to LoadBalancer Services; `pool` is `first-last`."""
    first, _, last = pool.partition("-")
    return _cilium_v2("CiliumLoadBalancerIPPool", "lan", {"blocks": [{"start": first, "stop": last}]})


def announced(cluster: ClusterPlan) -> dict[str, Manifest]:
    """By key: the pool, and everything that makes its addresses known on the LAN; nothing without a pool."""
    if cluster.pool is None:
        return {}
    found = {"pool": address_pool(cluster.pool)}
    if cluster.l2_announcements:
        found["announcement"] = l2_announcement(cluster)
    return found | (bgp(cluster, cluster.bgp) if cluster.bgp else {})


def l2_announcement(cluster: ClusterPlan) -> Manifest:
    """Who answers ARP for those addresses: each node, on the link that really carries its address."""
    links = sorted({node.link for node in cluster.members})
    spec: Manifest = {"loadBalancerIPs": True, "externalIPs": False, "interfaces": [f"^{link}$" for link in links]}
    if not cluster.schedulable_control_planes:
        absent = {"key": "node-role.kubernetes.io/control-plane", "operator": "DoesNotExist"}
        spec["nodeSelector"] = {"matchExpressions": [absent]}
    return {
        "apiVersion": "cilium.io/v2alpha1",
        "kind": "CiliumL2AnnouncementPolicy",
        "metadata": {"name": "lan"},
        "spec": spec,
    }


def bgp(cluster: ClusterPlan, plan: BgpPlan) -> dict[str, Manifest]:
    """BGP instead of ARP: the cluster's own AS, its neighbours, and what is announced to them (Cilium, "BGP")."""
    chosen = {"announce": "load-balancer"}
    peers = [
        {
            "name": f"peer-{address}".replace(".", "-"),
            "peerASN": asn,
            "peerAddress": address,
            "peerConfigRef": {"name": "lan"},
        }
        for address, asn in plan.peers
    ]
    every = {"matchExpressions": [{"key": "bgp.cilium.io/silent", "operator": "DoesNotExist"}]}
    family = {"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": chosen}}
    instance = {"name": cluster.name, "localASN": plan.asn, "peers": peers}
    service = {"advertisementType": "Service", "service": {"addresses": ["LoadBalancerIP"]}, "selector": every}
    return {
        "bgp-cluster": _cilium_v2("CiliumBGPClusterConfig", "lan", {"bgpInstances": [instance]}),
        "bgp-peers": _cilium_v2("CiliumBGPPeerConfig", "lan", {"families": [family]}),
        "bgp-advertisement": _cilium_v2("CiliumBGPAdvertisement", "lan", {"advertisements": [service]}, chosen),
    }


def _cilium_v2(kind: str, name: str, spec: Manifest, labels: Mapping[str, str] | None = None) -> Manifest:
    metadata: Manifest = {"name": name} | ({"labels": dict(labels)} if labels else {})
    return {"apiVersion": "cilium.io/v2", "kind": kind, "metadata": metadata, "spec": spec}


def dns_token(value: object) -> Manifest:
    """The Secret that cert-manager proves the domain with, or what stands for its value until it is known."""
    metadata = {"name": DNS_TOKEN_SECRET, "namespace": CERTIFICATES_NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"token": value}}


def envoy_proxy(in_namespace: str, *, announced: bool) -> Manifest:
    """What every gateway's Envoy is made of: two pods, of which one may be away.

    `announced`: by ARP an address is one node's, pod or not; what comes there must be passed on, where Envoy Gateway's
    own default, Local, drops it (Cilium, "L2 Announcements": limitations). By BGP only nodes with a pod announce.
    """
    kubernetes = {
        "envoyDeployment": {"replicas": 2},
        "envoyPDB": {"minAvailable": 1},
        "envoyService": {"externalTrafficPolicy": "Cluster" if announced else "Local"},
    }
    return {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyProxy",
        "metadata": {"name": ENVOY_PROXY, "namespace": in_namespace},
        "spec": {"provider": {"type": "Kubernetes", "kubernetes": kubernetes}},
    }


def gateway_class(in_namespace: str) -> Manifest:
    """Envoy Gateway's class; its EnvoyProxy lies in `in_namespace`."""
    parameters = {"group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": ENVOY_PROXY}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": GATEWAY_CLASS},
        "spec": {
            "controllerName": GATEWAY_CONTROLLER,
            "parametersRef": {**parameters, "namespace": in_namespace},
        },
    }


def gateway(plan: GatewayPlan, in_namespace: str) -> Manifest:
    """A gateway pinned to its address, serving the domain and every name one level below it.

    One listener for both: a browser takes one certificate for one server, and asks for either name over the connection
    that it has (HTTP/2; RFC 9113, 9.1.1). Two would answer each other's names with 404.
    """
    certificate = {"kind": "Secret", "name": WILDCARD_SECRET}
    routes = {"namespaces": {"from": "All"}}
    tls = {"mode": "Terminate", "certificateRefs": [certificate]}
    listeners = [{"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "Same"}}}]
    listeners.append({"name": "https", "protocol": "HTTPS", "port": 443, "allowedRoutes": routes, "tls": tls})
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": plan.name, "namespace": in_namespace} | _published(plan),
        "spec": {
            "gatewayClassName": GATEWAY_CLASS,
            "infrastructure": {"annotations": _service(plan)},
            "listeners": listeners,
        },
    }


def _published(plan: GatewayPlan) -> Manifest:
    """By what external-dns chooses a gateway, and where its routes' names lead."""
    if not plan.published:
        return {}
    target = {"external-dns.alpha.kubernetes.io/target": plan.hostname}
    return {"labels": dict([PUBLISHED]), "annotations": target}


def _service(plan: GatewayPlan) -> dict[str, str]:
    """Annotations of the LoadBalancer Service that Envoy Gateway makes for a gateway."""
    found = {"lbipam.cilium.io/ips": plan.address}
    if plan.named_inside:
        found["coredns.io/hostname"] = plan.hostname  # k8s-gateway, README: Service
    if plan.snat:
        found["service.cilium.io/forwarding-mode"] = "snat"
    return found


def https_redirect(plan: GatewayPlan, in_namespace: str) -> Manifest:
    """Plain HTTP at a gateway is only ever sent on to HTTPS."""
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": f"{plan.name}-https-redirect", "namespace": in_namespace},
        "spec": {
            "parentRefs": [{"name": plan.name, "sectionName": "http"}],
            "rules": [{"filters": [redirect]}],
        },
    }
