"""The Cloudflare tunnel's rules and its token.

Owns both forms. Refuses to keep the token: it is made of a secret and passed on as one.
"""

import base64
import json
from typing import Any

from model.edge import TunnelPlan


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
