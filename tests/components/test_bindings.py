"""The thin bindings register exactly what the SDKs' own classes do."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.bindings import cloudflare, kubernetes
from tests.recording import Registered, record

ACCOUNT, ZONE = "a" * 32, "b" * 32


def registered(program: Callable[[], Any]) -> dict[str, Registered]:
    """What a program registers, by logical name."""
    recording = record(lambda: program() and None, "parity", {}, preview=False)
    return {resource.name: resource for resource in recording.resources.values() if resource.name != "iluvatar-parity"}


def same(thin: Registered, full: Registered) -> None:
    """Token, inputs with their secrets, and the plugin's version are the same."""
    assert (thin.type, thin.version) == (full.type, full.version)
    assert json.dumps(thin.wire, sort_keys=True) == json.dumps(full.wire, sort_keys=True)


@pytest.mark.slow
def test_cloudflare_s_bindings_equal_the_sdk() -> None:
    import pulumi_cloudflare as sdk

    record_inputs = {"zoneId": ZONE, "name": "a.example.com", "type": "A", "content": "192.0.2.1", "ttl": 1}
    record_inputs |= {"proxied": False, "comment": "x"}
    tunnel_inputs = {"accountId": ACCOUNT, "name": "t", "configSrc": "cloudflare"}
    rules: list[dict[str, Any]] = [
        {"hostname": "a", "service": "https://x", "originRequest": {"originServerName": "b", "http2Origin": True}},
        {"service": "http_status:404"},
    ]

    def thin() -> None:
        cloudflare.Provider("provider", "T" * 40)
        cloudflare.DnsRecord("record", record_inputs)
        tunnel = cloudflare.Tunnel("tunnel", tunnel_inputs | {"tunnelSecret": pulumi.Output.secret("s")})
        cloudflare.TunnelConfig("rules", {"accountId": ACCOUNT, "tunnelId": tunnel.id, "config": {"ingresses": rules}})

    def full() -> None:
        sdk.Provider("provider", api_token="T" * 40)
        sdk.DnsRecord(
            "record",
            zone_id=ZONE,
            name="a.example.com",
            type="A",
            content="192.0.2.1",
            ttl=1,
            proxied=False,
            comment="x",
        )
        tunnel = sdk.ZeroTrustTunnelCloudflared(
            "tunnel",
            account_id=ACCOUNT,
            name="t",
            config_src="cloudflare",
            tunnel_secret=pulumi.Output.secret("s"),
        )
        request = sdk.ZeroTrustTunnelCloudflaredConfigConfigIngressOriginRequestArgs(
            origin_server_name="b", http2_origin=True
        )
        ingresses = [
            sdk.ZeroTrustTunnelCloudflaredConfigConfigIngressArgs(
                hostname="a", service="https://x", origin_request=request
            ),
            sdk.ZeroTrustTunnelCloudflaredConfigConfigIngressArgs(service="http_status:404"),
        ]
        config = sdk.ZeroTrustTunnelCloudflaredConfigConfigArgs(ingresses=ingresses)
        sdk.ZeroTrustTunnelCloudflaredConfig("rules", account_id=ACCOUNT, tunnel_id=tunnel.id, config=config)

    ours, theirs = registered(thin), registered(full)
    assert set(ours) == set(theirs) == {"provider", "record", "tunnel", "rules"}
    for name, resource in ours.items():
        same(resource, theirs[name])


@pytest.mark.slow
def test_kubernetes_bindings_equal_the_sdk() -> None:
    import pulumi_kubernetes as sdk
    from pulumi_kubernetes.core.v1 import ConfigMap, Namespace, Secret
    from pulumi_kubernetes.helm.v3 import Release, RepositoryOptsArgs

    release: dict[str, Any] = {"chart": "c", "version": "1.0.0", "name": "r", "namespace": "n", "values": {"a": 1}}
    release |= {"timeout": 900, "takeOwnership": True, "compat": "true", "repositoryOpts": {"repo": "https://x"}}

    def thin() -> None:
        kubernetes.Provider("provider", "lab-arda", "kubeconfig")
        metadata = {"name": "n", "labels": {"a": "b"}}
        kubernetes.KubernetesObject("namespace", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}
        kubernetes.KubernetesObject("map", body)
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
        kubernetes.KubernetesObject("secret", body | {"stringData": {"k": pulumi.Output.secret("v")}})
        kubernetes.Release("release", release)

    def full() -> None:
        sdk.Provider(
            "provider",
            cluster_identifier="lab-arda",
            kubeconfig=pulumi.Output.secret("kubeconfig"),
            upsert_existing_objects=True,
        )
        Namespace("namespace", metadata={"name": "n", "labels": {"a": "b"}})
        ConfigMap("map", metadata={"name": "c"}, data={"k": "v"})
        Secret("secret", metadata={"name": "s"}, string_data={"k": pulumi.Output.secret("v")})
        Release(
            "release",
            chart="c",
            version="1.0.0",
            name="r",
            namespace="n",
            values={"a": 1},
            timeout=900,
            take_ownership=True,
            repository_opts=RepositoryOptsArgs(repo="https://x"),
        )

    ours, theirs = registered(thin), registered(full)
    assert set(ours) == set(theirs) == {"provider", "namespace", "map", "secret", "release"}
    for name, resource in ours.items():
        same(resource, theirs[name])
