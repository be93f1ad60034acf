"""The NVMe, prepared for real on loop devices: a blank one becomes the node's, and no other is ever touched."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.real.pi.box import MAIA, VALA, Box
from tests.real.pi.disks import MIB, Disks

pytestmark = pytest.mark.real

POINT = "/var/lib/longhorn/disks/nvme1"
SIZE = 340
"""MiB; mkfs.xfs wants 300."""
SMALL = 48


def hashed(image: Path) -> str:
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mounted(pi: Box) -> str:
    return pi.tell("sh", "-c", f"grep ' {POINT} ' /proc/self/mounts || :")


def test_a_blank_disk_becomes_one_partition_with_xfs_mounted_by_uuid(pi: Box, plugged: Disks) -> None:
    pi.settings(VALA)
    plugged.plug("nvme0n1", SIZE)
    pi.works("nvme")
    table = plugged.make("nvme0n1", "sfdisk", "--dump", "{}")
    assert "label: gpt" in table
    assert re.findall('name="([^"]*)"', table) == ["ilmarin-nvme1"]
    uuid = plugged.make("nvme0n1", "blkid", "-p", "-s", "UUID", "-o", "value", "{}p1").strip()
    assert mounted(pi).split()[2] == "xfs"
    assert {"noatime", "discard"} <= set(mounted(pi).split()[3].split(","))
    assert pi.read("/etc/fstab").split() == [
        *(f"UUID={uuid}", POINT, "xfs", "noatime,discard,nofail,x-systemd.device-timeout=30s", "0", "0")
    ]


def test_done_again_and_at_the_next_boot_what_is_on_it_stays(pi: Box, plugged: Disks) -> None:
    pi.settings(VALA)
    plugged.plug("nvme0n1", SIZE)
    pi.works("nvme")
    pi.write(f"{POINT}/replica", "data")
    fstab = pi.read("/etc/fstab")
    assert "formatted" not in pi.works("nvme")
    pi.tell("umount", POINT)
    plugged.unplug("nvme0n1")
    plugged.plug("nvme0n1", SIZE)
    pi.works("nvme")
    assert pi.read(f"{POINT}/replica") == "data"
    assert pi.read("/etc/fstab") == fstab


FOREIGN = {
    "ext4": [["mkfs.ext4", "-q", "{}"]],
    "xfs without a partition": [["mkfs.xfs", "-q", "{}"]],
    "LVM": [["pvcreate", "-q", "--yes", "--config", "devices{use_devicesfile=0}", "{}"]],
    "LUKS": [["sh", "-c", r"printf 'LUKS\272\276\000\001' | dd of={} conv=notrunc status=none"]],
    "swap": [["mkswap", "-q", "{}"]],
    "an empty GPT": [["sgdisk", "--clear", "{}"]],
    "somebody's only partition": [["sgdisk", "--new=1:0:0", "{}"]],
    "somebody's XFS in the only partition": [
        ["sgdisk", "--new=1:0:0", "{}"],
        ["partx", "--update", "{}"],
        ["mkfs.xfs", "-q", "{}p1"],
    ],
    "our name on one of two partitions": [
        ["sgdisk", "--new=1:0:+10M", "--new=2:0:0", "-c", "1:ilmarin-unfinished", "-c", "2:ilmarin-unfinished", "{}"]
    ],
    "an MBR": [["sh", "-c", "echo ',,L' | sfdisk -q {}"]],
    "data without a signature": [["dd", "if=/dev/urandom", "of={}", "bs=64K", "seek=20", "count=1", "status=none"]],
    "data without a signature at the end": [
        ["dd", "if=/dev/urandom", "of={}", "bs=1M", f"seek={SMALL - 1}", "count=1", "status=none"]
    ],
    "ext4 in a partition that was not finished": [
        ["sgdisk", "--new=1:0:0", "-c", "1:ilmarin-unfinished", "{}"],
        ["partx", "--update", "{}"],
        ["mkfs.ext4", "-q", "{}p1"],
    ],
    "ext4 where our XFS should be": [
        ["sgdisk", "--new=1:0:0", "-c", "1:ilmarin-nvme1", "{}"],
        ["partx", "--update", "{}"],
        ["mkfs.ext4", "-q", "{}p1"],
    ],
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_disk_that_carries_anything_of_somebody_s_is_refused_and_stays_as_it_was(
    pi: Box, plugged: Disks, what: str
) -> None:
    pi.settings(VALA)
    image = plugged.plug("nvme0n1", SIZE if "mkfs.xfs" in str(FOREIGN[what]) else SMALL)
    for command in FOREIGN[what]:
        plugged.make("nvme0n1", *command)
    plugged.make("nvme0n1", "sync", "{}")
    was = hashed(image)
    words = pi.refuses("nvme")
    assert "/dev/nvme0n1" in words
    plugged.make("nvme0n1", "sync", "{}")
    assert hashed(image) == was
    assert not mounted(pi)
    assert pi.read("/etc/fstab") == ""


def test_somebody_s_xfs_can_be_kept_with_the_command_that_the_refusal_names(pi: Box, plugged: Disks) -> None:
    pi.settings(VALA)
    plugged.plug("nvme0n1", SIZE)
    for command in FOREIGN["somebody's XFS in the only partition"]:
        plugged.make("nvme0n1", *command)
    pi.tell("mkdir", "/mnt/was")
    pi.tell("mount", "/dev/nvme0n1p1", "/mnt/was")
    pi.write("/mnt/was/photo", "kept")
    pi.tell("umount", "/mnt/was")
    named = re.search("`(sgdisk[^`]*)`", pi.refuses("nvme"))
    assert named
    pi.tell(*named[1].split())
    pi.works("nvme")
    assert pi.read(f"{POINT}/photo") == "kept"


def test_a_disk_given_up_with_the_command_that_the_refusal_names_is_prepared(pi: Box, plugged: Disks) -> None:
    pi.settings(VALA)
    plugged.plug("nvme0n1", SIZE)
    plugged.make("nvme0n1", "mkfs.ext4", "-q", "{}")
    named = re.search("`(blkdiscard[^`]*)`", pi.refuses("nvme"))
    assert named
    pi.tell(*named[1].split())
    pi.works("nvme")
    assert mounted(pi)


@pytest.mark.slow
def test_cut_before_any_of_its_commands_it_ends_well_the_next_time(pi: Box, plugged: Disks) -> None:
    """The writing of the partition table itself is one command's; it is tried before and after, not within."""
    pi.settings(VALA)
    image = plugged.plug("nvme0n1", SIZE)
    cut = 1
    while pi.cut("nvme", cut):
        plugged.look("nvme0n1")
        pi.works("nvme")
        assert mounted(pi)
        pi.tell("umount", POINT)
        plugged.unplug("nvme0n1")
        image.unlink()
        plugged.plug("nvme0n1", SIZE)
        cut += 1
    assert cut > 10


