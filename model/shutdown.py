"""Who is shut down when a UPS runs on its battery, and in which order.

Owns the order: workers, then what holds data, then control planes, then the bootstrap cluster, then the watcher itself;
the switch goes dark last, with the battery. Refuses text (`render.nut`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from model.ea import Ups
from model.environment import Environment

Way = Literal["talos", "ssh", "by hand", "itself", "dark"]
COPIES = ("longhorn", "rook-ceph")
"""Storage systems that keep copies on several nodes: their nodes go together, when nobody writes any more."""
POLL_SECONDS = 5
"""How often the watcher asks for the battery's state (POLLFREQ)."""
SYNC_SECONDS = 15
"""How long at most `upsmon` waits for others to log off before it goes on (HOSTSYNC)."""
FINAL_SECONDS = 5
"""From `upsmon`'s last warning to the shutdown (FINALDELAY)."""
TELL_SECONDS = 20
"""How long a machine is given to take the order; one that is dark already takes all of it."""


@dataclass(frozen=True)
class ShutdownStep:
    """One machine, in its turn."""

    stage: int
    """From 1; machines of one stage go together."""
    what: str
    """Why it is in this stage: `worker`, `storage` …"""
    name: str
    address: str
    way: Way
    """`talos`: Talos' API. `ssh`: as the bootstrap cluster's user. `by hand`: its own NUT client or nobody.
    `itself`: the watcher. `dark`: nothing shuts it down, it stops with the battery."""
    host_key: str | None = None
    """The SSH key that it proves itself with, where `ssh` is its way."""


@dataclass(frozen=True)
class ShutdownPlan:
    """What the watcher of one UPS does."""

    ups: str
    model: str
    driver: str
    address: str | None
    """Where the UPS' own network card answers."""
    watcher: str
    after_seconds: int
    """Time on battery before the first stage; a low battery starts it at once."""
    stage_seconds: int
    """From stage to stage."""
    user: str | None
    """Who logs in to the bootstrap cluster's machines."""
    steps: tuple[ShutdownStep, ...]

    @property
    def seconds(self) -> int:
        """From the mains' failure to the last command, at its worst: in each stage somebody does not answer."""
        told = {step.stage for step in self.steps if step.way in ("talos", "ssh")}
        before = POLL_SECONDS + self.after_seconds + SYNC_SECONDS + FINAL_SECONDS
        return before + (TELL_SECONDS + self.stage_seconds) * len(told)


def shutdown(environment: Environment, name: str, ups: Ups, dies: tuple[str, ...]) -> ShutdownPlan:
    """The plan of one watched UPS. `dies`: everything that goes dark with it."""
    turns = [turn for turn in _turns(environment, ups, dies) if turn]
    pis = environment.bootstrap.nodes if environment.bootstrap else {}
    keys = {machine: pi.host_key for machine, pi in pis.items()}
    steps = tuple(
        ShutdownStep(stage, what, machine, address, way, keys.get(machine))
        for stage, turn in enumerate(turns, 1)
        for what, machine, address, way in turn
    )
    user = environment.bootstrap.ssh.user if environment.bootstrap else None
    return ShutdownPlan(
        name, ups.model, ups.driver, str(ups.address) if ups.address else None, ups.watcher or "",
        ups.shutdown_after, ups.stage_seconds, user, steps,
    )  # fmt: skip


def _turns(environment: Environment, ups: Ups, dies: tuple[str, ...]) -> Iterator[list[tuple[str, str, str, Way]]]:
    """Stage by stage: (what, name, address, way).

    Every machine of the clusters is told, one on another source as well: without the switch it serves nobody.
    """
    nodes = environment.cluster.nodes if environment.cluster else {}
    keepers = _keepers(environment)
    workers = sorted(name for name, node in nodes.items() if node.role == "worker")
    yield [("worker", name, str(nodes[name].address), "talos") for name in workers if name not in keepers]
    devices = {name: one for rack in environment.network.racks.values() for name, one in rack.devices.items()}
    servers = {system.server for system in environment.storage.systems.values() if system.server}
    stores = sorted(name for name, one in devices.items() if one.address in servers and name != ups.watcher)
    yield [("storage", name, str(nodes[name].address), "talos") for name in workers if name in keepers]
    yield [("storage", name, str(devices[name].address), "by hand") for name in stores]
    planes = sorted(name for name, node in nodes.items() if node.role == "control-plane")
    yield [("control plane", name, str(nodes[name].address), "talos") for name in planes]
    pis = environment.bootstrap.nodes if environment.bootstrap else {}
    for role in ("agent", "server"):
        mine = sorted(name for name, pi in pis.items() if pi.role == role and name != ups.watcher)
        yield [(f"bootstrap {role}", name, str(pis[name].address), "ssh") for name in mine]
    others = sorted(set(devices) & set(dies) - set(stores) - {ups.watcher})
    yield [("device", name, str(devices[name].address), "by hand") for name in others]
    if ups.watcher in devices:
        yield [("watcher", ups.watcher, str(devices[ups.watcher].address), "itself")]
    switches = {name: one for rack in environment.network.racks.values() for name, one in rack.switches.items()}
    yield [("switch", name, str(switches[name].address or ""), "dark") for name in sorted(set(switches) & set(dies))]


def _keepers(environment: Environment) -> set[str]:
    """Nodes that hold copies of others' data."""
    every = set(environment.cluster.nodes) if environment.cluster else set()
    systems = [system for system in environment.storage.systems.values() if system.kind in COPIES]
    return {name for system in systems for name in (system.nodes or every)}
