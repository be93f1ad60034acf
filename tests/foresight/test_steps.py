"""The pure step model: its order is the graph's; what it lets through keeps quorum, API and storage at every moment."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from foresight import walk
from foresight.fields import Verdict
from foresight.impact import impact
from foresight.steps import Step, steps
from model.laws import examine
from stacks.lab import build
from tests.foresight import changes
from tests.labs import SHIPPED, app_secrets, raw
from tests.recording import Recording, record

MANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
SECRETS = {
    "iluvatar:cloudflareApiToken": "MOCK-SECRET-CLOUDFLARE",
    "iluvatar:cloudflareDnsToken": "MOCK-SECRET-DNS",
    "iluvatar:appSecrets": app_secrets("MOCK-SECRET-APP"),
    "iluvatar:bootstrapSshKey": "MOCK-SECRET-SSH",
    "iluvatar:onepasswordCredentials": "MOCK-SECRET-CREDENTIALS",
    "iluvatar:onepasswordToken": "MOCK-SECRET-TOKEN",
}


def walked(data: st.DataObject, before: walk.Cluster, taken: tuple[Step, ...], told: Any) -> list[str]:
    """What breaks at some moment when steps begin and end in a drawn order that the graph allows."""
    now, found = before, list(walk.broken(before))
    at_work: list[Step] = []
    while True:
        able = walk.ready(now, taken)
        if not able and not at_work:
            assert now.done == {step.resource for step in taken}, "a step waits for one that never comes"
            return found
        if able and (not at_work or data.draw(st.booleans())):
            step = data.draw(st.sampled_from(able))
            at_work.append(step)
            now = walk.begin(now, step)
        else:
            step = at_work.pop(data.draw(st.integers(0, len(at_work) - 1)))
            now = walk.end(now, step, *told)
        found += walk.broken(now)


@given(changes.edited(any_lab=True, unsure=True), st.data())
@MANY
def test_an_edit_that_is_let_through_keeps_everything_at_every_moment(
    pair: tuple[dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    before, after = pair
    assume(not examine(after, None).errors)
    old, new = changes.side(before), changes.side(after)
    told = impact(old, new)
    assume(not told.refused)
    assert old.plan
    assert new.plan
    found = walked(data, walk.standing(old.environment, old.plan), told.steps, walk.facts(new.plan))
    assert found == []


@given(st.sampled_from(SHIPPED), st.data())
@settings(max_examples=20, deadline=None)
def test_a_lab_that_comes_up_votes_and_answers_in_the_end(lab: str, data: st.DataObject) -> None:
    new = changes.side(raw(lab))
    assert new.plan
    nothing = walk.standing(new.environment, new.plan)
    empty: frozenset[str] = frozenset()
    nothing = walk.replace(nothing, voters=empty, members=empty, leads=None, versions={}, stores={})
    assert walked(data, nothing, steps(None, new.plan, {}), walk.facts(new.plan)) == []


def test_what_would_take_a_store_down_is_refused_and_the_walk_knows_why() -> None:
    """All three workers of homelab hold Longhorn's copies, and their configurations are brought to them at once."""
    after = raw("homelab")
    after["cluster"].setdefault("talos", {})["workers"] = {"machine": changes.UDEV}
    old, new = changes.side(raw("homelab")), changes.side(after)
    assert old.plan
    told = impact(old, new)
    assert [finding.code for finding in told.findings] == ["change-storage-together"]
    now = walk.standing(old.environment, old.plan)
    for step in told.steps:
        now = walk.begin(now, step)
    assert [line.split()[0] for line in walk.broken(now)] == ["longhorn"]


def test_what_may_reboot_counts_as_what_does() -> None:
    """A raised contract hides what changes: all three holders of Longhorn's copies may be away."""
    after = raw("homelab")
    after["versions"]["talos"] = "v1.13.1"
    after["cluster"]["talos_contract"] = "v1.13"
    old, new = changes.side(raw("homelab")), changes.side(after)
    assert old.plan
    assert new.plan
    told = impact(old, new)
    assert {step.away for step in told.steps if step.kind == "apply"} == {"unknown"}
    unsure = next(finding for finding in told.findings if finding.grade == "error")
    assert unsure.code == "change-storage-unsure"
    assert "whether they reboot is not known" in unsure.message
    now = walk.standing(old.environment, old.plan)
    for step in (one for one in told.steps if one.kind == "apply" and one.node and one.node.startswith("istari")):
        now = walk.begin(now, step)
    assert [line.split()[0] for line in walk.broken(now)] == ["longhorn"]


