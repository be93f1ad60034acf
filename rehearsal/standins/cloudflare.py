"""The Cloudflare provider's stand-in (pulumi-cloudflare 6.23, terraform-provider-cloudflare 5).

Owns what the provider itself decides: its token's form, previews, what a read drops, ids of an import. What the API
answers is ``rehearsal.world.cloudflare``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any, ClassVar

from rehearsal.standins.base import UNKNOWN, Context, Kind, Properties, Refusal, Secret, Session, StandIn
from rehearsal.world import World
from rehearsal.world.cloudflare import Cloudflare as Account
from rehearsal.world.cloudflare_door import TOKEN
from rehearsal.world.cloudflare_records import PROXIABLE, TYPES
from rehearsal.world.cloudflare_tunnels import SOURCES
from rehearsal.world.errors import Retried

_AGAIN, _PATIENCE = 10, 199.0
"""So often does the provider ask again after a 429 or a 5xx, in so many seconds; evenly spread is assumed."""
_OBEYED = 60.0
"""A `Retry-After` below so many seconds is obeyed, a longer one is not looked at (cloudflare-go 4 and later)."""
_CREDENTIALS = ("apiKey", "apiToken", "apiUserServiceKey")

_RECORD = {
    "comment": "comment",
    "content": "content",
    "createdOn": "created_on",
    "data": "data",
    "modifiedOn": "modified_on",
    "name": "name",
    "priority": "priority",
    "proxied": "proxied",
    "tags": "tags",
    "ttl": "ttl",
    "type": "type",
    "zoneId": "zone_id",
}
"""The provider's property, the API's field."""
_RECORD_SENT = frozenset({"comment", "content", "data", "name", "priority", "proxied", "tags", "ttl", "type"})


def _one_of(news: Properties, name: str, allowed: tuple[str, ...]) -> None:
    if news.get(name) not in (None, UNKNOWN, *allowed):
        listed = " ".join(f'"{value}"' for value in allowed)
        raise Refusal(f'value must be one of: [{listed}], got: "{news[name]}"', property=name)


def _two(id: str, form: str) -> tuple[str, str]:
    """Both halves of an import's id."""
    first, _, second = id.partition("/")
    if not first or not second or "/" in second:
        raise Refusal(f'invalid ID: expected urlencoded segments "{form}", got "{id}"')
    return first, second


def _asked(ctx: Context, ask: Callable[[Account, str], Any]) -> Any:
    """What ``ask`` gives of the account and the token, asked again while the API is down or has enough of us."""
    for left in reversed(range(_AGAIN + 1)):
        try:
            return ask(ctx.world.cloudflare, str(ctx.session.facts["token"]))
        except Retried as refusal:
            if not left:
                told = f"{refusal.message}; asked ten times in {_PATIENCE:.0f} s, as the provider does"
                raise Refusal(told) from refusal
            after = refusal.after
            ctx.world.clock.let_pass(after if after is not None and after < _OBEYED else _PATIENCE / _AGAIN)
    raise AssertionError("the last time is the last")


