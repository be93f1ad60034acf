"""What the netbooted Pis boot, made for real of an image with real partitions and filesystems: whole, or not at all."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.labs import ROOT
from tests.real import pi_image

pytestmark = pytest.mark.real
SCRIPT = ROOT / "gitops" / "homelab" / "ainur" / "netboot" / "pi-netboot" / "pi-system.sh"
PIS = ("a1b2c351", "a1b2c352")
STEPS = ("chmod", "debugfs", "ln", "mcopy", "mv", "rm", "sync", "xz")
"""Programs before each of which the builder is killed."""


@dataclass
class Vala:
    """A Vala's disk, and the builder on it."""

    folder: Path
    tool: Callable[[str], str]
    images: dict[str, bytes] = field(default_factory=dict)
    path: str = os.environ["PATH"]

    def brings(self, release: str, **parts: dict[str, bytes | None]) -> str:
        """fetch.sh has brought an image, and `pulumi up` has published its texts; the image's id."""
        if not self.images.get(release) or parts:
            made = self.folder.parent / f"made-{release}-{len(self.images)}"
            made.mkdir()
            self.images[release] = pi_image.made(made, self.tool, release, parts.get("changed"), parts.get("boot"))
        packed = self.images[release]
        name = hashlib.sha256(packed).hexdigest()[:12]
        shutil.rmtree(self.folder / "pi", ignore_errors=True)
        (self.folder / "pi").mkdir(parents=True)
        (self.folder / "pi" / f"{name}.img.xz").write_bytes(packed)
        self.publishes(name)
        return name

    def publishes(self, name: str, pis: tuple[str, ...] = PIS) -> None:
        shutil.rmtree(self.folder.parent / "texts", ignore_errors=True)
        (self.folder.parent / "texts").mkdir(parents=True)
        texts = {"image": f"{name}\n"} | {
            f"{pi}_{text}": f"{text} of {pi}, {name}\n" for pi in pis for text in ("config.txt", "cmdline.txt")
        }
        texts["content.sha256"] = hashlib.sha256(str(texts).encode()).hexdigest() + "\n"
        for file, text in texts.items():
            (self.folder.parent / "texts" / file).write_text(text)

    def build(self, *before: str) -> subprocess.CompletedProcess[str]:
        command = [*before, "sh", str(SCRIPT), str(self.folder.parent / "texts"), str(self.folder)]
        environment = {"PATH": self.path, "LC_ALL": "C"}
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False, start_new_session=True
        )

    def served(self, pi: str) -> dict[str, bytes] | None:
        """What TFTP has in a Pi's folder; None where there is none."""
        at = self.folder / "tftp" / pi
        if not at.is_dir():
            return None
        return {one.name: one.read_bytes() for one in at.iterdir() if one.is_file()}

    def whole(self, pi: str, name: str, release: str) -> bool:
        """Whether the Pi gets all of one image and none of another, and finds the root that its texts name."""
        found = self.served(pi)
        if found is None or found.get("cmdline.txt") != f"cmdline.txt of {pi}, {name}\n".encode():
            return False
        assert set(found) == {*pi_image.BOOTED, "config.txt", "cmdline.txt"}
        assert found["initrd.img"] == pi_image.files(release)["boot/initrd.img-6.8.0-1-raspi"]
        assert (self.folder / "tftp" / pi / "overlays" / "overlay_map.dtb").read_bytes() == b"map"
        root = self.folder / "nfs" / name
        assert (root / "etc/release").read_text() == release
        assert {path: stat.S_IMODE((root / path).stat().st_mode) for path in pi_image.SPECIAL} == pi_image.SPECIAL
        assert "LABEL=" not in (root / "etc/fstab").read_text()
        return True


@pytest.fixture
def vala(tmp_path: Path, require_tool: Callable[[str], str]) -> Vala:
    for tool in pi_image.TOOLS:
        require_tool(tool)
    return Vala(tmp_path / "disk", require_tool)


def test_every_pi_gets_its_folder_and_they_share_one_root(vala: Vala) -> None:
    name = vala.brings("one")
    done = vala.build()
    assert (done.returncode, done.stderr) == (0, "")
    assert all(vala.whole(pi, name, "one") for pi in PIS)
    assert sorted(one.name for one in (vala.folder / "nfs").iterdir()) == [".now", name], "nothing half is left"


