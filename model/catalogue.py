"""Facts of the outside world that laws judge by: what Talos supports, its extensions and overlays, what a Pi can be.

Owns facts that no lab chooses, each with its source. Refuses releases: those are data, beside `# renovate:` lines.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import NamedTuple

TALOS_KUBERNETES: Mapping[str, tuple[int, int]] = {
    "1.12": (30, 35),
    "1.13": (31, 36),
}
"""Talos minor → first and last supported minor of Kubernetes 1 (Talos' support matrix, `compatibility` package)."""

_EXTENSIONS = """
amd-ucode amdgpu binfmt-misc bnx2-bnx2x btrfs chelsio-drivers chelsio-firmware cloudflared crun ctr drbd
dvb-cx23885 dvb-m88ds3103 ecr-credential-provider fuse3 gasket-driver glibc gvisor gvisor-debug hailort
hello-world-service i915 intel-ice-firmware intel-ucode iscsi-tools kata-containers lldpd mdadm mei
metal-agent nebula netbird newt nfs-utils nfsd nonfree-kmod-nvidia-lts nonfree-kmod-nvidia-production
nut-client nvidia-container-toolkit-lts nvidia-container-toolkit-production nvidia-fabricmanager-lts
nvidia-fabricmanager-production nvidia-open-gpu-kernel-modules-lts nvidia-open-gpu-kernel-modules-production
panfrost qemu-guest-agent qlogic-firmware realtek-firmware revpi-firmware spin stargz-snapshotter tailscale
thunderbolt trident-iscsi-tools uinput usb-audio-drivers usb-modem-drivers util-linux-tools v4l-uvc-drivers
vc4 vmtoolsd-guest-agent wasmedge xe xen-guest-agent youki zerotier zfs
"""
EXTENSIONS = frozenset(f"siderolabs/{name}" for name in _EXTENSIONS.split())
"""Official system extensions known here (siderolabs/extensions; new ones appear with every minor of Talos)."""

EXTENSION_ARCH: Mapping[str, str] = {
    "siderolabs/amd-ucode": "amd64",
    "siderolabs/i915": "amd64",
    "siderolabs/intel-ucode": "amd64",
    "siderolabs/mei": "amd64",
    "siderolabs/xe": "amd64",
    "siderolabs/panfrost": "arm64",
    "siderolabs/vc4": "arm64",
}
"""Extensions whose hardware exists for one architecture only."""

MICROCODE: Mapping[str, str] = {"siderolabs/amd-ucode": "amd", "siderolabs/intel-ucode": "intel"}
"""Extension with microcode → maker of the processor it is for."""


class OverlayFact(NamedTuple):
    """A Talos overlay: the image that carries it, and the firmware of its boards."""

    image: str
    firmware: str


OVERLAYS: Mapping[str, OverlayFact] = {
    name: OverlayFact(f"siderolabs/{image}", firmware)
    for image, firmware, names in (
        ("sbc-raspberrypi", "raspberry-pi", "rpi_generic rpi_5 revpi_generic"),
        (
            "sbc-rockchip",
            "u-boot",
            "helios64 nanopi-r4s nanopi-r5s nanopi-r6c odroid-m1 orangepi-5 orangepi-5-max orangepi-5-plus "
            "orangepi-r1-plus-lts radxa-zero-3e rock3b rock4cplus rock4se rock5a rock5b rock5t rock64 rockpi4 rockpi4c "
            "rockpro64 turingrk1",
        ),
        ("sbc-allwinner", "u-boot", "bananapi_m64 libretech_all_h3_cc_h5 pine64"),
        ("sbc-jetson", "u-boot", "jetson_nano"),
    )
    for name in names.split()
}
"""Overlay → what it needs (Talos' machinery, `platforms/sbcs.go`, which a test in tests/real holds this to, and the
siderolabs/sbc-* repositories for newer boards). Every board of these is arm64."""


K3S_NETWORKS: Mapping[str, IPv4Network] = {
    "pods": IPv4Network("10.42.0.0/16"),
    "services": IPv4Network("10.43.0.0/16"),
}
"""What k3s gives out where nobody says otherwise (its documentation, `--cluster-cidr` and `--service-cidr`)."""


class BootConfiguration(NamedTuple):
    """What a Raspberry Pi can be with what is plugged into it, and what that cost in pounds."""

    server: bool
    """Its system survives a reboot, so it can run the control plane."""
    netboot: bool
    """It has no card, so its firmware asks the network."""
    storage: bool
    """It can hold a replica of the cluster's storage."""
    price_gbp: int


PI_PRICE_GBP = {"pi": 80, "sd": 5, "nvme": 15, "poe": 22}
"""What the board and each part cost (a Pi 5 with 8 GB, late 2024; the owner's own price guide)."""


def boot_configuration(parts: frozenset[str]) -> BootConfiguration:
    """What a Pi with these parts (of sd, nvme, poe) can be: the owner's table, whose eight rows follow three rules."""
    price = PI_PRICE_GBP["pi"] + sum(PI_PRICE_GBP[part] for part in parts)
    return BootConfiguration("sd" in parts, "sd" not in parts, "nvme" in parts, price)
