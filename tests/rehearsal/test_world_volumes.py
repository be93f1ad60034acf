"""Which disk a volume finds, judged against the machine's own disks in Talos' own expressions."""

from typing import Any

import pytest
import yaml

from rehearsal.standing import unwell
from rehearsal.world import hardware, talos_volumes
from rehearsal.world.cel import NoCel, Uint, holds
from rehearsal.world.errors import Refusal
from rehearsal.world.talos_volumes import Volume
from tests.rehearsal.talos_labs import ADDRESSES, Lab
from tests.rehearsal.worlds import a_world, lab, patch

DISK: dict[str, Any] = {
    "size": Uint(4 * 10**12),
    "serial": "S1",
    "wwid": "eui.1",
    "transport": "sata",
    "rotational": False,
    "symlinks": ["/dev/disk/by-id/ata-S1"],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('disk.serial == "S1"', True),
        ("disk.serial == 'S2'", False),
        ('disk.wwid == "eui.1" && !system_disk', True),
        ("system_disk", False),
        ('disk.transport == "sata" && !disk.rotational', True),
        ('disk.transport == "nvme" || disk.size > 1u * TB', True),
        ("disk.size >= 3u * TiB && disk.size < 5u * TB", True),
        ("disk.size == 4u*TB + 1u", False),
        ('"/dev/disk/by-id/ata-S1" in disk.symlinks', True),
        ('disk.transport in ["nvme", "sata"]', True),
        ('disk.serial.startsWith("S") && disk.serial.endsWith("1") && disk.wwid.contains("ui")', True),
        ('glob("S?", disk.serial)', False),
        ('glob("S*", disk.serial)', True),
        ('!(disk.serial == "S1" || true)', False),
    ],
)
def test_an_expression_means_what_it_means_to_talos(expression: str, expected: bool):
    assert holds(expression, DISK, system_disk=False) is expected


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("disk.size > 100", r"no matching overload for '>' applied to '\(uint, int\)'"),
        ("disk.serial", "output type is string, expected bool"),
        ("disk.model == 'x'", "undefined field 'model'"),
        ("disks.serial == 'x'", "undeclared reference to 'disks'"),
        ("disk.rotational == 'no'", r"'==' applied to '\(bool, string\)'"),
        ("true || disk.serial", r"'\|\|' applied to '\(string\)'"),
        ("disk.serial.matches('S.')", r"`\.matches` .* is no part of CEL that this rack knows"),
        ("true ? true : false", r"`\?` .* is no part of CEL that this rack knows"),
        ("disk.serial == ", "Syntax error"),
        ("(true", "expected \\)"),
        ("disk.serial = 'x'", "Syntax error at column 12"),
        ("has(disk.serial)", "undeclared reference to 'has'"),
        ("", "Syntax error"),
    ],
)
def test_what_is_no_expression_or_not_known_is_refused_by_name(expression: str, words: str):
    with pytest.raises(NoCel, match=words):
        holds(expression, DISK, system_disk=False)


def volume(match: str, name: str = "data", **over: Any) -> str:
    provisioning = {"diskSelector": {"match": match}, "minSize": "10GiB", "grow": True}
    document = {"apiVersion": "v1alpha1", "kind": "UserVolumeConfig", "name": name, "provisioning": provisioning}
    return yaml.safe_dump(document | over)


@pytest.fixture
def at() -> Lab:
    return Lab()


def placed(at: Lab, *volumes: str) -> list[Volume]:
    """What the first control plane, an NVMe to install to and a SATA SSD, makes of the volumes."""
    at.apply("cp-1", at.config("cp-1", [patch("cp-1", ADDRESSES["cp-1"]), *volumes]))
    return at.world.talos.node("cp-1").volumes


def told(at: Lab) -> list[str]:
    """What a person is told of volumes."""
    return [line for line in unwell(at.world) if ": volume " in line]


READY = Volume("EPHEMERAL", "ready", disk="/dev/nvme0n1")


def test_a_volume_lies_on_the_disk_that_its_selector_finds(at: Lab):
    found = placed(at, volume('disk.transport == "sata" && !system_disk'))
    assert found == [READY, Volume("u-data", "ready", disk="/dev/sda")]
    assert told(at) == []


