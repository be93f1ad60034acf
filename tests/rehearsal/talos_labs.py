"""Talos machines that are on and hold nothing yet, a lab of them that stands, and its owner's programs."""

from dataclasses import dataclass, field
from typing import Any, Self

import yaml

from rehearsal.standins.shell import Outcome, execute
from rehearsal.world import World, talos_config, talos_generate
from tests.rehearsal.worlds import a_world, lab, patch, with_boot_services

ADDRESSES = {"cp-1": "10.0.0.101", "cp-2": "10.0.0.102", "cp-3": "10.0.0.103", "worker-1": "10.0.0.104"}


@dataclass
class Lab:
    """A World whose machines stand in maintenance mode, and a bundle for them."""

    world: World = field(default_factory=a_world)

    def __post_init__(self) -> None:
        with_boot_services(self.world)
        self.bundle, self.client = self.world.talos.new_bundle()

    def config(self, name: str, patches: list[str] | None = None, bundle: dict[str, Any] | None = None) -> str:
        kind = "worker" if name.startswith("worker") else "controlplane"
        made = talos_generate.generate(
            kind, "main", "https://10.0.0.100:6443", bundle or self.bundle, "v1.34.2", "v1.12"
        )
        vip = None if kind == "worker" else "10.0.0.100"
        chosen = [patch(name, ADDRESSES[name], vip=vip)] if patches is None else patches
        return talos_config.text_of(talos_config.patched(made, chosen))

    def apply(self, name: str, text: str | None = None, mode: str = "auto", client: Any = "own", **over: str) -> None:
        node = ADDRESSES[name]
        told = self.client if client == "own" else client
        self.world.talos.apply(node, over.get("endpoint"), told, self.config(name) if text is None else text, mode)

    def stage(self, name: str) -> str:
        self.world.talos.settle()
        return str(self.world.machines.records[name]["stage"])


@dataclass
class Bench:
    """A lab that stands, and the programs of its owner."""

    at: Lab

    def run(self, text: str, stdin: str | None = None) -> Outcome:
        given = self.talosconfig() if stdin is None else stdin
        return execute(self.at.world, self.at.world.hosts.workstation, "operator", text, given)

    def talosconfig(self, **over: str) -> str:
        client = self.at.client | over
        context = {"ca": client["caCertificate"], "crt": client["clientCertificate"], "key": client["clientKey"]}
        return yaml.safe_dump({"context": "main", "contexts": {"main": context}})

    def kubeconfig(self) -> str:
        return self.at.world.talos.kubeconfig(ADDRESSES["cp-1"], None, self.at.client)["raw"]

    def t(self, name: str, words: str, **over: str) -> Outcome:
        at = ADDRESSES[name]
        return self.run(f"talosctl --talosconfig /dev/stdin -e {at} -n {at} {words}", self.talosconfig(**over))

    def k(self, words: str) -> Outcome:
        return self.run(f"kubectl --kubeconfig /dev/stdin {words}", self.kubeconfig())

    @classmethod
    def of_four(cls) -> Self:
        """Three control planes and a worker, bootstrapped."""
        environment = lab()
        nodes = environment["cluster"]["nodes"]
        nodes["cp-3"] = {**nodes["cp-2"], "address": "10.0.0.103", "mac": "02:00:00:00:00:03"}
        at = Lab(a_world(environment))
        for name in ("cp-1", "cp-2", "cp-3"):
            at.apply(name)
        at.world.talos.bootstrap(ADDRESSES["cp-1"], None, at.client)
        at.apply("worker-1")
        at.world.kubernetes.answers("https://10.0.0.100:6443", patience=600.0)
        return cls(at)
