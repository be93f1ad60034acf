"""The way by hand goes the way of the graph: the same resources, in an order that its dependencies allow."""

from functools import cache

import pytest

from render.by_hand import steps
from tests.labs import SHIPPED, shipped_plan
from tests.recording import Recording
from tests.stacks.test_graph import recorded

NOT_BY_HAND = ("::edge-tunnel-secret", "::edge-tunnel-let-go")
"""Cloudflare makes the tunnel's secret by itself when it is given none; the other does nothing before a destroy."""


def by_hand(lab: str) -> dict[str, int]:
    """Resource → its place among everything that is done by hand."""
    ordered = [name for step in steps(shipped_plan(lab)) for name in step.does]
    assert len(set(ordered)) == len(ordered), "a resource is made twice"
    return {name: place for place, name in enumerate(ordered)}


@cache
def waits(lab: str) -> dict[str, frozenset[str]]:
    """Resource → every resource that it waits for, however far, by name."""
    recording = recorded(lab)
    known: dict[str, frozenset[str]] = {}
    return {recording.resources[urn].name: _waits(recording, urn, known) for urn in recording.resources}


def _waits(recording: Recording, urn: str, known: dict[str, frozenset[str]]) -> frozenset[str]:
    if urn not in known:
        resource = recording.resources[urn]
        provider = resource.provider.rpartition("::")[0]
        nearest = [one for one in (*resource.depends_on, provider) if one in recording.resources]
        known[urn] = frozenset(
            name for one in nearest for name in ({recording.resources[one].name} | _waits(recording, one, known))
        )
    return known[urn]


@pytest.mark.parametrize("lab", SHIPPED)
def test_everything_of_the_graph_is_done_by_hand_and_nothing_else(lab: str) -> None:
    real = {
        one.name
        for urn, one in recorded(lab).resources.items()
        if one.custom and not one.type.startswith("pulumi:") and not urn.endswith(NOT_BY_HAND)
    }
    done = set(by_hand(lab))
    assert done - real == set(), "done by hand, and not by the program"
    assert real - done == set(), "done by the program, and not by hand"


@pytest.mark.parametrize("lab", SHIPPED)
def test_nothing_is_done_by_hand_before_what_it_waits_for_in_the_graph(lab: str) -> None:
    places, graph = by_hand(lab), waits(lab)
    pairs = [(name, before) for name in places for before in graph[name] if before in places]
    assert len(pairs) > len(places), "the graph's order is not read"
    wrong = [f"{name} comes before {before}" for name, before in pairs if places[name] < places[before]]
    assert wrong == []


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_cluster_is_bootstrapped_by_hand_once_and_its_secrets_made_once(lab: str) -> None:
    lines = [line for step in steps(shipped_plan(lab)) for line in step.commands]
    made = [line for line in lines if "talosctl gen secrets" in line]
    begun = [line for line in lines if line.endswith(" bootstrap")]
    assert len(made) == len(begun) == 1
    assert made[0].startswith("test -e secret/secrets.yaml || ")
    assert begun[0].startswith("test -e secret/bootstrapped || ")
