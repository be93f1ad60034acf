"""What the boot servers have: every name that TFTP and HTTP answer, and what is behind it.

Owns the manifest, from the plan and the rendered text alone. Refuses to fetch or to build any of it: that is the work
of the workloads in `gitops/<environment>/<bootstrap cluster>/netboot/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from model.hardware import Arch
from model.plan import Plan
from render import dnsmasq, ipxe

DNSMASQ = "dnsmasq.conf"


@dataclass(frozen=True)
class Content:
    """What is behind a name."""

    kind: Literal["script", "loader", "kernel", "initrd", "text", "firmware"]
    """`firmware`: whatever a Pi's own firmware loads by name."""
    runs_on: tuple[str, Arch] | None = None
    """What runs it: (`bios`, `uefi` or `raspberry-pi`, architecture); None where anything does."""
    text: str = ""
    """Of scripts and texts."""
    image: str = ""
    """Folder of the Talos image that a kernel or initrd belongs to."""
    arch: Arch | None = None
    """Architecture of a kernel or initrd."""


LOADERS: Mapping[str, Content] = {
    "undionly.kpxe": Content("loader", ("bios", "amd64")),
    "snponly.efi": Content("loader", ("uefi", "amd64")),
    "snponly-arm64.efi": Content("loader", ("uefi", "arm64")),
}
"""iPXE's loaders in the folder that TFTP serves, and what starts each."""


@dataclass(frozen=True)
class Served:
    """Everything that a machine can be answered with."""

    address: str
    """Where HTTP answers, and TFTP too."""
    dnsmasq: str
    """dnsmasq.conf."""
    tftp: Mapping[str, Content]
    """By name below tftp-root, without a leading slash."""
    http: Mapping[str, Content]
    """By path, with its leading slash."""


def served(plan: Plan) -> Served | None:
    """What is served once everything rendered is in place; None where nothing boots from the network."""
    netboot = plan.network.netboot
    if netboot is None:
        return None
    http = {f"/{name}": Content("script", text=text) for name, text in ipxe.scripts(netboot).items()}
    for entry in netboot.entries:
        if entry.image:
            folder = entry.image.kernel_path.rpartition("/")[0]
            arch = entry.image.arch
            http[f"/{entry.image.kernel_path}"] = Content("kernel", image=folder, arch=arch)
            http[f"/{entry.image.initramfs_path}"] = Content("initrd", image=folder, arch=arch)
    return Served(netboot.address, dnsmasq.configuration(plan.network), dict(LOADERS), http)
