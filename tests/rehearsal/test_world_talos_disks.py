"""Which disk Talos is installed to, by the machine's own disks and Talos' own reading of a selector."""

import pytest

from rehearsal.world.hardware import machines
from rehearsal.world.talos_validate import install_disks
from tests.rehearsal.worlds import lab

DISKS = {
    "boot": {"kind": "ssd", "size_gb": 128, "role": "system"},
    "ceph": {"kind": "nvme", "size_gb": 512, "role": "data"},
    "old": {"kind": "hdd", "size_gb": 2000, "role": "never-touch"},
}


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ({"type": "ssd"}, {"boot", "ceph"}),
        ({"type": "nvme"}, {"ceph"}),
        ({"type": "hdd"}, {"old"}),
        ({"serial": "BOOT1"}, {"boot"}),
        ({"type": "ssd", "size": "<= 200GB"}, {"boot"}),
    ],
)
def test_an_ssd_to_install_to_is_anything_that_does_not_rotate(selector: dict[str, str], found: set[str]):
    """Incident: `type: ssd` beside an NVMe for Ceph; Talos might have been installed to Ceph's disk."""
    environment = lab()
    name, node = next(iter(environment["cluster"]["nodes"].items()))
    environment["hardware"][node["class"]]["disks"] = DISKS
    node["disks"] = {"boot": {"serial": "BOOT1"}}
    machine = next(one for one in machines(environment) if one.name == name)
    assert {disk.name for disk in install_disks({"diskSelector": selector}, machine)} == found
