"""The volumes of a Talos node: which disk each finds, and which finds none.

Owns what Talos' volume manager makes of the volume documents on the machine's own disks (Talos 1.12, `block/internal/
volumes`), and what its validator says of them. It refuses file systems and what is stored: a volume is `ready` on a
disk, `failed` with Talos' reason, or `waiting` for one that must come first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.world.cel import NoCel, Uint, holds
from rehearsal.world.hardware import Disk, Machine
from rehearsal.world.talos_config import Document, main_document, of_kind
from rehearsal.world.talos_validate import install_disks

EPHEMERAL = "EPHEMERAL"
_KINDS = {"UserVolumeConfig": "u-", "RawVolumeConfig": "r-", "SwapVolumeConfig": "s-"}
_OWN = ("STATE", EPHEMERAL, "IMAGECACHE")
_TRANSPORT = {"nvme": "nvme", "ssd": "sata", "hdd": "sata", "sd": "mmc", "emmc": "mmc"}
_POWERS = {letter: power for power, letter in enumerate("KMGTPE", 1)}


@dataclass(frozen=True)
class Volume:
    """`id` as `talosctl get volumestatus` shows it; `disk` is the device it lies on when `phase` is `ready`."""

    id: str
    phase: str
    error: str = ""
    disk: str = ""


def described(disk: Disk) -> dict[str, Any]:
    """A disk as Talos' `DiskSpec`, for CEL."""
    links = [f"/dev/disk/by-id/{name}" for name in (disk.wwid, disk.by_id.removeprefix("/dev/disk/by-id/")) if name]
    text = {"model": "", "serial": disk.serial, "modalias": "", "wwid": disk.wwid, "uuid": "", "bus_path": ""}
    text |= {"sub_system": "/sys/class/block", "transport": _TRANSPORT[disk.kind], "dev_path": disk.device}
    numbers = {"size": Uint(disk.size), "io_size": Uint(512), "sector_size": Uint(512)}
    truths = {"readonly": False, "cdrom": False, "rotational": disk.kind == "hdd"}
    text["pretty_size"] = f"{disk.size / 10**9:.0f} GB"
    return numbers | text | truths | {"secondary_disks": [], "symlinks": links}


def _match(document: Document) -> str:
    return str(((document.get("provisioning") or {}).get("diskSelector") or {}).get("match") or "")


def objections(documents: list[Document], machine: Machine) -> list[str]:
    """What Talos' validator says of the volume documents: names, selectors that are no CEL, sizes that are missing."""
    found = []
    for document in of_kind(documents, "VolumeConfig"):
        name = str(document.get("name", ""))
        if name not in _OWN:
            found.append(f"only {list(_OWN)} volumes are supported".replace("'", '"'))
        if name == "STATE" and document.get("provisioning"):
            found.append('provisioning config is not allowed for the "STATE" volume')
        found += _of_selector(document, machine, required=False)
    for kind in _KINDS:
        for document in of_kind(documents, kind):
            if not re.fullmatch(r"[A-Za-z0-9-]{1,34}", str(document.get("name", ""))):
                found.append("name can only contain lowercase and uppercase ASCII letters, digits, and hyphens")
            if document.get("volumeType") != "directory":
                found += _of_selector(document, machine, required=True)
            elif document.get("provisioning"):
                found.append("provisioning spec is invalid for volumeType directory")
    return found


def _of_selector(document: Document, machine: Machine, *, required: bool) -> Iterator[str]:
    told, match = document.get("provisioning") or {}, _match(document)
    if not match and required:
        yield "disk selector is required"
    for disk in machine.disks[:1] if match else ():
        try:
            holds(match, described(disk), system_disk=False)
        except NoCel as refused:
            yield f"disk selector is invalid: {refused}"
    sized = bool(told.get("minSize") or told.get("maxSize"))
    if document.get("volumeType") == "disk" and (sized or "grow" in told):
        yield "min size, max size and grow are not supported"
    elif required and not sized and document.get("volumeType") != "disk":
        yield "min size or max size is required"


def volumes(documents: list[Document], machine: Machine) -> list[Volume]:
    """Every volume that the configuration asks for, in the order in which Talos provisions them."""
    system = next(iter(install_disks(main_document(documents)["machine"].get("install") or {}, machine)), None)
    free = {disk.device: disk.size for disk in machine.disks}
    own = next((each for each in of_kind(documents, "VolumeConfig") if each.get("name") == EPHEMERAL), {})
    match = _match(own) or "system_disk"
    grown = {"provisioning": {"grow": True, "minSize": "2GiB"} | (own.get("provisioning") or {})}
    found = [_placed(EPHEMERAL, grown, match, machine, system, free)]
    for kind, prefix in _KINDS.items():
        for document in of_kind(documents, kind):
            name = f"{prefix}{document.get('name')}"
            if found[0].phase != "ready":
                found.append(Volume(name, "waiting"))
            elif document.get("volumeType") == "directory":
                found.append(Volume(name, "ready", disk=found[0].disk))
            else:
                found.append(_placed(name, document, _match(document), machine, system, free))
    return found


def _placed(
    name: str, document: Document, match: str, machine: Machine, system: Disk | None, free: dict[str, int]
) -> Volume:
    """The volume on the first disk that its selector finds and that has room; `free` loses what it takes."""
    matched = [disk for disk in machine.disks if holds(match, described(disk), system_disk=disk == system)]
    devices = [disk.device for disk in matched]
    if not matched:
        return Volume(name, "failed", "no disks matched selector for volume")
    whole = document.get("volumeType") == "disk"
    if whole and len(matched) > 1:
        error = f"multiple disks matched selector for disk volume; matched disks: [{' '.join(devices)}]"
        return Volume(name, "failed", error)
    told = document.get("provisioning") or {}
    small = 0
    for disk in matched:
        least = disk.size if whole else max(_bytes(told.get("minSize"), disk.size), 1)
        if least <= free[disk.device]:
            most = _bytes(told.get("maxSize"), disk.size) or free[disk.device]
            free[disk.device] -= most if whole or told.get("grow") else least
            return Volume(name, "ready", disk=disk.device)
        small += not whole
    issues = f"{small} have not enough space, {len(matched) - small} have wrong format, 0 have other issues"
    return Volume(name, "failed", f"no disks matched for volume ({len(matched)} matched selector): {issues}")


def _bytes(size: Any, whole: int) -> int:
    """A size such as `10GiB`, `2TB` or `50%` of the ``whole``; 0 for none."""
    found = re.fullmatch(r"([\d.]+)\s*(?:([KMGTPE])(i?))?(B?|%)", str(size or ""), re.IGNORECASE)
    if found is None:
        return 0
    if found[4] == "%":
        return int(whole * float(found[1]) / 100)
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS.get((found[2] or "").upper(), 0))
