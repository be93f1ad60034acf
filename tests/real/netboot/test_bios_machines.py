"""BIOS machines in QEMU boot through what is rendered, up to their own kernel; and as the proof foretold."""

from collections.abc import Callable
from pathlib import Path

import pytest

from foresight.boot_machines import UNKNOWN_MAC
from tests.labs import raw
from tests.real.netboot.machines import BOOT_ROM, KERNEL_PC, rack

pytestmark = [pytest.mark.real, pytest.mark.slow]

OTHER_ROM = """\
#!ipxe
set user-class PXEClient
dhcp net0 || exit
clear user-class
pxebs net0 128 || exit
chain tftp://${pxebs/next-server}/${pxebs/filename}
"""
"""A boot ROM that is not iPXE: no user class, the menu's boot server asked for the loader, the loader by TFTP."""


def test_a_bios_machine_fetches_exactly_what_the_proof_foretold(tmp_path: Path, require_tool: Callable[[str], str]):
    """A boot ROM → the menu's boot server on port 4011 → undionly.kpxe → the script → the node's kernel."""
    rom = tmp_path / "rom.ipxe"
    rom.write_text(OTHER_ROM)
    with rack(raw("homelab"), tmp_path, require_tool, KERNEL_PC) as made:
        fetched = made.boots(
            "-machine", "pc,graphics=off",
            "-device", f"e1000,netdev=lan,mac={made.mac},romfile=",
            "-kernel", str(KERNEL_PC),
            "-initrd", str(rom),
        )  # fmt: skip
        sent = made.site.net.log("dnsmasq").count("sent /srv/tftp/undionly.kpxe")
    assert sent == 1, "a loader that loads itself is a loop"
    assert fetched == made.foretold("bios")


def test_a_machine_that_nobody_listed_boots_as_foretold_and_is_written_down(
    tmp_path: Path, require_tool: Callable[[str], str]
):
    """A BIOS machine with iPXE in its boot ROM: no loader, straight to the script."""
    with rack(raw("homelab"), tmp_path, require_tool, KERNEL_PC, BOOT_ROM) as made:
        fetched = made.boots("-machine", "pc,graphics=off", "-device", f"e1000,netdev=lan,mac={UNKNOWN_MAC}")
        log = made.site.net.path("/var/log/discovered/discovered.log").read_text()
        assert f'mac: "{UNKNOWN_MAC}"' in log, made.site.net.log("nginx")
    foretold = [file for file in made.foretold("bios", "unknown") if file.startswith("http ")]
    # What it says of itself stands behind the question mark, and only the machine knows that
    assert [file.partition("?")[0] for file in fetched] == [file.partition("?")[0] for file in foretold]
