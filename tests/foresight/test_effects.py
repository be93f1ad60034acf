"""What is foretold beside the machines is what the program registers: the same names, changed by the same edits."""

import json
from typing import Any

import pytest

from foresight.effects import contents, effects
from stacks.lab import build
from tests.foresight import changes
from tests.labs import SHIPPED, raw, shipped_plan
from tests.recording import record
from tests.stacks.test_graph import config, recorded

FAMILIES = (
    "ainur-join-", "ainur-server-",
    "arda-image-", "cilium-l2", "cilium-pool", "ea-files-", "edge-gateway-e", "edge-record-", "edge-tunnel-rules-",
    "gitops-apps-", "gitops-project-",
)  # fmt: skip


def _another_record(data: dict[str, Any]) -> None:
    data["edge"]["records"][0]["name"] = "www.example.com"


def _another_gateway_address(data: dict[str, Any]) -> None:
    data["edge"]["gateways"]["envoy-internal"]["address"] = "192.168.1.230"


def _another_pool(data: dict[str, Any]) -> None:
    data["cluster"]["load_balancer_pool"] = "192.168.1.225-192.168.1.239"


def _another_revision(data: dict[str, Any]) -> None:
    data["gitops"]["revision"] = "next"


def _another_image(data: dict[str, Any]) -> None:
    data["hardware"]["prodesk-400-g4"]["talos"]["extensions"].append("siderolabs/nfs-utils")


def _another_k3s(data: dict[str, Any]) -> None:
    data["versions"]["k3s"] = "v1.33.9+k3s1"  # version: nobody's, a later one than the lab's


EDITS = [_another_record, _another_gateway_address, _another_pool, _another_revision, _another_image, _another_k3s]


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_name_is_one_of_the_graph(lab: str) -> None:
    registered = {resource.name for resource in recorded(lab).resources.values()}
    assert set(contents(shipped_plan(lab))) <= registered


@pytest.mark.parametrize("edit", EDITS)
def test_what_an_edit_changes_is_what_is_foretold(edit: Any) -> None:
    after = raw("homelab")
    edit(after)
    told = config("homelab") | {"iluvatar:environment": json.dumps(after)}
    old, new = (
        {one.name: one.inputs for one in run.resources.values() if one.name.startswith(FAMILIES)}
        for run in (recorded("homelab"), record(build, "homelab", told, preview=False))
    )
    wanted = {name: "changed" for name in old.keys() & new.keys() if old[name] != new[name]}
    wanted |= dict.fromkeys(new.keys() - old.keys(), "added") | dict.fromkeys(old.keys() - new.keys(), "removed")
    plan = changes.side(after).plan
    assert plan
    said = effects(shipped_plan("homelab"), plan)
    assert {one.resource: one.kind for one in said if one.resource.startswith(FAMILIES)} == wanted
    assert wanted
