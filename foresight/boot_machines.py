"""Which machines there are to prove, and what each can do by itself.

Owns telling them from the environment and its plan. Refuses to walk their chains.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Literal

from foresight.boot_chain import Firmware
from model.environment import Environment
from model.hardware import HardwareClass
from model.images import Image
from model.plan import Plan

UNKNOWN_MAC = "02:ff:ff:ff:ff:fe"
"""Stands for the machine that nobody listed."""

Origin = Literal["network", "disk", "card", "anything"]


@dataclass(frozen=True)
class Machine:
    """One machine, before it is switched on."""

    name: str
    path: str
    """Dotted path of its entry."""
    origin: Origin
    """`network`: it has nothing else. `disk`, `card`: it boots what was written there. `anything`: nobody knows."""
    mac: str
    network: IPv4Network
    """Of the VLAN that it boots on."""
    firmwares: tuple[Firmware, ...]
    """What its firmware may announce, likeliest first; none where it never asks the network."""
    image: Image | None = None
    """The Talos image that is its own."""
    talos: str = ""
    """The release of that image."""
    serial: str = ""
    """A Pi's board serial."""
    disk: str = ""
    """What its own disk is, for a reader: `its emmc`."""
    firmware: str = ""
    """The class's firmware, in the data's word."""
    blank_card: bool = False
    """Whether it has a card that it is to write itself, and asks the network only until it has."""


def machines(environment: Environment, plan: Plan) -> Iterator[Machine]:
    """Every machine of the lab: the bootstrap cluster's, the cluster's, and the one that nobody listed."""
    yield from _pis(environment, plan)
    yield from _nodes(environment, plan)
    yield from _unknown(environment, plan)


def asked(hardware: HardwareClass) -> tuple[Firmware, ...]:
    """What a class's firmware may announce when it asks the network; nothing where nobody here knows."""
    if hardware.firmware == "bios":
        return ("bios",)
    if hardware.board == "raspberry-pi-4" or hardware.board == "raspberry-pi-5":
        return (hardware.board,)
    if hardware.firmware == "uefi":
        arm64 = hardware.arch == "arm64"
        return ("uefi-arm64", "uefi-arm64-http") if arm64 else ("uefi-x64", "uefi-x64-9", "uefi-x64-http")
    return ()


def _pis(environment: Environment, plan: Plan) -> Iterator[Machine]:
    if environment.bootstrap is None or plan.bootstrap is None:
        return
    network = environment.network.vlans[environment.bootstrap.vlan].subnet
    for node in plan.bootstrap.nodes:
        hardware = environment.hardware[environment.bootstrap.nodes[node.name].hardware]
        yield Machine(
            node.name,
            f"bootstrap.nodes.{node.name}",
            "card" if node.persistent and not node.stamped else "network",
            node.mac,
            network,
            () if node.persistent and not node.stamped else asked(hardware),
            serial=node.serial,
            firmware=hardware.firmware,
            blank_card=node.stamped,
        )


def _nodes(environment: Environment, plan: Plan) -> Iterator[Machine]:
    if environment.cluster is None or plan.cluster is None:
        return
    network = environment.network.vlans[environment.cluster.vlan].subnet
    for node in plan.cluster.nodes:
        if node.state == "lost":
            continue
        hardware = environment.hardware[environment.cluster.nodes[node.name].hardware]
        disk = next(one.kind for one in hardware.disks.values() if one.role == "system")
        yield Machine(
            node.name,
            f"cluster.nodes.{node.name}",
            "network" if node.boot == "netboot" else "disk",
            node.mac,
            network,
            asked(hardware) if node.boot == "netboot" else (),
            node.image,
            plan.cluster.talos,
            disk=disk,
            firmware=hardware.firmware,
        )


def _unknown(environment: Environment, plan: Plan) -> Iterator[Machine]:
    netboot, planned = environment.network.netboot, plan.network.netboot
    if netboot is None or planned is None:
        return
    network = environment.network.vlans[netboot.vlan].subnet
    image = next((entry.image for entry in planned.entries if entry.mac is None), None)
    likely: tuple[Firmware, ...] = ("uefi-x64", "bios", "uefi-arm64")
    if image and image.arch == "arm64":
        likely = ("uefi-arm64", "uefi-x64", "bios")
    path = "network.netboot.unknown_machines"
    yield Machine("unknown", path, "anything", UNKNOWN_MAC, network, likely, image)
