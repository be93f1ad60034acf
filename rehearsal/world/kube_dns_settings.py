"""How external-dns was told to work, from its pods' arguments or its chart's values.

Owns the reading: which flags there are, what each is when nobody says, and where the API token is. It refuses to own
what is published (``kube_external_dns``).

Source: external-dns 0.18, ``pkg/apis/externaldns/types.go``; its chart, ``templates/deployment.yaml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.world import kube_apps, kube_pods, kube_secrets
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

_NAME = "external-dns"
_VARIABLE = "CF_API_TOKEN"
_PLAIN = frozenset(
    {
        *(
            "cloudflare-custom-hostnames",
            "cloudflare-dns-records-per-page",
            "cloudflare-region-key",
            "dry-run",
            "events",
        ),
        *("interval", "log-format", "log-level", "metrics-address", "min-event-sync-interval", "once", "provider"),
        *("request-timeout", "txt-cache-interval", "txt-wildcard-replacement", "managed-record-types", "server"),
    }
)
"""Flags that change nothing of what is written here."""
_KNOWN = _PLAIN | {
    *("cloudflare-proxied", "domain-filter", "exclude-domains", "gateway-label-filter", "gateway-name"),
    *("gateway-namespace", "label-filter", "policy", "registry", "source", "txt-owner-id", "txt-prefix"),
}
_VALUES = {
    "domainFilters": "domain-filter",
    "excludeDomains": "exclude-domains",
    "labelFilter": "label-filter",
    "managedRecordTypes": "managed-record-types",
    "policy": "policy",
    "registry": "registry",
    "sources": "source",
    "txtOwnerId": "txt-owner-id",
    "txtPrefix": "txt-prefix",
}
"""The chart's value, the flag that it becomes."""
_CHART_POLICY = "upsert-only"


@dataclass(frozen=True)
class Settings:
    """One external-dns that runs: ``namespace/name`` is its place, ``token`` what its Secret holds."""

    place: str
    token: str
    flags: Mapping[str, tuple[str, ...]]

    def one(self, flag: str, default: str = "") -> str:
        """What a flag says last."""
        return self.flags.get(flag, (default,))[-1]

    def labels(self, flag: str) -> dict[str, str]:
        """The labels that a filter asks for, ``key=value`` each; none: everything passes."""
        pairs = (part.partition("=") for part in self.one(flag).split(",") if part)
        return {key.strip(): value.lstrip("=").strip() for key, _, value in pairs}


def running(cluster: Cluster) -> Iterator[Settings]:
    """Every external-dns whose pods run in ``cluster``; ``Refusal``, in its words, when one ends as it starts."""
    namespace = kube_apps.namespace_of(cluster, _NAME)
    if namespace is not None:
        values = kube_apps.values_of(cluster, _NAME)
        yield _settings(cluster, namespace, _NAME, list(_arguments(values)), values.get("env") or [])
    for found in cluster.objects("Deployment"):
        container = _container(found)
        if container is not None and kube_pods.not_running(cluster, found) is None:
            metadata = found["metadata"]
            told = [str(each) for each in container.get("args") or ()]
            yield _settings(cluster, metadata["namespace"], metadata["name"], told, container.get("env") or [])


def _container(found: Body) -> Body | None:
    containers: list[Body] = found["spec"]["template"]["spec"]["containers"]
    return next((each for each in containers if f"/{_NAME}:" in str(each.get("image", ""))), None)


def _arguments(values: Body) -> Iterator[str]:
    for name, flag in _VALUES.items():
        stated = values.get(name, _CHART_POLICY if name == "policy" else None)
        for each in stated if isinstance(stated, list) else [stated] if stated else []:
            yield f"--{flag}={each}"
    extra = values.get("extraArgs") or []
    for each in extra if isinstance(extra, list) else [_flag(*pair) for pair in extra.items()]:
        yield str(each)


def _flag(name: str, value: Any) -> str:
    return f"--{name}" if value in (None, True, "") else f"--{name}={value}"


def _settings(cluster: Cluster, namespace: str, name: str, arguments: list[str], env: list[Body]) -> Settings:
    flags: dict[str, tuple[str, ...]] = {}
    for argument in arguments:
        flag, _, value = argument.removeprefix("--").partition("=")
        if flag.removeprefix("no-") not in _KNOWN:
            raise Refusal(f"external-dns: flag parsing error: unknown long flag '--{flag}'")
        key, said = (flag.removeprefix("no-"), "false") if flag.startswith("no-") else (flag, value or "true")
        flags[key] = (*flags.get(key, ()), said)
    return Settings(f"{namespace}/{name}", _token(cluster, namespace, env), flags)


def _token(cluster: Cluster, namespace: str, env: list[Body]) -> str:
    told: Body = next((each for each in env if each["name"] == _VARIABLE), {})
    reference = (told.get("valueFrom") or {}).get("secretKeyRef")
    return kube_secrets.value_of(cluster, namespace, reference) if reference else str(told.get("value") or "")
