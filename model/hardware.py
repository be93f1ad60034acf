"""Hardware classes: what a machine is, so that a node need only name it.

Owns the shape of a class. Refuses to know where a machine stands (`model.ea`) or what runs on it
(`model.ainur`, `model.arda`).
"""

from typing import Literal

from pydantic import Field

from model.fields import Count, Flag, Lines, Name, Positive, Shape, Text

Arch = Literal["amd64", "arm64"]
Firmware = Literal["bios", "uefi", "raspberry-pi", "u-boot"]
Board = Literal["raspberry-pi-3", "raspberry-pi-4", "raspberry-pi-5", "compute-module-4", "compute-module-5"]

NETBOOT_BOARDS: tuple[Board, ...] = ("raspberry-pi-4", "raspberry-pi-5")
"""Boards whose names of files are known here, so that they can be served and proven."""


class Disk(Shape):
    """One disk that every machine of the class has."""

    kind: Literal["nvme", "ssd", "hdd", "sd", "emmc"]
    """How it is attached, in Talos' words for a disk selector (`emmc` is Talos' `sd`)."""
    size_gb: Positive
    """Size as sold, in GB (10^9 bytes)."""
    role: Literal["system", "data", "never-touch"]
    """`system` is installed to, `data` belongs to a storage system, `never-touch` is nobody's."""


class Overlay(Shape):
    """A Talos overlay: the board support a single-board computer needs."""

    name: Text
    """The overlay's name, such as `rpi_generic` or `turingrk1`."""
    image: Text
    """The image that carries it, such as `siderolabs/sbc-rockchip`."""
    options: dict[str, Lines | int | bool] = Field(default_factory=dict)
    """Options of the overlay, such as `configTxt` for a Pi."""


class TalosImage(Shape):
    """What the image factory bakes into the Talos image of this class."""

    extensions: tuple[Text, ...] = ()
    """Official system extensions; their order is part of the image's identity."""
    kernel_args: tuple[Text, ...] = ()
    """Kernel arguments baked into the image (the only place Talos 1.12 takes them from)."""
    overlay: Overlay | None = None
    """Board support, for machines that are not plain PCs."""
    secure_boot: Flag = False
    """Whether the image is signed for UEFI secure boot."""


class HardwareClass(Shape):
    """A kind of machine. Sizes and watts are per machine."""

    arch: Arch
    """Processor architecture."""
    firmware: Firmware
    """What starts the machine: decides whether and how it can boot from the network."""
    board: Board | None = None
    """Which Raspberry Pi it is: decides which files it asks the network for. Needed by those without a card."""
    memory_gib: Positive
    """Memory in GiB."""
    watts: Positive
    """Worst-case draw in watts, for the PoE and UPS budgets."""
    cpu: Literal["amd", "intel", "arm"] | None = None
    """Maker of the processor: decides which microcode extension fits. Left out: not judged."""
    cores: Positive | None = None
    """Processor cores."""
    nics: tuple[Text, ...] = Field(min_length=1)
    """Link names as the running system calls them; the first one boots and carries the node's address."""
    mtu: Positive = 1500
    """Largest MTU that its first network card is set to."""
    disks: dict[Name, Disk] = Field(min_length=1)
    """Its disks, by a name that nodes and storage systems refer to."""
    talos: TalosImage = TalosImage()
    """What its Talos image carries."""
    watchdog: Text | None = None
    """Hardware watchdog device, such as `/dev/watchdog0`, where the board has one."""
    price_gbp: Count | None = None
    """What one cost, for the price guide."""
