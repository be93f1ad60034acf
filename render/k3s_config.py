"""k3s' own `config.yaml`, a server's and an agent's (k3s documentation: "k3s server", "k3s agent").

Owns what k3s is told. Refuses secrets: a join token is a file on the machine that this names and nobody renders.
"""

from typing import Any

from model.ainur import KEEP, NVME_MOUNT, OIDC_CLIENT, BootstrapNodePlan, BootstrapPlan
from model.storage import LONGHORN_LABEL

Config = dict[str, Any]

FILE = "/etc/rancher/k3s/config.yaml"
TOKEN = f"{KEEP}/k3s-token"
"""Where a joining Pi has the token that came over SSH, a Maia's the agents' and a further Vala's the servers'; on a
netbooted one that folder is bound from its NVMe."""
AGENTS_TOKEN = f"{KEEP}/k3s-agent-token"
"""On every server, the same on all: what agents join with. The first Vala's script makes it, the others are brought it.
Without it k3s takes the servers' token from agents, too."""
CA = "/etc/ilmarin/ca.crt"
"""On every server: the lab's root certificate, without its key. Where it is missing the API server does not start."""
RESOLVERS = "/etc/ilmarin/resolv.conf"
"""What pods inherit in place of the Pi's own, which DHCP writes on a netbooted one: servers, and no search domain. With
ndots:5 a pod asks below such a domain first, and a public wildcard above it answers for every name in the world."""
ORDER_LABEL = "ilmarin.io/order"
"""On every node: `vala` or `maia`."""

SNAPSHOTS = {"etcd-snapshot-schedule-cron": "0 */6 * * *", "etcd-snapshot-retention": 28}
"""Every six hours, kept for a week: k3s' own twelve hours and five would be gone in two and a half days."""

KUBELET = (
    # A card wears with every line that is written: a tenth of what the kubelet grants a container's log by itself
    "container-log-max-size=5Mi",
    "container-log-max-files=2",
    # Images go before the kubelet evicts pods for a full disk, which it does at 85 percent
    "image-gc-high-threshold=75",
    "image-gc-low-threshold=65",
    # What the system itself needs, so that pods leave it that much
    "system-reserved=memory=512Mi",
)


def config(cluster: BootstrapPlan, node: BootstrapNodePlan) -> Config:
    """What k3s reads on a node."""
    found = _common(node) | (_server(cluster, node) if node.role == "server" else {})
    if not node.first:
        found |= {"server": cluster.api, "token-file": TOKEN}
    return found


def _common(node: BootstrapNodePlan) -> Config:
    order = "vala" if node.role == "server" else "maia"
    labels = [f"{ORDER_LABEL}={order}", *([f"{LONGHORN_LABEL}=true"] if node.nvme else [])]
    return {
        "node-name": node.name,
        "node-ip": node.address,
        "flannel-iface": node.link,
        "resolv-conf": RESOLVERS,
        "node-label": labels,
        "kubelet-arg": list(KUBELET),
    }


def _server(cluster: BootstrapPlan, node: BootstrapNodePlan) -> Config:
    """A server's part. What all servers must share (`disable`, `secrets-encryption`) has no condition."""
    found: Config = {
        "write-kubeconfig-mode": "0600",
        "tls-san": [cluster.vip, cluster.apps_zone],
        # The one would take ports 80 and 443 of every node, where the boot server listens; the other's StorageClass,
        # local-path, is a default one beside Longhorn's
        "disable": ["servicelb", "local-storage"],
        "agent-token-file": AGENTS_TOKEN,
        "secrets-encryption": True,
        # Pods that can live elsewhere do, once there is an elsewhere: before a Maia stands, all run here
        "node-taint": ["node-role.kubernetes.io/control-plane=true:PreferNoSchedule"],
        "kube-apiserver-arg": _oidc(cluster),
        **SNAPSHOTS,
    }
    if node.nvme:
        found["etcd-snapshot-dir"] = f"{NVME_MOUNT}/ilmarin/etcd-snapshots"  # a card that dies takes none of them along
    if node.first:
        found["cluster-init"] = True  # embedded etcd from the start, so that a lone server can be joined by others
    return found


def _oidc(cluster: BootstrapPlan) -> list[str]:
    """Kubernetes documentation, "Configuring the API Server": the issuer is compared letter by letter."""
    return [
        f"oidc-issuer-url={cluster.issuer}",
        f"oidc-client-id={OIDC_CLIENT}",
        "oidc-username-claim=email",
        "oidc-username-prefix=oidc:",
        "oidc-groups-claim=groups",
        "oidc-groups-prefix=oidc:",
        f"oidc-ca-file={CA}",
    ]
