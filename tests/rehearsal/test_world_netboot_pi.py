"""A Pi comes up again with what the program publishes, and with each part of it broken says where it stops."""

import re
from typing import Any

import pytest

from rehearsal.world.netboot_pi import reason_not_to_boot
from render import boot_files
from tests.labs import planned, raw

LAB = raw("homelab")
PUBLISHED = boot_files.published(planned(raw("homelab")))
SERVER = "192.168.1.59"


def _reason(map_name: str = "", file: str = "", before: str = "", after: str = "", **pi: Any) -> str | None:
    maps = {name: dict(files) for name, files in PUBLISHED.items()}
    if file:
        assert before in maps[map_name][file]
        maps[map_name][file] = maps[map_name][file].replace(before, after)
    return reason_not_to_boot(maps, SERVER, LAB["bootstrap"]["nodes"]["maia-1"] | pi)


def test_with_what_is_published_every_netbooted_pi_comes_up() -> None:
    for name in ("maia-1", "maia-2"):
        assert reason_not_to_boot(PUBLISHED, SERVER, LAB["bootstrap"]["nodes"][name]) is None


def test_as_server_too() -> None:
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = "server"
    maps = boot_files.published(planned(edited))
    assert reason_not_to_boot(maps, SERVER, edited["bootstrap"]["nodes"]["maia-1"]) is None


CONF, CMD = ("dnsmasq", "dnsmasq.conf"), ("pi-boot", "a1b2c351_cmdline.txt")
BROKEN: dict[str, tuple[tuple[str, str], str, str, str]] = {
    "no Pi's menu": (CONF, '"Raspberry Pi Boot"', '"boot"', 'no offer says "Raspberry Pi Boot"'),
    "a PC's loader": (
        CONF,
        "dhcp-boot=tag:lab,tag:!pi,tag:bios",
        "dhcp-boot=tag:lab,tag:bios",
        "undionly.kpxe, which no",
    ),
    "no TFTP": (CONF, "enable-tftp", "#", "no TFTP"),
    "no server": (CONF, "tag:pi,,,192.168.1.59", "tag:pi,,,192.168.1.1", "no offer sends it to 192.168.1.59"),
    "two lines": (CMD, " rootwait", "\nrootwait", "more than a line"),
    "no address": (CMD, "ip=dhcp", "", "ip=dhcp"),
    "version 2": (CMD, ",vers=3", "", "vers=3"),
    "another server": (CMD, "nfsroot=192.168.1.59", "nfsroot=192.168.1.60", "its root is at 192.168.1.60"),
    "the world": (("pi-nfs", "ganesha.conf"), "192.168.1.0/24", "*", "whole world"),
    "other VLAN": (("pi-nfs", "ganesha.conf"), "192.168.1.0/24", "192.168.10.0/24", "its address is 192.168.1.51"),
    "another path": (("pi-nfs", "ganesha.conf"), "Path = /srv/nfs;", "Path = /srv/other;", "not exported"),
    "for writing": (("pi-nfs", "ganesha.conf"), "Access_Type = RO", "Access_Type = RW", "nobody for reading alone"),
    "as nobody": (("pi-nfs", "ganesha.conf"), "No_Root_Squash", "Root_Squash", "not exported to root by NFS 3"),
    "32 bits": (("pi-boot", "a1b2c351_config.txt"), "arm_64bit=1", "arm_64bit=0", "32 bits"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_with_one_part_broken_it_stops_there_and_says_so(case: str) -> None:
    where, before, after, reason = BROKEN[case]
    assert re.search(re.escape(reason), _reason(*where, before, after) or "it boots")


def test_another_serial_asks_for_another_folder() -> None:
    assert _reason(serial="10000000ffffffff") == "TFTP has no ffffffff/config.txt"
