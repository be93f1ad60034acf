"""Ainur, the bootstrap cluster: Raspberry Pis running k3s. Valar are its servers, Maiar its agents.

Owns the realm's shape. Refuses to know what runs on it: that is GitOps' (`model.gitops`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from model.catalogue import PI_PRICE_GBP, boot_configuration
from model.fields import Address, Hostname, Mac, Name, Shape, Text
from model.hardware import HardwareClass

BootPart = Literal["sd", "nvme", "poe"]

KEEP = "/var/lib/ilmarin"
"""On a Pi with a card: what must outlive a reboot."""
NVME_MOUNT = "/var/lib/longhorn/disks/nvme1"
"""Where a Pi's NVMe is mounted: Longhorn's disk, and the memory of a netbooted one."""
OIDC_CLIENT = "headlamp"
"""Whom the API server takes tokens of: Dex's client of this name, through which people reach the API."""


class Ssh(Shape):
    """How the Pis are logged in to: by key only."""

    user: Name
    """The user that cloud-init makes."""
    authorized_keys: tuple[Text, ...] = Field(min_length=1)
    """Public keys that may log in, one OpenSSH line each."""


class BootstrapNode(Shape):
    """One Raspberry Pi."""

    hardware: Name = Field(alias="class")
    """Its hardware class."""
    role: Literal["server", "agent"]
    """`server` (Vala) runs the control plane, `agent` (Maia) does not."""
    boot: tuple[BootPart, ...]
    """What is plugged into it; decides what it can be."""
    address: Address
    """Its address."""
    mac: Mac
    """MAC of its network card."""
    serial: Text
    """Board serial, 16 hex digits: the EEPROM's TFTP folder is its low eight."""
    port: Text | None = None
    """Its switch port, `switch/number`."""
    host_key: Text | None = None
    """Public SSH host key, made with its card. Left out: a netbooted Pi makes its own, and the first `up` that reaches
    it pins what answers there."""
    stamp: bool = False
    """Whether a card that nobody wrote is written by the Pi itself: booted from the network, it puts the system of
    `network.netboot.pi_image` on it and boots that. Of agents with a card alone."""

    @property
    def netboots(self) -> bool:
        """Whether it asks the network for what it boots: each time without a card, or once, to write the one it has."""
        return "sd" not in self.boot or self.stamp


class Bootstrap(Shape):
    """The k3s cluster that brings up everything else."""

    name: Name
    """The cluster's name."""
    vlan: Name
    """VLAN its nodes stand in."""
    vip: Address
    """Address of its Kubernetes API, held by kube-vip."""
    ingress: Address
    """Address of its applications, `<app>.<name>.<internal zone>`: its Traefik, whose Service kube-vip announces."""
    oidc_host: Hostname | None = None
    """Host of the OIDC issuer that its API server trusts. Left out: `dex.<name>.<internal zone>`."""
    ssh: Ssh
    """How its machines are reached."""
    nodes: dict[Name, BootstrapNode] = Field(min_length=1)
    """Its machines by host name."""


@dataclass(frozen=True)
class BootstrapNodePlan:
    """One Pi, every value decided."""

    name: str
    role: Literal["server", "agent"]
    first: bool
    """Whether it is the Vala that starts the cluster, and that everyone else joins."""
    address: str
    mac: str
    serial: str
    host_key: str | None
    """None: pinned at first contact, and kept in the state."""
    persistent: bool
    """Whether its system lives on an SD card; else it netboots and only its NVMe remembers."""
    stamped: bool
    """Whether it writes that card itself, from the network, when the card is blank."""
    nvme: bool
    """Whether it has an NVMe disk: its place for what must outlive a netboot, and the cluster's storage."""
    link: str
    """Its network card, as its system calls it."""
    mtu: int
    folder: str
    """The low eight digits of its serial: its folder at the boot services."""
    parts: tuple[str, ...]
    """What is plugged in, sorted: of nvme, poe, sd."""
    can: tuple[str, ...]
    """What it can be with that, of `server`, `netboot`, `storage`."""
    cost_gbp: int
    """What such a set costs: the board by its class, or by the guide; the parts by the guide."""
    board_guessed: bool
    """Whether its class does not say what a board cost, so that the guide's, a Pi 5 with 8 GB, stands in."""

    @property
    def unit(self) -> str:
        """The systemd unit of k3s on it."""
        return "k3s" if self.role == "server" else "k3s-agent"

    @property
    def keep(self) -> str:
        """The folder on it that outlives a reboot."""
        return KEEP if self.persistent else f"{NVME_MOUNT}/ilmarin"


