"""Talos images: which schematic a hardware class needs, its id computed offline, and the references that follow.

Owns the schematic's canonical text and every image reference. Refuses to ask the image factory: the id is a hash of
the text, so names are known at preview (Sidero's image-factory, `pkg/schematic`).
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import yaml

from model.hardware import Arch, HardwareClass, TalosImage

FACTORY = "factory.talos.dev"
PXE_FACTORY = f"pxe.{FACTORY}"


@dataclass(frozen=True)
class Image:
    """The Talos image of one hardware class at one version."""

    hardware: str
    arch: Arch
    schematic: str
    """Canonical YAML of the schematic: exactly the bytes whose hash is its id."""
    schematic_id: str
    extensions: tuple[str, ...]
    """Official system extensions baked in, such as `siderolabs/iscsi-tools`."""
    installer: str
    """Container image that installs and upgrades a machine of this class."""
    kernel_path: str
    """Path of the kernel under the boot server, without the leading slash."""
    initramfs_path: str
    """Path of the initramfs under the boot server, without the leading slash."""
    disk_image: str
    """URL of the image that is written onto a disk or card."""
    iso: str | None
    """URL of the image for a USB stick; None for a board, whose card is the stick."""
    pxe: str
    """URL of the factory's own iPXE script, for a machine that may reach the internet while it boots."""


class _Indented(yaml.SafeDumper):
    """Lists indented under their key, as Go's yaml.v3 writes them: PyYAML's default would hash differently."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 # PyYAML's signature
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Indented.add_representer(str, _represent_text)


def schematic(image: TalosImage) -> str:
    """The canonical YAML of a schematic: 4-space indent, keys in the factory's own order, a trailing newline."""
    document: dict[str, Any] = {}
    if image.overlay:
        overlay: dict[str, Any] = {"image": image.overlay.image, "name": image.overlay.name}
        if image.overlay.options:
            overlay["options"] = dict(sorted(image.overlay.options.items()))
        document["overlay"] = overlay
    customization: dict[str, Any] = {}
    if image.kernel_args:
        customization["extraKernelArgs"] = list(image.kernel_args)
    if image.extensions:
        customization["systemExtensions"] = {"officialExtensions": list(image.extensions)}
    document["customization"] = customization
    return yaml.dump(document, Dumper=_Indented, sort_keys=False, indent=4, width=4096, default_flow_style=False)


def image(name: str, hardware: HardwareClass, talos: str) -> Image:
    """The image of a class at a Talos version, `v1.2.3`."""
    text = schematic(hardware.talos)
    identity = hashlib.sha256(text.encode()).hexdigest()
    installer = "metal-installer-secureboot" if hardware.talos.secure_boot else "metal-installer"
    folder = f"talos/{identity}/{talos}"
    # What the factory calls its files (Talos' machinery, `platforms`): boards' images are packed otherwise
    file = f"metal-{hardware.arch}" + ("-secureboot" if hardware.talos.secure_boot else "")
    base, board = f"https://{FACTORY}/image/{identity}/{talos}/{file}", hardware.talos.overlay is not None
    return Image(
        hardware=name,
        arch=hardware.arch,
        schematic=text,
        schematic_id=identity,
        extensions=hardware.talos.extensions,
        installer=f"{FACTORY}/{installer}/{identity}:{talos}",
        kernel_path=f"{folder}/kernel-{hardware.arch}",
        initramfs_path=f"{folder}/initramfs-{hardware.arch}.xz",
        disk_image=f"{base}.{'raw.xz' if board else 'raw.zst'}",
        iso=None if board else f"{base}.iso",
        pxe=f"https://{PXE_FACTORY}/pxe/{identity}/{talos}/{file}",
    )
