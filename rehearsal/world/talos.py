"""The Talos API of every machine, and the clusters that follow from it.

Owns what a node answers to a client that got through (``talos_door``): what it takes in, its bootstrap, its reset. It
refuses to own the metal (``machines``), the words of a configuration (``talos_config``, ``talos_validate``), etcd's
membership (``talos_etcd``) and Kubernetes itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.world import talos_config, talos_door, talos_etcd, talos_secrets, talos_upgrade, talos_volumes
from rehearsal.world.errors import Refusal, Retried
from rehearsal.world.go_yaml import dump_all
from rehearsal.world.talos_config import Document, main_document, of_kind
from rehearsal.world.talos_door import Client, grpc_error
from rehearsal.world.talos_node import Node
from rehearsal.world.talos_validate import objections

if TYPE_CHECKING:
    from rehearsal.world import World

YEAR = 365 * 24 * 3600.0
"""Seconds for which Talos issues credentials of a client, its own and Kubernetes' (``constants.go``)."""
_STOPPING = 90.0
"""Seconds from a configuration that reboots to the reboot: pods are given their grace first, while apid and etcd still
answer (``v1alpha1_sequencer.go``, Reboot; the call returns when the sequence begins, ``v1alpha1_server.go``)."""
_MAINTENANCE_MODES = ("auto", "reboot", "try")


