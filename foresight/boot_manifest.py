"""What the boot servers have: every name that TFTP and HTTP answer, and what is behind it.

Owns the manifest, from the plan and the rendered text alone. Refuses to fetch or to build any of it: that is the work
of the workloads in `gitops/<environment>/<bootstrap cluster>/netboot/`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from model.hardware import Arch
from model.netboot import Loader, NetbootPlan
from model.plan import Plan
from render import boot_files, dnsmasq, downloads, ipxe, nfs, pi_boot

DNSMASQ = "dnsmasq.conf"


@dataclass(frozen=True)
class Content:
    """What is behind a name."""

    kind: Literal["script", "loader", "kernel", "initrd", "text", "firmware", "system"]
    """`firmware`: whatever a Pi's own firmware loads by name. `system`: a whole disk, packed."""
    runs_on: tuple[str, Arch] | None = None
    """What runs it: (`bios`, `uefi` or `raspberry-pi`, architecture); None where anything does."""
    text: str = ""
    """Of scripts and texts."""
    image: str = ""
    """Folder of the Talos image that a kernel or initrd belongs to."""
    arch: Arch | None = None
    """Architecture of a kernel or initrd."""


RUNS_ON: Mapping[Loader, tuple[str, Arch]] = {
    "bios": ("bios", "amd64"),
    "efi-x64": ("uefi", "amd64"),
    "efi-arm64": ("uefi", "arm64"),
}
"""What starts each of iPXE's loaders."""


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
    exports: str
    """`ganesha.conf` of the NFS server."""


def served(plan: Plan) -> Served | None:
    """What is served once everything rendered is in place; None where nothing boots from the network."""
    netboot = plan.network.netboot
    if netboot is None:
        return None
    return Served(
        address=netboot.address,
        dnsmasq=(dnsmasq.workstation if netboot.served_by == "workstation" else dnsmasq.configuration)(plan.network),
        tftp=_tftp(netboot),
        http=_http(plan, netboot),
        exports=nfs.conf(netboot),
    )


def _tftp(netboot: NetbootPlan) -> dict[str, Content]:
    """iPXE's loaders, and a folder for every Pi: its two texts, and what the builder puts beside them."""
    found = {dnsmasq.FILES[one]: Content("loader", RUNS_ON[one]) for one in netboot.loaders}
    for pi in netboot.pis:
        found |= {f"{pi.folder}/{name}": Content("firmware", ("raspberry-pi", "arm64")) for name in pi_boot.BUILT}
    return found | {path: Content("text", text=text) for path, text in pi_boot.files(netboot).items()}


def _http(plan: Plan, netboot: NetbootPlan) -> dict[str, Content]:
    """The scripts, the images they name, the loaders for UEFI's HTTP boot, the Pis' seeds and their system."""
    found = {f"/{name}": Content("script", text=text) for name, text in ipxe.scripts(netboot).items()}
    found |= {f"/pi/{path}": Content("text", text=text) for path, text in boot_files.seeds(plan, netboot).items()}
    if netboot.pis and netboot.pi_system:
        found[f"/{downloads.pi_image(netboot.pi_system)}"] = Content("system")
    for one in netboot.loaders:
        if dnsmasq.FILES[one].endswith(".efi"):
            found[f"/loaders/{dnsmasq.FILES[one]}"] = Content("loader", RUNS_ON[one])
    for image in {entry.image for entry in netboot.entries if entry.image}:
        folder = image.kernel_path.rpartition("/")[0]
        found[f"/{image.kernel_path}"] = Content("kernel", image=folder, arch=image.arch)
        found[f"/{image.initramfs_path}"] = Content("initrd", image=folder, arch=image.arch)
    return found
