"""Ainur, the bootstrap cluster: Raspberry Pis running k3s (Valar are servers, Maiar agents).

Owns joining them and reaching their API. Refuses to install what cloud-init installs: it verifies instead.
"""

import pulumi
from pulumi_command.remote import Command

from components.bindings import kubernetes, ssh
from model.ainur import BootstrapNodePlan, BootstrapPlan
from render import k3s

TOKEN = "iluvatar:ainur:BootstrapCluster"


class BootstrapCluster(pulumi.ComponentResource):
    """A k3s cluster whose machines came up by themselves."""

    kubeconfig: pulumi.Output[str]
    """Secret: the administrator's kubeconfig, pointed at the API's VIP."""
    provider: kubernetes.Provider
    """Reaches the cluster; its resources wait for `ready`."""
    ready: Command
    """Gate: every node is Ready."""

    def __init__(
        self,
        name: str,
        plan: BootstrapPlan,
        environment: str,
        *,
        ssh_key: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._plan, self._ssh_key = plan, ssh_key
        first = self._run("server", plan.first, k3s.first_server())
        token = self._run("token", plan.first, k3s.JOIN_TOKEN, after=first, secret=True)
        joined = [self._join(node, token) for node in plan.joining]
        self.ready = self._run("ready", plan.first, k3s.ready(plan), after=[first, *joined])
        printed = self._run("kubeconfig", plan.first, k3s.KUBECONFIG, after=first, secret=True)
        self.kubeconfig = pulumi.Output.secret(printed.stdout.apply(lambda text: k3s.kubeconfig_at(text, plan.api)))
        self.provider = kubernetes.Provider(
            "ainur-kubernetes",
            f"{environment}-{plan.name}",
            self.kubeconfig,
            pulumi.ResourceOptions(parent=self, depends_on=[self.ready]),
        )
        self.register_outputs({"kubeconfig": self.kubeconfig})

    def connection(self, node: BootstrapNodePlan) -> "ssh.ConnectionArgs":
        """How a node is reached."""
        return ssh.connection(node.address, self._plan.user, node.host_key or "", self._ssh_key)

    def _join(self, node: BootstrapNodePlan, token: Command) -> Command:
        return self._run("join", node, k3s.join(node), after=token, stdin=pulumi.Output.secret(token.stdout))

    def _run(
        self,
        what: str,
        node: BootstrapNodePlan,
        text: str,
        *,
        after: Command | list[Command] | None = None,
        stdin: pulumi.Input[str] | None = None,
        secret: bool = False,
    ) -> Command:
        opts = pulumi.ResourceOptions(parent=self, depends_on=after)
        return ssh.command(f"ainur-{what}-{node.name}", text, self.connection(node), opts, stdin=stdin, secret=secret)
