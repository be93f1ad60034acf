"""The card, stamped for real: an image with an MBR and a vfat, streamed over HTTP onto a loop device."""

import hashlib
import lzma
import os
import re
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.real.pi.box import VALA, Box
from tests.real.pi.disks import MIB, Disks
from tests.real.pi.served import Served
from tests.real.pi.test_host_keys import PLACE, identity, key

pytestmark = pytest.mark.real

CARD = 40
"""MiB."""
SEED = {
    "user-data": "#cloud-config\nhostname: vala-1\n",
    "meta-data": "instance-id: vala-1\n",
    "network-config": "version: 2\n",
    "vendor-data": "#cloud-config\n",
    "config.txt": "[all]\narm_64bit=1\n",
    "cmdline.txt": "root=LABEL=writable cgroup_enable=memory\n",
}


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> bytes:
    """As Ubuntu's for the Pi, but small: an MBR, a vfat from 1 MiB on, and a second partition of noise."""
    file = tmp_path_factory.mktemp("image") / "image"
    with file.open("wb") as out:
        out.truncate(12 * MIB)
        out.seek(9 * MIB)
        out.write(os.urandom(2 * MIB))
    table = "label: dos\nstart=2048, size=16384, type=c, bootable\nstart=18432, type=83\n"
    subprocess.run([require_tool("sfdisk"), "--quiet", str(file)], input=table, text=True, check=True)
    vfat = [require_tool("mkfs.vfat"), "-F", "12", "-n", "system-boot", "--offset", "2048", str(file), "8192"]
    subprocess.run(vfat, check=True, capture_output=True)
    cmdline = file.with_name("cmdline.txt")
    cmdline.write_text("console=tty1\n")
    subprocess.run([require_tool("mcopy"), "-i", f"{file}@@1M", str(cmdline), "::cmdline.txt"], check=True)
    return file.read_bytes()


@pytest.fixture
def pi_with_card(pi: Box, plugged: Disks, site: Served, image: bytes) -> Disks:
    """A netbooted Pi with a blank card, its host key in its place, and all that it downloads served."""
    offer(pi, site, image)
    site.files |= {f"/pi/card/{name}": text.encode() for name, text in SEED.items()}
    key(pi, PLACE)
    plugged.plug("mmcblk0", CARD)
    return plugged


@cache
def compressed(image: bytes) -> bytes:
    return lzma.compress(image, preset=0)


def offer(pi: Box, site: Served, image: bytes) -> None:
    """Serve an image and ask for it."""
    packed = compressed(image)
    name = f"/{hashlib.sha256(packed).hexdigest()[:8]}.img.xz"
    site.files[name] = packed
    wanted = {
        "IMAGE_URL": f"{site.url}{name}",
        "IMAGE_SHA256": hashlib.sha256(packed).hexdigest(),
        "SEED_URL": f"{site.url}/pi/card",
    }
    pi.settings({**VALA, "CARD": "no", **wanted})


def image_path(site: Served) -> str:
    return next(name for name in site.files if name.endswith(".img.xz"))


def on_the_card(disks: Disks, name: str) -> str:
    file = disks.image("mmcblk0")
    done = subprocess.run(["mtype", "-i", f"{file}@@1M", f"::{name}"], capture_output=True, text=True, check=False)
    return done.stdout if not done.returncode else ""


def settled(disks: Disks) -> bytes:
    """All of the card, as it is behind the loop device's cache."""
    disks.make("mmcblk0", "blockdev", "--flushbufs", "{}")
    return disks.image("mmcblk0").read_bytes()


def is_stamped(disks: Disks, image: bytes) -> bool:
    """The image is on it but for the boot partition, where only its files are other ones; it boots."""
    has = settled(disks)
    assert has[: 1 * MIB] == image[: 1 * MIB]
    assert has[9 * MIB : len(image)] == image[9 * MIB :]
    assert {name: on_the_card(disks, name) for name in SEED} == SEED
    assert f"raw={hashlib.sha256(image).hexdigest()}\n" in on_the_card(disks, "ilmarin.stamp")
    return True


