"""Disks for a Pi of `box`: files behind real loop devices, under the names that a Pi's kernel gives.

Owns the loop devices, which end with the test. Refuses to judge what is on them.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.netboot.lan import OUTSIDE_ROOT, missing
from tests.real.pi.box import Box

MIB = 1 << 20


@dataclass
class Disks:
    """`plug` gives the Pi a disk; `device` is how the Pi knows it, `image` the file behind it."""

    pi: Box
    folder: Path
    loops: dict[str, str] = field(default_factory=dict)

    def image(self, device: str) -> Path:
        """The file behind a disk."""
        return self.folder / f"{device}.img"

    def plug(self, device: str, mib: int) -> Path:
        """A disk in place, e.g. `nvme0n1`, with what this test wrote to it before. The file behind it."""
        image = self.image(device)
        with image.open("ab") as file:
            file.truncate(max(mib * MIB, image.stat().st_size))
        done = subprocess.run(
            ["losetup", "--find", "--show", str(image)], capture_output=True, text=True, timeout=30, check=False
        )
        if done.returncode:
            missing(f"no loop devices here: {done.stderr.strip()}")
        loop = self.loops[device] = done.stdout.strip()
        for name, target in {device: loop, f"{device}p1": f"{loop}p1", f"{device}p2": f"{loop}p2"}.items():
            link = self.pi.path(f"/dev/{name}")
            link.unlink(missing_ok=True)
            link.symlink_to(f"/host-dev/{Path(target).name}")
        self.look(device)
        return image

    def look(self, device: str) -> None:
        """The kernel takes note of the partitions, as it does when a Pi starts."""
        subprocess.run(["partx", "--update", self.loops[device]], capture_output=True, timeout=30, check=False)

    def unplug(self, device: str) -> None:
        """Take it out; nothing of it may be mounted. Its file stays."""
        loop = self.loops.pop(device)
        subprocess.run(["partx", "--delete", loop], capture_output=True, timeout=30, check=False)
        subprocess.run(["losetup", "--detach", loop], check=True, timeout=30)
        for name in (device, f"{device}p1", f"{device}p2"):
            self.pi.path(f"/dev/{name}").unlink()

    def make(self, device: str, *command: str, stdin: str = "") -> str:
        """Run a tool on the disk itself, which `{}` stands for in the command; what it says."""
        words = [word.replace("{}", self.loops[device]) for word in command]
        done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def disks(pi: Box, folder: Path, require_tool: Callable[[str], str]) -> Iterator[Disks]:
    """Disks that are gone after the `with`."""
    if OUTSIDE_ROOT:
        missing("loop devices need root")
    for tool in ("blkid", "losetup", "mkfs.ext4", "mkfs.xfs", "partx", "sfdisk", "sgdisk", "wipefs"):
        require_tool(tool)
    made = Disks(pi, folder)
    try:
        yield made
    finally:
        for loop in made.loops.values():
            pi.tell("sh", "-c", f"for one in {loop}p*; do umount -A /host-dev/${{one##*/}} 2>/dev/null || :; done")
            subprocess.run(["partx", "--delete", loop], capture_output=True, timeout=30, check=False)
            subprocess.run(["losetup", "--detach", loop], check=True, timeout=30)