@dataclass(frozen=True)
class BootstrapPlan:
    """The bootstrap cluster, every value decided. Nodes are sorted by name; `first` is the Vala that starts it."""

    name: str
    api: str
    """URL of the Kubernetes API, `https://<vip>:6443`."""
    vip: str
    vlan: str
    ingress: str
    """Address of its applications."""
    apps_zone: str
    """`<name>.<internal zone>`: every name in it answers at `ingress`."""
    issuer: str
    """The OIDC issuer, without a trailing slash: the API server, Dex and its clients must all say exactly this."""
    k3s: str
    kube_vip: str
    user: str
    authorized_keys: tuple[str, ...]
    first: BootstrapNodePlan
    nodes: tuple[BootstrapNodePlan, ...]

    @property
    def valar(self) -> tuple[BootstrapNodePlan, ...]:
        """The servers, the first one first."""
        others = (node for node in self.nodes if node.role == "server" and node.name != self.first.name)
        return (self.first, *others)

    @property
    def maiar(self) -> tuple[BootstrapNodePlan, ...]:
        """The agents."""
        return tuple(node for node in self.nodes if node.role == "agent")


def apps_zone(bootstrap: Bootstrap, zone: str) -> str:
    """The DNS zone of its applications, inside the lab's own."""
    return f"{bootstrap.name}.{zone}"


def issuer(bootstrap: Bootstrap, zone: str) -> str:
    """The OIDC issuer, without a trailing slash; `zone` is the lab's internal zone."""
    return f"https://{bootstrap.oidc_host or f'dex.{apps_zone(bootstrap, zone)}'}"


def plan_bootstrap(
    bootstrap: Bootstrap, versions: tuple[str, str], zone: str, hardware: Mapping[str, HardwareClass]
) -> BootstrapPlan:
    """Decide the bootstrap cluster; `versions` are k3s' and kube-vip's, `zone` is the lab's internal zone."""
    k3s, kube_vip = versions
    ordered = sorted(bootstrap.nodes.items())
    first = next(name for name, node in ordered if node.role == "server")
    nodes = tuple(_node(name, node, hardware[node.hardware], name == first) for name, node in ordered)
    apps = apps_zone(bootstrap, zone)
    return BootstrapPlan(
        name=bootstrap.name,
        api=f"https://{bootstrap.vip}:6443",
        vip=str(bootstrap.vip),
        vlan=bootstrap.vlan,
        ingress=str(bootstrap.ingress),
        apps_zone=apps,
        issuer=issuer(bootstrap, zone),
        k3s=k3s,
        kube_vip=kube_vip,
        user=bootstrap.ssh.user,
        authorized_keys=bootstrap.ssh.authorized_keys,
        first=next(node for node in nodes if node.first),
        nodes=nodes,
    )


def _node(name: str, node: BootstrapNode, hardware: HardwareClass, first: bool) -> BootstrapNodePlan:
    can_be = boot_configuration(frozenset(node.boot))
    return BootstrapNodePlan(
        name=name,
        role=node.role,
        first=first,
        address=str(node.address),
        mac=node.mac,
        serial=node.serial,
        host_key=node.host_key,
        persistent=can_be.server,
        stamped=node.stamp,
        nvme=can_be.storage,
        link=hardware.nics[0],
        mtu=hardware.mtu,
        folder=node.serial.lower()[-8:],
        parts=tuple(sorted(node.boot)),
        can=tuple(what for what in ("server", "netboot", "storage") if getattr(can_be, what)),
        cost_gbp=can_be.price_gbp + (0 if hardware.price_gbp is None else hardware.price_gbp - PI_PRICE_GBP["pi"]),
        board_guessed=hardware.price_gbp is None,
    )