def test_a_blank_card_gets_the_image_its_seed_and_this_system_s_host_key(
    pi: Box, pi_with_card: Disks, image: bytes
) -> None:
    assert "read back" in pi.works("stamp")
    assert is_stamped(pi_with_card, image)
    assert on_the_card(pi_with_card, "ilmarin-host-key") == pi.read(PLACE)
    assert pi.is_there("/run/ilmarin-stamped")
    assert not pi.is_there("/run/ilmarin-stamp")


def test_an_image_that_zstd_packed_is_unpacked_as_well(
    pi: Box, pi_with_card: Disks, site: Served, image: bytes, require_tool: Callable[[str], str]
) -> None:
    packed = subprocess.run([require_tool("zstd"), "-q"], input=image, capture_output=True, check=True).stdout
    site.files["/image.zst"] = packed
    wanted = {"IMAGE_URL": f"{site.url}/image.zst", "IMAGE_SHA256": hashlib.sha256(packed).hexdigest()}
    pi.settings({**VALA, "CARD": "no", "SEED_URL": f"{site.url}/pi/card", **wanted})
    pi.works("stamp")
    assert is_stamped(pi_with_card, image)


def test_a_card_that_has_the_image_is_left_and_neither_written_nor_booted_anew(
    pi: Box, pi_with_card: Disks, site: Served
) -> None:
    pi.works("stamp")
    pi.tell("rm", "/run/ilmarin-stamped")
    was = settled(pi_with_card)
    site.asked.clear()
    assert "BOOT_ORDER" in pi.works("stamp")
    assert settled(pi_with_card) == was
    assert not site.asked
    assert not pi.is_there("/run/ilmarin-stamped")


