"""Kubelets' serving certificates, and who cannot ask a kubelet without a good one.

Owns whether a kubelet's request was approved, as postfinance/kubelet-csr-approver decides by name and address
(``internal/controller/regex_ip_checks.go``), and what metrics-server says of a kubelet that it does not believe. It
refuses to own requests one by one: whether a node's would be granted is all that anybody here asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.talos_config import main_document


class Kubelet(NamedTuple):
    """One node's."""

    name: str
    address: str
    asks: bool
    """Whether it asks the cluster's CA for its certificate (KubeletConfiguration, ``serverTLSBootstrap``)."""


def kubelets(cluster: Cluster) -> list[Kubelet]:
    """Those of the cluster's Talos machines."""
    addresses = {node["metadata"]["name"]: _address(node) for node in cluster.objects("Node")}
    found = []
    for each in cluster.world.talos.nodes():
        if each.hostname in addresses:
            kubelet = (main_document(each.documents).get("machine") or {}).get("kubelet") or {}
            asks = (kubelet.get("extraConfig") or {}).get("serverTLSBootstrap") is True
            asks = asks or str((kubelet.get("extraArgs") or {}).get("rotate-server-certificates")).lower() == "true"
            found.append(Kubelet(each.hostname, addresses[each.hostname], asks))
    return found


def _address(node: Body) -> str:
    told = (node.get("status") or {}).get("addresses") or ()
    return next((str(each["address"]) for each in told if each["type"] == "InternalIP"), "")


def unscraped(cluster: Cluster, body: Body) -> str | None:
    """Why metrics-server does not become ready: it believes no kubelet. ``None`` for anything else.

    One kubelet that it believes is enough for it (metrics-server, ``/readyz``: metrics of some node are there).
    """
    told = [str(each) for container in _containers(body) for each in container.get("args") or ()]
    if not any("/metrics-server:" in str(each.get("image")) for each in _containers(body)):
        return None
    if "--kubelet-insecure-tls" in told:
        return None
    found = kubelets(cluster)
    troubles = [trouble for each in found if (trouble := _trouble(cluster, each))]
    return f"no metrics to serve: {troubles[0]}" if troubles and len(troubles) == len(found) else None


def _trouble(cluster: Cluster, kubelet: Kubelet) -> str | None:
    said = f'Failed to scrape node" err="Get \\"https://{kubelet.address}:10250/metrics/resource\\"'
    if not kubelet.asks:
        return f'"{said}: tls: failed to verify certificate: x509: certificate signed by unknown authority"'
    if any(_approves(each, kubelet) for each in _approvers(cluster)):
        return None
    return f'"{said}: remote error: tls: internal error" node="{kubelet.name}"'


def _approves(told: dict[str, str], kubelet: Kubelet) -> bool:
    try:
        named = re.search(told.get("PROVIDER_REGEX", ".*"), kubelet.name)
        subnets = [ip_network(each.strip()) for each in told.get("PROVIDER_IP_PREFIXES", "0.0.0.0/0").split(",")]
    except (re.error, ValueError):  # the approver does not start
        return False
    return bool(named and kubelet.address) and any(ip_address(kubelet.address) in each for each in subnets)


def _approvers(cluster: Cluster) -> Iterator[dict[str, str]]:
    """The environment of every approver that stands."""
    for body in cluster.objects("Deployment"):
        for container in _containers(body):
            if "/kubelet-csr-approver:" in str(container.get("image")):
                told: dict[str, str] = {}
                for each in container.get("envFrom") or ():
                    name = (each.get("configMapRef") or {}).get("name")
                    told |= _data(cluster, body["metadata"].get("namespace", "default"), name)
                yield told | {each["name"]: str(each.get("value")) for each in container.get("env") or ()}


def _data(cluster: Cluster, namespace: str, name: str | None) -> dict[str, str]:
    for found in cluster.objects("ConfigMap"):
        if (found["metadata"].get("namespace"), found["metadata"]["name"]) == (namespace, name):
            return {str(key): str(value) for key, value in (found.get("data") or {}).items()}
    return {}


def _containers(body: Body) -> list[dict[str, Any]]:
    spec = ((body.get("spec") or {}).get("template") or {}).get("spec") or {}
    return list(spec.get("containers") or ())
