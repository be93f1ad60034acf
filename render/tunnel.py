"""The Cloudflare tunnel's rules, its token, and how cloudflared lets go of it.

Owns these forms. Refuses to keep the token: it is made of a secret and passed on as one.
"""

import base64
import json
from typing import Any

from model.edge_plan import TunnelPlan
from render.talosctl import KUBE

CHOSEN = "app.kubernetes.io/name=cloudflared"
"""The label by which GitOps' cloudflared is found (`gitops/shared/cloudflared`)."""


def ingress(plan: TunnelPlan) -> list[dict[str, Any]]:
    """Cloudflare's rules, first match wins; the last takes everything, or Cloudflare refuses them (error 1056)."""
    rules = []
    for hostname, service, server_name in plan.ingress:
        rule: dict[str, Any] = {"service": service}
        if hostname:
            rule["hostname"] = hostname
        if server_name:
            rule["originRequest"] = {"originServerName": server_name, "http2Origin": True}
        rules.append(rule)
    return rules


def token(account: str, tunnel: str, secret: str) -> str:
    """What `cloudflared` runs with: base64 of account, tunnel and secret (cloudflared, `connection.TunnelToken`)."""
    parts = {"a": account, "t": tunnel, "s": secret}
    return base64.b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode()


def let_go(namespace: str) -> str:
    """A command, the kubeconfig on its standard input, after which no cloudflared in `namespace` holds a tunnel.

    Cloudflare keeps a tunnel that is in use (error 1022). A cluster that does not answer runs none.
    """
    return f"""\
{KUBE}found=$(k --request-timeout=20s -n {namespace} get deployment -l {CHOSEN} -o name 2>&1) || {{
  echo "no cluster answers, so no cloudflared is taken to run: $found"; exit 0
}}
for each in $found; do
  k -n {namespace} scale "$each" --replicas=0 || die "$each was not scaled down: Cloudflare keeps a tunnel in use"
done
k -n {namespace} wait pod -l {CHOSEN} --for=delete --timeout=120s ||
  die "cloudflared still runs in {namespace}: whoever keeps it there (Argo CD, Flux) has to let go of it first"
"""
