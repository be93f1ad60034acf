"""The way in by hand: gateways with kubectl and helm, Cloudflare by its API.

Owns these steps. Refuses the bodies, which are `render.manifests`' and `render.tunnel`'s.
"""

import json

from model.edge import CERTIFICATES_NAMESPACE, DNS_TOKEN_SECRET
from model.edge_plan import EdgePlan, RecordPlan
from model.plan import Plan
from render import manifests
from render.by_hand.step import Step, applied, installed
from render.tunnel import ingress

API = "https://api.cloudflare.com/client/v4"
CURL = "curl --fail --silent --show-error --header @secret/cloudflare-header --header 'Content-Type: application/json'"
"""The token stands in a file of one line, `Authorization: Bearer …`: an argument would be seen by everybody here."""
PLACE = "TUNNEL-ID"
"""Stands in a record for the tunnel's id, which only Cloudflare knows."""


def cloudflare(plan: Plan) -> list[Step]:
    """The tunnel, its rules and the public names."""
    edge = plan.edge
    if not (edge.zone_id and edge.account_id):
        return []
    found = [_tunnel(edge)] if edge.tunnel else []
    found += [_records(edge)] if edge.records else []
    return [*found, _settings(edge)] if edge.zone_settings else found


def _settings(edge: EdgePlan) -> Step:
    commands = tuple(
        f"{CURL} --request PATCH --data '{json.dumps({'value': value})}' {API}/zones/{edge.zone_id}/settings/{name}"
        for name, value in edge.zone_settings
    )
    does = tuple(f"edge-zone-{name.replace('_', '-')}" for name, _ in edge.zone_settings)
    return Step("Cloudflare: the zone", "How Cloudflare answers for proxied names.", commands, does)


def _tunnel(edge: EdgePlan) -> Step:
    tunnel = edge.tunnel
    assert tunnel, "called only with a tunnel"
    tunnels = f"{API}/accounts/{edge.account_id}/cfd_tunnel"
    body = {"name": tunnel.name, "config_src": "cloudflare"}
    rules = {"config": {"ingress": ingress(tunnel)}}
    commands = (
        f"{CURL} --data @edge/tunnel.json {tunnels} | jq -r .result.id > secret/tunnel-id",
        "grep -Eq '^[0-9a-f-]{36}$' secret/tunnel-id",
        f'{CURL} --request PUT --data @edge/tunnel-rules.json "{tunnels}/$(cat secret/tunnel-id)/configurations"',
        f'(umask 077 && {CURL} "{tunnels}/$(cat secret/tunnel-id)/token" | jq -r .result > secret/tunnel-token)',
    )
    why = (
        "secret/cloudflare-header holds one line, `Authorization: Bearer <API token>`. A tunnel that is there already "
        "is kept: put its id into secret/tunnel-id, and leave the first command out."
    )
    texts = {"edge/tunnel.json": json.dumps(body) + "\n", "edge/tunnel-rules.json": json.dumps(rules, indent=2) + "\n"}
    does = (f"edge-tunnel-{tunnel.name}", f"edge-tunnel-rules-{tunnel.name}")
    return Step("Cloudflare: the tunnel", why, commands, does, texts)


def _key(record: RecordPlan) -> str:
    return f"edge-record-{record.name.replace('*', 'wildcard').replace('.', '-')}"


def _records(edge: EdgePlan) -> Step:
    texts = {}
    for record in edge.records:
        body = {
            "type": record.type,
            "name": record.name,
            "content": f"{PLACE}.cfargotunnel.com" if record.tunnel else record.content,
            "proxied": record.proxied,
            "ttl": 1 if record.proxied else 300,
        }
        texts[f"edge/{_key(record)}.json"] = json.dumps(body) + "\n"
    records = f"{API}/zones/{edge.zone_id}/dns_records"
    commands = tuple(
        f'sed "s/{PLACE}/$(cat secret/tunnel-id 2>/dev/null)/" {path} | {CURL} --data @- {records}' for path in texts
    )
    why = "secret/cloudflare-header as above. Cloudflare refuses a second record of the same name: leave that one out."
    return Step("Cloudflare: names", why, commands, tuple(_key(record) for record in edge.records), texts)


def gateways(plan: Plan, cluster: str) -> list[Step]:
    """Envoy's gateways, and the token that cloudflared runs with."""
    chart = plan.gateway_controller
    if chart is None:
        return []
    kubeconfig = f"secret/{cluster}.kubeconfig"
    space = f"edge-namespace-{chart.namespace}"
    first, made = applied(kubeconfig, cluster, {space: manifests.namespace(chart.namespace)})
    command, values = installed(kubeconfig, cluster, chart)
    bodies = {"edge-envoy-proxy": manifests.envoy_proxy(chart.namespace, announced=plan.edge.announced)}
    bodies["edge-gateway-class"] = manifests.gateway_class(chart.namespace)
    for gateway in plan.edge.gateways:
        bodies[f"edge-gateway-{gateway.name}"] = manifests.gateway(gateway, chart.namespace)
    for gateway in plan.edge.gateways:
        bodies[f"edge-redirect-{gateway.name}"] = manifests.https_redirect(gateway, chart.namespace)
    rest, objects = applied(kubeconfig, cluster, bodies)
    commands, does = [*first, command, *rest], [space, "edge-envoy-gateway", *bodies]
    if plan.edge.tunnel:
        commands.append(
            f"kubectl --kubeconfig {kubeconfig} --namespace {chart.namespace} create secret generic cloudflared-token "
            f"--from-file=token=secret/tunnel-token --dry-run=client -o yaml | "
            f"kubectl --kubeconfig {kubeconfig} apply --server-side -f -"
        )
        does.append("edge-tunnel-token")
    if plan.edge.dns_token:
        space = f"edge-namespace-{CERTIFICATES_NAMESPACE}"
        more, texts = applied(kubeconfig, cluster, {space: manifests.namespace(CERTIFICATES_NAMESPACE, "restricted")})
        create = f"kubectl --kubeconfig {kubeconfig} -n {CERTIFICATES_NAMESPACE} create secret generic"
        commands += [*more, f"{create} {DNS_TOKEN_SECRET} --from-file=token=secret/{DNS_TOKEN_SECRET}"]
        does += [space, "edge-dns-token"]
        objects |= texts
    why = "Each gateway has its address from Cilium's pool; HTTPS waits for the certificate that GitOps brings."
    return [Step(f"{cluster}: gateways", why, tuple(commands), tuple(does), made | values | objects)]