def test_a_volume_that_finds_no_disk_failed_and_the_person_is_told(at: Lab):
    assert placed(at, volume('disk.serial == "NOPE"'))[1] == Volume(
        "u-data", "failed", "no disks matched selector for volume"
    )
    (said,) = told(at)
    assert said.startswith("cp-1: volume u-data failed: no disks matched selector for volume: its mount stays away")
    assert "/dev/sda (ssd, serial " in said


def test_a_volume_on_the_install_disk_has_no_room_beside_ephemeral(at: Lab):
    error = placed(at, volume("system_disk"))[1].error
    assert error.startswith("no disks matched for volume (1 matched selector): 1 have not enough space")


def test_of_two_that_match_a_partition_takes_the_first_with_room_and_a_whole_disk_neither(at: Lab):
    assert placed(at, volume("disk.size > 1u * GB"))[1].disk == "/dev/sda"
    whole = {"volumeType": "disk", "provisioning": {"diskSelector": {"match": "true"}}}
    assert placed(at, volume("true", **whole))[1].error == (
        "multiple disks matched selector for disk volume; matched disks: [/dev/nvme0n1 /dev/sda]"
    )


def test_a_second_volume_finds_what_the_first_left(at: Lab):
    sata = 'disk.transport == "sata"'
    found = placed(at, volume(sata, "one"), volume(sata, "two"))
    assert [each.phase for each in found] == ["ready", "ready", "failed"]
    half = {"provisioning": {"diskSelector": {"match": sata}, "maxSize": "50%", "minSize": "1TB", "grow": True}}
    found = placed(at, volume(sata, "one", **half), volume(sata, "two", **half))
    assert [each.phase for each in found] == ["ready", "ready", "ready"]


def test_without_ephemeral_nothing_follows_and_the_node_does_not_join(at: Lab):
    own: dict[str, Any] = {"apiVersion": "v1alpha1", "kind": "VolumeConfig", "name": "EPHEMERAL"}
    own["provisioning"] = {"diskSelector": {"match": "disk.rotational"}}
    at.apply("cp-1")
    at.world.talos.bootstrap(ADDRESSES["cp-1"], None, at.client)
    text = at.config("cp-2", [patch("cp-2", ADDRESSES["cp-2"]), yaml.safe_dump(own), volume("!system_disk")])
    at.apply("cp-2", text)
    assert [each.phase for each in at.world.talos.node("cp-2").volumes] == ["failed", "waiting"]
    assert at.world.kubernetes.clusters["main"].get("Node", None, "cp-2") is None
    assert "no kubelet and no etcd" in told(at)[0]


def test_a_disk_is_found_by_the_name_its_owner_looked_up():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"]["disks"] = {"sata": {"by_id": "ata-WDC_4T"}}
    at = Lab(a_world(environment))
    assert placed(at, volume('"/dev/disk/by-id/ata-WDC_4T" in disk.symlinks'))[1].disk == "/dev/sda"


def test_disks_of_each_kind_are_described_as_talos_describes_them():
    machine = next(each for each in hardware.machines(lab()) if each.name == "cp-1")
    nvme, ssd = (talos_volumes.described(disk) for disk in machine.disks)
    assert (nvme["transport"], ssd["transport"]) == ("nvme", "sata")
    assert (nvme["rotational"], ssd["rotational"]) == (False, False)
    assert ssd["size"] == 4000 * 10**9


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (volume("disk.size > 100"), "disk selector is invalid: found no matching overload"),
        (volume("disk.color == 'red'"), "disk selector is invalid: undefined field 'color'"),
        (volume("true", provisioning={"minSize": "1GB"}), "disk selector is required"),
        (volume("true", provisioning={"diskSelector": {"match": "true"}}), "min size or max size is required"),
        (volume("true", volumeType="disk"), "min size, max size and grow are not supported"),
        (volume("true", volumeType="directory"), "provisioning spec is invalid for volumeType directory"),
        (volume("true", "my_data"), "name can only contain"),
        ("{apiVersion: v1alpha1, kind: VolumeConfig, name: VAR}", 'only ["STATE", "EPHEMERAL", "IMAGECACHE"] volumes'),
        (
            "{apiVersion: v1alpha1, kind: VolumeConfig, name: STATE, provisioning: {maxSize: 1GB}}",
            'provisioning config is not allowed for the "STATE" volume',
        ),
    ],
)
def test_a_node_refuses_a_volume_document_that_talos_refuses(at: Lab, document: str, words: str):
    with pytest.raises(Refusal) as refused:
        placed(at, document)
    assert "code = InvalidArgument" in refused.value.message
    assert words in refused.value.message
