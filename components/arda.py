"""Arda, the Talos cluster: Valinor is its control plane, the Istari its workers.

Owns machine secrets, configuration, order, gates, upgrades and one bootstrap. Refuses anything that dials a machine
during preview.

Order: tools → etcd's snapshot → upgrades of Talos, node by node → upgrade of Kubernetes → configuration → bootstrap →
gates. Upgrades come before configuration because a node refuses documents that its Talos does not know, while a newer
Talos takes the older ones; and because a configuration that names a new Kubernetes would bring it up on one node alone.
On the first `up` no machine is of the cluster, so upgrades have nothing to do.
"""

from collections.abc import Sequence

import pulumi
from pulumi_command import local
from pulumiverse_talos import client, cluster, imagefactory, machine

from components.bindings import kubernetes, talos
from components.bindings.certificates import ends
from components.leaving import Node, take_out
from model.talos import ClusterNodePlan, ClusterPlan
from render import gates, talosctl, upgrades
from render.talos import machine_patch

TOKEN = "iluvatar:arda:Cluster"
PATIENCE = f"{talosctl.BOOT}m"
"""How long a machine may take from its power switch to maintenance mode; the provider's own ten minutes are short."""
BOOTSTRAP = "3m"
"""How long a bootstrap may be refused: its machine's Talos answers already, and lacks its clock or its containers for a
minute or so. Short, for the provider tries a second bootstrap again for as long."""
RENEWAL = "2160h"
"""A kubeconfig is fetched anew when less than this is left of its year."""


