"""What a rehearsed `up` means for real machines: what would stand, and after how long.

Owns the arithmetic over the engine's own dependency graph: which resource can start when, the longest chain, and each
realm's share. Refuses to invent an order (the graph is the state's, as the engine recorded it) or a duration (each
comes from `durations`, by way of what the World journaled, with its source).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rehearsal.durations import Duration, duration
from rehearsal.engine_events import kind_of, kinds_of, name_of

SHARED = "stack"
"""What belongs to no realm: the stack itself, and providers handed to several."""

_NO_TIME = Duration(0.0, 0.0, "nothing is waited for")
_SECRET = "4dabf18193072939515e22adb298388d"  # the engine's mark on an encrypted value in a state

Resource = Mapping[str, Any]


@dataclass(frozen=True)
class Span:
    """Seconds, between `low` and `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class Phase:
    """One realm: its kinds and how many of each; `takes` is from its first start, `stands_after` from the whole's."""

    realm: str
    kinds: dict[str, int]
    takes: Span
    stands_after: Span


@dataclass(frozen=True)
class Link:
    """One resource of the longest chain, how long it takes and who says so."""

    name: str
    realm: str
    takes: Duration


@dataclass(frozen=True)
class Forecast:
    """A whole `up` on real machines. `chain` is what no parallel work can shorten, in order, less what is instant."""

    whole: Span
    phases: list[Phase]
    chain: list[Link]


def durations_in(journal: Sequence[Mapping[str, Any]]) -> Callable[[Resource], Duration]:
    """How long each resource takes on real machines, by what its making set in motion in the World (`World.entries`).

    Different machines work at once, one machine does one thing after the other. What happened on machines is what
    takes the time; the API call that set it off counts where nothing did.
    """
    entries: dict[str, list[Mapping[str, Any]]] = {}
    for entry in journal:
        entries.setdefault(entry.get("resource", ""), []).append(entry)

    def takes(resource: Resource) -> Duration:
        if not _is_made(resource):
            return _NO_TIME
        mine = entries.get(name_of(resource["urn"]), [])
        if not mine:
            package, _, kind = resource["type"].partition(":")
            return duration(f"{package}.{kind.rpartition(':')[2]}.create")
        on_machines = [entry for entry in mine if "." not in entry["kind"]]
        return _slowest(on_machines or mine)

    return takes


def _slowest(entries: Sequence[Mapping[str, Any]]) -> Duration:
    """The subject that is busy longest, with all that was done to it."""
    by_subject: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        by_subject.setdefault(entry["subject"], []).append(entry)
    longest = max(by_subject.values(), key=lambda mine: sum(entry["high"] for entry in mine))
    done = ", then ".join(entry["operation"] for entry in longest)
    cited = sorted({entry["source"] for entry in longest if not entry["source"].startswith("assumed")})
    source = f"{done} ({'; '.join(cited) or 'assumed'})"
    return Duration(sum(entry["low"] for entry in longest), sum(entry["high"] for entry in longest), source)


def _is_made(resource: Resource) -> bool:
    """Whether something outside the state stands for it: a component and a provider are the engine's affair."""
    return bool(resource.get("custom")) and not kind_of(resource["urn"]).startswith("pulumi:")


def realm_of(urn: str, realms: frozenset[str] = frozenset()) -> str:
    """Whose a resource is: its outermost component's realm, else the one of `realms` that its name starts with."""
    for token in kinds_of(urn):
        package, _, rest = token.partition(":")
        if package == "iluvatar":
            return rest.partition(":")[0]
    prefix = name_of(urn).partition("-")[0]
    return prefix if prefix in realms else SHARED


def realms_in(urns: Sequence[str]) -> frozenset[str]:
    """Every realm that has a component among `urns`."""
    return frozenset(realm_of(urn) for urn in urns) - {SHARED}


def forecast(state: Mapping[str, Any], takes: Callable[[Resource], Duration]) -> Forecast:
    """What the exported `state` of a finished `up` says about the same `up` on real machines.

    `takes` gives each resource's duration. Everything starts as soon as what it needs is done, as the engine does it.
    """
    resources = {entry["urn"]: entry for entry in state.get("resources", []) if not entry.get("delete")}
    durations = {urn: takes(resource) for urn, resource in resources.items()}
    needs = {urn: [need for need in _needs(entry) if need in resources] for urn, entry in resources.items()}
    low = _finishes(needs, {urn: span.low for urn, span in durations.items()})
    high = _finishes(needs, {urn: span.high for urn, span in durations.items()})
    realms = realms_in(list(resources))
    chain = [
        Link(name_of(urn), realm_of(urn, realms), durations[urn])
        for urn in _longest_chain(needs, high)
        if durations[urn].high > 0
    ]
    phases = _phases(resources, durations, low, high)
    return Forecast(Span(max(low.values(), default=0), max(high.values(), default=0)), phases, chain)


def _needs(resource: Resource) -> list[str]:
    """What must be done before `resource` starts: whatever the engine recorded as a reason to wait."""
    by_property = [urn for urns in (resource.get("propertyDependencies") or {}).values() for urn in urns or ()]
    provider = (resource.get("provider") or "").rpartition("::")[0]
    return [*(resource.get("dependencies") or ()), *by_property, provider, resource.get("parent") or ""]


def _finishes(needs: Mapping[str, list[str]], seconds: Mapping[str, float]) -> dict[str, float]:
    """When each resource is done. A state lists what is needed before what needs it, so one pass is enough."""
    done: dict[str, float] = {}
    for urn, before in needs.items():
        done[urn] = seconds[urn] + max((done.get(need, 0.0) for need in before), default=0.0)
    return done


def _longest_chain(needs: Mapping[str, list[str]], done: Mapping[str, float]) -> list[str]:
    chain: list[str] = []
    urn = max(done, key=lambda one: done[one], default="")
    while urn:
        chain.append(urn)
        urn = max(needs[urn], key=lambda one: done[one], default="")
    return chain[::-1]


def _phases(
    resources: Mapping[str, Resource],
    durations: Mapping[str, Duration],
    low: Mapping[str, float],
    high: Mapping[str, float],
) -> list[Phase]:
    realms = realms_in(list(resources))
    members: dict[str, list[str]] = {}
    for urn, resource in resources.items():
        if _is_made(resource):
            members.setdefault(realm_of(urn, realms), []).append(urn)
    phases = []
    for realm, urns in members.items():
        after = Span(max(low[urn] for urn in urns), max(high[urn] for urn in urns))
        begins = Span(
            min(low[urn] - durations[urn].low for urn in urns), min(high[urn] - durations[urn].high for urn in urns)
        )
        kinds = Counter(kind_of(urn).rpartition(":")[2] for urn in urns)
        phases.append(Phase(realm, dict(kinds), Span(after.low - begins.low, after.high - begins.high), after))
    return sorted(phases, key=lambda phase: phase.stands_after.high)


def plain_outputs(state: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The stack's outputs in an exported `state`: the plain ones with their values, and the names of the secret ones.

    A secret stays encrypted: nothing here can, or needs to, read it.
    """
    for resource in state.get("resources", []):
        if resource["type"] == "pulumi:pulumi:Stack":
            outputs: dict[str, Any] = resource.get("outputs", {})
            secret = sorted(name for name, value in outputs.items() if _holds_secret(value))
            return {name: value for name, value in outputs.items() if name not in secret}, secret
    return {}, []


def _holds_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return _SECRET in value or any(_holds_secret(inner) for inner in value.values())
    return isinstance(value, list) and any(_holds_secret(inner) for inner in value)


def protected(state: Mapping[str, Any]) -> list[str]:
    """URNs that the engine will refuse to delete."""
    return [resource["urn"] for resource in state.get("resources", []) if resource.get("protect")]
