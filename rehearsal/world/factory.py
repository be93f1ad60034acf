"""The image factory: schematics, their ids, and what an image name refers to.

Owns which schematics are registered and how an id follows from a schematic's canonical text. It refuses to own which
machine needs which.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rehearsal.world.errors import Refusal
from rehearsal.world.go_yaml import load

if TYPE_CHECKING:
    from rehearsal.world import World

# Order and names of a schematic's fields (siderolabs/image-factory, pkg/schematic).
_FIELDS: dict[str, Any] = {
    "overlay": {"image": None, "name": None, "options": None},
    "customization": {
        "extraKernelArgs": None,
        "meta": [{"key": None, "value": None}],
        "systemExtensions": {"officialExtensions": None},
        "bootloader": None,
        "secureboot": {"includeWellKnownCertificates": None},
    },
}
_INSTALLER = re.compile(
    r"^(?P<registry>[^/]+)/(?:(?P<platform>metal)-)?installer(?:-secureboot)?/(?P<id>[0-9a-f]{64}):(?P<version>v\S+)$"
)
_PLAIN_INSTALLER = re.compile(r"^[^/]+/siderolabs/installer:(?P<version>v\d+\.\d+\.\d+\S*)$")
_PATH = re.compile(
    r"/(?P<id>[0-9a-f]{64})/(?P<version>v\d+\.\d+\.\d+[^/]*)/(?P<what>kernel|vmlinuz|initramfs)-(?P<arch>amd64|arm64)"
)
_PLAIN = "customization: {}\n"


@dataclass(frozen=True)
class ImageName:
    """What an image's name says: the schematic (``None`` for Talos' own plain installer), version, arch if told."""

    schematic: str | None
    version: str
    arch: str | None = None


def canonical(text: str) -> str:
    """The canonical text of a schematic. ``Refusal`` for what the factory cannot decode."""
    document = load(text) or {}
    if not isinstance(document, dict):
        raise Refusal("yaml: unmarshal errors: cannot unmarshal into schematic.Schematic")
    ordered = _ordered(document, _FIELDS, "schematic.Schematic")
    ordered.setdefault("customization", {})
    return "".join(_lines(ordered, 0))


def _ordered(value: dict[str, Any], fields: dict[str, Any], name: str) -> dict[str, Any]:
    unknown = [key for key in value if key not in fields]
    if unknown:
        raise Refusal(f"yaml: unmarshal errors: field {unknown[0]} not found in type {name}")
    result: dict[str, Any] = {}
    for field, inner in fields.items():
        found = value.get(field)
        if found in (None, "", [], {}):
            continue
        if isinstance(inner, dict) and isinstance(found, dict):
            below = _ordered(found, inner, f"schematic.{field}")
            if below:
                result[field] = below
        elif isinstance(inner, list) and isinstance(found, list):
            result[field] = [_ordered(item, inner[0], f"schematic.{field}") for item in found]
        else:
            result[field] = dict(sorted(found.items())) if isinstance(found, dict) else found
    return result


def _lines(value: dict[str, Any], depth: int) -> list[str]:
    pad, lines = "    " * depth, []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{pad}{key}:\n", *_lines(item, depth + 1)] if item else [f"{pad}{key}: {{}}\n"]
        elif isinstance(item, list):
            lines.append(f"{pad}{key}:\n")
            for entry in item:
                lines += _item(entry, f"{pad}    ")
        else:
            lines.append(f"{pad}{key}: {_scalar(item, pad)}\n")
    return lines


def _item(entry: Any, pad: str) -> list[str]:
    if not isinstance(entry, dict):
        return [f"{pad}- {_scalar(entry, pad)}\n"]
    inner = _lines(entry, 0)
    return [f"{pad}- {inner[0]}", *(f"{pad}  {line}" for line in inner[1:])]


def _scalar(value: Any, pad: str) -> str:
    """A scalar as Go's yaml.v3 writes it: plain where that reads back as the same text, else quoted or a block."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return json.dumps(value)
    if "\n" in value:
        chomp = "" if value.endswith("\n") else "-"
        return f"|{chomp}\n" + "\n".join(f"{pad}    {line}" if line else "" for line in value.rstrip("\n").split("\n"))
    plain = (
        re.fullmatch(r"[A-Za-z0-9_./=@,:+-]+(?: [A-Za-z0-9_./=@,:+-]+)*", value)
        and value[0] not in "@,:"
        and value != "-"
    )
    if plain and ": " not in value and not value.endswith(":") and load(f"k: {value}")["k"] == value:
        return value
    return json.dumps(value)


def identify(text: str) -> str:
    """The id of a schematic: SHA-256 of its canonical text, hex."""
    return hashlib.sha256(canonical(text).encode()).hexdigest()


def read_installer(image: str) -> ImageName | None:
    """What ``machine.install.image`` refers to, ``None`` when it is no Talos installer."""
    if found := _INSTALLER.match(image):
        return ImageName(found["id"], found["version"])
    if found := _PLAIN_INSTALLER.match(image):
        return ImageName(None, found["version"])
    return None


def read_boot_file(url: str) -> ImageName | None:
    """What the URL of a kernel or initramfs refers to, ``None`` when it names no image of the factory."""
    found = _PATH.search(url)
    return ImageName(found["id"], found["version"], found["arch"]) if found else None


class Factory:
    """The registered schematics, ``section("factory")["schematics"]``: id → canonical text."""

    def __init__(self, world: World) -> None:
        self._schematics: dict[str, str] = world.section("factory").setdefault("schematics", {})
        self._schematics.setdefault(identify(_PLAIN), _PLAIN)

    def register(self, text: str) -> str:
        """Register a schematic and give its id; twice is the same."""
        identity = identify(text)
        self._schematics[identity] = canonical(text)
        return identity

    def knows(self, identity: str) -> bool:
        """Whether a schematic of this id was ever registered."""
        return identity in self._schematics

    def text(self, identity: str) -> str:
        """The canonical text of a registered schematic; ``KeyError`` for another."""
        return self._schematics[identity]

    def overlay(self, identity: str) -> str | None:
        """The board support a schematic's images carry, ``None`` for plain ones. All overlays there are, are arm64."""
        document = load(self._schematics[identity])
        overlay: dict[str, str] = document.get("overlay", {})
        return overlay.get("name")

    def objection(self, image: ImageName, arch: str) -> str | None:
        """Why ``image`` cannot run on a machine of ``arch``; ``None`` when it can."""
        if image.arch and image.arch != arch:
            return f"image is for {image.arch}, the machine is {arch}"
        if image.schematic is None:
            return None
        if not self.knows(image.schematic):
            return f'schematic ID "{image.schematic}" not found'
        overlay = self.overlay(image.schematic)
        if overlay and arch != "arm64":
            return f"overlay {overlay} is not available for {arch}"
        return None
