"""Cilium, without which no node is Ready: seeded from the folder that GitOps reconciles, then told the lab's addresses.

Owns the seed, the address pool and who announces it. Refuses Cilium's values, which are Git's.
"""

from collections.abc import Sequence

import pulumi
from pulumi_command import local

from components.bindings import helm, kubernetes
from model.talos import ClusterPlan
from model.tree import Chart
from render import gates, manifests

TOKEN = "iluvatar:arda:Cilium"


class Cilium(pulumi.ComponentResource):
    """The cluster's network."""

    ready: local.Command
    """Gate: the operator and the control planes' agents are up, Cilium's kinds exist. No worker is waited for."""
    announced: list[pulumi.Resource]
    """Gate: LoadBalancer addresses are given out and answered for."""

    def __init__(
        self,
        name: str,
        chart: Chart,
        plan: ClusterPlan,
        *,
        provider: kubernetes.Provider,
        kubeconfig: pulumi.Input[str],
        adopted: bool,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        waits = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(after))
        # Helm would wait for an agent on every node, one that is down included: the gate asks only who is needed
        release = helm.seed("cilium-release", chart, waits, adopted=adopted, awaited=False)
        self.ready = local.Command(
            "arda-gate-cni",
            create=gates.cni_gate(plan, chart.namespace),
            stdin=pulumi.Output.secret(kubeconfig),
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[release]),
        )
        self.announced = [
            kubernetes.KubernetesObject(
                f"cilium-{key}",
                body,
                pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[self.ready]),
            )
            for key, body in manifests.announced(plan).items()
        ]
        self.register_outputs({})
