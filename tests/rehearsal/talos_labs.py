"""Talos machines that are on and hold nothing yet, and what a test does with them by hand."""

from dataclasses import dataclass, field
from typing import Any

from rehearsal.world import World, talos_config, talos_generate
from tests.rehearsal.worlds import a_world, patch, with_boot_services

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
