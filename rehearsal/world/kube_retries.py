"""How long Argo CD tries a sync that fails.

Owns when it gives one up, for good until Git or the application is another. It refuses to own what a sync is
(``kube_sync``), and single tries: between the first and the last a sync is tried whenever the World works.
"""

from __future__ import annotations

import hashlib
import json
import re

from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_sync import Outcome

_TRIES = 5
"""Retries of an automated sync whose policy says nothing (Argo CD 3, ``controller/appcontroller.go``, ``autoSync``)."""


def given_up(cluster: Cluster, application: Body, documents: list[Body]) -> Outcome | None:
    """What the last sync of these very documents came to, when Argo CD tries it no more; ``None`` while it does.

    Source: Argo CD 3, ``controller/appcontroller.go``, ``autoSync``: five retries unless the policy says otherwise,
    none of them counted below zero, and then none until Git, or the application, is another.
    """
    told = _failures(cluster).get(application["metadata"]["name"])
    if not told or told["of"] != _print(application, documents):
        return None
    retry = (application["spec"].get("syncPolicy") or {}).get("retry") or {}
    limit = int(retry.get("limit", _TRIES))
    waits = _waits(retry.get("backoff") or {}, limit)
    if limit < 0 or cluster.world.clock.now < told["since"] + sum(waits):
        return None
    return Outcome(told["applied"], f"Failed last sync attempt: {told['trouble']} (retried {limit} times)")


def remember(cluster: Cluster, application: Body, documents: list[Body], outcome: Outcome) -> None:
    """Write down since when these documents fail to apply, or that they did not."""
    failures, name = _failures(cluster), application["metadata"]["name"]
    if outcome.trouble is None:
        failures.pop(name, None)
        return
    of, before = _print(application, documents), failures.get(name)
    since = before["since"] if before and before["of"] == of else cluster.world.clock.now
    failures[name] = {"of": of, "since": since, **outcome._asdict()}


def _failures(cluster: Cluster) -> dict[str, Body]:
    found: dict[str, Body] = cluster.record.setdefault("failed_syncs", {})
    return found


def _print(application: Body, documents: list[Body]) -> str:
    """What tells this attempt from a later one. Argo CD asks for the commit; the World's folder has none."""
    told = json.dumps([application["spec"], documents], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


def _waits(backoff: Body, limit: int) -> list[float]:
    """Seconds before each retry (Argo CD 3, ``RetryStrategy.NextRetryAt``: 5s, doubled, three minutes at most)."""
    first, most = _seconds(backoff.get("duration", "5s")), _seconds(backoff.get("maxDuration", "3m"))
    return [min(first * float(backoff.get("factor", 2)) ** number, most) for number in range(max(limit, 0))]


def _seconds(text: object) -> float:
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)(ms|[smh]|)", str(text)))
