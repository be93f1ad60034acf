"""What a netbooted Raspberry Pi's firmware reads: `config.txt` and `cmdline.txt`, in the folder of its serial.

Owns those two. Refuses the firmware, kernel and initrd beside them, which the builder on Ainur takes from Ubuntu's
image, and whatever cloud-init reads.
"""

from model.netboot import NetbootPlan, PiEntry
from render.nfs import root

BUILT = ("start4.elf", "fixup4.dat", "bcm2712-rpi-5-b.dtb", "bcm2711-rpi-4-b.dtb", "vmlinuz", "initrd.img", "overlays")
"""What the builder puts into every Pi's folder. `start4.elf` must be there for a Pi 5 as well: where it is missing, the
EEPROM takes the folder for empty and asks for every file at the root (Raspberry Pi documentation, `TFTP_PREFIX`)."""


def files(netboot: NetbootPlan) -> dict[str, str]:
    """Path below TFTP's root → text, for every Pi that boots from the network."""
    found: dict[str, str] = {}
    for pi in netboot.pis:
        found[f"{pi.folder}/config.txt"] = config(pi)
        found[f"{pi.folder}/cmdline.txt"] = cmdline(netboot, pi)
    return found


def config(pi: PiEntry) -> str:
    """`config.txt`: 64 bits, Ubuntu's kernel and initrd, and the PCIe connector where something hangs on it."""
    lines = [
        f"# {pi.name}. Written by Ilúvatar; changes here are lost.",
        "[all]",
        "arm_64bit=1",
        "kernel=vmlinuz",
        "initramfs initrd.img followkernel",
        "cmdline=cmdline.txt",
        "enable_uart=1",
        "disable_overscan=1",
    ]
    if pi.pcie:
        lines.append("dtparam=pciex1")
    return "\n".join(lines) + "\n"


def cmdline(netboot: NetbootPlan, pi: PiEntry) -> str:
    """`cmdline.txt`, one line: an NFS root that nobody writes to, an overlay in the Pi's own memory, its seed."""
    words = (
        "console=serial0,115200",
        "multipath=off",
        "console=tty1",
        # The one wired link is eth0, on every Pi: no name that a release of systemd makes up
        "net.ifnames=0",
        "ip=dhcp",
        "root=/dev/nfs",
        f"nfsroot={netboot.address}:{root(netboot)},vers=3,tcp,ro",
        "ro",
        "rootwait",
        "overlayroot=tmpfs",
        # The Pi's device tree switches this one off, and the kubelet does not start without it
        "cgroup_enable=memory",
        # The root hangs on this link: cloud-init leaves it as Ubuntu's initramfs set it up
        "network-config=disabled",
        f"ds=nocloud;s=http://{netboot.address}/pi/{pi.folder}/",
    )
    return " ".join(words) + "\n"
