"""Schematic ids are computed, so that image names are known at preview."""

import hashlib

import pytest
import yaml

from model.hardware import HardwareClass, Overlay, TalosImage
from model.images import image, schematic
from tests.labs import planned, raw

VANILLA = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
TURING_RK1 = "df156b82096feda49406ac03aa44e0ace524b7efe4e1f0e144a1e1ae3930f1c0"
"""Ids that the image factory itself gave."""


def digest(wanted: TalosImage) -> str:
    return hashlib.sha256(schematic(wanted).encode()).hexdigest()


def test_the_empty_schematic_has_the_factory_s_id() -> None:
    assert digest(TalosImage()) == VANILLA


def test_an_overlay_has_the_factory_s_id() -> None:
    assert digest(TalosImage(overlay=Overlay(name="turingrk1", image="siderolabs/sbc-rockchip"))) == TURING_RK1


def test_the_order_of_extensions_is_part_of_the_identity() -> None:
    one = TalosImage(extensions=("siderolabs/a", "siderolabs/b"))
    other = TalosImage(extensions=("siderolabs/b", "siderolabs/a"))
    assert digest(one) != digest(other)


def test_every_part_of_an_image_reaches_its_schematic() -> None:
    overlay = Overlay(name="rpi_generic", image="siderolabs/sbc-raspberrypi", options={"configTxtAppend": "a=1\nb=2\n"})
    text = schematic(TalosImage(extensions=("siderolabs/x",), kernel_args=("net.ifnames=0",), overlay=overlay))
    assert yaml.safe_load(text) == {
        "overlay": {
            "image": "siderolabs/sbc-raspberrypi",
            "name": "rpi_generic",
            "options": {"configTxtAppend": "a=1\nb=2\n"},
        },
        "customization": {
            "extraKernelArgs": ["net.ifnames=0"],
            "systemExtensions": {"officialExtensions": ["siderolabs/x"]},
        },
    }
    assert "configTxtAppend: |\n" in text, "Go writes several lines as a literal block; other bytes are another id"


@pytest.mark.parametrize(("secure", "name"), [(False, "metal-installer"), (True, "metal-installer-secureboot")])
def test_the_installer_follows_from_schematic_and_version(secure: bool, name: str) -> None:
    hardware = HardwareClass.model_validate(
        {
            "arch": "amd64",
            "firmware": "uefi",
            "memory_gib": 8,
            "watts": 10,
            "nics": ["eth0"],
            "disks": {"a": {"kind": "ssd", "size_gb": 1, "role": "system"}},
            "talos": {"secure_boot": secure},
        }
    )
    made = image("x", hardware, "v1.12.4")
    assert made.installer == f"factory.talos.dev/{name}/{VANILLA}:v1.12.4"
    assert made.kernel_path == f"talos/{VANILLA}/v1.12.4/kernel-amd64"


def test_every_way_onto_a_machine_names_the_same_schematic_and_release() -> None:
    edited = raw("pitower")
    edited["hardware"]["thinkpad-t440p"]["talos"]["secure_boot"] = True
    cluster = planned(edited).cluster
    assert cluster
    for made in cluster.images:
        for reference in (made.installer, made.disk_image, made.pxe, made.kernel_path, made.initramfs_path, made.iso):
            assert reference is None or (made.schematic_id in reference and cluster.talos in reference)
    images = {made.hardware: made for made in cluster.images}
    assert images["thinkpad-t440p"].disk_image.endswith("/metal-amd64-secureboot.raw.zst")
    assert images["acemagician-am06"].iso == images["acemagician-am06"].disk_image.replace(".raw.zst", ".iso")
    assert images["raspberry-pi-4"].disk_image.endswith("/metal-arm64.raw.xz"), "a board's card is packed otherwise"
    assert images["raspberry-pi-4"].iso is None, "a board starts from its card, not from a stick"


def test_the_image_of_unknown_machines_is_registered_too() -> None:
    """A schematic that nobody registered is one the image factory cannot give."""
    edited = raw("homelab")
    edited["hardware"]["spare"] = edited["hardware"]["prodesk-400-g4"] | {"talos": {"extensions": []}}
    edited["network"]["netboot"]["default_class"] = "spare"
    cluster = planned(edited).cluster
    assert cluster
    assert [made.hardware for made in cluster.images] == ["prodesk-400-g4", "spare"]
