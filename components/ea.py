"""Eä, the network: its boot files as data for the bootstrap cluster, and the gate that says machines can boot.

Owns publishing them. Refuses the workloads that serve them, which are Git's, and the router, which is the owner's.
"""

from collections.abc import Sequence

import pulumi
from pulumi_command.remote import Command, ConnectionArgs

from components.bindings import kubernetes, ssh
from model.netboot import NETBOOT_NAMESPACE, NetbootPlan
from model.plan import Plan
from render import boot_files, ipxe, manifests

NETWORK = "iluvatar:ea:Network"
BOOT_SERVICES = "iluvatar:ea:BootServices"


class Network(pulumi.ComponentResource):
    """The table of addresses, published as what dnsmasq and the boot server read."""

    zone: pulumi.Output[str]
    """The internal DNS zone."""
    published: list[pulumi.Resource]
    """The files, once they are where their readers look."""

    def __init__(
        self,
        name: str,
        plan: Plan,
        *,
        provider: kubernetes.Provider,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(NETWORK, name, None, opts)
        self.zone = pulumi.Output.from_input(plan.network.zone)
        # GitOps' workloads live in this namespace: a destroyed stack must not take them along
        kept = pulumi.ResourceOptions(parent=self, provider=provider, retain_on_delete=True)
        namespace = kubernetes.KubernetesObject(
            "ea-namespace-netboot", manifests.namespace(NETBOOT_NAMESPACE, "privileged"), kept
        )
        self.published = [
            kubernetes.KubernetesObject(
                f"ea-files-{key}",
                manifests.config_map(key, NETBOOT_NAMESPACE, data),
                pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[namespace]),
            )
            for key, data in boot_files.published(plan).items()
        ]
        self.register_outputs({"zone": self.zone})


class BootServices(pulumi.ComponentResource):
    """The boot services as a machine finds them on the wire."""

    answering: Command
    """Gate: the first script is served at the netboot address."""

    def __init__(
        self,
        name: str,
        plan: NetbootPlan,
        *,
        seen_from: ConnectionArgs,
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(BOOT_SERVICES, name, None, opts)
        waits = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        self.answering = ssh.command("ea-netboot-answers", ipxe.served_at(plan.address), seen_from, waits)
        self.register_outputs({})
