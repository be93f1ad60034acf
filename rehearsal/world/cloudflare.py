"""Cloudflare as seen through its API: one account, its zones' records and settings.

Owns what is kept in the zones, whose it is, and the answer 404. It refuses to own the account and its tunnels
(``cloudflare_account``), what a record or a setting may be (``cloudflare_records``, ``cloudflare_settings``) and the
provider's ways.

Every call carries the bearer token, as every request does. Names of fields are the API's, but for ``originRequest``
inside rules.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from rehearsal.world import cloudflare_records as records
from rehearsal.world import cloudflare_settings as settings
from rehearsal.world.cloudflare_account import Account
from rehearsal.world.cloudflare_door import PROGRAM, SOLVERS
from rehearsal.world.cloudflare_words import bad_request, refused

if TYPE_CHECKING:
    from rehearsal.world import World

Fields = dict[str, Any]

RECORDS = 200
"""So many records has a zone of the free plan (Cloudflare DNS, "Record limits", zones made since September 2024)."""


class Cloudflare(Account):
    """The account of the environment's owner.

    It holds the zone that the environment names. A zone id stays that of its domain while it has records: a domain
    changed in the stack file without its zone id is then refused, as at Cloudflare.
    """

    def __init__(self, world: World) -> None:
        kept = world.section("cloudflare")
        super().__init__(world, kept)
        self._zones: dict[str, str] = kept.setdefault("zones", {})
        self._records: dict[str, Fields] = kept.setdefault("records", {})
        self._written: dict[str, str] = kept.setdefault("written", {})
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

    # Records

    def create_record(self, token: str, zone: str, fields: Mapping[str, Any]) -> Fields:
        """A new record ``{name, type, content, ttl, proxied?, comment?, …}``, as it then stands, with its ``id``."""
        call = f"POST zones/{zone}/dns_records"
        self._zone(call, token, zone)
        made = self.enter_record(zone, fields, call)
        self._written[made["id"]] = self.door.holder(token)
        return made

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
        self._written[identity] = self.door.holder(token)
        self._records[identity] = self._judged(call, domain, fields, others) | kept | {"modified_on": self.world.now()}
        return dict(self._records[identity])

    def delete_record(self, token: str, zone: str, identity: str) -> None:
        """Gone; a second time it is refused."""
        call = f"DELETE zones/{zone}/dns_records/{identity}"
        self._zone(call, token, zone)
        self._record_there(call, zone, identity)
        del self._records[identity]
        self._written.pop(identity, None)

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

    def written_by(self, whose: str) -> list[str]:
        """The names at which ``whose`` token wrote records, as ``<type> <name>``, sorted."""
        found = [self._records[identity] for identity, writer in self._written.items() if writer == whose]
        return sorted(f"{record['type']} {record['name']}" for record in found)

    def leftovers(self) -> list[str]:
        """All that this program made: ``cloudflare/record/<name>``, ``cloudflare/tunnel/<name>``, sorted.

        Records that the owner made by hand, or somebody inside a cluster, are theirs.
        """
        found = [f"cloudflare/record/{one.partition(' ')[2]}" for one in self.written_by(PROGRAM)]
        found += [f"cloudflare/zone-setting/{setting['id']}" for setting in self._settings.values()]
        return sorted(found + [f"cloudflare/tunnel/{tunnel['name']}" for tunnel in self.standing_tunnels()])
