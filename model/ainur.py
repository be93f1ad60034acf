"""Ainur, the bootstrap cluster: Raspberry Pis running k3s. Valar are its servers, Maiar its agents.

Owns the realm's shape. Refuses to know what runs on it: that is GitOps' (`model.gitops`).
"""

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
    """Public SSH host key: made with its card; a netbooted Pi's is pinned here after first contact."""


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
