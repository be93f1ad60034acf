"""Arda, the Talos cluster: Valinor is its control plane, the Istari its workers.

Owns machine secrets, configuration, order and one bootstrap. Refuses anything that dials a machine during preview.
"""

from collections.abc import Sequence

import pulumi
from pulumi_command import local
from pulumiverse_talos import client, cluster, imagefactory, machine

from components.bindings import kubernetes, talos
from model.talos import ClusterNodePlan, ClusterPlan
from render.talos import api_answers, machine_patch

TOKEN = "iluvatar:arda:Cluster"
PATIENCE = "30m"
"""How long a machine may take from its power switch to maintenance mode; the provider's own ten minutes are short."""
RENEWAL = "2160h"
"""A kubeconfig is fetched anew when less than this is left of its year."""


class Cluster(pulumi.ComponentResource):
    """A Talos cluster, from machines in maintenance mode to a Kubernetes API."""

    kubeconfig: pulumi.Output[str]
    """Secret: the administrator's kubeconfig."""
    talosconfig: pulumi.Output[str]
    """Secret: what `talosctl` needs."""
    provider: kubernetes.Provider
    """Reaches the cluster's API, which answers by then."""
    joined: list[pulumi.Resource]
    """Gate: every machine has its configuration and the cluster is bootstrapped."""

    def __init__(
        self,
        name: str,
        plan: ClusterPlan,
        environment: str,
        *,
        after: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._plan = plan
        images = [self._register(image.hardware, image.schematic) for image in plan.images]
        self._secrets = machine.Secrets(
            "arda-secrets",
            talos_version=plan.contract,
            # The cluster's whole PKI: losing it is losing the cluster
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        self._client = talos.client_configuration(self._secrets, machine.ClientConfigurationArgs)
        reachable = [*after, *images]
        chain: list[pulumi.Resource] = []
        for node in plan.control_planes:
            # One after the other: two control planes rebooting at once would cost the quorum
            chain.append(self._apply(node, [*reachable, *chain[-1:]]))
        bootstrap = self._bootstrap(plan.control_planes[0], chain)
        workers = [self._apply(node, [*reachable, bootstrap]) for node in plan.workers]
        self.joined = [*chain, bootstrap, *workers]
        self._reach(plan.control_planes[0], environment, bootstrap)
        self.register_outputs({"kubeconfig": self.kubeconfig, "talosconfig": self.talosconfig})

    def _register(self, hardware: str, schematic: str) -> imagefactory.Schematic:
        opts = pulumi.ResourceOptions(parent=self)
        return imagefactory.Schematic(f"arda-image-{hardware}", schematic=schematic, opts=opts)

    def _apply(self, node: ClusterNodePlan, after: Sequence[pulumi.Resource]) -> machine.ConfigurationApply:
        plan = self._plan
        configuration = machine.get_configuration_output(
            cluster_name=plan.name,
            cluster_endpoint=plan.endpoint,
            machine_type="controlplane" if node.role == "control-plane" else "worker",
            machine_secrets=talos.machine_secrets(self._secrets),
            talos_version=plan.contract,
            kubernetes_version=plan.kubernetes,
            config_patches=[machine_patch(plan, node)],
            docs=False,
            examples=False,
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        return machine.ConfigurationApply(
            f"arda-apply-{node.name}",
            node=node.address,
            client_configuration=self._client,
            machine_configuration_input=configuration.machine_configuration,
            timeouts=machine.TimeoutArgs(create=PATIENCE, update=PATIENCE),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def _bootstrap(self, node: ClusterNodePlan, after: Sequence[pulumi.Resource]) -> machine.Bootstrap:
        return machine.Bootstrap(
            "arda-bootstrap",
            node=node.address,
            client_configuration=self._client,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(after)),
        )

    def _reach(self, node: ClusterNodePlan, environment: str, bootstrap: machine.Bootstrap) -> None:
        fetched = cluster.Kubeconfig(
            "arda-kubeconfig",
            node=node.address,
            client_configuration=talos.client_configuration(self._secrets, cluster.KubeconfigClientConfigurationArgs),
            certificate_renewal_duration=RENEWAL,
            # New machine secrets do not refetch it by themselves
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[bootstrap], replace_on_changes=["clientConfiguration"]
            ),
        )
        self.kubeconfig = pulumi.Output.secret(fetched.kubeconfig_raw)
        self.talosconfig = pulumi.Output.secret(self._talosconfig())
        # Talos hands out the kubeconfig a minute before the API answers, and a provider that meets a silent API once
        # counts the whole cluster as unreachable
        answers = local.Command(
            "arda-api-answers",
            create=api_answers(self._plan),
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[bootstrap]),
        )
        self.provider = kubernetes.Provider(
            "arda-kubernetes",
            f"{environment}-{self._plan.name}",
            self.kubeconfig,
            pulumi.ResourceOptions(parent=self, depends_on=[answers]),
        )

    def _talosconfig(self) -> pulumi.Output[str]:
        """Endpoints are the control planes themselves, never the VIP: it is gone when it is needed most."""
        made = client.get_configuration_output(
            cluster_name=self._plan.name,
            client_configuration=talos.client_configuration(
                self._secrets, client.GetConfigurationClientConfigurationArgs
            ),
            endpoints=[node.address for node in self._plan.control_planes],
            nodes=[node.address for node in self._plan.members],
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        return made.talos_config
