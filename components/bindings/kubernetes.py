"""Kubernetes: the provider, any object, and Helm releases, without the SDK's import (190 ms and 18 MB for core alone).

Owns the tokens. Refuses to know any kind's fields: bodies are rendered elsewhere and checked against schemas.
"""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.bindings import version_of

CORE = {"v1": "core/v1"}
SECRET_FIELDS = ("data", "stringData")
"""What the SDK hides of a Secret."""


def _options(opts: pulumi.ResourceOptions | None, **extra: Any) -> pulumi.ResourceOptions:
    ours = pulumi.ResourceOptions(version=version_of("pulumi-kubernetes"), **extra)
    return pulumi.ResourceOptions.merge(opts, ours)


class Provider(pulumi.ProviderResource):
    """A cluster. `identifier` is what makes it the same cluster when its kubeconfig changes or is not yet known."""

    def __init__(
        self, name: str, identifier: str, kubeconfig: pulumi.Input[str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        properties = {
            "clusterIdentifier": identifier,
            "kubeconfig": pulumi.Output.secret(kubeconfig),
            # A create that was cut off is created again by the next `up`: it must find its object, not fail on it
            "upsertExistingObjects": "true",
            # Else new content of a ConfigMap or Secret of a fixed name deletes it first: dnsmasq would find none
            "enableConfigMapMutable": "true",
            "enableSecretMutable": "true",
        }
        super().__init__("kubernetes", name, properties, _options(opts, additional_secret_outputs=["kubeconfig"]))


class KubernetesObject(pulumi.CustomResource):
    """Any object, as its manifest says it."""

    def __init__(self, name: str, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        api, kind = manifest["apiVersion"], manifest["kind"]
        secret = SECRET_FIELDS if (api, kind) == ("v1", "Secret") else ()
        properties = {key: pulumi.Output.secret(value) if key in secret else value for key, value in manifest.items()}
        options = _options(opts, additional_secret_outputs=list(secret))
        super().__init__(f"kubernetes:{CORE.get(api, api)}:{kind}", name, properties, options)


class Release(pulumi.CustomResource):
    """A Helm release. Properties as in pulumi-kubernetes' `helm.v3.Release`."""

    def __init__(self, name: str, properties: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("kubernetes:helm.sh/v3:Release", name, dict(properties), _options(opts))
