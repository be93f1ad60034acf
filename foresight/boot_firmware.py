"""What each firmware puts into its DHCP discover, and what it takes for an answer.

Owns the firmware's facts: options 60, 77, 93 and 97 (RFC 4578, the IANA registry of processor architectures, the
Raspberry Pi documentation's EEPROM page, iPXE's `dhcp_arch.h`). Refuses to know any server.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from foresight.boot_chain import Firmware
from model.hardware import Arch


@dataclass(frozen=True)
class Client:
    """What a machine's DHCP discover says about itself."""

    shown: str
    """For a reader."""
    mac: str
    architecture: int
    """Option 93."""
    vendor_class: str
    """Option 60."""
    loads: tuple[str, Arch]
    """What it can run: (`bios`, `uefi` or `raspberry-pi`, architecture of the processor)."""
    user_class: str = ""
    """Option 77; iPXE says iPXE."""
    guid: bytes = b""
    """Option 97, type byte included."""
    generation: str = ""
    """Of a Raspberry Pi."""
    from_http: bool = False
    """Whether it wants a URL (UEFI HTTP boot) and no TFTP name."""


@dataclass(frozen=True)
class _Facts:
    shown: str
    architecture: int
    kind: str
    arch: Arch


FACTS: Mapping[Firmware, _Facts] = {
    "bios": _Facts("BIOS x86", 0, "bios", "amd64"),
    "uefi-x64": _Facts("UEFI x64", 7, "uefi", "amd64"),
    "uefi-x64-9": _Facts("UEFI x64", 9, "uefi", "amd64"),
    "uefi-arm64": _Facts("UEFI arm64", 11, "uefi", "arm64"),
    "uefi-x64-http": _Facts("UEFI x64 HTTP boot", 16, "uefi", "amd64"),
    "uefi-arm64-http": _Facts("UEFI arm64 HTTP boot", 19, "uefi", "arm64"),
    "raspberry-pi-4": _Facts("Raspberry Pi 4", 0, "raspberry-pi", "arm64"),
    "raspberry-pi-5": _Facts("Raspberry Pi 5", 0, "raspberry-pi", "arm64"),
}

UNDI = {"bios": "002001", "raspberry-pi": "002001", "uefi": "003000"}
"""A Pi's vendor class is word for word that of every BIOS boot ROM."""

PLATFORMS = {"bios": "pcbios", "uefi": "efi"}
"""Firmware → iPXE's `${platform}`."""


def client(firmware: Firmware, mac: str) -> Client:
    """The discover of a firmware whose network card is `mac`."""
    facts = FACTS[firmware]
    http = firmware.endswith("-http")
    name = "HTTPClient" if http else "PXEClient"
    board = f"RPi{firmware[-1]}".encode() if facts.kind == "raspberry-pi" else b""
    # Option 97 of a Pi: type 0, "RPi4" or "RPi5", board revision, MAC, serial; the first five bytes tell it apart
    guid = b"\0" + (board + bytes(12) if board else bytes(16))
    return Client(
        shown=f"{facts.shown} (architecture {facts.architecture})",
        mac=mac,
        architecture=facts.architecture,
        vendor_class=f"{name}:Arch:{facts.architecture:05}:UNDI:{UNDI[facts.kind]}",
        loads=(facts.kind, facts.arch),
        guid=guid,
        generation=firmware[-1] if board else "",
        from_http=http,
    )


def as_ipxe(before: Client) -> Client:
    """The second discover: iPXE runs, on the same card."""
    kind, arch = before.loads
    architecture = {"bios": 0, "uefi": 11 if arch == "arm64" else 7}[kind]
    return Client(
        shown=f"iPXE (architecture {architecture}, user class iPXE)",
        mac=before.mac,
        architecture=architecture,
        vendor_class=f"PXEClient:Arch:{architecture:05}:UNDI:{'002001' if kind == 'bios' else '003010'}",
        loads=before.loads,
        user_class="iPXE",
        guid=before.guid,
    )
