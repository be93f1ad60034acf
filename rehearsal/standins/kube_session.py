"""Which cluster a configured Kubernetes provider reaches.

Owns the reading of one connection's configuration. It refuses to own what the cluster answers.
"""

from __future__ import annotations

from rehearsal.standins.base import Context, Refusal, Session
from rehearsal.world.kube_cluster import Cluster

_UNREACHABLE = "configured Kubernetes cluster is unreachable: "
_GONE = (
    "If the cluster was deleted, you can remove this resource from Pulumi state by rerunning the operation with the"
    ' PULUMI_K8S_DELETE_UNREACHABLE environment variable set to "true"'
)


def reach(ctx: Context) -> Cluster:
    """The cluster of this provider; ``Refusal`` in the provider's words when its API does not answer."""
    kubeconfig = ctx.session.facts.get("kubeconfig")
    if not isinstance(kubeconfig, str):
        raise Refusal(f"{_UNREACHABLE}unable to load Kubernetes client configuration: the kubeconfig is not known yet")
    try:
        found: Cluster = ctx.world.kubernetes.by_kubeconfig(kubeconfig)
    except Refusal as refusal:
        advice = f"\n{_GONE}" if ctx.operation in ("read", "delete") else ""
        text = f"{_UNREACHABLE}unable to load schema information from the API server: {refusal.message}{advice}"
        raise Refusal(text) from refusal
    return found


def cluster_of(ctx: Context) -> Cluster | None:
    """The cluster of this provider, ``None`` while it is unknown or down: a preview goes on without it."""
    try:
        return reach(ctx)
    except Refusal:
        return None


def flag(session: Session, name: str) -> bool:
    """A yes or no of the provider's configuration, which the engine hands over as text."""
    return str(session.config.get(name)).lower() == "true"