class DnsRecord(Kind):
    """``DnsRecord``: its type and zone replace it. A second delete is refused, as the provider does not forgive 404."""

    token = "cloudflare:index/dnsRecord:DnsRecord"
    replace_on: ClassVar[frozenset[str]] = frozenset({"type", "zoneId"})

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        _one_of(news, "type", TYPES)
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            return "", {"proxied": False} | news
        if news.get("proxied") and news["ttl"] != 1:
            raise Refusal("ttl must be set to 1 when `proxied` is true")
        made = _asked(ctx, lambda api, token: api.create_record(token, news["zoneId"], self._sent(news)))
        ctx.journal("create record", made["name"])
        return made["id"], self._state(made, news)

    def read(self, ctx: Context, id: str, state: Properties) -> tuple[str, Properties] | None:
        zone, identity = (state["zoneId"], id) if state else _two(id, "<zone_id>/<dns_record_id>")
        found = _asked(ctx, lambda api, token: api.record(token, zone, identity))
        return (identity, self._state(found, state)) if found else None

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        if preview:
            return {"proxied": False} | news
        found = _asked(ctx, lambda api, token: api.overwrite_record(token, news["zoneId"], id, self._sent(news)))
        ctx.journal("update record", found["name"])
        return self._state(found, news)

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        _asked(ctx, lambda api, token: api.delete_record(token, state["zoneId"], id))
        ctx.journal("delete record", state["name"])

    def _sent(self, news: Properties) -> Properties:
        return {_RECORD[name]: value for name, value in news.items() if name in _RECORD_SENT}

    def _state(self, found: Properties, before: Properties) -> Properties:
        known = {name: found[field] for name, field in _RECORD.items() if found.get(field) is not None}
        computed = {
            "includeShadowMetadata": before.get("includeShadowMetadata", False),
            "meta": "{}",
            "privateRouting": before.get("privateRouting"),
            "proxiable": found["type"] in PROXIABLE,
            "settings": before.get("settings") or {},
            "tags": found.get("tags") or [],
            "commentModifiedOn": found["modified_on"] if found.get("comment") else None,
            "tagsModifiedOn": found["modified_on"] if found.get("tags") else None,
        }
        return {name: value for name, value in (computed | known).items() if value is not None}


class Tunnel(Kind):
    """``ZeroTrustTunnelCloudflared``: account and ``configSrc`` replace it; its secret is never read back.

    A read keeps a deleted one in the state, with ``deletedAt``.
    """

    token = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
    replace_on: ClassVar[frozenset[str]] = frozenset({"accountId", "configSrc"})

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        news.setdefault("configSrc", "local")
        _one_of(news, "configSrc", SOURCES)
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            return "", dict(news)
        made = _asked(ctx, lambda api, token: api.create_tunnel(token, news["accountId"], self._sent(news)))
        ctx.journal("create tunnel", made["name"])
        return made["id"], self._state(made, news)

    def read(self, ctx: Context, id: str, state: Properties) -> tuple[str, Properties] | None:
        account, identity = (state["accountId"], id) if state else _two(id, "<account_id>/<tunnel_id>")
        found = _asked(ctx, lambda api, token: api.tunnel(token, account, identity))
        return (identity, self._state(found, state)) if found else None

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        if preview:
            return olds | news
        found = _asked(ctx, lambda api, token: api.edit_tunnel(token, news["accountId"], id, self._sent(news)))
        ctx.journal("update tunnel", found["name"])
        return self._state(found, news)

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        _asked(ctx, lambda api, token: api.delete_tunnel(token, state["accountId"], id))
        ctx.journal("delete tunnel", state["name"])

    def _sent(self, news: Properties) -> Properties:
        fields = {"name": "name", "configSrc": "config_src", "tunnelSecret": "tunnel_secret"}
        return {field: news[name] for name, field in fields.items() if news.get(name) is not None}

    def _state(self, found: Properties, before: Properties) -> Properties:
        state: Properties = {
            "accountId": found["account_id"],
            "accountTag": found["account_id"],
            "configSrc": found["config_src"],
            "connections": [],
            "createdAt": found["created_at"],
            "metadata": "{}",
            "name": found["name"],
            "remoteConfig": found["config_src"] == "cloudflare",
            "status": "healthy" if found["connected"] else "inactive",
            "tunType": "cfd_tunnel",
        }
        if found.get("deleted_at"):  # its read drops what is 404 only, and a deleted tunnel is not
            state["deletedAt"] = found["deleted_at"]
        if before.get("tunnelSecret") is not None:
            state["tunnelSecret"] = Secret(before["tunnelSecret"])
        return state


