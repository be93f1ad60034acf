"""external-dns: public records of the routes that ask for them, each with the TXT record that says whose it is.

Owns what it writes into Cloudflare's zone for Gateway API's routes, and its words for what it cannot or may not write.
It refuses to own how it was told to work (``kube_dns_settings``), the zone (``cloudflare``) and every other source: an
Ingress or a Service publishes nothing here.

Sources: external-dns, ``source/gateway.go``, ``plan/plan.go``, ``registry/txt.go``. It looks once a minute.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.world import kube_dns_settings
from rehearsal.world.cloudflare_door import digest
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_dns_settings import Settings
from rehearsal.world.kube_gateway import trouble_of

_SOURCES = {"gateway-httproute": "HTTPRoute", "gateway-grpcroute": "GRPCRoute", "gateway-tlsroute": "TLSRoute"}
_INTERVAL = 60.0
_ANNOTATION = "external-dns.alpha.kubernetes.io"
_HOSTS = ("A", "AAAA", "CNAME")
_HERITAGE = "heritage=external-dns"
_OWNER = "external-dns/owner="
_AUTOMATIC = 1


@dataclass(frozen=True)
class Endpoint:
    """A name to be published; ``resource`` is the route it comes from, ``httproute/<namespace>/<name>``."""

    name: str
    type: str
    targets: tuple[str, ...]
    proxied: bool
    resource: str


def keep_published(cluster: Cluster) -> None:
    """Controller: each external-dns that runs writes what it should, when something changed or a minute went by."""
    memory: dict[str, Any] = cluster.record.setdefault("published", {})
    try:
        for settings in kube_dns_settings.running(cluster):
            wanted = sorted(_endpoints(cluster, settings), key=lambda each: each.name)
            seen = digest(json.dumps([repr(wanted), dict(settings.flags), digest(settings.token)]))
            before = memory.get(settings.place) or {}
            now = cluster.world.clock.now
            if before.get("seen") != seen or now >= before["at"] + _INTERVAL:
                said = list(_round(cluster, settings, wanted))
                memory[settings.place] = {"seen": seen, "at": now, "said": said}
    except Refusal as refusal:
        memory["crash"] = {"seen": "", "at": 0.0, "said": [refusal.message]}
    else:
        memory.pop("crash", None)


def said(cluster: Cluster) -> list[str]:
    """What external-dns complains of, in its words."""
    found = (cluster.record.get("published") or {}).values()
    return [f"external-dns: {sentence.removeprefix('external-dns: ')}" for each in found for sentence in each["said"]]


# What should be there


def _endpoints(cluster: Cluster, settings: Settings) -> Iterator[Endpoint]:
    asked = settings.labels("label-filter")
    taken: set[str] = set()
    for source in settings.flags.get("source", ()):
        for route in cluster.objects(_SOURCES[source]) if source in _SOURCES else ():
            metadata = route["metadata"]
            if not asked.items() <= (metadata.get("labels") or {}).items() or trouble_of(route):
                continue
            for gateway in _gateways(cluster, settings, route):
                names = dict.fromkeys(_names(route, gateway))
                for name in names if _targets(gateway) else ():
                    if name not in taken and _mine(settings, name):
                        taken.add(name)
                        yield _endpoint(settings, route, gateway, name)


def _gateways(cluster: Cluster, settings: Settings, route: Body) -> Iterator[Body]:
    """The gateways that a route hangs on, as far as the filters let them pass."""
    namespace = route["metadata"]["namespace"]
    for parent in route["spec"].get("parentRefs") or ():
        found = cluster.get("Gateway", parent.get("namespace") or namespace, parent["name"])
        if found is None:
            continue
        place, asked = found["metadata"], settings.labels("gateway-label-filter")
        named = settings.one("gateway-name") in ("", place["name"])
        here = settings.one("gateway-namespace") in ("", place["namespace"])
        if named and here and asked.items() <= (place.get("labels") or {}).items():
            yield found


def _names(route: Body, gateway: Body) -> Iterator[str]:
    """The route's host names that some listener serves; of a route without any, the listeners' own."""
    listeners = [each.get("hostname") for each in gateway["spec"]["listeners"]]
    hostnames = route["spec"].get("hostnames")
    if not hostnames:
        yield from (each for each in listeners if each)
    for name in hostnames or ():
        if any(each is None or _served(name, each) for each in listeners):
            yield name


def _served(name: str, listener: str) -> bool:
    return name == listener or (listener.startswith("*.") and name.endswith(listener[1:]))


def _mine(settings: Settings, name: str) -> bool:
    inside = settings.flags.get("domain-filter", ())
    outside = settings.flags.get("exclude-domains", ())
    return (not inside or any(_below(name, each) for each in inside)) and not any(
        _below(name, each) for each in outside
    )


def _below(name: str, domain: str) -> bool:
    return name == domain or name.endswith(f".{domain}")


def _targets(gateway: Body) -> tuple[str, ...]:
    told = (gateway["metadata"].get("annotations") or {}).get(f"{_ANNOTATION}/target")
    if told:
        return tuple(sorted(each.strip().rstrip(".") for each in str(told).split(",")))
    return tuple(sorted(str(each["value"]) for each in (gateway.get("status") or {}).get("addresses") or ()))


def _endpoint(settings: Settings, route: Body, gateway: Body, name: str) -> Endpoint:
    targets, metadata = _targets(gateway), route["metadata"]
    default = settings.one("cloudflare-proxied", "false")
    proxied = (metadata.get("annotations") or {}).get(f"{_ANNOTATION}/cloudflare-proxied", default)
    resource = f"{route['kind'].lower()}/{metadata['namespace']}/{metadata['name']}"
    return Endpoint(name, _type(targets[0]), targets, str(proxied).lower() == "true", resource)


def _type(target: str) -> str:
    try:
        return "A" if ipaddress.ip_address(target).version == 4 else "AAAA"
    except ValueError:
        return "CNAME"


# What is there, and what is done about it


def _round(cluster: Cluster, settings: Settings, wanted: list[Endpoint]) -> Iterator[str]:
    """One look at the zone, and what it then writes; every complaint."""
    domain, api = str(cluster.world.environment.get("domain")), cluster.world.cloudflare
    try:
        zones = api.zones_named(settings.token, domain)
        records = [each for zone in zones for each in api.records_named(settings.token, zone, {})]
    except Refusal as refusal:
        yield f"Failed to do run once: {_words(refusal)}"
        return
    if not zones:
        yield f"no zone {domain} was found that the token may see"
        return
    zone, owners = zones[0], _owners(settings, records)
    for each in wanted:
        there = [record for record in records if record["name"] == each.name and record["type"] in _HOSTS]
        yield from _publish(cluster, settings, zone, each, there, owners)
    if settings.one("policy", "sync") == "sync":
        kept = {each.name for each in wanted}
        for (name, kind), owner in owners.items():
            if owner == settings.one("txt-owner-id", "default") and name not in kept and _mine(settings, name):
                yield from _withdraw(cluster, settings, zone, records, name, kind)


def _owners(settings: Settings, records: list[Body]) -> dict[tuple[str, str], str]:
    """(name, type) → whose it is, by the TXT records."""
    found = {}
    before = settings.one("txt-prefix").replace("%{record_type}-", "")
    for record in records:
        labels = str(record.get("content")).strip('"').split(",")
        if record["type"] == "TXT" and labels[0] == _HERITAGE and record["name"].startswith(before):
            kind, _, name = record["name"].removeprefix(before).partition("-")
            told = (each.removeprefix(_OWNER) for each in labels if each.startswith(_OWNER))
            found[name, kind.upper()] = next(told, "")
    return found


def _marker(settings: Settings, name: str, kind: str) -> str:
    """The name of the TXT record that says whose a record is."""
    prefix = settings.one("txt-prefix")
    if "%{record_type}" in prefix:
        return prefix.replace("%{record_type}", kind.lower()) + name
    return f"{prefix}{kind.lower()}-{name}"


def _publish(
    cluster: Cluster,
    settings: Settings,
    zone: str,
    wanted: Endpoint,
    there: list[Body],
    owners: dict[tuple[str, str], str],
) -> Iterator[str]:
    owner, api = settings.one("txt-owner-id", "default"), cluster.world.cloudflare
    found = next((owners[key] for each in there if (key := (each["name"], each["type"])) in owners), "")
    if there and found != owner:
        why = f'because owner id does not match (found: "{found}", required: "{owner}")'
        yield f"Skipping endpoint {wanted.name} {wanted.type} {', '.join(wanted.targets)} {why}"
        return
    shown = sorted((each["type"], each["content"], each["proxied"]) for each in there)
    if shown == [(wanted.type, target, wanted.proxied) for target in wanted.targets]:
        return
    fields: Body = {"name": wanted.name, "type": wanted.type, "ttl": _AUTOMATIC, "proxied": wanted.proxied}
    mark = f'"{_HERITAGE},{_OWNER}{owner},external-dns/resource={wanted.resource}"'
    marker: Body = {"name": _marker(settings, wanted.name, wanted.type), "type": "TXT", "content": mark}
    try:
        for each in there:
            api.delete_record(settings.token, zone, each["id"])
        for target in wanted.targets:
            api.create_record(settings.token, zone, fields | {"content": target})
        if (wanted.name, wanted.type) not in owners:
            api.create_record(settings.token, zone, marker | {"ttl": _AUTOMATIC, "proxied": False})
    except Refusal as refusal:
        yield f"failed to create record {wanted.name}: {_words(refusal)}"


def _withdraw(
    cluster: Cluster, settings: Settings, zone: str, records: list[Body], name: str, kind: str
) -> Iterator[str]:
    gone = ((name, kind), (_marker(settings, name, kind), "TXT"))
    try:
        for record in records:
            if (record["name"], record["type"]) in gone:
                cluster.world.cloudflare.delete_record(settings.token, zone, record["id"])
    except Refusal as refusal:
        yield f"failed to delete record {name}: {_words(refusal)}"


def _words(refusal: Refusal) -> str:
    return refusal.message.removeprefix("failed to make http request: ")
