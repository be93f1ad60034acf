"""What is copied onto the boot partition of a Pi's card, over what Ubuntu's image has there.

Owns a card's `config.txt` and `cmdline.txt`, as Ubuntu 24.04's preinstalled server image for the Pi lays them out.
Refuses the card's host key, which is secret: `./lab render` puts it beside these.
"""

from model.ainur import BootstrapNodePlan
from model.netboot import PiEntry
from model.plan import Plan
from render import cloud_init, pi_boot

HOST_KEY = "ilmarin-host-key"
"""Private half of the card's SSH host key, beside these files; the first boot takes it off the partition."""

CMDLINE = (
    "console=serial0,115200",
    "multipath=off",
    "dwc_otg.lpm_enable=0",
    "console=tty1",
    "root=LABEL=writable",
    "rootfstype=ext4",
    "rootwait",
    # As on a netbooted Pi: the one wired link is eth0
    "net.ifnames=0",
    "fixrtc",
    # The Pi's device tree switches this one off, and the kubelet does not start without it
    "cgroup_enable=memory",
)
"""Ubuntu's own line, and two words more."""


def files(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    """File name → text, for a node that has a card."""
    firmware = pi_boot.config(PiEntry(node.name, node.mac, node.folder, node.nvme))
    return cloud_init.seed(plan, node) | {"config.txt": firmware, "cmdline.txt": " ".join(CMDLINE) + "\n"}