FOREIGN = {
    "ext4": [["mkfs.ext4", "-q", "{}"]],
    "somebody's card of Ubuntu": [
        ["sh", "-c", "echo '2048,32768,c' | sfdisk -q {}"],
        ["mkfs.vfat", "-F", "16", "-n", "system-boot", "--offset", "2048", "{}", "16384"],
    ],
    "an empty partition table": [["sgdisk", "--clear", "{}"]],
    "LVM": [["pvcreate", "-q", "--yes", "--config", "devices{use_devicesfile=0}", "{}"]],
    "data without a signature": [["dd", "if=/dev/urandom", "of={}", "bs=64K", "seek=20", "count=1", "status=none"]],
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_card_that_carries_anything_of_somebody_s_is_refused_and_stays_as_it_was(
    pi: Box, pi_with_card: Disks, site: Served, what: str
) -> None:
    for command in FOREIGN[what]:
        pi_with_card.make("mmcblk0", *command)
    was = settled(pi_with_card)
    assert "nothing on it was touched" in pi.refuses("stamp")
    assert settled(pi_with_card) == was
    assert not site.asked


def test_a_card_given_up_with_the_command_that_the_refusal_names_is_stamped(
    pi: Box, pi_with_card: Disks, image: bytes
) -> None:
    pi_with_card.make("mmcblk0", "mkfs.ext4", "-q", "{}")
    named = re.search("`(dd [^`]*)`", pi.refuses("stamp"))
    assert named
    pi.tell(*named[1].split())
    pi.works("stamp")
    assert is_stamped(pi_with_card, image)


@pytest.mark.parametrize("at", [0, MIB // 2, MIB, 2 * MIB])
def test_killed_while_the_image_streams_it_boots_nothing_and_is_stamped_the_next_time(
    pi: Box, pi_with_card: Disks, site: Served, image: bytes, at: int
) -> None:
    site.held[image_path(site)] = at
    running = pi.start("stamp")
    assert site.reached.wait(60)
    pi.kill(running)
    has = settled(pi_with_card)
    assert has.startswith(b"ilmarin stamping")
    assert has[510:512] != b"\x55\xaa"
    site.held.clear()
    site.go.set()
    assert "cut off: once more" in pi.works("stamp")
    assert is_stamped(pi_with_card, image)


@pytest.mark.slow
def test_cut_before_any_write_it_boots_nothing_or_all_and_is_stamped_the_next_time(
    pi: Box, pi_with_card: Disks, image: bytes
) -> None:
    cut = 1
    while pi.cut("stamp", cut, ("dd", "mcopy", "mkdir")):
        if settled(pi_with_card)[510:512] == b"\x55\xaa":
            assert is_stamped(pi_with_card, image)
        pi.works("stamp")
        assert is_stamped(pi_with_card, image)
        pi_with_card.make("mmcblk0", "blkdiscard", "-f", "{}")
        cut += 1
    assert cut > 10


def test_an_image_that_is_not_the_one_that_was_asked_for_never_boots(
    pi: Box, pi_with_card: Disks, site: Served, image: bytes
) -> None:
    right = site.files[image_path(site)]
    site.files[image_path(site)] = lzma.compress(image[:-1] + b"!", preset=0)
    assert "was asked for" in pi.refuses("stamp")
    assert settled(pi_with_card).startswith(b"ilmarin stamping")
    assert not pi.is_there("/run/ilmarin-stamped")
    site.files[image_path(site)] = right
    pi.works("stamp")
    assert is_stamped(pi_with_card, image)


def test_a_download_that_breaks_off_is_told_and_done_again(
    pi: Box, pi_with_card: Disks, site: Served, image: bytes
) -> None:
    site.cut[image_path(site)] = MIB
    assert "Tried again by itself" in pi.refuses("stamp")
    site.cut.clear()
    pi.works("stamp")
    assert is_stamped(pi_with_card, image)


def test_while_the_boot_server_is_away_the_card_is_not_touched(pi: Box, pi_with_card: Disks, site: Served) -> None:
    del site.files["/pi/card/network-config"]
    was = settled(pi_with_card)
    assert "/pi/card/network-config" in pi.refuses("stamp")
    assert settled(pi_with_card) == was


def test_what_is_served_as_a_seed_and_is_none_is_refused_before_the_card_is_touched(
    pi: Box, pi_with_card: Disks, site: Served
) -> None:
    site.files["/pi/card/user-data"] = b"<html>"
    was = settled(pi_with_card)
    assert "is no seed" in pi.refuses("stamp")
    assert settled(pi_with_card) == was


def test_another_image_goes_onto_a_card_that_never_came_up_and_not_onto_one_that_lives(
    pi: Box, pi_with_card: Disks, site: Served, image: bytes
) -> None:
    pi.works("stamp")
    newer = image[:-1] + b"!"
    offer(pi, site, newer)
    assert "never came up" in pi.works("stamp")
    assert is_stamped(pi_with_card, newer)
    pi_with_card.make("mmcblk0", "mdel", "-i", "{}@@1M", "::ilmarin-host-key")  # as the card's first boot does
    offer(pi, site, image)
    was = settled(pi_with_card)
    assert "has lived" in pi.refuses("stamp")
    assert settled(pi_with_card) == was


def test_the_disk_that_a_system_runs_from_is_refused(pi: Box, pi_with_card: Disks) -> None:
    pi_with_card.make("mmcblk0", "mkfs.ext4", "-q", "{}")
    pi.tell("mkdir", "/mnt/root")
    pi.tell("mount", "/dev/mmcblk0", "/mnt/root")
    assert "in use (mounted at " in pi.refuses("stamp")
    pi.tell("umount", "/mnt/root")


def test_a_card_that_is_too_small_is_told_and_boots_nothing(
    pi: Box, plugged: Disks, site: Served, image: bytes
) -> None:
    offer(pi, site, image + bytes(8 * MIB))
    site.files |= {f"/pi/card/{name}": text.encode() for name, text in SEED.items()}
    key(pi, PLACE)
    plugged.plug("mmcblk0", 18)
    assert "too small (18 MiB)" in pi.refuses("stamp")
    assert settled(plugged)[510:512] != b"\x55\xaa"


def test_a_card_that_is_not_there_is_told(pi: Box, site: Served, image: bytes) -> None:
    offer(pi, site, image)
    assert "no card in vala-1" in pi.refuses("stamp")


def test_the_card_s_first_boot_answers_with_the_key_that_was_pinned(
    pi: Box, pi_with_card: Disks, tmp_path: Path
) -> None:
    """From the network, over the stamping, to the card: one identity."""
    pinned = pi.read(f"{PLACE}.pub")
    pi.works("stamp")
    pi.write("/boot/firmware/ilmarin-host-key", on_the_card(pi_with_card, "ilmarin-host-key"), 0o755)
    pi.tell("rm", "-r", "/etc/ssh")
    pi.settings(VALA)
    pi.works("host-keys")
    assert identity(pi.read(f"{PLACE}.pub")) == identity(pinned)
