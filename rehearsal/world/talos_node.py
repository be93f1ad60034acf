"""One installed Talos machine, seen through its configuration.

Owns the reading of what a node is from the documents it runs. It refuses to change anything.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from rehearsal.world import talos_config
from rehearsal.world.hardware import Machine
from rehearsal.world.talos_config import Document, main_document, of_kind
from rehearsal.world.talos_volumes import Volume, volumes

_CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane"


class Node:
    """A machine and its record; most properties need it to be ``configured``."""

    def __init__(self, machine: Machine, record: dict[str, Any]) -> None:
        self.machine = machine
        self.record = record

    @property
    def configured(self) -> bool:
        """Whether Talos is installed with a configuration."""
        return self.record["config"] is not None

    @property
    def running(self) -> bool:
        """Whether its Talos API answers with mutual TLS."""
        return self.record["stage"] == "running"

    @cached_property
    def documents(self) -> list[Document]:
        """What it runs."""
        return talos_config.parse(self.record["config"])

    @property
    def _machine(self) -> dict[str, Any]:
        section: dict[str, Any] = main_document(self.documents)["machine"]
        return section

    @property
    def _cluster(self) -> dict[str, Any]:
        section: dict[str, Any] = main_document(self.documents)["cluster"]
        return section

    @property
    def kind(self) -> str:
        """``controlplane`` or ``worker``."""
        return str(self._machine["type"])

    @property
    def authority(self) -> str:
        """Certificate of the Talos API's authority: the identity of its cluster."""
        return str(self._machine["ca"]["crt"])

    @property
    def hostname(self) -> str:
        """Its name, in Talos and in Kubernetes."""
        return str(self.record["hostname"])

    @property
    def vip(self) -> str | None:
        """The shared address it may hold."""
        for document in of_kind(self.documents, "Layer2VIPConfig"):
            return str(document["name"])
        for interface in (self._machine.get("network") or {}).get("interfaces") or ():
            if interface.get("vip"):
                return str(interface["vip"].get("ip"))
        return None

    @cached_property
    def volumes(self) -> list[Volume]:
        """What its disks give of the volumes it asks for; EPHEMERAL first, without which no kubelet and no etcd run."""
        return volumes(self.documents, self.machine)

    @property
    def kubernetes_api(self) -> str:
        """URL of the Kubernetes API as its configuration has it."""
        return str(self._cluster["controlPlane"]["endpoint"])

    @property
    def kubernetes_authority(self) -> str:
        """Certificate of the Kubernetes API's authority."""
        return str(self._cluster["ca"]["crt"])

    @property
    def kubernetes_version(self) -> str:
        """Release of Kubernetes, from the kubelet's image."""
        return str(self._machine["kubelet"]["image"]).rpartition(":")[2]

    def trusts(self, other: Node) -> bool:
        """Whether ``other`` is a running control plane that signs this worker's certificate."""
        same = other.authority == self.authority and other._machine["token"] == self._machine["token"]
        return same and other.kind == "controlplane" and other.running

    def kubernetes_facts(self) -> dict[str, Any]:
        """``{address, labels, taints}`` with which its kubelet registers."""
        labels = {name: str(value) for name, value in (self._machine.get("nodeLabels") or {}).items()}
        taints = []
        if self.kind == "controlplane":
            labels[_CONTROL_PLANE_TAINT] = ""
            if not self._cluster.get("allowSchedulingOnControlPlanes"):
                taints.append({"key": _CONTROL_PLANE_TAINT, "effect": "NoSchedule"})
        return {"address": self.record["address"], "labels": labels, "taints": taints}
