"""A Cloudflare account: who may ask it, its tunnels, and what connects to them.

Owns which tunnels stand, and the answer 404 to whoever asks for another. It refuses to own who may ask
(``cloudflare_door``), what a tunnel may be (``cloudflare_tunnels``) and the account's zones (``cloudflare``).
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rehearsal.world import cloudflare_tunnels as tunnels
from rehearsal.world.cloudflare_door import Door, digest
from rehearsal.world.cloudflare_words import bad_request, refused
from rehearsal.world.errors import Refusal, Retried

if TYPE_CHECKING:
    from rehearsal.world import World

Fields = dict[str, Any]

TUNNELS = 1000
"""So many tunnels has an account (Cloudflare One, "Account limits"); the code of the refusal is assumed."""


class Account:
    """The account's part of Cloudflare; ``kept`` is the section of the World's data that all of it lies in."""

    def __init__(self, world: World, kept: Fields) -> None:
        self.world = world
        self.door = Door(world, kept)
        self._accounts: list[str] = kept.setdefault("accounts", [])
        self._tunnels: dict[str, Fields] = kept.setdefault("tunnels", {})

    def _account(self, call: str, token: str, account: str) -> None:
        self.door.admit(call, token)
        if account not in self._accounts:
            raise refused(call, HTTPStatus.FORBIDDEN, 10000, "Authentication error")

    # Tunnels

    def create_tunnel(self, token: str, account: str, fields: Mapping[str, Any]) -> Fields:
        """A new tunnel from ``{name, config_src?, tunnel_secret?}``; its secret is never given out again."""
        call = f"POST accounts/{account}/cfd_tunnel"
        self._account(call, token, account)
        self._judge_tunnel(call, account, fields)
        if sum(one["account_id"] == account for one in self.standing_tunnels()) >= TUNNELS:
            raise bad_request(call, 1002, f"Bad Request: this account has its {TUNNELS} tunnels")
        source = fields.get("config_src") or "local"
        if source not in tunnels.SOURCES:
            raise bad_request(
                call, 1002, f"Bad Request: config_src {source} is not one of {', '.join(tunnels.SOURCES)}"
            )
        drawn = fields.get("tunnel_secret") or base64.b64encode(secrets.token_bytes(32)).decode()
        identity = str(uuid.uuid4())
        self._tunnels[identity] = {
            "id": identity,
            "account_id": account,
            "name": fields["name"],
            "config_src": source,
            "created_at": self.world.now(),
            "secret": digest(drawn),
            "connected": False,
            "configuration": None,
        }
        return dict(self._tunnels[identity])

    def tunnel(self, token: str, account: str, identity: str) -> Fields | None:
        """The tunnel, or ``None``: 404. One that was deleted is still told, with the moment in ``deleted_at``.

        Source: terraform-provider-cloudflare 5, ``testAccCheckCloudflareTunnelDestroy``.
        """
        self._account(f"GET accounts/{account}/cfd_tunnel/{identity}", token, account)
        found = self._tunnels.get(identity)
        return dict(found) if found and found["account_id"] == account else None

    def tunnels_named(self, token: str, account: str, name: str) -> list[Fields]:
        """The tunnels of that name that stand: one or none."""
        self._account(f"GET accounts/{account}/cfd_tunnel", token, account)
        found = [one for one in self.standing_tunnels() if (one["account_id"], one["name"]) == (account, name)]
        return [dict(one) for one in found]

    def edit_tunnel(self, token: str, account: str, identity: str, fields: Mapping[str, Any]) -> Fields:
        """PATCH: a new name, a new secret."""
        call = f"PATCH accounts/{account}/cfd_tunnel/{identity}"
        self._account(call, token, account)
        found = self._tunnel_there(call, account, identity)
        self._judge_tunnel(call, account, fields, but=identity)
        found["name"] = fields.get("name", found["name"])
        if fields.get("tunnel_secret"):
            found["secret"] = digest(fields["tunnel_secret"])
        return dict(found)

    def delete_tunnel(self, token: str, account: str, identity: str) -> None:
        """Deleted, with its rules; refused while a cloudflared is connected, and a second time."""
        call = f"DELETE accounts/{account}/cfd_tunnel/{identity}"
        self._account(call, token, account)
        if self._tunnel_there(call, account, identity)["connected"]:
            raise bad_request(call, 1022, "Cannot delete tunnel because it has active connections")
        self._bury(self._tunnels[identity])

    def strike_tunnel(self, name: str) -> None:
        """The owner deletes a tunnel in the dashboard, whoever is connected."""
        for found in self.standing_tunnels():
            if found["name"] == name:
                self._bury(found)

    def _bury(self, found: Fields) -> None:
        found.update(deleted_at=self.world.now(), connected=False, configuration=None)

    def standing_tunnels(self) -> list[Fields]:
        """Those that nobody deleted."""
        return [one for one in self._tunnels.values() if not one.get("deleted_at")]

    def put_configuration(self, token: str, account: str, identity: str, config: Mapping[str, Any]) -> Fields:
        """The tunnel's rules ``{ingress: […], …}``; gives ``{config, version, source, created_at}``."""
        call = f"PUT accounts/{account}/cfd_tunnel/{identity}/configurations"
        self._account(call, token, account)
        found = self._tunnel_there(call, account, identity)
        fault = tunnels.fault_of_ingress(config.get("ingress") or [])
        if fault:
            raise bad_request(call, *fault)
        version = found["configuration"]["version"] + 1 if found["configuration"] else 1
        found["configuration"] = {
            "config": dict(config),
            "version": version,
            "source": "cloudflare",
            "created_at": self.world.now(),
        }
        return dict(found["configuration"])

    def configuration(self, token: str, account: str, identity: str) -> Fields | None:
        """The tunnel's rules as put last, or ``None``: 404, there is no such tunnel or it has none."""
        found = self.tunnel(token, account, identity)
        return dict(found["configuration"]) if found and found["configuration"] else None

    def _tunnel_there(self, call: str, account: str, identity: str) -> Fields:
        found = self._tunnels.get(identity)
        if found is None or found["account_id"] != account or found.get("deleted_at"):
            raise refused(call, HTTPStatus.NOT_FOUND, 1003, "Tunnel not found")
        return found

    def _judge_tunnel(self, call: str, account: str, fields: Mapping[str, Any], but: str = "") -> None:
        others = [one for one in self.standing_tunnels() if one["account_id"] == account and one["id"] != but]
        if fields.get("name") in {one["name"] for one in others}:
            words = (
                "You already have a tunnel with this name. Delete the existing tunnel, or choose a different name for"
                " your new tunnel"
            )
            # 409, and the provider's client asks again after one, as after a 429 (pulumi-cloudflare #1440)
            raise Retried(refused(call, HTTPStatus.CONFLICT, 1013, words).message)
        fault = tunnels.fault_of_secret(fields["tunnel_secret"]) if fields.get("tunnel_secret") else None
        if fault:
            raise bad_request(call, *fault)

    # What connects

    def connect(self, tunnel_token: str) -> str:
        """A cloudflared runs with ``tunnel_token``; gives the tunnel's id. ``Refusal`` in its words when not let in."""
        try:
            told = json.loads(base64.b64decode(tunnel_token, validate=True))
            account, identity, secret = told["a"], told["t"], told["s"]
        except (binascii.Error, ValueError, KeyError, TypeError):
            raise Refusal("Provided Tunnel token is not valid.") from None
        found = self._tunnels.get(identity)
        if found is None or found.get("deleted_at"):
            raise Refusal("Unauthorized: Tunnel not found")
        if found["account_id"] != account or found["secret"] != digest(secret):
            raise Refusal("Unauthorized: Invalid tunnel secret")
        found["connected"] = True
        return str(identity)

    def stands(self, identity: str) -> bool:
        """Whether there is a tunnel of that id."""
        return any(one["id"] == identity for one in self.standing_tunnels())

    def disconnect(self, identity: str) -> None:
        """The cloudflared of a tunnel ended; one that is not connected, or gone, stays so."""
        if identity in self._tunnels:
            self._tunnels[identity]["connected"] = False