def test_what_is_there_is_not_made_again(vala: Vala) -> None:
    name = vala.brings("one")
    assert vala.build().returncode == 0
    inode = (vala.folder / "nfs" / name).stat().st_ino
    shutil.rmtree(vala.folder / "pi")
    again = vala.build()
    assert again.stdout.splitlines() == [*(f"{pi}: boots {name}" for pi in PIS), "all is there"]
    assert (vala.folder / "nfs" / name).stat().st_ino == inode, "a Pi that runs has it mounted"


def test_owners_and_special_modes_are_as_in_the_image(vala: Vala) -> None:
    """debugfs gives a file to its owner and loses setuid on the way: nobody on the Pi could `sudo`."""
    name = vala.brings("one")
    assert vala.build().returncode == 0
    root = vala.folder / "nfs" / name
    assert stat.S_IMODE((root / "usr/bin/sudo").stat().st_mode) == 0o4755
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o1777
    assert (root / "usr/bin/sudo").stat().st_uid == os.geteuid(), "who made the image"
    assert (root / "bin").readlink() == Path("usr/bin")


def test_the_system_waits_for_no_card_and_keeps_nobody_s_identity(vala: Vala) -> None:
    root = vala.folder / "nfs" / vala.brings("one")
    assert vala.build().returncode == 0
    assert [line for line in (root / "etc/fstab").read_text().splitlines() if not line.startswith("#")] == []
    assert (root / "etc/machine-id").read_text() == ""
    assert not list((root / "etc/ssh").iterdir())
    assert (root / "etc/systemd/system/apt-daily-upgrade.timer").readlink() == Path("/dev/null")


def test_another_image_takes_over_and_the_running_pis_keep_their_root(vala: Vala) -> None:
    first = vala.brings("one")
    assert vala.build().returncode == 0
    second = vala.brings("two")
    assert vala.build().returncode == 0
    assert all(vala.whole(pi, second, "two") for pi in PIS)
    assert {one.name for one in (vala.folder / "nfs").glob("[!.]*")} == {first, second}
    third = vala.brings("three")
    assert f"{first}: no Pi's root any more, removed" in vala.build().stdout
    assert {one.name for one in (vala.folder / "nfs").glob("[!.]*")} == {second, third}


def test_killed_before_any_step_nothing_half_is_served_and_the_next_start_ends_it(vala: Vala, tmp_path: Path) -> None:
    """The old image is served until the new one is whole, for each Pi all of one of them."""
    first = vala.brings("one")
    assert vala.build().returncode == 0
    kept, counter, bin_ = tmp_path / "kept", tmp_path / "count", tmp_path / "bin"
    shutil.copytree(vala.folder, kept, symlinks=True)
    bin_.mkdir()
    for step in STEPS:
        counted = f'n=$(($(cat "{counter}") + 1)); echo $n >"{counter}"; [ $n != "$(cat "{counter}.at")" ] || kill -9 0'
        (bin_ / step).write_text(f'#!/bin/sh\nPATH={os.environ["PATH"]}\n{counted}\nexec {step} "$@"\n')
        (bin_ / step).chmod(0o755)
    at, ended = 0, False
    while not ended:
        at += 1
        shutil.rmtree(vala.folder)
        shutil.copytree(kept, vala.folder, symlinks=True)
        second = vala.brings("two")
        counter.write_text("0")
        counter.with_name("count.at").write_text(str(at))
        vala.path = f"{bin_}:{os.environ['PATH']}"
        cut = vala.build()
        ended = cut.returncode == 0
        assert ended or cut.returncode == -signal.SIGKILL, cut.stderr
        for pi in PIS:
            assert vala.whole(pi, first, "one") or vala.whole(pi, second, "two"), f"killed at step {at}"
        vala.path = os.environ["PATH"]
        assert vala.build().returncode == 0, f"killed at step {at}"
        assert all(vala.whole(pi, second, "two") for pi in PIS)
        assert {one.name for one in (vala.folder / "tftp").iterdir()} == {"pi", *PIS}
    assert at > 20


def test_a_disk_without_room_is_said_before_anything_is_unpacked(vala: Vala, tmp_path: Path) -> None:
    vala.brings("one")
    small = tmp_path / "bin"
    small.mkdir()
    (small / "df").write_text("#!/bin/sh\necho Filesystem\necho /dev/sd 100 90 10000 90% /\n")
    (small / "df").chmod(0o755)
    vala.path = f"{small}:{os.environ['PATH']}"
    done = vala.build()
    assert done.returncode == 1
    assert "0.1 GB are needed to unpack" in done.stderr
    assert "make room on the Vala's disk" in done.stderr
    assert not (vala.folder / "nfs" / ".work" / "image").exists()


