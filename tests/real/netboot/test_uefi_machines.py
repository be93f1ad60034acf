"""UEFI machines in QEMU boot through what is rendered, up to their own kernel; and as the proof foretold."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.labs import raw
from tests.real.netboot.machines import KERNEL_UEFI, OVMF, OVMF_SETTINGS, rack
from tests.real.netboot.site import leasing

pytestmark = [pytest.mark.real, pytest.mark.slow]

NO_PXE = [word for version in (4, 6) for word in ("-fw_cfg", f"name=opt/org.tianocore/IPv{version}PXESupport,string=n")]


def test_a_uefi_machine_fetches_exactly_what_the_proof_foretold(tmp_path: Path, require_tool: Callable[[str], str]):
    """OVMF's own PXE stack → port 4011 → snponly.efi → the script → the node's kernel."""
    with rack(raw("homelab"), tmp_path, require_tool, KERNEL_UEFI, OVMF, OVMF_SETTINGS) as made:
        fetched = made.boots_uefi(tmp_path / "settings.fd")
    assert fetched == made.foretold("uefi-x64")


def test_a_uefi_machine_that_we_lease_to_boots_as_foretold(tmp_path: Path, require_tool: Callable[[str], str]):
    """It ended in "PXE-E16: No valid offer received": see `test_netboot_services.py` for why."""
    with rack(leasing(), tmp_path, require_tool, KERNEL_UEFI, OVMF, OVMF_SETTINGS) as made:
        fetched = made.boots_uefi(tmp_path / "settings.fd")
    assert fetched == made.foretold("uefi-x64")


def test_a_uefi_machine_that_boots_by_http_does_so_as_foretold(tmp_path: Path, require_tool: Callable[[str], str]):
    """OVMF with its PXE switched off, beside a router that leases: the loader itself comes by HTTP."""
    with rack(raw("homelab"), tmp_path, require_tool, KERNEL_UEFI, OVMF, OVMF_SETTINGS) as made:
        fetched = made.boots_uefi(tmp_path / "settings.fd", *NO_PXE)
    assert fetched == made.foretold("uefi-x64-http")