class TunnelConfig(Kind):
    """``ZeroTrustTunnelCloudflaredConfig``: put whole each time; its delete does nothing."""

    token = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
    replace_on: ClassVar[frozenset[str]] = frozenset({"accountId", "tunnelId"})

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        _one_of(news, "source", SOURCES)
        return news

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        return ("", dict(news)) if preview else (news["tunnelId"], self._put(ctx, news))

    def read(self, ctx: Context, id: str, state: Properties) -> tuple[str, Properties] | None:
        account, tunnel = (state["accountId"], id) if state else _two(id, "<account_id>/<tunnel_id>")
        found = _asked(ctx, lambda api, token: api.configuration(token, account, tunnel))
        return (tunnel, self._state(found, account, tunnel)) if found else None

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        return dict(news) if preview else self._put(ctx, news)

    def _put(self, ctx: Context, news: Properties) -> Properties:
        config: dict[str, Any] = news.get("config") or {}
        renamed = {"ingress" if name == "ingresses" else name: value for name, value in config.items()}
        account, tunnel = news["accountId"], news["tunnelId"]
        found = _asked(ctx, lambda api, token: api.put_configuration(token, account, tunnel, renamed))
        ctx.journal("put tunnel rules", tunnel)
        return self._state(found, account, tunnel)

    def _state(self, found: Properties, account: str, tunnel: str) -> Properties:
        config = {"ingresses" if name == "ingress" else name: value for name, value in found["config"].items()}
        computed = {name: found[field] for name, field in (("createdAt", "created_at"), ("version", "version"))}
        return {"accountId": account, "tunnelId": tunnel, "config": config, "source": found["source"]} | computed


class ZoneSetting(Kind):
    """``ZoneSetting``: PATCHed, whether created or updated; its delete does nothing and says so in a warning."""

    token = "cloudflare:index/zoneSetting:ZoneSetting"
    replace_on: ClassVar[frozenset[str]] = frozenset({"settingId", "zoneId"})

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        return ("", dict(news)) if preview else (news["settingId"], self._set(ctx, news))

    def read(self, ctx: Context, id: str, state: Properties) -> tuple[str, Properties] | None:
        zone, name = (state["zoneId"], id) if state else _two(id, "<zone_id>/<setting_id>")
        return name, self._state(_asked(ctx, lambda api, token: api.setting(token, zone, name)), zone)

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        return dict(news) if preview else self._set(ctx, news)

    def _set(self, ctx: Context, news: Properties) -> Properties:
        zone, name = news["zoneId"], news["settingId"]
        found = _asked(ctx, lambda api, token: api.edit_setting(token, zone, name, news.get("value")))
        ctx.journal("set zone setting", name)
        return self._state(found, zone)

    def _state(self, found: Properties, zone: str) -> Properties:
        state = {"zoneId": zone, "settingId": found["id"], "value": found["value"], "editable": found["editable"]}
        return state | ({"modifiedOn": found["modified_on"]} if found["modified_on"] else {})


class Cloudflare(StandIn):
    """The package ``cloudflare``. Configuring it asks the API nothing: a wrong token shows at the first call."""

    package = "cloudflare"

    def check_config(self, world: World, olds: Properties, news: Properties) -> Properties:
        token = news.get("apiToken")
        if isinstance(token, str) and not TOKEN.search(token):
            raise Refusal(
                "API tokens must be 40 characters long and only contain characters a-z, A-Z, 0-9, hyphens and"
                " underscores",
                property="apiToken",
            )
        given = [name for name in _CREDENTIALS if news.get(name) is not None]
        if len(given) > 1:
            raise Refusal(f"conflicting credentials: {', '.join(given)}", property=given[1])
        return news

    def configure(self, world: World, session: Session) -> None:
        session.facts["token"] = session.config.get("apiToken") or ""


def stand_in() -> Cloudflare:
    """What the engine talks to instead of the Cloudflare provider."""
    return Cloudflare(version("pulumi-cloudflare"), [DnsRecord(), Tunnel(), TunnelConfig(), ZoneSetting()])
