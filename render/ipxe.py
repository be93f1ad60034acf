"""iPXE scripts: what each machine runs once iPXE has it.

Owns the scripts. Refuses anything secret: they are served over plain HTTP, and a machine's configuration comes later,
over the Talos API.
"""

from model.addresses import BootEntry, NetbootPlan
from model.images import Image

TALOS_ARGUMENTS = (
    "talos.platform=metal",
    "console=tty0",
    "init_on_alloc=1",
    "slab_nomerge",
    "pti=on",
    "consoleblank=0",
    "nvme_core.io_timeout=4294967295",
    "printk.devkmsg=on",
    "selinux=1",
    "module.sig_enforce=1",
    "proc_mem.force_override=never",
)
"""What Talos asks of its kernel's command line (Talos 1.12, "PXE", and the image factory's own scripts)."""

HALT_IF_INSTALLED = "talos.halt_if_installed=1"
"""Stops a machine that already carries Talos, so that netbooting it again never reinstalls it."""


def scripts(netboot: NetbootPlan) -> dict[str, str]:
    """File name → script: `boot.ipxe` sends each machine to its own, `unknown.ipxe` is for the rest."""
    files = {"boot.ipxe": _menu(netboot)}
    for entry in netboot.entries:
        name = entry.mac.replace(":", "-") if entry.mac else "unknown"
        files[f"{name}.ipxe"] = _script(netboot, entry)
    return dict(sorted(files.items()))


def _menu(netboot: NetbootPlan) -> str:
    # ${next-server} is the router where the router leases (proxyDHCP), so the address is written out
    base = f"http://{netboot.address}"
    return f"#!ipxe\nchain {base}/${{net0/mac:hexhyp}}.ipxe || chain {base}/unknown.ipxe\n"


def _script(netboot: NetbootPlan, entry: BootEntry) -> str:
    if entry.image is None:
        return f"#!ipxe\n# {entry.name}: its own disk\nexit\n"
    return (
        f"#!ipxe\n# {entry.name}: {entry.image.hardware}\n{_talos(netboot.address, entry.image, entry.kernel_ip)}boot\n"
    )


def _talos(server: str, image: Image, kernel_ip: str | None) -> str:
    arguments = " ".join(filter(None, (*TALOS_ARGUMENTS, HALT_IF_INSTALLED, kernel_ip)))
    return f"kernel http://{server}/{image.kernel_path} {arguments}\ninitrd http://{server}/{image.initramfs_path}\n"


def served_at(address: str) -> str:
    """A command that succeeds once the first script is served at `address`; waits fifteen minutes at most."""
    return (
        "curl --fail --silent --show-error --retry 90 --retry-delay 10 --retry-all-errors --output /dev/null "
        f"--write-out '%{{http_code}}\\n' http://{address}/boot.ipxe"
    )
