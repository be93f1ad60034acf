"""A Pi's boot files with one thing wrong in them: the proof names the code and the very line."""

import pytest

from foresight import boot, boot_nfs
from model.environment import Environment
from tests.foresight.mutants import PI, conf, exported, gone, line, pi, troubles
from tests.labs import planned, raw

PI_MUTANTS = {
    "option 43 says something else": (
        conf('0,"Raspberry Pi Boot"', '0,"Netboot"'),
        ("boot-no-answer", "dnsmasq.conf", "pxe-service=tag:lab,tag:pi,"),
    ),
    "TFTP at an address that is not ours": (
        conf("dhcp-boot=tag:lab,tag:pi,,,192.168.1.59", "dhcp-boot=tag:lab,tag:pi,,,192.168.1.77"),
        ("boot-missing-file", "dnsmasq.conf", "dhcp-boot=tag:lab,tag:pi,"),
    ),
    "no start file: the EEPROM drops the folder": (gone(f"{PI}/start4.elf"), ("boot-missing-file", None, None)),
    "no config.txt": (gone(f"{PI}/config.txt"), ("boot-missing-file", None, None)),
    "no device tree": (gone(f"{PI}/bcm2712-rpi-5-b.dtb"), ("boot-missing-file", None, None)),
    "a kernel that nobody put there": (
        pi("config.txt", "kernel=vmlinuz", "kernel=vmlinux"),
        ("boot-missing-file", f"{PI}/config.txt", "kernel="),
    ),
    "an initrd that nobody put there": (
        pi("config.txt", "initramfs initrd.img", "initramfs initrd"),
        ("boot-missing-file", f"{PI}/config.txt", "initramfs"),
    ),
    "an overlay that nobody put there": (
        pi("config.txt", "enable_uart=1", "dtoverlay=not-there"),
        ("boot-missing-file", f"{PI}/config.txt", "dtoverlay="),
    ),
    "a key that nobody here knows": (
        pi("config.txt", "enable_uart=1", "armstub=u-boot.bin"),
        ("boot-unknown-line", f"{PI}/config.txt", "armstub="),
    ),
    "a root that is not NFS": (
        pi("cmdline.txt", "root=/dev/nfs", "root=LABEL=writable"),
        ("boot-argument", f"{PI}/cmdline.txt", "console="),
    ),
    "a root that nobody exports": (
        exported("/srv/nfs", "/srv/other"),
        ("boot-missing-file", f"{PI}/cmdline.txt", "console="),
    ),
    "a root that only some of the Pis' VLAN may mount": (
        exported("192.168.1.0/24", "192.168.1.0/26"),
        ("boot-no-answer", boot_nfs.FILE, "Path ="),
    ),
    "a root that nobody may mount": (
        exported("    Access_Type = RO;\n", ""),
        ("boot-no-answer", boot_nfs.FILE, "Path ="),
    ),
    "a root that is read as nobody": (
        exported("No_Root_Squash", "Root_Squash"),
        ("boot-no-answer", boot_nfs.FILE, "Path ="),
    ),
    "a root that the world may mount": (
        exported("192.168.1.0/24", "*"),
        ("boot-export-open", boot_nfs.FILE, "Clients ="),
    ),
    "a root that everybody may mount, since nobody is named": (
        exported("Access_Type = None", "Access_Type = RO"),
        ("boot-export-open", boot_nfs.FILE, "Access_Type = RO"),
    ),
    "a root that a wider network may mount": (
        exported("192.168.1.0/24", "192.168.0.0/16"),
        ("boot-export-open", boot_nfs.FILE, "Clients ="),
    ),
    "a root that another VLAN may mount too": (
        exported("192.168.1.0/24", "192.168.10.0/24, 192.168.1.0/24"),
        ("boot-export-open", boot_nfs.FILE, "Clients ="),
    ),
    "a second folder that the world may mount": (
        exported("EXPORT {", "EXPORT {\n  Path = /srv;\n  Access_Type = RO;\n}\nEXPORT {"),
        ("boot-export-open", boot_nfs.FILE, "Access_Type = RO"),
    ),
    "a root that the VLAN may write to": (
        exported("Access_Type = RO", "Access_Type = RW"),
        ("boot-export-open", boot_nfs.FILE, "Clients ="),
    ),
    "a root for a host by its name": (
        exported("192.168.1.0/24", "192.168.1.0/24, nas.example.com"),
        ("boot-unknown-line", boot_nfs.FILE, "Clients ="),
    ),
    "a setting of the server that nobody here knows": (
        exported("Enable_NLM = false", "Bind_addr = 0.0.0.0"),
        ("boot-unknown-line", boot_nfs.FILE, "Bind_addr"),
    ),
    "half a seed": (gone(f"{PI}/meta-data"), ("boot-seed-missing", f"{PI}/cmdline.txt", "console=")),
    "a seed at a server that is not ours": (
        pi("cmdline.txt", "s=http://192.168.1.59/", "s=http://192.168.1.77/"),
        ("boot-seed-missing", f"{PI}/cmdline.txt", "console="),
    ),
    "no word of a seed": (
        pi("cmdline.txt", " ds=nocloud;s=http://192.168.1.59/pi/a1b2c351/", ""),
        ("boot-seed-missing", f"{PI}/cmdline.txt", "console="),
    ),
    "a password in cmdline.txt": (
        pi("cmdline.txt", "rootwait", "rootwait password=ubuntu"),
        ("boot-secret-served", f"{PI}/cmdline.txt", "console="),
    ),
}


@pytest.mark.parametrize("mutant", PI_MUTANTS)
def test_one_wrong_thing_of_a_pi_is_named_with_its_line(mutant: str) -> None:
    edit, (code, file, text) = PI_MUTANTS[mutant]
    found = troubles(edit, machine="maia-1")
    assert [one.code for one in found] == [code], f"{mutant}: {found}"
    if file and text:
        assert found[0].line == line(edit, file, text)


def test_a_root_that_another_vlan_has_is_both_out_of_reach_and_given_away() -> None:
    found = troubles(exported("192.168.1.0/24", "192.168.10.0/24"), machine="maia-1")
    assert {one.code for one in found} == {"boot-no-answer", "boot-export-open"}


def test_a_pi_whose_seed_is_served_comes_up_without_a_word() -> None:
    assert troubles(lambda served: served, machine="maia-1") == []


@pytest.mark.parametrize("generation", [4, 5])
def test_a_pi_is_walked_as_the_board_that_its_class_names_whatever_the_class_is_called(generation: int) -> None:
    edited = raw("homelab")
    edited["hardware"]["raspberry-pi-5-8gb"]["board"] = f"raspberry-pi-{generation}"
    chains = boot.prove(Environment.model_validate(edited), planned(edited)).chains
    shown = [one.firmware for one in chains if one.machine == "maia-1"]
    assert shown == [f"Raspberry Pi {generation} (architecture 0)"]


def test_a_board_whose_files_nobody_knows_is_walked_as_no_other() -> None:
    edited = raw("homelab")
    edited["hardware"]["raspberry-pi-5-8gb"]["board"] = "compute-module-4"
    chains = boot.prove(Environment.model_validate(edited), planned(edited)).chains
    assert {one.end for one in chains if one.machine == "maia-1"} == {"nothing"}