class Cluster(pulumi.ComponentResource):
    """A Talos cluster, from machines in maintenance mode to a Kubernetes API."""

    kubeconfig: pulumi.Output[str]
    """Secret: the administrator's kubeconfig."""
    talosconfig: pulumi.Output[str]
    """Secret: what `talosctl` needs."""
    end: dict[str, pulumi.Output[str]]
    """The day on which `talosconfig` and `kubeconfig` end. An `up` of the month before, or three, renews them."""
    provider: kubernetes.Provider
    """Reaches the cluster's API, which is ready by then. The gate of everything that is in Kubernetes."""
    etcd: local.Command
    """Gate: every control plane is a healthy member of etcd."""
    configured: list[pulumi.Resource]
    """Gate: every machine has its configuration."""

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
        tools = self._command("arda-tools", talosctl.tools(plan))
        images = [self._register(image.hardware, image.schematic, tools) for image in plan.images]
        self._secrets = self._make_secrets(tools)
        self._client = talos.client_configuration(self._secrets, machine.ClientConfigurationArgs)
        self.talosconfig = self._talosconfig(plan.control_planes, plan.members)
        # What commands read: they name whom they ask, and are not run again because another node came or went
        self._credentials = self._talosconfig((), ())
        for node in plan.nodes:
            Node(node, self)
        # A dead machine is forgotten first: until then etcd is not whole, and every gate below would wait for it
        current = self._upgrade([tools, *images, *self._take_out("lost", [tools])])
        reachable = [*after, *images, current]
        chain: list[pulumi.Resource] = []
        for node in plan.control_planes:
            # One after the other: two control planes rebooting at once would cost the quorum. A configuration is taken
            # before the reboot that it may bring, so it is the node's return that is waited for
            chain.append(self._apply(node, [*reachable, *chain[-1:]]))
            chain.append(self._back(node, chain[-1]))
        answering = self._gate("talos-api", gates.talos_api_gate(plan), self._credentials, chain)
        bootstrap = self._bootstrap(plan.control_planes[0], answering)
        workers = [self._apply(node, [*reachable, bootstrap]) for node in plan.workers]
        self.configured = [*chain, *workers]
        self.etcd = self._gate("etcd", gates.etcd_gate(plan), self._credentials, [bootstrap])
        self._reach(plan.control_planes[0], environment, bootstrap)
        # Last, so that who joins in the same `up` has joined
        self._take_out("leaving", [*self.configured, self.etcd, self.provider])
        self.register_outputs({"kubeconfig": self.kubeconfig, "talosconfig": self.talosconfig})

    def _take_out(self, state: str, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        going = [node for node in self._plan.going if node.state == state]
        return [take_out(self._plan, node, self._credentials, after, self) for node in going]

    def _register(self, hardware: str, schematic: str, tools: pulumi.Resource) -> imagefactory.Schematic:
        opts = pulumi.ResourceOptions(parent=self, depends_on=[tools])
        return imagefactory.Schematic(f"arda-image-{hardware}", schematic=schematic, opts=opts)

    def _make_secrets(self, tools: pulumi.Resource) -> machine.Secrets:
        """The cluster's whole PKI: losing it is losing the cluster."""
        file = self._plan.adopt_secrets
        # A bundle carries no contract: the provider reads an old one into the state
        kept = ["talosVersion"] if file else None
        opts = pulumi.ResourceOptions(parent=self, protect=True, depends_on=[tools], import_=file, ignore_changes=kept)
        return machine.Secrets("arda-secrets", talos_version=self._plan.contract, opts=opts)

    def _upgrade(self, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        """Talos and Kubernetes at the versions of the data, one step after the other; gives the last."""
        plan, config = self._plan, self._credentials
        # An adopted cluster stands when these are created; any other does from their first update on
        known = bool(plan.adopt_secrets), True
        kept = [upgrades.snapshot(plan, standing=stands) for stands in known]
        last = self._command("arda-snapshot", *kept, stdin=config, after=after)
        for node in (*plan.control_planes, *plan.workers):
            texts = [upgrades.upgrade(plan, node, standing=stands) for stands in known]
            last = self._command(f"arda-upgrade-{node.name}", *texts, stdin=config, after=[*after, last])
        texts = [upgrades.upgrade_kubernetes(plan, standing=stands) for stands in known]
        return self._command("arda-upgrade-kubernetes", *texts, stdin=config, after=[last])

    def _back(self, node: ClusterNodePlan, applied: pulumi.Resource) -> local.Command:
        texts = [gates.back(self._plan, node, standing=known) for known in (bool(self._plan.adopt_secrets), True)]
        return self._command(f"arda-back-{node.name}", *texts, stdin=self._credentials, after=[applied])

    def _gate(
        self,
        name: str,
        text: str,
        stdin: pulumi.Output[str],
        after: Sequence[pulumi.Resource],
        was: str | None = None,
    ) -> local.Command:
        return self._command(f"arda-gate-{name}", text, stdin=stdin, after=after, was=was)

    def _command(
        self,
        name: str,
        create: str,
        update: str | None = None,
        *,
        stdin: pulumi.Output[str] | None = None,
        after: Sequence[pulumi.Resource] = (),
        was: str | None = None,
    ) -> local.Command:
        """A command of the machine that runs `pulumi`; what it reads on `stdin` is secret, what it prints is not."""
        return local.Command(
            name,
            create=create,
            update=update,
            stdin=stdin,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=list(after), aliases=[pulumi.Alias(name=was)] if was else None
            ),
        )

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

    def _bootstrap(self, node: ClusterNodePlan, after: pulumi.Resource) -> pulumi.Resource:
        """One bootstrap, ever; gives what there is after it."""
        if self._plan.adopt_secrets:
            # It has data: a second bootstrap would be refused. The engine cannot import one from here (its inputs are
            # nowhere to be read, and without them it is no valid one)
            return after
        return machine.Bootstrap(
            "arda-bootstrap",
            node=node.address,
            client_configuration=self._client,
            timeouts=machine.BootstrapTimeoutsArgs(create=BOOTSTRAP),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after]),
        )

    def _reach(self, node: ClusterNodePlan, environment: str, bootstrap: pulumi.Resource) -> None:
        fetched = cluster.Kubeconfig(
            "arda-kubeconfig",
            node=node.address,
            client_configuration=talos.client_configuration(self._secrets, cluster.KubeconfigClientConfigurationArgs),
            certificate_renewal_duration=RENEWAL,
            # A new PKI does not refetch it by itself; a renewed client certificate need not
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[bootstrap], replace_on_changes=["clientConfiguration.caCertificate"]
            ),
        )
        self.kubeconfig = pulumi.Output.secret(fetched.kubeconfig_raw)
        shown = {
            "talosconfig": self._secrets.client_configuration.apply(lambda made: ends(made.client_certificate)),
            "kubeconfig": fetched.kubernetes_client_configuration.apply(
                lambda made: ends((made.client_certificate if made else None) or "")
            ),
        }
        # They come beside keys, and are a day each
        self.end = {name: pulumi.Output.unsecret(day) for name, day in shown.items()}
        # Talos hands out the kubeconfig a minute before the API answers, and a provider that meets a silent API once
        # counts the whole cluster as unreachable
        ready = self._gate("api", gates.api_gate(self._plan), self.kubeconfig, [self.etcd], was="arda-api-answers")
        self.provider = kubernetes.Provider(
            "arda-kubernetes",
            f"{environment}-{self._plan.name}",
            self.kubeconfig,
            pulumi.ResourceOptions(parent=self, depends_on=[ready]),
        )

    def all_ready(self, after: Sequence[pulumi.Resource]) -> local.Command:
        """Gate: every machine of the data is a Ready node, once `after` gave them a network. Nothing waits for it."""
        return self._gate("nodes", gates.nodes_gate(self._plan), self.kubeconfig, [*self.configured, *after])

    def _talosconfig(
        self, endpoints: Sequence[ClusterNodePlan], nodes: Sequence[ClusterNodePlan]
    ) -> pulumi.Output[str]:
        """Endpoints are the control planes themselves, never the VIP: it is gone when it is needed most."""
        made = client.get_configuration_output(
            cluster_name=self._plan.name,
            client_configuration=talos.client_configuration(
                self._secrets, client.GetConfigurationClientConfigurationArgs
            ),
            endpoints=[node.address for node in endpoints],
            nodes=[node.address for node in nodes],
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        return pulumi.Output.secret(made.talos_config)
