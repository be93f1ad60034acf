"""The Talos provider's ``cluster.Kubeconfig``, and the credentials that every resource of it shows.

Owns when a kubeconfig is fetched: once, and again when its certificate nears its end. What a control plane hands out is
``rehearsal.world.talos``'.
"""

from __future__ import annotations

from rehearsal.standins.base import UNKNOWN, Context, Diff, Kind, Properties, Refusal, Secret, contains_unknown
from rehearsal.standins.diffing import compare
from rehearsal.standins.talos_patience import check_timeouts, patiently, seconds_of
from rehearsal.world import talos_secrets

_WINDOW = "720h"
_COMPUTED = ("kubeconfigRaw", "kubernetesClientConfiguration")


def given_client(properties: Properties) -> dict[str, str] | None:
    """The client's credentials that a resource was given, written only or kept."""
    found: dict[str, str] | None = properties.get("clientConfigurationWo") or properties.get("clientConfiguration")
    return found


def check_client(news: Properties, name: str) -> None:
    """Refuse credentials under ``name`` that have not the provider's shape, naming the part at fault."""
    client = news.get(name)
    shape = {"caCertificate": True, "clientCertificate": True, "clientKey": True}
    if client is None or contains_unknown(client):
        return
    found = talos_secrets.misshapen(client, shape, name)
    if found:
        raise Refusal(found[1], property=found[0])


def nears_its_end(ctx: Context, certificate: str, window: float) -> bool:
    """Whether a certificate ends within ``window`` seconds of the World's time."""
    return talos_secrets.expires(certificate) < ctx.world.now(window)


class Kubeconfig(Kind):
    """``cluster.Kubeconfig``: new machine secrets alone do not fetch it again."""

    token = "talos:cluster/kubeconfig:Kubeconfig"

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        check_client(news, "clientConfiguration")
        check_timeouts(news)
        news.setdefault("certificateRenewalDuration", _WINDOW)
        return news

    def diff(self, ctx: Context, id: str, olds_inputs: Properties, olds_state: Properties, news: Properties) -> Diff:
        found = compare(olds_inputs, news, set())
        if not self._due(ctx, olds_state, news):
            return found
        details = {**found.details, **dict.fromkeys(_COMPUTED, "update")}
        return Diff(sorted(details), [], False, details)

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        state = {"endpoint": news["node"]} | news
        return (
            ("", state | dict.fromkeys(_COMPUTED, UNKNOWN)) if preview else (ctx.name, state | self._fetched(ctx, news))
        )

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        state = {"endpoint": news["node"]} | news
        if self._due(ctx, olds, news):
            return state | (dict.fromkeys(_COMPUTED, UNKNOWN) if preview else self._fetched(ctx, news))
        client = olds["kubernetesClientConfiguration"]
        kept = {"kubeconfigRaw": Secret(olds["kubeconfigRaw"])}
        return state | kept | {"kubernetesClientConfiguration": client | {"clientKey": Secret(client["clientKey"])}}

    def _due(self, ctx: Context, state: Properties, news: Properties) -> bool:
        window = seconds_of(news.get("certificateRenewalDuration", _WINDOW))
        return nears_its_end(ctx, state["kubernetesClientConfiguration"]["clientCertificate"], window)

    def _fetched(self, ctx: Context, news: Properties) -> Properties:
        told = (news["node"], news.get("endpoint"), given_client(news))
        found = patiently(ctx, news, "Error getting kubeconfig", lambda: ctx.world.talos.kubeconfig(*told))
        ctx.journal("fetch kubeconfig", news["node"])
        return {
            "kubeconfigRaw": Secret(found["raw"]),
            "kubernetesClientConfiguration": {
                "host": found["host"],
                "caCertificate": found["ca"],
                "clientCertificate": found["certificate"],
                "clientKey": Secret(found["key"]),
            },
        }
