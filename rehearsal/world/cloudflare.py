"""Cloudflare as seen through its API: one account, its zones' records and settings, its tunnels.

Owns what is kept, whose it is, and the answer 404. It refuses to own who may ask (``cloudflare_door``), what a record,
a setting or a tunnel may be (``cloudflare_records``, ``cloudflare_settings``, ``cloudflare_tunnels``) and the
provider's ways.

Every call carries the bearer token, as every request does. Names of fields are the API's, but for ``originRequest``
inside rules.
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

from rehearsal.world import cloudflare_records as records
from rehearsal.world import cloudflare_settings as settings
from rehearsal.world import cloudflare_tunnels as tunnels
from rehearsal.world.cloudflare_door import SOLVERS, Door, digest
from rehearsal.world.cloudflare_words import bad_request, refused
from rehearsal.world.errors import Refusal

if TYPE_CHECKING:
    from rehearsal.world import World

Fields = dict[str, Any]

RECORDS = 200
"""So many records has a zone of the free plan (Cloudflare DNS, "Record limits", zones made since September 2024)."""
TUNNELS = 1000
"""So many tunnels has an account (Cloudflare One, "Account limits"); the code of the refusal is assumed."""


class Cloudflare:
    """The account of the environment's owner.

    It holds the zone that the environment names. A zone id stays that of its domain while it has records: a domain
    changed in the stack file without its zone id is then refused, as at Cloudflare.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        kept = world.section("cloudflare")
        self.door = Door(world, kept)
        self._zones: dict[str, str] = kept.setdefault("zones", {})
        self._accounts: list[str] = kept.setdefault("accounts", [])
        self._records: dict[str, Fields] = kept.setdefault("records", {})
        self._tunnels: dict[str, Fields] = kept.setdefault("tunnels", {})
        self._settings: dict[str, Fields] = kept.setdefault("settings", {})
        stated = (world.environment.get("edge") or {}).get("cloudflare") or {}
        if "zone_id" in stated and not self._in_zone(stated["zone_id"]):
            self._zones[stated["zone_id"]] = str(world.environment["domain"]).lower()
        if "account_id" in stated and stated["account_id"] not in self._accounts:
            self._accounts.append(stated["account_id"])

    # Who asks

    def _zone(self, call: str, token: str, zone: str) -> str:
        self.door.admit(call, token)
        if zone not in self._zones:
            raise refused(call, HTTPStatus.FORBIDDEN, 10000, "Authentication error")
        return self._zones[zone]

    def _account(self, call: str, token: str, account: str) -> None:
        self.door.admit(call, token)
        if account not in self._accounts:
            raise refused(call, HTTPStatus.FORBIDDEN, 10000, "Authentication error")

    # Records

    def create_record(self, token: str, zone: str, fields: Mapping[str, Any]) -> Fields:
        """A new record ``{name, type, content, ttl, proxied?, comment?, …}``, as it then stands, with its ``id``."""
        call = f"POST zones/{zone}/dns_records"
        self._zone(call, token, zone)
        return self.enter_record(zone, fields, call)

    def enter_record(self, zone: str, fields: Mapping[str, Any], call: str = "the dashboard") -> Fields:
        """As ``create_record``, by the owner's hand: nobody is asked for a token."""
        record = self._judged(call, self._zones[zone], fields, self._in_zone(zone))
        if len(self._in_zone(zone)) >= RECORDS:
            raise bad_request(call, 81045, "Record quota exceeded.")
        identity = secrets.token_hex(16)
        now = self.world.now()
        kept = record | {"id": identity, "zone_id": zone, "created_on": now, "modified_on": now}
        self._records[identity] = kept
        return dict(kept)

    def record(self, token: str, zone: str, identity: str) -> Fields | None:
        """The record, or ``None``: 404."""
        self._zone(f"GET zones/{zone}/dns_records/{identity}", token, zone)
        found = self._records.get(identity)
        return dict(found) if found and found["zone_id"] == zone else None

    def zones_named(self, token: str, name: str) -> list[str]:
        """The ids of the zones of that name that ``token`` may see: one or none."""
        self.door.admit(f"GET zones?name={name}", token, SOLVERS)
        return [identity for identity, domain in self._zones.items() if domain == name]

    def records_named(self, token: str, zone: str, wanted: Mapping[str, str]) -> list[Fields]:
        """The records whose fields equal ``wanted``, as the list's filters ``name``, ``type``, ``content``."""
        self._zone(f"GET zones/{zone}/dns_records", token, zone)
        return [dict(one) for one in self._in_zone(zone) if all(one.get(key) == wanted[key] for key in wanted)]

    def overwrite_record(self, token: str, zone: str, identity: str, fields: Mapping[str, Any]) -> Fields:
        """PUT: the record becomes ``fields``."""
        call = f"PUT zones/{zone}/dns_records/{identity}"
        domain = self._zone(call, token, zone)
        old = self._record_there(call, zone, identity)
        others = [other for other in self._in_zone(zone) if other["id"] != identity]
        kept = {key: old[key] for key in ("id", "zone_id", "created_on")}
        self._records[identity] = self._judged(call, domain, fields, others) | kept | {"modified_on": self.world.now()}
        return dict(self._records[identity])

    def delete_record(self, token: str, zone: str, identity: str) -> None:
        """Gone; a second time it is refused."""
        call = f"DELETE zones/{zone}/dns_records/{identity}"
        self._zone(call, token, zone)
        self._record_there(call, zone, identity)
        del self._records[identity]

    def _record_there(self, call: str, zone: str, identity: str) -> Fields:
        found = self._records.get(identity)
        if found is None or found["zone_id"] != zone:
            raise refused(call, HTTPStatus.NOT_FOUND, 81044, "Record does not exist.")
        return found

    def _in_zone(self, zone: str) -> list[Fields]:
        return [record for record in self._records.values() if record["zone_id"] == zone]

    def _judged(self, call: str, domain: str, fields: Mapping[str, Any], others: list[Fields]) -> Fields:
        told = {"name": records.normal(str(fields["name"]), domain)}
        if "content" in fields:
            told["content"] = records.normal_content(str(fields["type"]), fields["content"])
        record = {"proxied": False, **fields, **told}
        fault = records.fault_alone(record, domain) or records.fault_among(record, others)
        if fault:
            raise bad_request(call, *fault)
        return record

    # Settings of a zone

    def edit_setting(self, token: str, zone: str, name: str, value: Any) -> Fields:
        """PATCH: a setting becomes ``value``. It was there before, and cannot be deleted."""
        call = f"PATCH zones/{zone}/settings/{name}"
        self._zone(call, token, zone)
        fault = settings.fault(name, value)
        if fault:
            raise bad_request(call, *fault)
        self._settings[f"{zone}/{name}"] = {"id": name, "value": value, "modified_on": self.world.now()}
        return self.setting(token, zone, name)

    def setting(self, token: str, zone: str, name: str) -> Fields:
        """A setting as it is: as set last, or as every zone has it."""
        call = f"GET zones/{zone}/settings/{name}"
        self._zone(call, token, zone)
        if name not in settings.VALUES:
            raise bad_request(call, *settings.UNKNOWN)
        untouched = {"id": name, "value": settings.DEFAULTS[name], "modified_on": None}
        return {"editable": True, **self._settings.get(f"{zone}/{name}", untouched)}

    # Tunnels

    def create_tunnel(self, token: str, account: str, fields: Mapping[str, Any]) -> Fields:
        """A new tunnel from ``{name, config_src?, tunnel_secret?}``; its secret is never given out again."""
        call = f"POST accounts/{account}/cfd_tunnel"
        self._account(call, token, account)
        self._judge_tunnel(call, account, fields)
        if sum(one["account_id"] == account for one in self._tunnels.values()) >= TUNNELS:
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
        """The tunnel, or ``None``: 404."""
        self._account(f"GET accounts/{account}/cfd_tunnel/{identity}", token, account)
        found = self._tunnels.get(identity)
        return dict(found) if found and found["account_id"] == account else None

    def tunnels_named(self, token: str, account: str, name: str) -> list[Fields]:
        """The tunnels of that name that stand: one or none."""
        self._account(f"GET accounts/{account}/cfd_tunnel", token, account)
        found = [one for one in self._tunnels.values() if (one["account_id"], one["name"]) == (account, name)]
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
        """Gone, with its rules; refused while a cloudflared is connected, and a second time."""
        call = f"DELETE accounts/{account}/cfd_tunnel/{identity}"
        self._account(call, token, account)
        if self._tunnel_there(call, account, identity)["connected"]:
            raise bad_request(call, 1022, "Cannot delete tunnel because it has active connections")
        del self._tunnels[identity]

    def strike_tunnel(self, name: str) -> None:
        """The owner deletes a tunnel in the dashboard, whoever is connected."""
        for identity in [key for key, one in self._tunnels.items() if one["name"] == name]:
            del self._tunnels[identity]

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
        if found is None or found["account_id"] != account:
            raise refused(call, HTTPStatus.NOT_FOUND, 1003, "Tunnel not found")
        return found

    def _judge_tunnel(self, call: str, account: str, fields: Mapping[str, Any], but: str = "") -> None:
        taken = {one["name"] for one in self._tunnels.values() if one["account_id"] == account and one["id"] != but}
        if fields.get("name") in taken:
            raise bad_request(
                call,
                1013,
                "You already have a tunnel with this name. Delete the existing tunnel, or choose a different name for"
                " your new tunnel",
            )
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
        if found is None or found["account_id"] != account or found["secret"] != digest(secret):
            raise Refusal("Unauthorized: Invalid tunnel secret")
        found["connected"] = True
        return str(identity)

    def stands(self, identity: str) -> bool:
        """Whether there is a tunnel of that id."""
        return identity in self._tunnels

    def disconnect(self, identity: str) -> None:
        """The cloudflared of a tunnel ended; one that is not connected, or gone, stays so."""
        if identity in self._tunnels:
            self._tunnels[identity]["connected"] = False

    def leftovers(self) -> list[str]:
        """Everything that stands here: ``cloudflare/record/<name>``, ``cloudflare/tunnel/<name>``, sorted."""
        found = [f"cloudflare/record/{record['name']}" for record in self._records.values()]
        found += [f"cloudflare/zone-setting/{setting['id']}" for setting in self._settings.values()]
        return sorted(found + [f"cloudflare/tunnel/{tunnel['name']}" for tunnel in self._tunnels.values()])
