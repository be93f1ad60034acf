"""An image as Ubuntu publishes it for the Raspberry Pi, but small: real partitions, filesystems and compression.

Owns making it. Refuses to know what is made of it.
"""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

TOOLS = ("sfdisk", "mkfs.vfat", "mkfs.ext4", "mcopy", "debugfs", "xz")
SECTOR, BOOT, ROOT = 512, 2048, 22528
"""Where the partitions begin, in sectors."""
BOOTED = ("start4.elf", "fixup4.dat", "vmlinuz", "initrd.img", "bcm2712-rpi-5-b.dtb", "bcm2711-rpi-4-b.dtb")
SPECIAL = {"usr/bin/sudo": 0o4755, "tmp": 0o1777, "var/mail": 0o2775, "usr/bin/a file": 0o2755}
"""What debugfs alone would lose."""

SHARE = "usr/share/initramfs-tools"
MODULES = "usr/lib/modules/6.8.0-1-raspi"


def files(release: str) -> dict[str, bytes]:
    """Path in the root → content, of what the builder looks for and changes."""
    return {
        "usr/lib/systemd/systemd": b"systemd",
        f"{SHARE}/hooks/overlayroot": b"#!/bin/sh\n",
        f"{SHARE}/scripts/init-bottom/overlayroot": b"#!/bin/sh\n",
        "etc/initramfs-tools/initramfs.conf": b"# how\nMODULES=most\n",
        f"{MODULES}/kernel/fs/nfs/nfsv3.ko.zst": b"nfs",
        f"{MODULES}/kernel/fs/overlayfs/overlay.ko.zst": b"overlay",
        "etc/fstab": b"LABEL=writable / ext4 defaults 0 1\nLABEL=system-boot /boot/firmware vfat defaults 0 1\n",
        "etc/machine-id": b"0123\n",
        "etc/ssh/ssh_host_ed25519_key": b"made by somebody",
        "etc/release": release.encode(),
        "boot/initrd.img-6.8.0-1-raspi": _booted("initrd.img", release),
        "usr/bin/sudo": b"sudo",
        "usr/bin/a file": b"with a space in its name",
    }


def _booted(name: str, release: str) -> bytes:
    return f"{name} of {release}\n".encode() * 200


def made(
    at: Path,
    tool: Callable[[str], str],
    release: str = "one",
    changed: Mapping[str, bytes | None] | None = None,
    boot: Mapping[str, bytes | None] | None = None,
) -> bytes:
    """The image, packed. `changed` and `boot`: files of its root and its boot partition; None where one is missing."""
    root, first = at / "root", at / "boot"
    for path, content in {**files(release), **(changed or {})}.items():
        if content is not None:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(content)
    for path, mode in SPECIAL.items():
        if path not in files(release):
            (root / path).mkdir(parents=True)
        (root / path).chmod(mode)
    (root / "bin").symlink_to("usr/bin")
    first.mkdir()
    for name, content in {**{one: _booted(one, release) for one in BOOTED}, **(boot or {})}.items():
        if content is not None:
            (first / name).write_bytes(content)
    (first / "overlays").mkdir()
    (first / "overlays" / "overlay_map.dtb").write_bytes(b"map")
    return _assembled(at, tool, first, root)


def _assembled(at: Path, tool: Callable[[str], str], first: Path, root: Path) -> bytes:
    whole, fat, ext = at / "image", at / "fat", at / "ext"
    for path, mebibytes in ((whole, 30), (fat, (ROOT - BOOT) * SECTOR >> 20), (ext, 16)):
        with path.open("wb") as file:
            file.truncate(mebibytes << 20)
    _run(tool("mkfs.vfat"), "-n", "system-boot", str(fat))
    _run(tool("mcopy"), "-s", "-i", str(fat), *map(str, sorted(first.iterdir())), "::/")
    _run(tool("mkfs.ext4"), "-q", "-L", "writable", "-d", str(root), str(ext))
    table = f"label: dos\nstart={BOOT}, size={ROOT - BOOT}, type=c\nstart={ROOT}, type=83\n"
    _run(tool("sfdisk"), "--quiet", str(whole), stdin=table)
    with whole.open("r+b") as file:
        for part, start in ((fat, BOOT), (ext, ROOT)):
            file.seek(start * SECTOR)
            file.write(part.read_bytes())
    _run(tool("xz"), "-0", str(whole))
    return whole.with_name("image.xz").read_bytes()


def _run(*command: str, stdin: str = "") -> None:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
