"""The first Vala's timer that gives the cluster the lab's certificate authority.

Owns what ``trust.sh`` puts into Kubernetes, again and again. It refuses to make the namespace: that is the
application's, and until it stands the timer comes again.
"""

from __future__ import annotations

import base64

from rehearsal.world.host_units import Host, real
from rehearsal.world.kube_cluster import Body, Cluster

NAMESPACE = "cert-manager"
_PKI = "/var/lib/ilmarin/pki"
_MANAGER = "ilmarin"


def keep_trust(cluster: Cluster) -> None:
    """Controller: Secret ``lab-ca-intermediate`` and ConfigMap ``lab-ca``, where a host of this cluster keeps them."""
    hosts: dict[str, Host] = cluster.world.section("hosts")
    for host in hosts.values():
        timer = host["services"].get("ilmarin-trust.timer")
        mine = (host.get("k3s") or {}).get("cluster") == cluster.name
        authority = host["files"].get(real(host, f"{_PKI}/intermediate.key"))
        if timer and timer["active"] and mine and authority and cluster.get("Namespace", None, NAMESPACE):
            _give(cluster, authority["content"], host["files"][real(host, f"{_PKI}/root.crt")]["content"])


def _give(cluster: Cluster, key: str, certificate: str) -> None:
    pair = {"tls.crt": _encoded(certificate), "tls.key": _encoded(key)}
    for kind, name, fields in (
        ("Secret", "lab-ca-intermediate", {"type": "kubernetes.io/tls", "data": pair}),
        ("ConfigMap", "lab-ca", {"data": {"ca.crt": certificate, "fingerprint": "AB:CD"}}),
    ):
        body: Body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **fields}
        if cluster.said_by(_MANAGER, kind, NAMESPACE, name) != body:
            cluster.apply(body, _MANAGER)


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
