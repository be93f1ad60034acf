"""Ainur, the bootstrap cluster: Raspberry Pis running k3s. Valar are its servers, Maiar its agents.

Owns the realm's shape. Refuses to know what runs on it: that is GitOps' (`model.gitops`).
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from model.fields import Address, Mac, Name, Shape, Text

BootPart = Literal["sd", "nvme", "poe"]


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


class Bootstrap(Shape):
    """The k3s cluster that brings up everything else."""

    name: Name
    """The cluster's name."""
    vlan: Name
    """VLAN its nodes stand in."""
    vip: Address
    """Address of its Kubernetes API, held by kube-vip."""
    ssh: Ssh
    """How its machines are reached."""
    nodes: dict[Name, BootstrapNode] = Field(min_length=1)
    """Its machines by host name."""


@dataclass(frozen=True)
class BootstrapNodePlan:
    """One Pi, every value decided."""

    name: str
    role: Literal["server", "agent"]
    address: str
    mac: str
    serial: str
    host_key: str | None
    """None: pinned at first contact, and kept in the state."""
    persistent: bool
    """Whether its system lives on an SD card; else it netboots and only its NVMe remembers."""


@dataclass(frozen=True)
class BootstrapPlan:
    """The bootstrap cluster, every value decided. Nodes are sorted by name; `first` is the Vala that starts it."""

    name: str
    api: str
    """URL of the Kubernetes API, `https://<vip>:6443`."""
    vip: str
    k3s: str
    user: str
    authorized_keys: tuple[str, ...]
    first: BootstrapNodePlan
    nodes: tuple[BootstrapNodePlan, ...]

    @property
    def joining(self) -> tuple[BootstrapNodePlan, ...]:
        """Everyone but the first: servers before agents."""
        others = [node for node in self.nodes if node.name != self.first.name]
        return tuple(sorted(others, key=lambda node: (node.role != "server", node.name)))


def plan_bootstrap(bootstrap: Bootstrap, k3s: str) -> BootstrapPlan:
    """Decide the bootstrap cluster; `k3s` is the pinned release."""
    nodes = tuple(
        BootstrapNodePlan(
            name=name,
            role=node.role,
            address=str(node.address),
            mac=node.mac,
            serial=node.serial,
            host_key=node.host_key,
            persistent="sd" in node.boot,
        )
        for name, node in sorted(bootstrap.nodes.items())
    )
    return BootstrapPlan(
        name=bootstrap.name,
        api=f"https://{bootstrap.vip}:6443",
        vip=str(bootstrap.vip),
        k3s=k3s,
        user=bootstrap.ssh.user,
        authorized_keys=bootstrap.ssh.authorized_keys,
        first=next(node for node in nodes if node.role == "server"),
        nodes=nodes,
    )
