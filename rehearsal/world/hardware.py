"""What the owner bought, racked and told the router: read from the raw environment.

Owns the reading of machines, disks, links and router reservations out of the stack file's dict, with this room's own
eyes. It refuses to use the model's reading: plan and world would then agree by construction.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import asdict, dataclass
from typing import Any

_TALOS_TYPE = {"nvme": "nvme", "ssd": "ssd", "hdd": "hdd", "sd": "sd", "emmc": "sd"}


@dataclass(frozen=True)
class Disk:
    """One disk as Talos reports it. ``size`` in bytes; ``type`` in Talos' words; ``kind`` as sold."""

    name: str
    kind: str
    type: str
    size: int
    device: str
    serial: str
    wwid: str
    by_id: str = ""
    """Its name below ``/dev/disk/by-id``, when the owner looked it up."""


@dataclass(frozen=True)
class Machine:
    """One machine of the Talos cluster as it was bought: nothing here changes by software."""

    name: str
    arch: str
    firmware: str
    mac: str
    nics: tuple[str, ...]
    disks: tuple[Disk, ...]
    reach: str
    flashed: bool
    address: str
    """The address its owner means it to have."""

    def record(self) -> dict[str, Any]:
        """As JSON, for the World's file."""
        return asdict(self)


def read_machine(record: dict[str, Any]) -> Machine:
    """A ``Machine`` from its ``record()``."""
    disks = tuple(Disk(**disk) for disk in record["disks"])
    return Machine(**{**record, "disks": disks, "nics": tuple(record["nics"])})


def machines(environment: dict[str, Any]) -> list[Machine]:
    """The machines of ``cluster.nodes``, each of its hardware class; none when there is no cluster."""
    nodes = (environment.get("cluster") or {}).get("nodes") or {}
    return [_machine(name, node, environment["hardware"][node["class"]]) for name, node in nodes.items()]


def _machine(name: str, node: dict[str, Any], hardware: dict[str, Any]) -> Machine:
    told = node.get("disks") or {}
    disks, letters = [], 0
    for number, (disk_name, disk) in enumerate(hardware["disks"].items()):
        identity = told.get(disk_name) or {}
        device = f"/dev/sd{chr(ord('a') + letters)}"
        if disk["kind"] == "nvme":
            device = f"/dev/nvme{number}n1"
        elif disk["kind"] in ("sd", "emmc"):
            device = f"/dev/mmcblk{number}"
        else:
            letters += 1
        serial = str(identity.get("serial") or _made_up(f"{name}/{disk_name}"))
        disks.append(
            Disk(
                name=disk_name,
                kind=disk["kind"],
                type=_TALOS_TYPE[disk["kind"]],
                size=int(disk["size_gb"]) * 10**9,
                device=device,
                serial=serial,
                wwid=str(identity.get("wwid") or f"eui.{_made_up(serial).lower()}"),
                by_id=str(identity.get("by_id") or ""),
            )
        )
    return Machine(
        name=name,
        arch=hardware["arch"],
        firmware=hardware["firmware"],
        mac=str(node["mac"]).lower(),
        nics=tuple(hardware["nics"]),
        disks=tuple(disks),
        reach=node["reach"],
        flashed=node.get("boot", "netboot") == "flashed",
        address=str(node["address"]),
    )


def _made_up(seed: str) -> str:
    """A serial number nobody told us: the same for the same disk, always."""
    return hashlib.sha256(seed.encode()).hexdigest()[:16].upper()


def reservations(environment: dict[str, Any]) -> dict[str, str]:
    """What the owner typed into the router: MAC → address, for nodes with ``reach: router-reservation``."""
    nodes = (environment.get("cluster") or {}).get("nodes") or {}
    return {
        str(node["mac"]).lower(): str(node["address"])
        for node in nodes.values()
        if node.get("reach") == "router-reservation"
    }


def lease_pool(environment: dict[str, Any]) -> list[str]:
    """Addresses the DHCP server of the cluster's VLAN hands to machines it does not know; up to 16 of its range."""
    network = environment.get("network") or {}
    vlan = (network.get("vlans") or {}).get((environment.get("cluster") or {}).get("vlan"), {})
    first = str((vlan.get("dhcp") or {}).get("range", "")).partition("-")[0].strip()
    if not first:
        return []
    begin = ipaddress.ip_address(first)
    return [str(begin + number) for number in range(16)]
