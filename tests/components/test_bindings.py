"""The thin bindings register exactly what the SDKs' own classes do."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.bindings import cloudflare, kubernetes
from tests.recording import Registered, record

RULES: list[dict[str, Any]] = [
    {"hostname": "a", "service": "https://x", "originRequest": {"originServerName": "b", "http2Origin": True}},
    {"service": "http_status:404"},
]
ACCOUNT, ZONE = "a" * 32, "b" * 32


def registered(program: Callable[[], Any]) -> dict[str, Registered]:
    """What a program registers, by logical name."""
    recording = record(lambda: program() and None, "parity", {}, preview=False)
    return {resource.name: resource for resource in recording.resources.values() if resource.name != "iluvatar-parity"}


def same(thin: Registered, full: Registered) -> None:
    """Token, inputs with their secrets, the plugin's version and what comes back as a secret at least are the same."""
    assert (thin.type, thin.version) == (full.type, full.version)
    assert full.secret_outputs & set(full.wire) <= thin.secret_outputs, "an input that comes back in clear"
    assert json.dumps(thin.wire, sort_keys=True) == json.dumps(full.wire, sort_keys=True)


def cloudflare_thin() -> None:
    cloudflare.Provider("provider", "T" * 40)
    wanted = {"zoneId": ZONE, "name": "a.example.com", "type": "A", "content": "192.0.2.1", "ttl": 1}
    cloudflare.DnsRecord("record", wanted | {"proxied": False, "comment": "x"})
    cloudflare.ZoneSetting("setting", {"zoneId": ZONE, "settingId": "ssl", "value": "strict"})
    secret = {"tunnelSecret": pulumi.Output.secret("s")}
    tunnel = cloudflare.Tunnel("tunnel", {"accountId": ACCOUNT, "name": "t", "configSrc": "cloudflare"} | secret)
    cloudflare.TunnelConfig("rules", {"accountId": ACCOUNT, "tunnelId": tunnel.id, "config": {"ingresses": RULES}})


def cloudflare_full() -> None:
    import pulumi_cloudflare as sdk

    wanted: dict[str, Any] = {"name": "a.example.com", "type": "A", "content": "192.0.2.1", "ttl": 1}
    sdk.Provider("provider", api_token="T" * 40)
    sdk.DnsRecord("record", zone_id=ZONE, proxied=False, comment="x", **wanted)
    sdk.ZoneSetting("setting", zone_id=ZONE, setting_id="ssl", value="strict")
    secret = pulumi.Output.secret("s")
    tunnel = sdk.ZeroTrustTunnelCloudflared(
        "tunnel", account_id=ACCOUNT, name="t", config_src="cloudflare", tunnel_secret=secret
    )
    request = sdk.ZeroTrustTunnelCloudflaredConfigConfigIngressOriginRequestArgs(
        origin_server_name="b", http2_origin=True
    )
    rule = sdk.ZeroTrustTunnelCloudflaredConfigConfigIngressArgs
    ingresses = [rule(hostname="a", service="https://x", origin_request=request), rule(service="http_status:404")]
    config = sdk.ZeroTrustTunnelCloudflaredConfigConfigArgs(ingresses=ingresses)
    sdk.ZeroTrustTunnelCloudflaredConfig("rules", account_id=ACCOUNT, tunnel_id=tunnel.id, config=config)


def kubernetes_thin() -> None:
    kubernetes.Provider("provider", "lab-arda", "kubeconfig")
    bodies: dict[str, dict[str, Any]] = {
        "namespace": {"kind": "Namespace", "metadata": {"name": "n", "labels": {"a": "b"}}},
        "map": {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}},
        "secret": {"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": pulumi.Output.secret("v")}},
    }
    for name, body in bodies.items():
        kubernetes.KubernetesObject(name, {"apiVersion": "v1"} | body)
    release: dict[str, Any] = {"chart": "c", "version": "1.0.0", "name": "r", "namespace": "n", "values": {"a": 1}}
    release |= {"timeout": 900, "takeOwnership": True, "compat": "true", "repositoryOpts": {"repo": "https://x"}}
    kubernetes.Release("release", release)


def kubernetes_full() -> None:
    import pulumi_kubernetes as sdk
    from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Secret
    from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

    kubeconfig = pulumi.Output.secret("kubeconfig")
    mutable: dict[str, Any] = {
        "enable_config_map_mutable": True,
        "enable_secret_mutable": True,
        "upsert_existing_objects": True,
    }
    sdk.Provider("provider", cluster_identifier="lab-arda", kubeconfig=kubeconfig, **mutable)
    Namespace("namespace", metadata={"name": "n", "labels": {"a": "b"}})
    ConfigMap("map", metadata={"name": "c"}, data={"k": "v"})
    Secret("secret", metadata={"name": "s"}, string_data={"k": pulumi.Output.secret("v")})
    named: dict[str, Any] = {"chart": "c", "version": "1.0.0", "name": "r", "namespace": "n", "values": {"a": 1}}
    Release("release", timeout=900, take_ownership=True, repository_opts=RepositoryOptsArgs(repo="https://x"), **named)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("thin", "full", "resources"),
    [
        (cloudflare_thin, cloudflare_full, {"provider", "record", "setting", "tunnel", "rules"}),
        (kubernetes_thin, kubernetes_full, {"provider", "namespace", "map", "secret", "release"}),
    ],
)
def test_a_thin_binding_registers_what_the_sdk_does(
    thin: Callable[[], None], full: Callable[[], None], resources: set[str]
) -> None:
    ours, theirs = registered(thin), registered(full)
    assert set(ours) == set(theirs) == resources
    for name, resource in ours.items():
        same(resource, theirs[name])
