"""Let's Encrypt, and cert-manager's proof to it that a name is ours: a TXT record in Cloudflare's zone, for a moment.

Owns what an order needs, how many certificates of the same names a week has, and the words for what is missing. It
refuses to own the Certificate and its Secret (``kube_certificates``) and any proof but DNS-01 at Cloudflare, which is
believed.

Sources: cert-manager, ``pkg/issuer/acme/dns/cloudflare/cloudflare.go``, ``pkg/controller/acmeorders``; Let's Encrypt,
"Rate Limits", new certificates per exact set of identifiers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from rehearsal.world import kube_secrets
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

PLACE = "letsencrypt"
"""Where an outage strikes."""
_STAGING = "acme-staging"
_PER_WEEK, _WEEK = 5, 168 * 3600.0
_AGAIN = 60.0
"""Seconds until an order that failed is tried again; the real one waits an hour, and longer each time."""
_ORDER = "The certificate request has failed to complete and will be retried: Failed to wait for order resource"
_CHALLENGE_LIFE = 120


def obtain(cluster: Cluster, place: str, acme: Body, namespace: str, names: list[str]) -> str | None:
    """Why no certificate for ``names`` is to be had now; ``None``: it was given out, and counts.

    ``place`` is the Certificate's ``namespace/name``, ``acme`` what its issuer says, whose Secrets lie in
    ``namespace``. What failed is not tried again before something changed or a minute went by.
    """
    memory: dict[str, Any] = cluster.record.setdefault("orders", {})
    tokens = [_token(cluster, namespace, solver) for solver in acme.get("solvers") or ()]
    seen = hashlib.sha256(json.dumps([acme, names, tokens]).encode()).hexdigest()
    before, now = memory.get(place) or {}, cluster.world.clock.now
    if before.get("seen") == seen and before["said"] and now < before["at"] + _AGAIN:
        return str(before["said"])
    said = next(_troubles(cluster, place, acme, namespace, names), None)
    memory[place] = {"seen": seen, "at": now, "said": said}
    return said


def _troubles(cluster: Cluster, place: str, acme: Body, namespace: str, names: list[str]) -> Iterator[str]:
    refused = _refused(cluster, acme, names)
    if refused:
        order = f'{_ORDER} "{place.partition("/")[2]}-1" to become ready: order is in "errored" state'
        yield f"{order}: Failed to create Order: {refused}"
    for name in names:
        why = _unproved(cluster, acme, namespace, name)
        if why:
            yield f"Issuing certificate as Secret does not exist; challenge for {name} is pending: {why}"
    _issued(cluster).append({"names": sorted(names), "server": acme.get("server"), "at": cluster.world.clock.now})


def _issued(cluster: Cluster) -> list[dict[str, Any]]:
    issued: list[dict[str, Any]] = cluster.world.section("letsencrypt").setdefault("issued", [])
    return issued


def _refused(cluster: Cluster, acme: Body, names: list[str]) -> str | None:
    """The ACME server's problem with an order."""
    now = cluster.world.clock.now
    down = cluster.world.faults.outage(PLACE, now)
    if down or _STAGING in str(acme.get("server")):
        return down
    same = [
        each["at"]
        for each in _issued(cluster)
        if each["names"] == sorted(names) and each["server"] == acme.get("server") and each["at"] > now - _WEEK
    ]
    if len(same) < _PER_WEEK:
        return None
    moment = cluster.world.now(min(same) + _WEEK - now).replace("T", " ").replace("Z", " UTC")
    return (
        f"429 urn:ietf:params:acme:error:rateLimited: too many certificates ({_PER_WEEK}) already issued for this exact"
        f" set of identifiers in the last 168h0m0s, retry after {moment}: see"
        " https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers"
    )


def _unproved(cluster: Cluster, acme: Body, namespace: str, name: str) -> str | None:
    """Why it cannot be proved that ``name`` is ours."""
    solver = next((each for each in acme.get("solvers") or () if _fits(each, name)), None)
    if solver is None:
        return (
            "Failed to determine a valid solver configuration for the set of domains on the Order: no configured"
            " challenge solvers can be used for this challenge"
        )
    if "cloudflare" not in (solver.get("dns01") or {}):
        return None
    token = _token(cluster, namespace, solver)
    if not token:
        reference = solver["dns01"]["cloudflare"].get("apiTokenSecretRef") or {}
        name, key = str(reference.get("name")), reference.get("key")
        there = cluster.get("Secret", namespace, name) is not None
        why = (
            f"specified key {key!r} not found in secret {namespace}/{name}" if there else f'secrets "{name}" not found'
        )
        return f"error getting cloudflare secret: {why}"
    return _presented(cluster, token, name.removeprefix("*."))


def _fits(solver: Body, name: str) -> bool:
    zones = (solver.get("selector") or {}).get("dnsZones")
    inside = not zones or any(name == zone or name.endswith(f".{zone}") for zone in zones)
    return inside and ("dns01" in solver or not name.startswith("*."))


def _token(cluster: Cluster, namespace: str, solver: Body) -> str:
    told = ((solver.get("dns01") or {}).get("cloudflare") or {}).get("apiTokenSecretRef") or {}
    return kube_secrets.value_of(cluster, namespace, told)


def _presented(cluster: Cluster, token: str, name: str) -> str | None:
    """Write the challenge's record and take it away again; why that cannot be."""
    api, challenge = cluster.world.cloudflare, f"_acme-challenge.{name}"
    proof = hashlib.sha256(name.encode()).hexdigest()[:43]
    try:
        zone = _zone(cluster, token, challenge)
        if zone is None:
            return (
                f"Found no Zones for domain {challenge}. (neither in the sub-domain nor in the SLD) please make sure"
                " your domain-entries in the config are correct and the API key is correctly setup with Zone.read"
                " rights."
            )
        fields = {"name": challenge, "type": "TXT", "content": proof, "ttl": _CHALLENGE_LIFE}
        made = api.create_record(token, zone, fields)
        api.delete_record(token, zone, made["id"])
    except Refusal as refusal:
        said = refusal.message.removeprefix("failed to make http request: ")
        return f"while attempting to find Zones for domain {challenge}.: while querying the Cloudflare API for {said}"
    return None


def _zone(cluster: Cluster, token: str, name: str) -> str | None:
    """The zone nearest to a name: its parents are asked for one after the other."""
    labels = name.split(".")
    for index in range(len(labels) - 1):
        found = cluster.world.cloudflare.zones_named(token, ".".join(labels[index:]))
        if found:
            return found[0]
    return None
