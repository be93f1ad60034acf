"""Cilium, without which no node is Ready: seeded from the folder that GitOps reconciles, then told the lab's addresses.

Owns the seed, the address pool and who announces it. Refuses Cilium's values, which are Git's.
"""

from collections.abc import Sequence

import pulumi

from components.bindings import helm, kubernetes
from model.talos import ClusterPlan
from model.tree import Chart
from render import manifests

TOKEN = "iluvatar:arda:Cilium"


class Cilium(pulumi.ComponentResource):
    """The cluster's network."""

    release: kubernetes.Release
    """Gate: agents and operator are up, so nodes are Ready and Cilium's kinds exist."""
    announced: list[pulumi.Resource]
    """Gate: LoadBalancer addresses are given out and answered for."""

    def __init__(
        self,
        name: str,
        chart: Chart,
        plan: ClusterPlan,
        *,
        provider: kubernetes.Provider,
        adopted: bool,
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        waits = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(after))
        self.release = helm.seed("cilium-release", chart, waits, adopted=adopted)
        self.announced = [
            kubernetes.KubernetesObject(
                f"cilium-{key}",
                body,
                pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[self.release]),
            )
            for key, body in manifests.announced(plan).items()
        ]
        self.register_outputs({})
