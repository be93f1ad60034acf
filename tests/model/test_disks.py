"""No selector that the program writes finds a disk it was not meant for, whatever disks a machine has.

Judged by the facts of Talos' own source (`InstallConfig.DiskMatchExpression`, `DiskSpec`), written down here once more:
the model's tables are what is on trial.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from model.laws import examine
from render.talos import machine_patch
from tests.labs import planned, raw

TRANSPORT = {"nvme": "nvme", "ssd": "sata", "hdd": "sata", "sd": "mmc", "emmc": "mmc"}
NODE = "istari-1"


@dataclass(frozen=True)
class Found:
    """A disk as Talos sees it in the machine."""

    name: str
    role: str
    transport: str
    rotational: bool
    serial: str
    wwid: str
    by_id: str


def seen(name: str, disk: dict[str, Any], identity: dict[str, str]) -> Found:
    return Found(
        name,
        disk["role"],
        TRANSPORT[disk["kind"]],
        disk["kind"] == "hdd",
        identity.get("serial") or f"UNTOLD-{name}",
        identity.get("wwid") or f"eui.untold-{name}",
        identity.get("by_id") or f"untold-{name}",
    )


def installs_to(selector: dict[str, str], disk: Found) -> bool:
    kinds = {
        "nvme": disk.transport == "nvme",
        "sd": disk.transport == "mmc",
        "hdd": disk.rotational,
        "ssd": not disk.rotational,
    }
    said = {"serial": disk.serial, "wwid": disk.wwid}
    return all(kinds[value] if key == "type" else said[key] == value for key, value in selector.items())


def finds(expression: str, disk: Found) -> bool:
    return all(_holds(term.strip(), disk) for term in expression.split("&&"))


def _holds(term: str, disk: Found) -> bool:
    if match := re.fullmatch(r'disk\.(serial|wwid|transport) == "([^"]+)"', term):
        return getattr(disk, match[1]) == match[2]
    if match := re.fullmatch(r'"/dev/disk/by-id/([^"]+)" in disk\.symlinks', term):
        return disk.by_id == match[1]
    terms = {"disk.rotational": disk.rotational, "!disk.rotational": not disk.rotational}
    return (terms | {"!system_disk": disk.role != "system"})[term]


def selectors(value: Any) -> list[str]:
    """Every expression in a document by which Talos picks a disk."""
    if isinstance(value, dict):
        own = [
            one["match"] for key, one in value.items() if key in ("diskSelector", "volumeSelector") and "match" in one
        ]
        return own + [one for inner in value.values() for one in selectors(inner)]
    return [one for inner in value for one in selectors(inner)] if isinstance(value, list) else []


KINDS = st.sampled_from(sorted(TRANSPORT))
ROLES = st.sampled_from(["data", "never-touch", "never-touch"])
DISK = st.tuples(KINDS, ROLES, st.sampled_from([(), ("serial",), ("wwid",), ("by_id",), ("serial", "by_id")]))


@st.composite
def machines(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, dict[str, str]], str, list[str]]:
    """(disks of a class, a node's word on each, kind of storage, disks that storage systems use)."""
    system = (draw(KINDS), "system", draw(st.sampled_from([(), ("serial",), ("wwid",)])))
    every = [system, *draw(st.lists(DISK, max_size=4))]
    disks = {f"d{i}": {"kind": kind, "size_gb": 500, "role": role} for i, (kind, role, _) in enumerate(every)}
    told = {f"d{i}": {kind: f"{kind}-{i}" for kind in kinds} for i, (_, _, kinds) in enumerate(every) if kinds}
    used = [name for name, disk in disks.items() if disk["role"] == "data"]
    return disks, told, draw(st.sampled_from(["longhorn", "openebs", "rook-ceph"])), used


@given(machines())
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None, max_examples=150)
def test_a_disk_that_nothing_may_touch_is_found_by_no_selector(
    made: tuple[dict[str, Any], dict[str, dict[str, str]], str, list[str]],
) -> None:
    disks, told, kind, used = made
    lab = raw("homelab")
    lab["hardware"]["odd"] = lab["hardware"]["prodesk-400-g4"] | {"disks": disks}
    lab["cluster"]["nodes"][NODE] |= {"class": "odd", "disks": told}
    lab["storage"] = {"systems": {f"s-{name}": {"kind": kind, "disk": name, "nodes": [NODE]} for name in used}}
    errors = [finding for finding in examine(lab, None).errors if "disk" in finding.code]
    assume(not errors)
    cluster = planned(lab).cluster
    assert cluster
    node = next(node for node in cluster.nodes if node.name == NODE)
    machine = [seen(name, disk, told.get(name, {})) for name, disk in disks.items()]
    documents = list(yaml.safe_load_all(machine_patch(cluster, node)))
    installed = [disk.role for disk in machine if installs_to(documents[0]["machine"]["install"]["diskSelector"], disk)]
    assert installed == ["system"], "Talos is installed to the system disk and could be to no other"
    found = [[disk.role for disk in machine if finds(expression, disk)] for expression in selectors(documents[1:])]
    assert all(roles == ["data"] for roles in found), "a volume is on one data disk and could be on no other"
    assert len(found) == (0 if kind == "rook-ceph" else len(used)), "Ceph's disks stay raw, each other has its volume"


def test_the_judge_above_knows_talos_ssd_for_anything_that_does_not_rotate() -> None:
    """Incident: `type: ssd` beside an NVMe for Ceph; Talos might have been installed to Ceph's disk."""
    nvme = seen("nvme", {"kind": "nvme", "role": "data"}, {})
    assert installs_to({"type": "ssd"}, nvme)
    assert not finds('disk.transport == "sata" && !disk.rotational', nvme)