def test_one_worker_may_reboot() -> None:
    after = raw("homelab")
    after["cluster"]["nodes"]["istari-1"]["talos"] = {"machine": changes.UDEV}
    told = impact(changes.side(raw("homelab")), changes.side(after))
    assert not told.refused
    assert [(node.name, node.reboot.verdict, node.reboot.because) for node in told.nodes] == [
        ("istari-1", "yes", ("machine.udev",))
    ]


def test_control_planes_reboot_one_by_one() -> None:
    after = raw("homelab")
    after["cluster"].setdefault("talos", {})["control_planes"] = {"machine": changes.UDEV}
    told = impact(changes.side(raw("homelab")), changes.side(after))
    assert not told.refused
    assert [node.reboot.verdict for node in told.nodes] == ["yes"] * 3


@pytest.mark.parametrize(("third", "refused"), [("member", False), ("lost", True), ("leaving", False)])
def test_talos_is_not_upgraded_where_etcd_has_two_members(third: str, refused: bool) -> None:
    """Who is lost has left etcd when upgrades begin; who leaves goes after them."""
    after = raw("homelab")
    after["versions"]["talos"] = "v1.12.9"  # version: the World's
    after["cluster"]["nodes"]["valinor-3"]["state"] = third
    told = impact(changes.side(raw("homelab")), changes.side(after))
    assert [one.path for one in told.findings if one.code == "change-two-planes-upgraded"] == (
        ["cluster.nodes.valinor-1"] if refused else []
    )


def test_two_control_planes_that_stand_are_not_upgraded_but_configured() -> None:
    before = raw("homelab")
    del before["cluster"]["nodes"]["valinor-3"]
    after = copy.deepcopy(before)
    after["versions"]["talos"] = "v1.12.9"  # version: the World's
    told = impact(changes.side(before), changes.side(after))
    assert [one.code for one in told.findings] == ["change-two-planes-upgraded"]
    after["versions"]["talos"] = before["versions"]["talos"]
    after["network"]["resolvers"] = ["9.9.9.9"]
    assert not impact(changes.side(before), changes.side(after)).findings


def over(recording: Recording, name: str) -> set[str]:
    """Every resource that the graph has through before it begins this one."""
    seen: set[str] = set()
    todo = list(recording.named(name).depends_on)
    while todo:
        urn = todo.pop()
        if urn not in seen:
            seen.add(urn)
            todo += recording.resources[urn].depends_on
    return {recording.resources[urn].name for urn in seen}


def graph(environment: Mapping[str, Any]) -> Recording:
    """What the program registers for an environment."""
    config = {"iluvatar:environment": json.dumps(environment), **SECRETS}
    return record(build, environment["name"], config, preview=False)


def edits_that_touch_all(lab: str) -> dict[str, Any]:
    """New versions, a setting on every node, one node that leaves."""
    after = raw(lab)
    after["versions"] |= {"talos": "v1.13.1", "kubernetes": "v1.35.0"}
    after["network"]["resolvers"] = ["9.9.9.9"]
    workers = [name for name, node in after["cluster"]["nodes"].items() if node["role"] == "worker"]
    after["cluster"]["nodes"][workers[-1]]["state"] = "leaving"
    systems = after["storage"]["systems"].items()
    after["storage"] = {"systems": {name: one for name, one in systems if one["kind"] == "nfs"}}  # no disk of a node's
    return after


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_order_of_the_steps_is_the_graph_s(lab: str) -> None:
    after = edits_that_touch_all(lab)
    old, new = changes.side(raw(lab)), changes.side(after)
    verdicts: dict[str, Verdict] = dict.fromkeys(after["cluster"]["nodes"], "no")
    assert new.plan
    recording = graph(after)
    taken = steps(old.plan, new.plan, verdicts)
    assert {step.kind for step in taken} == {"apply", "gate", "snapshot", "upgrade", "upgrade-kubernetes", "leave"}
    for step in taken:
        missing = set(step.after) - over(recording, step.resource)
        assert not missing, f"{step.resource} does not wait for {missing}"


@pytest.mark.parametrize("lab", SHIPPED)
def test_no_step_is_forgotten(lab: str) -> None:
    """What the graph does to machines: each is a step, and of no kind that the model does not know."""
    after = edits_that_touch_all(lab)
    old, new = changes.side(raw(lab)), changes.side(after)
    assert new.plan
    known = {step.resource for step in steps(old.plan, new.plan, dict.fromkeys(after["cluster"]["nodes"], "no"))}
    known |= {step.resource for step in steps(None, new.plan, {})}
    prefixes = ("arda-apply-", "arda-upgrade-", "arda-leave-", "arda-snapshot", "arda-bootstrap", "arda-back-")
    registered = {one.name for one in graph(after).resources.values() if one.name.startswith(prefixes)}
    assert registered == known
