"""Which names a pod finds the address of.

Owns that question for the lab's own zone, from the cluster's objects and the releases' values. It refuses to own every
other name: those are public, and resolve.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rehearsal.world import kube_helm

if TYPE_CHECKING:
    from rehearsal.world import World
    from rehearsal.world.kube_cluster import Cluster

_CUSTOM = ("kube-system", "coredns-custom")
"""Whose `*.server` keys k3s' CoreDNS imports; Talos' CoreDNS knows no such thing."""


def unresolved(world: World, cluster: Cluster, host: str, chart: str) -> str | None:
    """Why a pod of ``chart`` cannot dial ``host``, in Go's words; ``None`` when it can."""
    environment = world.environment
    zone = f"{environment.get('name')}.{environment.get('domain')}"
    if host != zone and not host.endswith(f".{zone}"):
        return None
    bootstrap = environment.get("bootstrap") or {}
    addresses = _aliases(cluster, chart).get(host)
    if addresses is None:
        resolver = str(((environment.get("network") or {}).get("netboot") or {}).get("address"))
        if cluster.name == bootstrap.get("name") and resolver in _forwarders(cluster, host):
            return None
        return f"dial tcp: lookup {host}: no such host"
    if addresses != str(bootstrap.get("ingress")):
        return f"dial tcp {addresses}:443: connect: no route to host"
    return None


def _aliases(cluster: Cluster, chart: str) -> dict[str, str]:
    """Name → address, as the chart writes them into its pods' /etc/hosts."""
    values: dict[str, Any] = (kube_helm.stands(cluster, chart) or {}).get("values") or {}
    told = (values.get("global") or {}).get("hostAliases") or ()
    return {str(host): str(one.get("ip")) for one in told for host in one.get("hostnames") or ()}


def _forwarders(cluster: Cluster, host: str) -> set[str]:
    """Whom CoreDNS forwards this name to, of the server blocks that were added to it."""
    found: set[str] = set()
    blocks = ((cluster.get("ConfigMap", *_CUSTOM) or {}).get("data") or {}).items()
    for text in (text for name, text in blocks if name.endswith(".server")):
        for zone, body in re.findall(r"^(\S+?)(?::53)?\s*\{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
            if host == zone or host.endswith(f".{zone}"):
                found |= {word for line in re.findall(r"forward \. (.*)", body) for word in line.split()}
    return found
