"""What is asked of a Pi over SSH: short, idempotent commands that verify what cloud-init did.

Owns the commands' texts. Refuses secrets in them: a failing command prints its whole text, so a secret comes on stdin.
"""

from model.ainur import BootstrapNodePlan, BootstrapPlan

KUBECONFIG = "sudo cat /etc/rancher/k3s/k3s.yaml"
"""Prints the administrator's kubeconfig (k3s, "Cluster Access")."""

JOIN_TOKEN = "sudo cat /var/lib/rancher/k3s/server/node-token"
"""Prints the join token that k3s made on the first server (k3s, "Token")."""

KEPT_TOKEN = "/var/lib/longhorn/disks/nvme1/k3s-token"
"""Where a joining Pi keeps the token: its NVMe outlives a netboot, so that it rejoins by itself."""


def unit(node: BootstrapNodePlan) -> str:
    """The systemd unit of k3s on a node."""
    return "k3s" if node.role == "server" else "k3s-agent"


def first_server() -> str:
    """The first server has done its cloud-init and runs k3s."""
    return "set -eu\ncloud-init status --wait\nsystemctl is-active k3s\n"


def join(node: BootstrapNodePlan) -> str:
    """Keep the token that comes on stdin, and run k3s with it."""
    name = unit(node)
    return (
        "set -eu\n"
        "cloud-init status --wait\n"
        f"sudo install -D -m 0600 /dev/stdin {KEPT_TOKEN}\n"
        f"sudo systemctl enable --now {name}\n"
        f"systemctl is-active {name}\n"
    )


def ready(cluster: BootstrapPlan) -> str:
    """Every node of the cluster is Ready; waits ten minutes at most."""
    nodes = " ".join(f"node/{node.name}" for node in cluster.nodes)
    return f"sudo k3s kubectl wait --for=condition=Ready --timeout=600s {nodes}"


def kubeconfig_at(text: str, api: str) -> str:
    """A k3s kubeconfig, which says 127.0.0.1, pointed at the cluster's API."""
    return text.replace("https://127.0.0.1:6443", api)
