"""Cloudflare: the provider and the four resources this program makes, without the SDK's import (1.3 s and 116 MB).

Owns tokens, camelCase inputs and secret outputs. Refuses look-ups: ids come from the data.
"""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.bindings import version_of


def _options(opts: pulumi.ResourceOptions | None, **extra: Any) -> pulumi.ResourceOptions:
    ours = pulumi.ResourceOptions(version=version_of("pulumi-cloudflare"), **extra)
    return pulumi.ResourceOptions.merge(opts, ours)


class Provider(pulumi.ProviderResource):
    """The account, by an API token."""

    def __init__(self, name: str, api_token: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None) -> None:
        properties = {"apiToken": pulumi.Output.secret(api_token)}
        super().__init__("cloudflare", name, properties, _options(opts, additional_secret_outputs=["apiToken"]))


class DnsRecord(pulumi.CustomResource):
    """A DNS record."""

    def __init__(self, name: str, properties: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloudflare:index/dnsRecord:DnsRecord", name, dict(properties), _options(opts))


class Tunnel(pulumi.CustomResource):
    """A Cloudflare tunnel whose rules are kept at Cloudflare."""

    def __init__(self, name: str, properties: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        token = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
        options = _options(opts, additional_secret_outputs=["tunnelSecret"])
        super().__init__(token, name, dict(properties), options)


class TunnelConfig(pulumi.CustomResource):
    """A tunnel's rules."""

    def __init__(self, name: str, properties: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        token = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
        super().__init__(token, name, dict(properties), _options(opts))


class ZoneSetting(pulumi.CustomResource):
    """One setting of a zone. Deleting it changes nothing at Cloudflare."""

    def __init__(self, name: str, properties: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("cloudflare:index/zoneSetting:ZoneSetting", name, dict(properties), _options(opts))
