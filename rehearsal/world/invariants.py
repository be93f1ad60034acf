"""What must never be, whatever is done to a lab: judged after every change of the World.

Owns four laws: most of etcd runs, somebody holds the Kubernetes API's address, two control planes are never down at
once, a storage system keeps its minimum. Only what the program does breaks them: a machine that somebody switched off,
or that a fault cut off, is not its doing. It refuses to repair, and to ask the program what it meant: the raw
environment and the machines are all it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from rehearsal.world import World
    from rehearsal.world.talos_node import Node

_OURS, _THEIRS = "ours", "theirs"
_COPYING = ("longhorn", "rook-ceph")


class Invariants:
    """``section("invariants")``: what the last look saw, and what the program ever broke (``broken``).

    Seen are ``down`` (machine → by whom), ``installed``, ``voters``, and ``why`` each law was broken: nothing, it held.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        section = world.section("invariants")
        self._down: dict[str, str] = section.setdefault("down", {})
        self._installed: list[str] = section.setdefault("installed", [])
        self._voters: list[str] = section.setdefault("voters", [])
        self._why: dict[str, str] = section.setdefault("why", {})
        self._broken: list[str] = section.setdefault("broken", [])

    def broken(self) -> list[str]:
        """Every law that the program broke, as sentences, oldest first."""
        return list(self._broken)

    def judge(self, acting: str) -> None:
        """Look at the World after a change that was made for the resource ``acting``; empty: not by the program."""
        ours = self._look(acting)
        found = dict(self._found())
        for law, why in found.items():
            if ours and why and self._why.get(law) == "":
                self._broken.append(f"{acting}: {why}")
                self._world.journal("break a law", kind="invariants", subject=self._broken[-1])
        self._why.clear()
        self._why.update(found)

    def _look(self, acting: str) -> bool:
        """See who is installed, down and a voter; whether the program took anybody away since the last look."""
        records, clusters = self._world.machines.records, self._world.talos.clusters
        installed = [name for name, record in records.items() if record["config"] is not None]
        voters = [member for cluster in clusters.values() for member in cluster["members"]]
        gone = [*(set(self._installed) - set(installed)), *(set(self._voters) - set(voters))]
        self._installed[:], self._voters[:] = installed, voters
        fallen = False
        for name in records:
            if name not in installed or self._is_up(name):
                self._down.pop(name, None)
            elif name not in self._down or self._is_cut_off(name):
                self._down[name] = _OURS if acting and not self._is_cut_off(name) else _THEIRS
                fallen = fallen or self._down[name] == _OURS
        return bool(acting) and (bool(gone) or fallen)

    def _is_cut_off(self, name: str) -> bool:
        return self._world.faults.outage(f"machine/{name}", self._world.clock.now) is not None

    def _is_up(self, name: str) -> bool:
        record = self._world.machines.records[name]
        booted = self._world.clock.now >= record.get("ready_at", 0.0)
        return bool(record["power"]) and booted and not self._is_cut_off(name)

    # The laws: each gives its name, and why it is broken, nothing where it holds

    def _found(self) -> Iterator[tuple[str, str]]:
        nodes = self._world.talos.nodes()
        for authority, cluster in self._world.talos.clusters.items():
            if cluster["name"] is not None or cluster["members"]:
                name = str(cluster["name"])
                members = [one for one in nodes if one.authority == authority and one.hostname in cluster["members"]]
                yield from self._of_etcd(name, cluster["members"], members)
                yield f"{name}/api", self._of_the_api(name, [one for one in members if self._up(one)])
        for name, system in ((self._world.environment.get("storage") or {}).get("systems") or {}).items():
            if system.get("kind") in _COPYING and system.get("disk"):
                yield f"{name}/storage", self._of_storage(name, system)

    def _up(self, node: Node) -> bool:
        return node.machine.name not in self._down

    def _of_etcd(self, name: str, voters: list[str], members: list[Node]) -> Iterator[tuple[str, str]]:
        alive = [node.hostname for node in members if self._up(node)]
        few = len(alive) <= len(voters) // 2
        yield f"{name}/etcd", f"etcd of {name} has {len(alive)} of {len(voters)} members: no majority" if few else ""
        down = sorted(node.hostname for node in members if self._down.get(node.machine.name) == _OURS)
        many = len(down) > 1
        yield f"{name}/planes", f"control planes {' and '.join(down)} of {name} are down at once" if many else ""

    def _of_the_api(self, name: str, alive: list[Node]) -> str:
        record = self._world.kubernetes.records.get(name)
        if record is None:
            return f"Kubernetes of {name} is gone" if alive else ""
        host = urlsplit(str(record["server"])).hostname
        held = any(host in (node.vip, node.record["installed_address"], node.machine.address) for node in alive)
        return "" if held else f"nobody holds {host}, where the Kubernetes API of {name} is asked for"

    def _of_storage(self, name: str, system: dict[str, Any]) -> str:
        coding = system.get("erasure_coding")
        copies = int(system.get("replicas", 1))
        wide = max(copies, coding["data"] + coding["coding"] if coding else 0)
        least = _minimum(str(system["kind"]), copies, coding)
        held = [node for node in self._holders(system) if node in self._installed]
        up = [node for node in held if node not in self._down]
        if len(up) < least:
            return f"{len(up)} nodes of {name} are up, and it stops below {least}"
        return f"{len(held)} nodes hold disks of {name}, which keeps its data on {wide}" if len(held) < wide else ""

    def _holders(self, system: dict[str, Any]) -> list[str]:
        environment = self._world.environment
        nodes: dict[str, Any] = (environment.get("cluster") or {}).get("nodes") or {}
        classes: dict[str, Any] = environment.get("hardware") or {}
        with_disk = [name for name, node in nodes.items() if system["disk"] in classes[node["class"]]["disks"]]
        return list(system.get("nodes") or with_disk)


def _minimum(kind: str, copies: int, coding: dict[str, int] | None) -> int:
    """How many of its nodes a storage system needs to go on.

    Ceph's ``min_size``: copies less half of them, rounded down; k+m chunks: k + min(1, m - 1) (Ceph documentation,
    "Pools", "Erasure code"). Longhorn goes on with one whole copy (its documentation, "Degraded volumes").
    """
    if kind == "longhorn":
        return 1
    chunks = coding["data"] + min(1, coding["coding"] - 1) if coding else 0
    return max(copies - copies // 2, chunks)
