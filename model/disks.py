"""Which disk is meant: what Talos is told to look for, and what else of a machine that would find.

Owns the selectors, of the disk to install to and of data volumes. Refuses what is put on a disk.
"""

from collections.abc import Mapping

from model.arda import ClusterNode
from model.hardware import Disk, HardwareClass

INSTALL: Mapping[str, str] = {"nvme": "nvme", "ssd": "ssd", "hdd": "hdd", "sd": "sd", "emmc": "sd"}
"""Disk kind → `type` of Talos' install selector (Talos 1.12, `InstallDiskSelector`)."""

INSTALL_FINDS: Mapping[str, frozenset[str]] = {
    "nvme": frozenset({"nvme"}),
    "ssd": frozenset({"nvme", "ssd", "sd", "emmc"}),
    "hdd": frozenset({"hdd"}),
    "sd": frozenset({"sd", "emmc"}),
}
"""`type` → the kinds it finds: `ssd` is anything that does not rotate (Talos 1.12, `DiskMatchExpression`)."""

VOLUME: Mapping[str, str] = {
    "nvme": 'disk.transport == "nvme"',
    "ssd": 'disk.transport == "sata" && !disk.rotational',
    "hdd": "disk.rotational",
    "sd": 'disk.transport == "mmc"',
    "emmc": 'disk.transport == "mmc"',
}
"""Disk kind → CEL for a volume (Talos 1.12, `DiskSpec`)."""

VOLUME_FINDS: Mapping[str, frozenset[str]] = {
    "nvme": frozenset({"nvme"}),
    "ssd": frozenset({"ssd"}),
    "hdd": frozenset({"hdd"}),
    "sd": frozenset({"sd", "emmc"}),
    "emmc": frozenset({"sd", "emmc"}),
}
"""Disk kind → the kinds that its CEL finds."""


def install_selector(node: ClusterNode, hardware: HardwareClass) -> Mapping[str, str]:
    """How Talos finds the disk to install to: by serial or wwid where the node gives one, else by kind."""
    name, disk = system_disk(hardware)
    identity = node.disks.get(name)
    if identity and identity.serial:
        return {"serial": identity.serial}
    if identity and identity.wwid:
        return {"wwid": identity.wwid}
    return {"type": INSTALL[disk.kind]}


def system_disk(hardware: HardwareClass) -> tuple[str, Disk]:
    """Name and disk that a class is installed to; a law holds that there is exactly one."""
    return next((name, disk) for name, disk in hardware.disks.items() if disk.role == "system")


def volume_match(node: ClusterNode, name: str, disk: Disk) -> str:
    """CEL expression that matches one data disk of a node and never the system disk."""
    identity = node.disks.get(name)
    if identity and identity.serial:
        return f'disk.serial == "{identity.serial}"'
    if identity and identity.wwid:
        return f'disk.wwid == "{identity.wwid}"'
    if identity and identity.by_id:
        path = f"/dev/disk/by-id/{identity.by_id.removeprefix('/dev/disk/by-id/')}"
        return f'"{path}" in disk.symlinks'
    return f"{VOLUME[disk.kind]} && !system_disk"


def told_apart(node: ClusterNode, name: str, disk: Disk) -> bool:
    """Whether a node names this disk of its own by something no other disk has."""
    identity = node.disks.get(name)
    if identity is None:
        return False
    return bool(identity.serial or identity.wwid or (identity.by_id and disk.role == "data"))


def rivals(hardware: HardwareClass, name: str) -> list[str]:
    """The other disks of a class that looking for a disk by its kind would find as well."""
    disk = hardware.disks[name]
    finds = INSTALL_FINDS[INSTALL[disk.kind]] if disk.role == "system" else VOLUME_FINDS[disk.kind]
    return [other for other, shape in hardware.disks.items() if other != name and shape.kind in finds]
