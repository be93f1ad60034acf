"""The edge: Envoy's gateways pinned to their addresses, Cloudflare's records, and the tunnel between.

Owns those. Refuses routes and certificates, which live beside the application they serve.
"""

from collections.abc import Sequence

import pulumi
from pulumi_command import local
from pulumi_random import RandomBytes

from components.bindings import cloudflare, helm, kubernetes
from model.edge import CERTIFICATES_NAMESPACE, TUNNEL_SECRET
from model.edge_plan import EdgePlan, GatewayPlan, RecordPlan
from model.tree import Chart
from render import manifests
from render.tunnel import ingress, let_go, token

GATEWAYS = "iluvatar:edge:Gateways"
CLOUDFLARE = "iluvatar:edge:Cloudflare"


def record_resource(name: str) -> str:
    """The logical name of a public name's record."""
    return f"edge-record-{name.replace('*', 'wildcard').replace('.', '-')}"


def tunnel_resource(name: str) -> str:
    """The logical name of a tunnel."""
    return f"edge-tunnel-{name}"


class Gateways(pulumi.ComponentResource):
    """The controller and its gateways."""

    namespace: kubernetes.KubernetesObject
    """Where the gateways live."""
    standing: list[pulumi.Resource]
    """The gateways, once they exist."""

    def __init__(
        self,
        name: str,
        chart: Chart,
        plan: EdgePlan,
        *,
        provider: kubernetes.Provider,
        adopted: bool,
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(GATEWAYS, name, None, opts)
        self._provider, self._namespace = provider, chart.namespace
        # GitOps' workloads live in this namespace: a destroyed stack must not take them along
        kept = pulumi.ResourceOptions(parent=self, provider=provider, retain_on_delete=True, depends_on=list(after))
        body = manifests.namespace(chart.namespace)
        self.namespace = kubernetes.KubernetesObject(f"edge-namespace-{chart.namespace}", body, kept)
        controller = helm.seed("edge-envoy-gateway", chart, self._opts(self.namespace), adopted=adopted)
        body = manifests.envoy_proxy(self._namespace, announced=plan.announced)
        proxy = kubernetes.KubernetesObject("edge-envoy-proxy", body, self._opts(controller))
        body = manifests.gateway_class(self._namespace)
        accepted = kubernetes.KubernetesObject("edge-gateway-class", body, self._opts(proxy))
        self.standing = [self._gateway(gateway, accepted) for gateway in plan.gateways]
        self.register_outputs({})

    def _gateway(self, plan: GatewayPlan, accepted: pulumi.Resource) -> pulumi.Resource:
        body = manifests.gateway(plan, self._namespace)
        made = kubernetes.KubernetesObject(f"edge-gateway-{plan.name}", body, self._opts(accepted))
        redirect = manifests.https_redirect(plan, self._namespace)
        kubernetes.KubernetesObject(f"edge-redirect-{plan.name}", redirect, self._opts(made))
        return made

    def _opts(self, after: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self, provider=self._provider, depends_on=[after])


class Cloudflare(pulumi.ComponentResource):
    """Public names and the tunnel they lead to."""

    def __init__(
        self,
        name: str,
        plan: EdgePlan,
        *,
        api_token: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(CLOUDFLARE, name, None, opts)
        self._plan = plan
        self._provider = cloudflare.Provider("edge-cloudflare-account", api_token, pulumi.ResourceOptions(parent=self))
        self.tunnel_token: pulumi.Output[str] | None = None
        """Secret: what cloudflared needs, or None without a tunnel."""
        target = self._tunnel() if plan.tunnel else None
        for record in plan.records:
            self._record(record, target)
        for setting, value in plan.zone_settings:
            self._setting(setting, value)
        self.register_outputs({})

    def hand_token(
        self,
        in_namespace: str,
        provider: kubernetes.Provider,
        kubeconfig: pulumi.Input[str],
        after: pulumi.Resource,
    ) -> list[pulumi.Resource]:
        """Put the tunnel's token where cloudflared reads it; gives what whoever runs cloudflared waits for."""
        if self.tunnel_token is None:
            return []
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": TUNNEL_SECRET, "namespace": in_namespace},
            "stringData": {"token": self.tunnel_token},
        }
        opts = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[after])
        handed = kubernetes.KubernetesObject("edge-tunnel-token", body, opts)
        # GitOps' cloudflared outlives this stack, and Cloudflare keeps a tunnel in use: on the way out, once nobody
        # reconciles it any more, it lets go
        release = local.Command(
            "edge-tunnel-let-go",
            create=":",
            delete=let_go(in_namespace),
            stdin=kubeconfig,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[handed]),
        )
        return [release]

    def hand_dns_token(
        self, token: pulumi.Input[str], provider: kubernetes.Provider, after: pulumi.Resource
    ) -> list[pulumi.Resource]:
        """Put cert-manager's own token where it reads it; both stay, for without it nothing is renewed."""
        kept = pulumi.ResourceOptions(parent=self, provider=provider, retain_on_delete=True, depends_on=[after])
        body = manifests.namespace(CERTIFICATES_NAMESPACE, "restricted")
        place = kubernetes.KubernetesObject(f"edge-namespace-{CERTIFICATES_NAMESPACE}", body, kept)
        kept = pulumi.ResourceOptions(parent=self, provider=provider, retain_on_delete=True, depends_on=[place])
        return [kubernetes.KubernetesObject("edge-dns-token", manifests.dns_token(token), kept)]

    def _tunnel(self) -> pulumi.Output[str]:
        """Make the tunnel and its rules; returns the name that records point at."""
        plan, account = self._plan.tunnel, self._plan.account_id
        assert plan, "called only with a tunnel"
        assert account, "a law refuses a tunnel without an account"
        opts = pulumi.ResourceOptions(parent=self, provider=self._provider)
        secret = RandomBytes("edge-tunnel-secret", length=32, opts=pulumi.ResourceOptions(parent=self))
        properties = {
            "accountId": account,
            "name": plan.name,
            "configSrc": "cloudflare",
            "tunnelSecret": secret.base64,
        }
        tunnel = cloudflare.Tunnel(tunnel_resource(plan.name), properties, opts)
        rules = {"accountId": account, "tunnelId": tunnel.id, "config": {"ingresses": ingress(plan)}}
        cloudflare.TunnelConfig(f"edge-tunnel-rules-{plan.name}", rules, opts)
        made = pulumi.Output.all(tunnel.id, secret.base64)
        self.tunnel_token = pulumi.Output.secret(made.apply(lambda pair: token(account, *pair)))
        return tunnel.id.apply(lambda identity: f"{identity}.cfargotunnel.com")

    def _record(self, plan: RecordPlan, target: pulumi.Output[str] | None) -> None:
        properties = {
            "zoneId": self._plan.zone_id,
            "name": plan.name,
            "type": plan.type,
            "content": target if plan.tunnel else plan.content,
            "proxied": plan.proxied,
            "ttl": 1 if plan.proxied else 300,
            "comment": "Ilúvatar",
        }
        # Cloudflare refuses two types at one name: the old one goes first
        opts = pulumi.ResourceOptions(parent=self, provider=self._provider, delete_before_replace=True)
        cloudflare.DnsRecord(record_resource(plan.name), properties, opts)

    def _setting(self, name: str, value: str) -> None:
        properties = {"zoneId": self._plan.zone_id, "settingId": name, "value": value}
        opts = pulumi.ResourceOptions(parent=self, provider=self._provider)
        cloudflare.ZoneSetting(f"edge-zone-{name.replace('_', '-')}", properties, opts)
