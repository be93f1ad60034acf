"""Ainur, the bootstrap cluster: Raspberry Pis running k3s (Valar are servers, Maiar agents).

Owns joining them and reaching their API. Refuses to install what cloud-init installs: it verifies instead, and
tells a Pi of another release of k3s, which its own unit installs.
"""

import hashlib
from collections.abc import Sequence

import pulumi
from pulumi_command import local
from pulumi_command.remote import Command

from components.bindings import kubernetes, ssh
from model.ainur import BootstrapNodePlan, BootstrapPlan
from model.gitops import MIRROR_APP, GitopsClusterPlan, MirrorPlan
from render import k3s, k3s_tokens

TOKEN = "iluvatar:ainur:BootstrapCluster"


class BootstrapCluster(pulumi.ComponentResource):
    """A k3s cluster whose machines came up by themselves: its Valar now, its Maiar when they are asked for.

    A Maia netboots from what runs on the Valar, so the two cannot be waited for together.
    """

    kubeconfig: pulumi.Output[str]
    """Secret: the administrator's kubeconfig, pointed at the API's VIP."""
    provider: kubernetes.Provider
    """Reaches the cluster; its resources wait for the Valar."""
    reading: str
    """By which mark the kubeconfig was read (`stacks.renewal`)."""
    ready: Command
    """Gate: every Vala is Ready and votes in etcd."""
    complete: Command
    """Gate: every node is Ready; there once the Maiar were asked for."""

    def __init__(
        self,
        name: str,
        plan: BootstrapPlan,
        environment: str,
        *,
        ssh_key: pulumi.Input[str],
        reading: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(TOKEN, name, None, opts)
        self._plan, self._ssh_key, self.reading = plan, ssh_key, reading
        # Forty-eight bits of a digest tell nobody a key, and everybody that it is another one
        self._mine = pulumi.Output.unsecret(pulumi.Output.from_input(ssh_key).apply(_digest))
        self._keys = {node.name: self._host_key(node) for node in plan.valar}
        self._first = self._run("server", plan.first, k3s.first_server(plan), after=self._reach(plan.first, []))
        self._root: Command | None = None
        self._agents = self._run(
            "agent-token", plan.first, k3s_tokens.agents(plan.first), after=[self._first], secret=True
        )
        self._servers: Command | None = None
        last = self._first
        for node in plan.valar[1:]:  # one after the other: etcd takes one new member at a time
            last = self._join(node, [last])
        self.ready = self._run("valar", plan.first, k3s.ready(plan, plan.valar), after=[last])
        printed = self._run("kubeconfig", plan.first, k3s.kubeconfig(plan, reading), after=[self.ready], secret=True)
        self.kubeconfig = pulumi.Output.secret(printed.stdout.apply(lambda text: k3s.kubeconfig_at(text, plan.api)))
        self.provider = kubernetes.Provider(
            "ainur-kubernetes",
            f"{environment}-{plan.name}",
            self.kubeconfig,
            pulumi.ResourceOptions(parent=self, depends_on=[self.ready]),
        )
        self.register_outputs({"kubeconfig": self.kubeconfig})

    def join_maiar(self, after: Sequence[pulumi.Resource]) -> None:
        """Wait for the agents, which boot once `after` stands, and join them."""
        if any(node.stamped or not node.persistent for node in self._plan.maiar):
            after = [self._run("root", self._plan.first, k3s.pi_root(self._plan.first), after=after)]
        self._keys |= {node.name: self._host_key(node, after) for node in self._plan.maiar}
        joined = [self._join(node, after) for node in self._plan.maiar]
        text = k3s.ready(self._plan, self._plan.nodes)
        self.complete = self._run("ready", self._plan.first, text, after=[self.ready, *joined])

    def mirror_has(self, plan: GitopsClusterPlan, mirror: MirrorPlan, after: Sequence[pulumi.Resource]) -> Command:
        """Gate: the Git mirror holds what `plan`'s engine will ask it for."""
        text = k3s.mirror_has(MIRROR_APP, mirror.upstream, plan.revision)
        text += k3s.mirror_answers(plan.repository, self._plan.ingress, plan.cluster)
        return self._run(f"mirror-{plan.cluster}", self._plan.first, text, after=after)

    def root_certificate(self) -> pulumi.Output[str]:
        """The lab's own authority, PEM."""
        if self._root is None:
            self._root = self._run("ca", self._plan.first, k3s.ROOT_CERTIFICATE, after=[self._first])
        return self._root.stdout

    def connection(self, node: BootstrapNodePlan) -> "ssh.ConnectionArgs":
        """How a node is reached."""
        return ssh.connection(node.address, self._plan.user, self._keys[node.name], self._ssh_key)

    def _host_key(self, node: BootstrapNodePlan, after: Sequence[pulumi.Resource] = ()) -> pulumi.Input[str]:
        """The owner's, or what the Pi showed when it was first asked: it stays in the state, and is not asked again."""
        if node.host_key:
            return node.host_key
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(after), custom_timeouts=ssh.SLOW)
        made = local.Command(k3s.pinned(node), create=k3s.pin(node), update=k3s.KEEP_PINNED, opts=opts)
        return made.stdout

    def _reach(self, node: BootstrapNodePlan, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """The Pi answers and shows its key, asked before each new text or login: SSH itself would dial in silence."""
        asked = k3s.first_server(self._plan) if node == self._plan.first else k3s.join(self._plan, node)
        about = self._mine.apply(lambda mine: _digest(f"{self._plan.user}\n{mine}\n{asked}"))
        found = pulumi.Output.all(key=self._keys[node.name], about=about)
        text = found.apply(lambda given: k3s.reach(node, given["key"], given["about"]))
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(after), custom_timeouts=ssh.SLOW)
        # Its text says all that it needs: the output of the run before is no business of it
        return [local.Command(f"ainur-reach-{node.name}", create=text, add_previous_output_in_env=False, opts=opts)]

    def _join(self, node: BootstrapNodePlan, after: Sequence[pulumi.Resource]) -> Command:
        """With the token of its kind: what a Maia keeps lets nobody join as a server."""
        token, reached = self._agents, self._reach(node, after)
        if node.role == "server":  # both are read where its k3s starts, and its token's unit says when one is missing
            agents = pulumi.Output.secret(self._agents.stdout).apply(k3s_tokens.password)
            token, brought = self._servers_token(), k3s.BASE + k3s_tokens.keep_agents(node)
            reached = [
                self._run("authority", node, k3s.TRUST, after=reached, stdin=self.root_certificate()),
                self._run("agents", node, brought, after=reached, stdin=agents),
            ]
        stdin = pulumi.Output.secret(token.stdout)
        return self._run("join", node, k3s.join(self._plan, node), after=[token, *reached], stdin=stdin)

    def _servers_token(self) -> Command:
        """Read where there is a further server alone."""
        if self._servers is None:
            self._servers = self._run("token", self._plan.first, k3s_tokens.SERVERS, after=[self._first], secret=True)
        return self._servers

    def _run(
        self,
        what: str,
        node: BootstrapNodePlan,
        text: str,
        *,
        after: Sequence[pulumi.Resource],
        stdin: pulumi.Input[str] | None = None,
        secret: bool = False,
    ) -> Command:
        opts = pulumi.ResourceOptions(parent=self, depends_on=list(after))
        return ssh.command(f"ainur-{what}-{node.name}", text, self.connection(node), opts, stdin=stdin, secret=secret)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
