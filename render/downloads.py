"""What the builder on Ainur brings to the boot servers: one line a file, which a shell script reads.

Owns the list: path, what judges the download, where it is, which member of an archive. Refuses to fetch
(`pi-netboot/fetch.sh`), what is rendered here (scripts, texts), and to take the Pis' image apart (`pi-system.sh`).
"""

from dataclasses import dataclass

from model.images import FACTORY
from model.netboot import NetbootPlan, PiSystem
from render import dnsmasq

LIST = "boot.list"
HEADING = """\
# What the boot servers serve beside Eä's own texts. Written by Ilúvatar; changes here are lost.
# path  check  url  [member of the archive]
"""


@dataclass(frozen=True, order=True)
class Download:
    """A line: `path` below the servers' folders (`talos/`, `tftp/`, `pi/`), `check` as the script's heading has it."""

    path: str
    check: str
    url: str
    member: str = ""

    def __str__(self) -> str:
        return " ".join(filter(None, (self.path, self.check, self.url, self.member)))


def downloads(netboot: NetbootPlan) -> tuple[Download, ...]:
    """Every file that somebody else publishes, sorted by path: iPXE's loaders, Talos' kernels, the Pis' image."""
    found: set[Download] = set()
    if netboot.ipxe:
        for loader in netboot.loaders:
            if member := netboot.ipxe.members.get(loader):
                found.add(Download(f"tftp/{dnsmasq.FILES[loader]}", netboot.ipxe.check, netboot.ipxe.url, member))
    for image in (entry.image for entry in netboot.entries if entry.image):
        for path in (image.kernel_path, image.initramfs_path):
            pinned = netboot.checksums.get(path)
            # The factory names its files as we name ours: /image/<schematic>/<version>/kernel-<arch> (its README)
            url = f"https://{FACTORY}/image/{path.removeprefix('talos/')}"
            found.add(Download(path, f"sha256:{pinned}" if pinned else "first", url))
    if netboot.pis and netboot.pi_system:
        found.add(Download(pi_image(netboot.pi_system), f"sha256:{netboot.pi_system.sha256}", netboot.pi_system.url))
    return tuple(sorted(found))


def pi_image(system: PiSystem) -> str:
    """Where the Pis' image lies until `pi-system.sh` has made their system of it, and afterwards."""
    return f"pi/{system.id}.img.xz"


def text(netboot: NetbootPlan) -> str:
    """`boot.list`."""
    return HEADING + "".join(f"{one}\n" for one in downloads(netboot))
