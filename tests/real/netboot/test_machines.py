"""Machines in QEMU boot through what is rendered, up to their own kernel and initramfs; and as the proof foretold."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foresight.boot import predicted_files
from foresight.boot_chain import Firmware
from foresight.boot_machines import UNKNOWN_MAC
from model.environment import Environment
from tests.labs import raw, shipped_plan
from tests.real.netboot.lan import missing
from tests.real.netboot.site import LOADERS, Site, site

pytestmark = [pytest.mark.real, pytest.mark.slow]

NODE = "valinor-1"
SECONDS = 80
OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_SETTINGS = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
IPXE_PC = Path("/boot/ipxe.lkrn")
"""iPXE as a Linux kernel: what BIOS machines get for Talos' kernel here, since iPXE checks that a kernel is one."""
E1000_ROM = Path("/usr/lib/ipxe/qemu/pxe-e1000.rom")

OTHER_ROM = """\
#!ipxe
set user-class PXEClient
dhcp net0 || exit
clear user-class
pxebs net0 128 || exit
chain tftp://${pxebs/next-server}/${pxebs/filename}
"""
"""A boot ROM that is not iPXE: no user class, the menu's boot server asked for the loader, the loader by TFTP."""

QEMU = ["-accel", "tcg", "-m", "256", "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot"]
TAP = ["-netdev", "tap,id=lan,ifname=tap0,script=no,downscript=no"]


@contextmanager
def _rack(
    logs: Path, require_tool: Callable[[str], str], kernel: Path, *others: Path
) -> Iterator[tuple[Site, str, Callable[..., list[str]]]]:
    """homelab's boot services, the MAC of a node, and what boots a machine until it has its initramfs."""
    require_tool("qemu-system-x86_64")
    for path in (kernel, *map(Path, LOADERS.values()), *others):
        if not path.exists():
            missing(f"{path} is not installed here")
    plan = shipped_plan("homelab")
    assert plan.cluster
    node = next(node for node in plan.cluster.nodes if node.name == NODE)
    with site(plan, logs, require_tool) as made:
        _plug(made)
        made.start_dnsmasq()
        made.start_nginx()
        made.serve_image(node.image.kernel_path, kernel.read_bytes())
        made.serve_image(node.image.initramfs_path, b"#!ipxe\nexit\n")

        def boots(*machine: str) -> list[str]:
            made.net.start("machine", "", require_tool("qemu-system-x86_64"), *QEMU, *TAP, *machine)
            wanted = f"/{node.image.initramfs_path}"
            made.net.wait(f"{NODE} asks for its initramfs", lambda: wanted in made.fetched_by_http(), SECONDS)
            return _asked(made)

        yield made, node.mac, boots


def _plug(made: Site) -> None:
    """A cable for the machine. Where not even root may make one, or nobody is root, the test is not possible."""
    try:
        made.net.run("", "ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    except AssertionError as refused:
        missing(f"no TAP device here, and making one takes root ({str(refused).splitlines()[-1]})")
    made.net.run("", "ip", "link", "set", "tap0", "master", "br-lab", "up")


def _asked(made: Site) -> list[str]:
    return [f"tftp {name}" for name in made.fetched_by_tftp()] + [f"http {path}" for path in made.fetched_by_http()]


def _foretold(firmware: Firmware, machine: str = NODE) -> list[str]:
    environment = Environment.model_validate(raw("homelab"))
    files = predicted_files(environment, shipped_plan("homelab"), machine, firmware)
    return [f"{file.protocol} {file.name}" for file in files if file.found]


def test_a_uefi_machine_fetches_exactly_what_the_proof_foretold(tmp_path: Path, require_tool: Callable[[str], str]):
    """OVMF's own PXE stack → snponly.efi → the script → the node's kernel."""
    settings = tmp_path / "settings.fd"
    with _rack(tmp_path, require_tool, Path(LOADERS["snponly.efi"]), OVMF, OVMF_SETTINGS) as (_, mac, boots):
        shutil.copy(OVMF_SETTINGS, settings)
        fetched = boots(
            "-machine", "q35",
            "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}",
            "-drive", f"if=pflash,format=raw,file={settings}",
            "-device", f"virtio-net-pci,netdev=lan,mac={mac},romfile=",
        )  # fmt: skip
    assert fetched == _foretold("uefi-x64")


def test_a_bios_machine_fetches_exactly_what_the_proof_foretold(tmp_path: Path, require_tool: Callable[[str], str]):
    """A boot ROM → the menu's boot server on port 4011 → undionly.kpxe → the script → the node's kernel."""
    rom = tmp_path / "rom.ipxe"
    rom.write_text(OTHER_ROM)
    with _rack(tmp_path, require_tool, IPXE_PC) as (made, mac, boots):
        fetched = boots(
            "-machine", "pc,graphics=off",
            "-device", f"e1000,netdev=lan,mac={mac},romfile=",
            "-kernel", str(IPXE_PC),
            "-initrd", str(rom),
        )  # fmt: skip
        assert made.net.log("dnsmasq").count("sent /srv/tftp/undionly.kpxe") == 1, (
            "a loader that loads itself is a loop"
        )
    assert fetched == _foretold("bios")


def test_a_machine_that_nobody_listed_boots_as_foretold_and_is_written_down(
    tmp_path: Path, require_tool: Callable[[str], str]
):
    """A BIOS machine with iPXE in its boot ROM: no loader, straight to the script."""
    with _rack(tmp_path, require_tool, IPXE_PC, E1000_ROM) as (made, _, boots):
        fetched = boots("-machine", "pc,graphics=off", "-device", f"e1000,netdev=lan,mac={UNKNOWN_MAC}")
        log = made.net.path("/var/log/discovered/discovered.log").read_text()
    assert f'mac: "{UNKNOWN_MAC}"' in log, made.net.log("nginx")
    foretold = [file for file in _foretold("bios", "unknown") if file.startswith("http ")]
    # What it says of itself stands behind the question mark, and only the machine knows that
    assert [file.partition("?")[0] for file in fetched] == [file.partition("?")[0] for file in foretold]