def test_a_disk_that_fills_up_leaves_what_is_served(vala: Vala) -> None:
    first = vala.brings("one")
    assert vala.build().returncode == 0
    vala.brings("two")
    full = vala.build("sh", "-c", 'ulimit -f 20000; exec "$@"', "sh")  # 512 bytes each: 10 MB, and the image has 30
    assert full.returncode == 1
    assert "does not unpack; is the disk full?" in full.stderr
    assert all(vala.whole(pi, first, "one") for pi in PIS)
    assert vala.build().returncode == 0


def test_a_root_that_does_not_unpack_whole_is_refused(vala: Vala, tmp_path: Path) -> None:
    """debugfs says so, and ends with 0."""
    first = vala.brings("one")
    assert vala.build().returncode == 0
    vala.brings("two")
    bad = tmp_path / "bin"
    bad.mkdir()
    (bad / "debugfs").write_text("#!/bin/sh\necho 'debugfs 1.2.3' >&2\necho 'rdump: No space left on device' >&2\n")
    (bad / "debugfs").chmod(0o755)
    vala.path = f"{bad}:{os.environ['PATH']}"
    done = vala.build()
    assert (done.returncode, done.stderr.count("its root does not unpack: rdump: No space left")) == (1, 1)
    assert all(vala.whole(pi, first, "one") for pi in PIS)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"boot": {"start4.elf": None}}, "its boot partition has no start4.elf"),
        ({"boot": {"initrd.img": b"another"}}, "is not its root's, so nobody knows what is in it"),
        ({"changed": {f"{pi_image.SHARE}/hooks/overlayroot": None}}, "its initrd has no overlayroot"),
        ({"changed": {"etc/initramfs-tools/initramfs.conf": b"MODULES=dep\n"}}, "its initrd has not all modules"),
        ({"changed": {f"{pi_image.MODULES}/kernel/fs/nfs/nfsv3.ko.zst": None}}, "its kernel has no nfsv3"),
    ],
)
def test_an_image_that_could_not_boot_from_the_network_is_refused(
    vala: Vala, parts: dict[str, dict[str, bytes | None]], words: str
) -> None:
    name = vala.brings("one", **parts)
    done = vala.build()
    assert done.returncode == 1
    assert words in done.stderr
    assert not (vala.folder / "nfs" / name).exists()
    assert vala.served(PIS[0]) is None


def test_a_module_that_is_built_in_is_no_missing_one(vala: Vala) -> None:
    built_in = f"{pi_image.MODULES}/modules.builtin"
    vala.brings("one", changed={f"{pi_image.MODULES}/kernel/fs/nfs/nfsv3.ko.zst": None, built_in: b"fs/nfs/nfsv3.ko\n"})
    assert vala.build().returncode == 0


def test_what_is_no_image_is_one_sentence(vala: Vala) -> None:
    name = vala.brings("one")
    packed = vala.folder / "pi" / f"{name}.img.xz"
    raw = packed.with_suffix("")
    raw.write_bytes(b"\0" * 5_000_000)
    packed.unlink()
    subprocess.run(["xz", "-0", str(raw)], check=True, timeout=60)
    done = vala.build()
    assert done.returncode == 1
    assert "it is no image of Ubuntu for the Pi" in done.stderr


def test_before_the_image_is_there_it_says_who_brings_it(vala: Vala) -> None:
    vala.brings("one")
    shutil.rmtree(vala.folder / "pi")
    done = vala.build()
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "the builder (boot-files) brings it" in done.stderr


def test_a_pi_that_is_netbooted_no_longer_loses_its_folder_and_a_new_one_gets_one(vala: Vala) -> None:
    name = vala.brings("one")
    assert vala.build().returncode == 0
    vala.publishes(name, ("a1b2c352", "a1b2c353"))
    assert "a1b2c351: no longer netbooted, removed" in vala.build().stdout
    assert vala.served("a1b2c351") is None
    assert vala.whole("a1b2c353", name, "one")


def test_the_script_pleases_shellcheck(require_tool: Callable[[str], str]) -> None:
    result = subprocess.run([require_tool("shellcheck"), str(SCRIPT)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
