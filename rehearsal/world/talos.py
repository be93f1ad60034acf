"""The Talos API of every machine, and the clusters that follow from it.

Owns what a node answers to a client: who gets through (maintenance or mutual TLS), what it takes in, etcd's membership,
when Kubernetes stands. It refuses to own the metal (``machines``), the words of a configuration (``talos_config``,
``talos_validate``) and Kubernetes itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rehearsal.world import talos_config, talos_secrets
from rehearsal.world.errors import Refusal
from rehearsal.world.go_yaml import dump_all
from rehearsal.world.talos_config import Document, main_document, of_kind
from rehearsal.world.talos_node import Node
from rehearsal.world.talos_validate import objections

if TYPE_CHECKING:
    from rehearsal.world import World

_RETRIED = "; the provider keeps trying this until its timeout, 10m0s unless set"
_API_STARTS_IN = 90.0
"""Seconds from bootstrap to a Kubernetes API that answers; Talos itself, and so its kubeconfig, is there at once."""
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
        client = talos_secrets.client_of(authority)
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
        if node.kind == "worker" and not any(node.trusts(other) for other in self.nodes()):
            waits = "it waits for a control plane with its CA and token to sign its certificate"
            node.record.update(stage="booting", reason=waits)
        else:
            node.record.update(stage="running", reason="")

    def _dial(self, node: str, endpoint: str | None, client: dict[str, str] | None) -> Node:
        """The machine that ``node`` is, reached over ``endpoint``; ``Refusal`` in gRPC's words."""
        first = self._answering(endpoint or node)
        if not first.running:
            if (endpoint or node).partition(":")[0] != node:
                raise _grpc("Unavailable", f"{node}: a machine in maintenance mode passes nothing on", retried=True)
            return first
        self._handshake(first, client)
        if first.record["address"] == node or first.vip == node:
            return first
        if first.kind == "worker":
            raise _grpc("PermissionDenied", f"{first.machine.name} is a worker: it passes nothing on", retried=True)
        other = self._answering(node)
        if not other.running or other.authority != first.authority:
            raise _grpc("Unavailable", f"error dialing {node}: authentication handshake failed", retried=True)
        return other

    def _answering(self, target: str) -> Node:
        address, _, port = target.partition(":")
        name = self.world.machines.at(address) if port in ("", "50000") else None
        if name is None:
            leaders = [each for each in self.nodes() if each.vip == address and self._is_up(each.authority)]
            name = leaders[0].machine.name if leaders else None
        if name is not None and self.world.machines.records[name]["stage"] in ("maintenance", "running"):
            return self.node(name)
        text = f'connection error: desc = "transport: Error while dialing: dial tcp {address}:{port or "50000"}: '
        why = self.world.machines.explain(address)
        raise _grpc("Unavailable", f'{text}connect: no route to host" ({why})', retried=True)

    def _handshake(self, node: Node, client: dict[str, str] | None) -> None:
        error = 'connection error: desc = "transport: authentication handshake failed: '
        if not client or client["caCertificate"] != node.authority:
            error += 'tls: failed to verify certificate: x509: certificate signed by unknown authority"'
            raise _grpc("Unavailable", error, retried=True)
        if client["clientCertificate"] not in self.issued.get(node.authority, ()):
            raise _grpc("Unavailable", f'{error}remote error: tls: unknown certificate authority"', retried=True)

    # What a node does

    def apply(self, node: str, endpoint: str | None, client: dict[str, str] | None, text: str, mode: str) -> None:
        """ApplyConfiguration with ``mode`` auto, reboot, no_reboot or staged."""
        reached = self._dial(node, endpoint, client)
        if not reached.running and mode not in _MAINTENANCE_MODES:
            raise _grpc("Unimplemented", f"{mode.upper()} is not supported in maintenance mode", retried=True)
        try:
            documents = talos_config.parse(text)
        except Refusal as refusal:
            raise _grpc("Unknown", f"failed to parse config: {refusal.message}", retried=True) from refusal
        found = objections(documents, reached.machine, self.world.factory)
        if found:
            count = f"{len(found)} error{'s' if len(found) > 1 else ''} occurred:"
            listed = "".join(f"\n\t* {objection}" for objection in found)
            raise _grpc("InvalidArgument", f"configuration validation failed: {count}{listed}")
        if reached.running:
            self._take_in(reached, documents, text, mode)
        else:
            self._install(reached, text)
        self.settle()

    def _install(self, node: Node, text: str) -> None:
        node.record.update(config=text, stage="installing", reason="")
        self._believe(node.record)
        self.world.journal("install", kind="talos", subject=node.machine.name, duration_of="talos.install")

    def _take_in(self, node: Node, documents: list[Document], text: str, mode: str) -> None:
        reboots = talos_config.needs_reboot(node.documents, documents)
        if mode == "no_reboot" and reboots:
            raise _grpc("InvalidArgument", "config can't be applied in immediate mode")
        if mode == "staged":
            node.record["pending"] = text
            self.world.journal("stage configuration", kind="talos", subject=node.machine.name)
            return
        changed = node.record["config"] != text
        node.record.update(config=text, pending=None)
        self._believe(node.record)
        if mode == "reboot" or (mode == "auto" and reboots):
            self.world.journal("reboot", kind="talos", subject=node.machine.name, duration_of="talos.reboot")
        elif changed:
            self.world.journal("change configuration", kind="talos", subject=node.machine.name)

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
            for document in of_kind(documents, "LinkConfig")
            for entry in document.get("addresses") or ()
        ]
        record["installed_address"] = static[0] if static else None

    def bootstrap(self, node: str, endpoint: str | None, client: dict[str, str] | None) -> None:
        """Bootstrap: once a cluster, on a running control plane."""
        reached = self._dial(node, endpoint, client)
        if not reached.running:
            raise _grpc("Unimplemented", "API is not implemented in maintenance mode", retried=True)
        if reached.kind != "controlplane":
            raise _grpc("FailedPrecondition", "bootstrap can only be performed on a control plane node", retried=True)
        cluster = self.clusters.setdefault(reached.authority, {"name": None, "members": [], "nodes": {}})
        if cluster["members"]:
            raise _grpc("AlreadyExists", "etcd data directory is not empty", retried=True)
        cluster["members"] = [reached.hostname]
        self.world.journal("bootstrap etcd", kind="talos", subject=reached.hostname, duration_of="talos.bootstrap")
        self.settle()

    def kubeconfig(self, node: str, endpoint: str | None, client: dict[str, str] | None) -> dict[str, str]:
        """Kubeconfig: ``{raw, host, ca, certificate, key}`` for an administrator of the node's cluster."""
        reached = self._dial(node, endpoint, client)
        if not reached.running:
            raise _grpc("Unimplemented", "API is not implemented in maintenance mode", retried=True)
        if reached.kind != "controlplane":
            raise _grpc("FailedPrecondition", "kubeconfig is only available on control plane nodes", retried=True)
        if not self._is_up(reached.authority):
            raise _grpc("Unavailable", "the cluster is not bootstrapped: no Kubernetes API stands yet", retried=True)
        certificate, key = talos_secrets.certificate(), talos_secrets.key("EC PRIVATE KEY")
        self.world.issue_secret(key)
        main = main_document(reached.documents)
        name, host, authority = main["cluster"]["clusterName"], reached.kubernetes_api, reached.kubernetes_authority
        raw = kubeconfig_text(name, host, authority, certificate, key)
        return {"raw": raw, "host": host, "ca": authority, "certificate": certificate, "key": key}

    def reset(
        self, node: str, endpoint: str | None, client: dict[str, str] | None, *, graceful: bool, reboot: bool
    ) -> None:
        """Reset of STATE and EPHEMERAL; without ``reboot`` the machine halts."""
        reached = self._dial(node, endpoint, client)
        if not reached.running:
            raise _grpc("Unimplemented", "API is not implemented in maintenance mode", retried=True)
        cluster = self.clusters.get(reached.authority)
        if cluster and reached.hostname in cluster["members"]:
            if graceful and len(cluster["members"]) == 1 and len(cluster["nodes"]) > 1:
                raise _grpc("FailedPrecondition", "failed to leave cluster: etcd has no other member", retried=True)
            cluster["members"].remove(reached.hostname)
        if cluster:
            self._forget(cluster, reached, graceful=graceful)
        self.world.machines.wipe(reached.machine.name)
        self.world.machines.switch(reached.machine.name, on=reboot)
        self.world.journal("reset", kind="talos", subject=reached.machine.name, duration_of="talos.reset")
        self.settle()

    # Kubernetes, as far as Talos makes it

    def _is_up(self, authority: str) -> bool:
        return bool(self.clusters.get(authority, {}).get("members"))

    def _forget(self, cluster: dict[str, Any], node: Node, *, graceful: bool) -> None:
        if not cluster["members"]:
            self.world.kubernetes.tear_down(cluster["name"])
            cluster.update(name=None, nodes={})
        elif graceful and cluster["nodes"].pop(node.hostname, None) is not None:
            self.world.kubernetes.remove_node(cluster["name"], node.hostname)

    def settle(self) -> None:
        """Let every machine boot as far as it can, and every running one join its bootstrapped cluster."""
        for name in self.world.machines.names():
            self.world.machines.settle(name)
        running = [node for node in self.nodes() if node.running]
        for authority, cluster in self.clusters.items():
            ours = [node for node in running if node.authority == authority]
            if cluster["members"]:
                self._join(cluster, ours)

    def _join(self, cluster: dict[str, Any], nodes: list[Node]) -> None:
        leader = next((node for node in nodes if node.hostname in cluster["members"]), None)
        if leader is None:
            return  # every member is off: nobody is there to join
        if cluster["name"] is None:
            cluster["name"] = main_document(leader.documents)["cluster"]["clusterName"]
            self.world.kubernetes.stand_up(
                cluster["name"],
                server=self._served_at(leader, nodes),
                version=leader.kubernetes_version,
                credential=leader.kubernetes_authority,
                starts_in=_API_STARTS_IN,
            )
        for node in sorted(nodes, key=lambda each: each.kind):
            if node.kind == "controlplane" and node.hostname not in cluster["members"]:
                cluster["members"].append(node.hostname)
            facts = node.kubernetes_facts()
            if cluster["nodes"].get(node.hostname) != facts:
                cluster["nodes"][node.hostname] = facts
                self.world.kubernetes.add_node(cluster["name"], node.hostname, **facts)

    def _served_at(self, leader: Node, nodes: list[Node]) -> str:
        """Where the API really answers: the endpoint when one of the control planes holds its address."""
        host = urlsplit(leader.kubernetes_api).hostname or ""
        held = {held for node in nodes if node.kind == "controlplane" for held in (node.vip, node.record["address"])}
        if host in held or not host.replace(".", "").isdigit():
            return leader.kubernetes_api
        return f"https://{leader.record['address']}:6443"


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


def _grpc(code: str, text: str, *, retried: bool = False) -> Refusal:
    """A Talos node's answer; everything but InvalidArgument is retried by the provider."""
    return Refusal(f"rpc error: code = {code} desc = {text}{_RETRIED if retried else ''}")
