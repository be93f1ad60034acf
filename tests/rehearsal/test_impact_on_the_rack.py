"""What is foretold of an edit is what the real engine then does: fields, reboots, order, and what is left alone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foresight.impact import Impact
from foresight.steps import Step
from rehearsal.rack_folder import RackFolder
from rehearsal.world import talos_config
from stacks import change, deployed
from tests.foresight import changes
from tests.labs import tree
from tests.rehearsal.lives import Life

pytestmark = pytest.mark.slow
Edit = Callable[[dict[str, Any]], None]


def _label(data: dict[str, Any]) -> None:
    data["cluster"]["nodes"]["istari-1"]["labels"] = {"example.com/drawn": "a"}


def _resolvers(data: dict[str, Any]) -> None:
    data["network"]["resolvers"] = ["9.9.9.9"]


def _reboot_one_worker(data: dict[str, Any]) -> None:
    data["cluster"]["nodes"]["istari-2"]["talos"] = {"machine": changes.UDEV}


def _reboot_control_planes(data: dict[str, Any]) -> None:
    layer = {"machine": changes.UDEV, "sysctls": {"net.core.rmem_max": "1"}}
    data["cluster"].setdefault("talos", {})["control_planes"] = layer


def _patch_release(data: dict[str, Any]) -> None:
    data["versions"]["talos"] = "v1.12.6"


def _both_versions(data: dict[str, Any]) -> None:
    data["versions"] |= {"talos": "v1.13.1", "kubernetes": "v1.35.0"}


def _extension(data: dict[str, Any]) -> None:
    data["hardware"]["prodesk-400-g4"]["talos"]["extensions"].append("siderolabs/nfs-utils")


def _one_more_worker(data: dict[str, Any]) -> None:
    new = {key: value for key, value in data["cluster"]["nodes"]["istari-3"].items() if key != "port"}
    data["cluster"]["nodes"]["istari-4"] = new | {"address": "192.168.1.107", "mac": "02:00:00:00:02:07"}


def _one_worker_leaves(data: dict[str, Any]) -> None:
    data["storage"]["systems"]["longhorn"] |= {"nodes": ["istari-1", "istari-2"], "replicas": 2}
    data["cluster"]["nodes"]["istari-3"]["state"] = "leaving"


def _two_copies(life: Life) -> None:
    """What the folders say of it, too."""
    for file in (life.folders() / "homelab/arda/storage/longhorn").glob("*.yaml"):
        text = re.sub(r"(ReplicaCount: )3", r"\g<1>2", file.read_text())
        file.write_text(re.sub(r'(numberOfReplicas: )"3"', r'\g<1>"2"', text))


def _names(data: dict[str, Any]) -> None:
    data["edge"]["records"][0]["name"] = "www.example.com"
    data["edge"]["gateways"]["envoy-internal"]["address"] = "192.168.1.230"


EDITS = [
    _label, _resolvers, _reboot_one_worker, _reboot_control_planes, _patch_release, _both_versions, _extension,
    _one_more_worker, _one_worker_leaves, _names,
]  # fmt: skip


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Life:
    """homelab after its first `up`; never changed."""
    life = Life("homelab", tmp_path_factory.mktemp("impact"), engine)
    life.edited(lambda _: None)
    run = life.run("up", fresh=True)
    assert run.well, run.errors()
    return life


@pytest.fixture
def life(stood: Life, tmp_path: Path) -> Life:
    """A copy of it, to be changed freely."""
    return stood.copied(tmp_path / "homelab")


def remembered(life: Life) -> Any:
    """What the rack's state says was deployed last."""
    return RackFolder(life.rack()).output("homelab", deployed.OUTPUT)


def foretold(life: Life, edited: dict[str, Any]) -> Impact:
    """The impact of a file against what the rack's state remembers."""
    found = change.since(remembered(life), changes.side(edited), tree("homelab"))
    assert found
    assert not found.refused, found.findings
    return found


def configurations(life: Life) -> dict[str, list[dict[str, Any]]]:
    """What each machine of the World runs."""
    nodes = life.world().talos.nodes()
    return {node.machine.name: talos_config.parse(node.record["config"]) for node in nodes}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_does_what_was_foretold(edit: Edit, life: Life) -> None:
    before, journal = configurations(life), len(life.world().entries())
    if edit is _one_more_worker:
        life.approves("istari-3", "istari-4")
    if edit is _one_worker_leaves:
        _two_copies(life)
    edited = life.edited(edit)
    told = foretold(life, edited)
    run = life.run("up")
    assert run.well, run.errors()
    assert run.broken == (), "the World saw a law of its own broken at some moment"
    after, did = configurations(life), life.world().entries()[journal:]
    nodes = {node.name: node for node in told.nodes}
    for name in {*before, *after}:
        if name not in before or name not in after:
            assert nodes[name].touch == ("joins" if name in after else "leaves")
            continue
        fields = {(field.document, field.path) for field in nodes[name].fields} if name in nodes else set()
        assert fields == changes.places(before[name], after[name])
    rebooted = {entry["subject"] for entry in did if entry["operation"] == "reboot" and entry["kind"] == "talos"}
    staying = [node for node in told.nodes if node.touch == "changes"]
    assert rebooted == {node.name for node in staying if node.image or node.reboot.verdict == "yes"}
    touched = {step.name: step.operation.value for step in run.transcript.changed()}
    assert {step.resource for step in told.steps} <= touched.keys(), "what is foretold comes"
    assert in_order(told.steps, [entry["resource"] for entry in did if entry.get("resource")])
    for effect in told.effects:
        assert (
            touched.pop(effect.resource) == {"added": "create", "changed": "update", "removed": "delete"}[effect.kind]
        )
    ours = ("edge-record-", "edge-gateway-", "edge-tunnel-", "ea-files-", "gitops-apps-", "gitops-project-")
    assert not [name for name in touched if name.startswith(ours)], "something happened that was not foretold"


def in_order(steps: tuple[Step, ...], resources: list[str]) -> bool:
    """Whether what the World saw happened in an order that the steps allow."""
    seen = list(dict.fromkeys(resources))
    place = {name: index for index, name in enumerate(seen)}
    pairs = [(before, step.resource) for step in steps for before in step.after]
    return all(place[one] < place[two] for one, two in pairs if one in place and two in place)


def test_a_refused_edit_touches_nothing_and_forgets_nothing(life: Life) -> None:
    """The output is read back each time: were it lost with the first refusal, the second `up` would go through."""
    kept, did, ran = remembered(life), life.world().entries(), configurations(life)
    life.edited(lambda data: data["cluster"]["nodes"]["istari-1"].update(address="192.168.1.140"))
    for _ in range(2):
        run = life.run("up")
        assert not run.well
        assert "change-node-address" in "\n".join(error.message for error in run.errors())
        assert (life.world().entries(), configurations(life)) == (did, ran)
    assert remembered(life) == kept


def test_after_an_up_that_ended_well_there_is_nothing_left_to_do(life: Life) -> None:
    edited = life.edited(_resolvers)
    assert foretold(life, edited).nodes
    assert life.run("up").well
    assert foretold(life, edited).nothing


def test_an_up_that_was_cut_off_leaves_what_was_deployed_before(life: Life) -> None:
    def two_at_once(data: dict[str, Any]) -> None:
        _resolvers(data)
        _names(data)

    kept, edited = remembered(life), life.edited(two_at_once)
    life.cut_at("cloudflare/*/create/after/edge-record-www-example-com")
    assert not life.run("up").well
    assert remembered(life) == kept
    life.cut_at(None)
    assert foretold(life, edited).nodes, "the edit is not over"