class Talos:
    """``section("talos")``: ``bundles`` (CA → client certificates it issued) and ``clusters`` (CA → what stands)."""

    def __init__(self, world: World) -> None:
        self.world = world
        section = world.section("talos")
        self.issued: dict[str, list[str]] = section.setdefault("issued", {})
        self.clusters: dict[str, dict[str, Any]] = section.setdefault("clusters", {})

    # Secrets

    def new_bundle(self) -> tuple[dict[str, Any], dict[str, str]]:
        """New machine secrets and a client of theirs, plain; the World remembers every secret value in them."""
        bundle = talos_secrets.machine_secrets()
        self._remember(bundle)
        return bundle, self.new_client(bundle["certs"]["os"]["cert"])

    def adopt(self, bundle: dict[str, Any]) -> dict[str, str]:
        """A client for a bundle made elsewhere, whose secret values are remembered from now on."""
        self._remember(bundle)
        return self.new_client(bundle["certs"]["os"]["cert"])

    def new_client(self, authority: str) -> dict[str, str]:
        """Credentials of a new client, issued by the Talos API's authority."""
        client = talos_secrets.client_of(authority, self.world.now(YEAR))
        self.issued.setdefault(authority, []).append(client["clientCertificate"])
        self.world.issue_secret(client["clientKey"])
        return client

    def _remember(self, value: dict[str, Any]) -> None:
        for name, inner in value.items():
            if isinstance(inner, dict):
                self._remember(inner)
            elif name in talos_secrets.SECRET_LEAVES:
                self.world.issue_secret(inner)

    # Who is there

    def node(self, name: str) -> Node:
        """What ``name`` runs now."""
        return Node(self.world.machines.machine(name), self.world.machines.records[name])

    def nodes(self) -> list[Node]:
        """Every machine that has a configuration on its disk."""
        names = self.world.machines.names()
        return [node for node in map(self.node, names) if node.configured]

    def boot_installed(self, name: str) -> None:
        """Let an installed machine come up: a worker waits for a control plane that signs its certificate."""
        node = self.node(name)
        if node.kind == "worker" and not any(node.trusts(other) for other in self._control_planes()):
            waits = "it waits for a control plane with its CA and token to sign its certificate"
            node.record.update(stage="booting", reason=waits)
        else:
            node.record.update(stage="running", reason="")

    def dial(self, node: str, endpoint: str | None, client: Client | None) -> Node:
        """The machine that ``node`` is, reached over ``endpoint``; ``Refusal`` in gRPC's words."""
        return talos_door.dial(self, node, endpoint, client)

    def is_up(self, authority: str) -> bool:
        """Whether etcd of the cluster of ``authority`` has a majority: only then its VIP is held, its API answers."""
        cluster = self.clusters.get(authority)
        return cluster is not None and talos_etcd.has_quorum(cluster, self._of(authority))

    def silence(self, name: str, host: str) -> str:
        """Why the Kubernetes API of the Talos cluster ``name`` does not answer at ``host``; empty when it does.

        Kubernetes is nothing but etcd's face: without a majority no request ends, and the VIP, which etcd elects a
        holder for, is held by nobody. The Talos API of each node goes on answering.
        """
        authority = next((each for each, cluster in self.clusters.items() if cluster["name"] == name), None)
        if authority is None:
            return ""
        self.settle()
        if self.is_up(authority):
            return ""
        if any(node.running and node.record["address"] == host for node in self._of(authority)):
            return "context deadline exceeded (etcdserver: request timed out)"
        return f"dial tcp {host}:6443: connect: no route to host"

    def _of(self, authority: str) -> list[Node]:
        """The nodes of one cluster, as far as they are by now."""
        found = [node for node in self.nodes() if node.authority == authority]
        for node in found:
            self.world.machines.settle(node.machine.name)
        return found

    def _control_planes(self) -> list[Node]:
        found = [node for node in self.nodes() if node.kind == "controlplane"]
        for node in found:
            self.world.machines.settle(node.machine.name)
        return found

    # What a node does

    def apply(self, node: str, endpoint: str | None, client: Client | None, text: str, mode: str) -> None:
        """ApplyConfiguration with ``mode`` auto, reboot, no_reboot or staged."""
        reached = self.dial(node, endpoint, client)
        if not reached.running and mode not in _MAINTENANCE_MODES:
            raise grpc_error("Unimplemented", f"{mode.upper()} is not supported in maintenance mode", retried=True)
        try:
            documents = talos_config.parse(text)
        except Refusal as refusal:
            raise grpc_error("Unknown", f"failed to parse config: {refusal.message}", retried=True) from refusal
        found = objections(documents, reached.machine, self.world.factory)
        found += talos_volumes.objections(documents, reached.machine)
        if found:
            count = f"{len(found)} error{'s' if len(found) > 1 else ''} occurred:"
            listed = "".join(f"\n\t* {objection}" for objection in found)
            raise grpc_error("InvalidArgument", f"configuration validation failed: {count}{listed}")
        if reached.running:
            self._take_in(reached, documents, text, mode)
        else:
            self._install(reached, text)
        self.settle()

    def _install(self, node: Node, text: str) -> None:
        node.record.update(config=text, stage="installing", reason="")
        self._believe(node.record)
        talos_upgrade.installed(node.record)
        self.world.journal("install", kind="talos", subject=node.machine.name, duration_of="talos.install")
        self.world.machines.boots(node.machine.name)

    def _take_in(self, node: Node, documents: list[Document], text: str, mode: str) -> None:
        reboots = talos_config.needs_reboot(node.documents, documents)
        if mode == "no_reboot" and reboots:
            raise grpc_error("InvalidArgument", "config can't be applied in immediate mode")
        if mode == "staged":
            node.record["pending"] = text
            self.world.journal("stage configuration", kind="talos", subject=node.machine.name)
            return
        changed = node.record["config"] != text
        node.record.update(config=text, pending=None)
        self._believe(node.record)
        if mode == "reboot" or (mode == "auto" and reboots):
            self.reboot(node.machine.name, after=_STOPPING)
        elif changed:
            self.world.journal("change configuration", kind="talos", subject=node.machine.name)

    def reboot(self, name: str, *, after: float = 0.0) -> None:
        """An installed machine boots again, with what was staged for this moment; ``after`` seconds of stopping."""
        self.world.journal("reboot", kind="talos", subject=name, duration_of="talos.reboot")
        self.world.machines.stops(name, after)

    def stage(self, node: Node) -> str:
        """``spec.stage`` of a running machine's MachineStatus."""
        if node.record.get("stops_at") is not None:
            return "rebooting"
        members = self.clusters.get(node.authority, {}).get("members", [])
        waits = node.kind == "controlplane" and node.hostname not in members  # its boot sequence waits for etcd
        return "booting" if waits else "running"

    def take_up_staged(self, record: dict[str, Any]) -> None:
        """A machine that boots runs what was staged, if anything was."""
        if record["pending"] is not None:
            record.update(config=record["pending"], pending=None)
            self._believe(record)

    def _believe(self, record: dict[str, Any]) -> None:
        """Take what the configuration says about the machine itself: name and address."""
        documents = talos_config.parse(record["config"])
        names = [document.get("hostname") for document in of_kind(documents, "HostnameConfig")]
        legacy = (main_document(documents)["machine"].get("network") or {}).get("hostname")
        record["hostname"] = next(
            (name for name in [*names, legacy] if name), f"talos-{record['hardware']['mac'][-8:-3]}"
        )
        static = [
            str(entry["address"]).partition("/")[0]
            for kind in ("LinkConfig", "BondConfig")
            for document in of_kind(documents, kind)
            for entry in document.get("addresses") or ()
        ]
        record["installed_address"] = static[0] if static else None

    def bootstrap(self, node: str, endpoint: str | None, client: Client | None) -> None:
        """Bootstrap: once a cluster, on a running control plane."""
        reached = self.dial(node, endpoint, client)
        if not reached.running:
            raise grpc_error("Unimplemented", "API is not implemented in maintenance mode", retried=True)
        if reached.kind != "controlplane":
            raise grpc_error(
                "FailedPrecondition", "bootstrap can only be performed on a control plane node", retried=True
            )
        cluster = self.clusters.setdefault(reached.authority, {"name": None, "members": [], "nodes": {}})
        if cluster["members"]:
            raise grpc_error("AlreadyExists", "etcd data directory is not empty", retried=True)
        cluster["members"] = [reached.hostname]
        self.world.journal("bootstrap etcd", kind="talos", subject=reached.hostname, duration_of="talos.bootstrap")
        self.settle()

    def kubeconfig(self, node: str, endpoint: str | None, client: Client | None) -> dict[str, str]:
        """Kubeconfig: ``{raw, host, ca, certificate, key}`` for an administrator of the node's cluster."""
        reached = self.dial(node, endpoint, client)
        if not reached.running:
            raise grpc_error("Unimplemented", "API is not implemented in maintenance mode", retried=True)
        if reached.kind != "controlplane":
            raise grpc_error("FailedPrecondition", "kubeconfig is only available on control plane nodes", retried=True)
        if not self.clusters.get(reached.authority, {}).get("members"):
            raise grpc_error(
                "Unavailable", "the cluster is not bootstrapped: no Kubernetes API stands yet", retried=True
            )
        certificate, key = talos_secrets.certificate(self.world.now(YEAR)), talos_secrets.key("EC PRIVATE KEY")
        self.world.issue_secret(key)
        main = main_document(reached.documents)
        name, host, authority = main["cluster"]["clusterName"], reached.kubernetes_api, reached.kubernetes_authority
        raw = kubeconfig_text(name, host, authority, certificate, key)
        return {"raw": raw, "host": host, "ca": authority, "certificate": certificate, "key": key}

    def reset(self, node: str, endpoint: str | None, client: Client | None, *, graceful: bool, reboot: bool) -> str:
        """Reset of STATE and EPHEMERAL; without ``reboot`` the machine halts. Gives the machine's name."""
        reached = self.dial(node, endpoint, client)
        if not reached.running:
            raise grpc_error("Unimplemented", "API is not implemented in maintenance mode", retried=True)
        cluster = self.clusters.get(reached.authority)
        if cluster and reached.hostname in cluster["members"] and graceful:
            if len(cluster["members"]) == 1 and len(cluster["nodes"]) > 1:
                raise grpc_error(
                    "FailedPrecondition", "failed to leave cluster: etcd has no other member", retried=True
                )
            if not self.is_up(reached.authority):
                raise grpc_error("Unknown", "failed to leave cluster: etcdserver: request timed out", retried=True)
        if cluster:
            talos_etcd.leave(self.world, cluster, reached, graceful=graceful)
        self.world.machines.wipe(reached.machine.name)
        self.world.machines.switch(reached.machine.name, on=reboot)
        self.world.journal("reset", kind="talos", subject=reached.machine.name, duration_of="talos.reset")
        self.settle()
        return reached.machine.name

    def was_reset(self, name: str) -> None:
        """``Retried`` while ``name``, told to reset, is neither off nor in maintenance mode."""
        self.world.machines.settle(name)
        record = self.world.machines.records[name]
        if record["stage"] not in ("off", "maintenance"):
            raise Retried(f"{name} has not come back in maintenance mode: {record['stage']}: {record['reason']}")

    def settle(self) -> None:
        """Let every machine boot as far as it can, and every running one join its bootstrapped cluster."""
        for name in self.world.machines.names():
            self.world.machines.settle(name)
        running = [node for node in self.nodes() if node.running]
        for authority, cluster in self.clusters.items():
            talos_etcd.join(self.world, cluster, [node for node in running if node.authority == authority])


def kubeconfig_text(name: str, server: str, authority: str, certificate: str, key: str) -> str:
    """A kubeconfig for one administrator of one cluster, as Talos writes it."""
    user = f"admin@{name}"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}],
        "users": [{"name": user, "user": {"client-certificate-data": certificate, "client-key-data": key}}],
        "contexts": [{"name": user, "context": {"cluster": name, "namespace": "default", "user": user}}],
        "current-context": user,
    }
    return dump_all([document])
