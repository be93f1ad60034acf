"""Machines in QEMU on a lab's boot network, up to the initramfs that they ask for.

Owns starting them, and what the proof foretells of them. Refuses to boot any further: what a machine is served as its
kernel is iPXE again, since iPXE checks that a kernel is one.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foresight.boot import predicted_files
from foresight.boot_chain import Firmware
from model.environment import Environment
from model.images import Image
from tests.labs import planned
from tests.real.netboot.lan import missing
from tests.real.netboot.site import LOADERS, Site, site

NODE = "valinor-1"
SECONDS = 150
"""What a boot may take at most. With a core of its own it is 20 to 40 s; here other tests may run beside it."""

KERNEL_PC = Path("/boot/ipxe.lkrn")
KERNEL_UEFI = Path(LOADERS["snponly.efi"])

OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
OVMF_SETTINGS = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
BOOT_ROM = Path("/usr/lib/ipxe/qemu/pxe-e1000.rom")

QEMU = ["-accel", "tcg", "-m", "256", "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot"]
CABLE = ["-netdev", "tap,id=lan,ifname=tap0,script=no,downscript=no"]


@dataclass
class Rack:
    """A lab's boot services, and room for one machine."""

    site: Site
    edited: dict[str, Any]
    image: Image
    mac: str
    """The node's."""

    def boots(self, *machine: str) -> list[str]:
        """Starts a machine and waits for its initramfs; what it fetched until then, as `foretold` writes it."""
        net = self.site.net
        net.start("machine", "", self.site.tool("qemu-system-x86_64"), *QEMU, *CABLE, *machine)
        wanted = f"/{self.image.initramfs_path}"
        net.wait("the machine asks for its initramfs", lambda: wanted in self.site.fetched_by_http(), SECONDS)
        by_tftp = [f"tftp {name}" for name in self.site.fetched_by_tftp()]
        return by_tftp + [f"http {path}" for path in self.site.fetched_by_http()]

    def boots_uefi(self, settings: Path, *more: str) -> list[str]:
        """The same with OVMF and the node's MAC; `settings` is a file that the firmware may write."""
        shutil.copy(OVMF_SETTINGS, settings)
        return self.boots(
            "-machine", "q35", *more,
            "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}",
            "-drive", f"if=pflash,format=raw,file={settings}",
            "-device", f"virtio-net-pci,netdev=lan,mac={self.mac},romfile=",
        )  # fmt: skip

    def foretold(self, firmware: Firmware, machine: str = NODE) -> list[str]:
        """What the boot proof says that a machine fetches, in order."""
        environment = Environment.model_validate(self.edited)
        files = predicted_files(environment, self.site.plan, machine, firmware)
        return [f"{file.protocol} {file.name}" for file in files if file.found]


@contextmanager
def rack(
    edited: dict[str, Any], logs: Path, require_tool: Callable[[str], str], kernel: Path, *others: Path
) -> Iterator[Rack]:
    """A lab with all its boot services up. `kernel`: what is served as the node's; `others` must be installed too."""
    require_tool("qemu-system-x86_64")
    for path in (kernel, *map(Path, LOADERS.values()), *others):
        if not path.exists():
            missing(f"{path} is not installed here")
    plan = planned(edited)
    assert plan.cluster
    node = next(node for node in plan.cluster.nodes if node.name == NODE)
    with site(plan, logs, require_tool) as made:
        _plug(made)
        made.start_dnsmasq()
        made.start_nginx()
        made.serve_image(node.image.kernel_path, kernel.read_bytes())
        made.serve_image(node.image.initramfs_path, b"#!ipxe\nexit\n")
        yield Rack(made, edited, node.image, node.mac)


def _plug(made: Site) -> None:
    """A cable for the machine. Where not even root may make one, or nobody is root, the test is not possible."""
    try:
        made.net.run("", "ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
    except AssertionError as refused:
        missing(f"no TAP device here, and making one takes root ({str(refused).splitlines()[-1]})")
    made.net.run("", "ip", "link", "set", "tap0", "master", "br-lab", "up")