def test_a_filesystem_that_was_cut_off_in_its_making_is_made_again(pi: Box, plugged: Disks) -> None:
    """The partition's name says that it was not finished: half an XFS in it is nobody's."""
    pi.settings(VALA)
    plugged.plug("nvme0n1", SIZE)
    plugged.make("nvme0n1", "sgdisk", "--new=1:0:0", "-c", "1:ilmarin-unfinished", "{}")
    plugged.look("nvme0n1")
    plugged.make("nvme0n1", "mkfs.xfs", "-q", "{}p1")
    plugged.make("nvme0n1", "dd", "if=/dev/zero", "of={}p1", "bs=1M", "seek=3", "count=20", "status=none")
    assert "not finished" in pi.works("nvme")
    assert mounted(pi)


def test_a_node_without_nvme_has_nothing_to_prepare_and_one_that_misses_it_says_what_it_cannot_be(pi: Box) -> None:
    pi.settings({**VALA, "NVME": "no"})
    assert "nothing to prepare" in pi.works("nvme")
    pi.settings(VALA)
    words = pi.refuses("nvme", WAIT="0")
    assert "no storage" in words
    assert "host key" not in words
    pi.settings(MAIA)
    assert "neither its host key nor its join token" in pi.refuses("nvme", WAIT="0")


def test_another_disk_than_before_is_told_and_takes_the_line_in_fstab(pi: Box, plugged: Disks) -> None:
    pi.settings(VALA)
    image = plugged.plug("nvme0n1", SIZE)
    pi.works("nvme")
    was = pi.read("/etc/fstab").split()[0]
    pi.tell("umount", POINT)
    plugged.unplug("nvme0n1")
    image.unlink()
    plugged.plug("nvme0n1", SIZE)
    assert f"/etc/fstab had {was}" in pi.works("nvme")
    assert pi.read("/etc/fstab").count(POINT) == 1
    assert was not in pi.read("/etc/fstab")


def test_a_disk_that_has_grown_is_used_as_it_was_and_told_of(pi: Box, plugged: Disks) -> None:
    pi.settings(VALA)
    image = plugged.plug("nvme0n1", SIZE)
    pi.works("nvme")
    pi.write(f"{POINT}/replica", "data")
    pi.tell("umount", POINT)
    plugged.unplug("nvme0n1")
    with image.open("ab") as file:
        file.truncate((SIZE + 2048) * MIB)
    plugged.plug("nvme0n1", SIZE)
    assert "2 GiB of /dev/nvme0n1 lie unused" in pi.works("nvme")
    assert pi.read(f"{POINT}/replica") == "data"


def test_a_mount_of_something_else_at_its_place_is_told(pi: Box, plugged: Disks) -> None:
    pi.settings(VALA)
    plugged.plug("nvme0n1", SIZE)
    pi.tell("mkdir", "-p", POINT)
    pi.tell("mount", "-t", "tmpfs", "tmpfs", POINT)
    assert "is the mount of tmpfs" in pi.refuses("nvme")
