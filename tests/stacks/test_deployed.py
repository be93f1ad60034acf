"""The stack remembers what was deployed, and holds the next edit against it at the door."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from stacks import change, deployed
from stacks.lab import build
from tests.foresight import changes
from tests.labs import SHIPPED, raw, tree
from tests.recording import Recording, record
from tests.stacks.test_graph import config, recorded

Edit = Callable[[dict[str, Any]], None]


def remembered(lab: str) -> dict[str, Any]:
    """The output of a lab that was deployed as it ships, as the engine hands it back: all numbers are floats."""
    value, secret = recorded(lab).outputs[deployed.OUTPUT]
    assert not secret
    return {deployed.OUTPUT: json.loads(json.dumps(value), parse_int=float)}


def run(lab: str, edit: Edit, last: dict[str, Any] | None = None, *, preview: bool = True) -> Recording:
    """A run after an edit of what was deployed."""
    edited = raw(lab)
    edit(edited)
    told = config(lab) | {"iluvatar:environment": json.dumps(edited)}
    return record(build, lab, told, preview=preview, deployed=remembered(lab) if last is None else last)


def renamed(data: dict[str, Any]) -> None:
    data["cluster"]["vip"] = data["cluster"]["vip"].rpartition(".")[0] + ".99"


@pytest.mark.parametrize("lab", SHIPPED)
def test_what_was_deployed_comes_back_as_it_was_read(lab: str) -> None:
    value = deployed.whole(remembered(lab)[deployed.OUTPUT])
    assert value["environment"] == raw(lab)
    side = deployed.understood(value, tree(lab))
    assert side
    assert side.plan == changes.side(raw(lab)).plan
    assert side.configurations == value["configurations"]
    assert set(value["configurations"]) == set(raw(lab)["cluster"]["nodes"])


@pytest.mark.parametrize("lab", SHIPPED)
def test_nothing_is_said_of_an_unchanged_lab(lab: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run(lab, lambda _: None)
    assert "Upgrade plan" not in caplog.text
    assert "change-" not in caplog.text


def test_a_first_up_has_nothing_to_look_back_at() -> None:
    assert run("homelab", lambda _: None, {}).resources


@pytest.mark.parametrize("preview", [True, False])
def test_a_dangerous_edit_stops_before_anything_is_registered(preview: bool) -> None:
    with pytest.raises(pulumi.RunError, match="change-node-address") as raised:
        run(
            "homelab",
            lambda data: data["cluster"]["nodes"]["istari-1"].update(address="192.168.1.140"),
            preview=preview,
        )
    assert "nothing was touched" in str(raised.value)
    assert change.ACCEPT not in str(raised.value), "no hand makes this one safe"


def test_what_a_person_saw_to_by_hand_is_accepted_by_name_for_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pulumi.RunError, match=f"{change.ACCEPT}=change-vip pulumi up"):
        run("homelab", renamed)
    monkeypatch.setenv(change.ACCEPT, "change-node-address")
    with pytest.raises(pulumi.RunError, match="change-vip"):
        run("homelab", renamed)
    monkeypatch.setenv(change.ACCEPT, "change-node-address, change-vip")
    assert run("homelab", renamed).resources


def test_a_reboot_that_nobody_knows_of_may_be_accepted_and_a_certain_one_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsure(data: dict[str, Any]) -> None:
        data["versions"]["talos"] = "v1.13.1"
        data["cluster"]["talos_contract"] = "v1.13"

    def sure(data: dict[str, Any]) -> None:
        data["cluster"].setdefault("talos", {})["workers"] = {"machine": changes.UDEV}

    with pytest.raises(pulumi.RunError, match=f"{change.ACCEPT}=change-storage-unsure pulumi up"):
        run("homelab", unsure)
    monkeypatch.setenv(change.ACCEPT, "change-storage-unsure, change-storage-together")
    assert run("homelab", unsure).resources
    with pytest.raises(pulumi.RunError, match="change-storage-together"):
        run("homelab", sure)


def test_a_preview_prints_the_upgrade_step_by_step(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run("homelab", lambda data: data["versions"].update(talos="v1.13.1", kubernetes="v1.35.0"))
    said = [line.strip() for line in caplog.text.splitlines()]
    named = [line.split()[1].rstrip(":") for line in said if line[:1].isdigit() and "arda-" in line]
    nodes = ["valinor-1", "valinor-2", "valinor-3", "istari-1", "istari-2", "istari-3"]
    assert named == ["arda-snapshot", *(f"arda-upgrade-{node}" for node in nodes), "arda-upgrade-kubernetes"]


def test_an_up_does_not_print_it_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        run("homelab", lambda data: data["versions"].update(talos="v1.12.9"), preview=False)
    assert "Upgrade plan" not in caplog.text


@pytest.mark.parametrize("odd", ["text", 7, [], {}, {"form": 99}, {"form": 1}, {"form": 1, "environment": {"name": 1}}])
def test_a_form_that_is_not_understood_is_a_warning_and_no_more(odd: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert run("homelab", renamed, {deployed.OUTPUT: odd}).resources
    assert "change-unjudged" in caplog.text


def test_a_renamed_cluster_is_refused_though_its_folders_are_gone() -> None:
    """Without folders nothing can be planned; the rules need the data alone."""
    side = changes.side(raw("homelab"))
    last = deployed.whole(remembered("homelab")[deployed.OUTPUT])
    last["environment"]["cluster"]["name"] = "old-name"
    last["environment"]["gitops"]["clusters"]["old-name"] = last["environment"]["gitops"]["clusters"].pop("arda")
    found = change.since(last, side, tree("homelab"))
    assert found
    assert [finding.code for finding in found.findings] == ["change-cluster-renamed"]


def test_another_configuration_of_the_same_data_is_told() -> None:
    """A newer checkout may render otherwise: the data is the same, and the machines are sent something else."""
    last = deployed.whole(remembered("homelab")[deployed.OUTPUT])
    last["configurations"]["istari-1"] = "0" * 16
    found = change.since(last, changes.side(raw("homelab")), tree("homelab"))
    assert found
    assert found.remade == ("istari-1",)
    assert not found.nothing
