"""What each machine gets when it asks the network for something to boot.

Owns the boot entries: of every Talos node, of every netbooted Pi, and of the machine that nobody listed. Refuses the
text that says so (`render.dnsmasq`, `render.ipxe`, `render.pi_boot`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from model.ea import Netboot
from model.environment import Environment
from model.hardware import Arch, HardwareClass
from model.images import Image, image
from model.talos import ClusterPlan

NETBOOT_NAMESPACE = "netboot"
"""Where the boot services live on the bootstrap cluster."""
BOOT_CONFIG_MAPS = ("dnsmasq", "boot", "boot-downloads", "boot-server", "pi-boot", "pi-nfs", "pi-seed")
"""What they read there; without netbooting the first alone."""

_SINCE_1_12 = (
    "talos.platform=metal",
    "console=tty0",
    "init_on_alloc=1",
    "slab_nomerge",
    "pti=on",
    "consoleblank=0",
    "nvme_core.io_timeout=4294967295",
    "printk.devkmsg=on",
    "selinux=1",
    "module.sig_enforce=1",
)
TALOS_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "1.12": _SINCE_1_12,
    "1.13": (*_SINCE_1_12, "proc_mem.force_override=never"),
}
"""Talos minor → what it wants on its kernel's command line (its `kernel.DefaultArgs`, and "PXE" in its manual)."""

HALT_IF_INSTALLED = "talos.halt_if_installed=1"
"""Stops a machine that already carries Talos, so that netbooting it again never reinstalls it."""

Loader = Literal["bios", "efi-x64", "efi-arm64"]


@dataclass(frozen=True)
class BootEntry:
    """What one machine gets when it asks the network for something to boot."""

    mac: str | None
    """None: any machine that nobody listed."""
    name: str
    image: Image | None
    """None: its local disk."""
    arguments: tuple[str, ...] = ()
    """The kernel's whole command line; empty without an image."""


@dataclass(frozen=True)
class PiEntry:
    """A Raspberry Pi that boots from the network."""

    name: str
    mac: str
    folder: str
    """The low eight hex digits of its serial: what its EEPROM puts before every name it asks TFTP for."""
    pcie: bool
    """Whether something hangs on its PCIe connector, such as an NVMe disk."""


@dataclass(frozen=True)
class Discovery:
    """What the entry of an unknown machine is filled with, where the log proposes one."""

    classes: Mapping[Arch, str]
    """Architecture → the class that a machine of it is most likely of; left out where none has it."""
    reach: str
    address: str | None
    """A free address beside the cluster's nodes."""


@dataclass(frozen=True)
class Archive:
    """The archive that iPXE's loaders are taken from."""

    url: str
    check: str
    """What judges it, in the builder's words: `sha256:<hex>`, `sums:<url>`, or `first`."""
    members: Mapping[Loader, str]


@dataclass(frozen=True)
class PiSystem:
    """The image that the netbooted Pis' system is made of."""

    url: str
    sha256: str

    @property
    def id(self) -> str:
        """What its folders are called: the first twelve digits of its hash, so that two images are never one folder."""
        return self.sha256[:12]


@dataclass(frozen=True)
class NetbootPlan:
    """The boot services."""

    address: str
    """Of whoever serves now: every line that a machine is told names it."""
    served_by: Literal["workstation", "ainur"]
    vip: str
    """The bootstrap cluster's: its own files name it all the while, if to nobody while the workstation serves."""
    vlan: str
    subnet: str
    loaders: tuple[Loader, ...]
    """iPXE's loaders that TFTP has."""
    entries: tuple[BootEntry, ...]
    """Known machines sorted by MAC, then the entry for unknown ones."""
    pis: tuple[PiEntry, ...]
    """Sorted by name."""
    pi_system: PiSystem | None
    """None: no Pi boots from the network, or nobody said what."""
    discovery: Discovery | None
    """None: there is no cluster that an unknown machine could join."""
    ipxe: Archive | None
    """None: no loader is served."""
    checksums: Mapping[str, str]
    """Path of a Talos file → the SHA-256 that its owner pinned."""

    @property
    def of_ainur(self) -> "NetbootPlan":
        """The same once the bootstrap cluster serves."""
        return replace(self, address=self.vip, served_by="ainur")


def boot_entries(environment: Environment, cluster: ClusterPlan | None) -> tuple[BootEntry, ...]:
    """What every machine boots: a listed one its own image, an unknown one what the environment admits."""
    netboot, talos = environment.network.netboot, environment.versions.talos
    if netboot is None:
        return ()
    known = [
        BootEntry(
            node.mac,
            node.name,
            node.image,
            arguments(talos or "", environment.hardware[node.image.hardware], node.kernel_ip),
        )
        for node in (cluster.nodes if cluster else ())
        if node.boot == "netboot"
    ]
    unknown = BootEntry(None, "unknown", None)
    if netboot.unknown_machines == "maintenance" and netboot.default_class and talos:
        hardware = environment.hardware[netboot.default_class]
        unknown = BootEntry(
            None, "unknown", image(netboot.default_class, hardware, talos), arguments(talos, hardware, None)
        )
    return (*sorted(known, key=lambda entry: entry.mac or ""), unknown)


def arguments(talos: str, hardware: HardwareClass, kernel_ip: str | None) -> tuple[str, ...]:
    """A kernel's command line: Talos' own arguments, the class's (an image that is netbooted brings none), the guard.

    `talos` is a release, `v1.2.3`; one newer than all that are known gets what the newest known gets.
    """
    minor = ".".join(talos.removeprefix("v").split(".")[:2])
    ours = TALOS_ARGUMENTS.get(minor, list(TALOS_ARGUMENTS.values())[-1])
    return (*ours, *hardware.talos.kernel_args, HALT_IF_INSTALLED, *filter(None, (kernel_ip,)))


def pi_entries(environment: Environment) -> tuple[PiEntry, ...]:
    """Every Pi that boots from the network, if only to write its card; sorted by name."""
    nodes = environment.bootstrap.nodes if environment.bootstrap else {}
    return tuple(
        PiEntry(name, pi.mac, pi.serial.lower()[-8:], "nvme" in pi.boot)
        for name, pi in sorted(nodes.items())
        if pi.netboots
    )


def ipxe_archive(netboot: Netboot) -> Archive | None:
    """Where the loaders come from, and how that is judged."""
    if netboot.ipxe is None:
        return None
    stated = netboot.ipxe.sha256, netboot.ipxe.sums
    check = f"sha256:{stated[0]}" if stated[0] else f"sums:{stated[1]}" if stated[1] else "first"
    return Archive(netboot.ipxe.url, check, dict(sorted(netboot.ipxe.members.items())))


def pi_system(netboot: Netboot) -> PiSystem | None:
    """What the netbooted Pis' system is made of."""
    return PiSystem(netboot.pi_image.url, netboot.pi_image.sha256) if netboot.pi_image else None


def runs_on(arch: Arch) -> tuple[str, ...]:
    """What iPXE calls the machines (`buildarch`) that a kernel of this architecture runs on."""
    return ("arm64",) if arch == "arm64" else ("i386", "x86_64")
