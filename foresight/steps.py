"""What a cluster goes through between two plans: the steps, which waits for which, and who is away meanwhile.

Owns the order as the graph has it (a test holds it to the recorded one) and the rule that no two of them together cost
the quorum or a storage system's minimum. Refuses to know what runs: the steps' own gates ask that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from foresight.fields import Verdict
from model.environment import Environment
from model.findings import Finding
from model.laws.storage import every_holder
from model.laws.words import listed
from model.plan import Plan
from model.storage import StorageSystem
from model.talos import ClusterNodePlan, ClusterPlan

Kind = Literal["join", "apply", "bootstrap", "gate", "snapshot", "upgrade", "upgrade-kubernetes", "leave"]


@dataclass(frozen=True)
class Step:
    """One thing that is done to the cluster, by the resource that does it."""

    resource: str
    """Its logical name in the graph."""
    kind: Kind
    node: str | None
    after: tuple[str, ...]
    """Resources among these steps that it waits for, the nearest ones."""
    says: str
    """What it does, for a person."""
    away: Verdict
    """Whether its node is away meanwhile."""

    @property
    def waits(self) -> bool:
        """Whether it ends only when its node is back: a configuration is taken, and the reboot goes on without it."""
        return self.kind not in ("apply", "join")


def steps(before: Plan | None, after: Plan, reboots: Mapping[str, Verdict]) -> tuple[Step, ...]:
    """Every step from what stands to what is wanted, in an order that the graph allows.

    `before` is None, or without a cluster, when nothing stands; `reboots` tells for each node that changes whether its
    configuration reboots it.
    """
    new, old = after.cluster, before.cluster if before else None
    if new is None:
        return ()
    known = {node.name: node for node in old.members} if old else {}
    found: list[Step] = []
    for node in new.control_planes:
        if node.name in reboots or old is None:
            # One after the other: see components.arda
            found.append(_applied(node, known, reboots, found[-1:]))
    if old is None:
        first = new.control_planes[0].name
        found.append(Step("arda-bootstrap", "bootstrap", first, _names(found[-1:]), _BOOTSTRAP, "no"))
    planes = found[-1:]
    found += [_applied(node, known, reboots, planes) for node in new.workers if node.name in reboots or old is None]
    if old:
        found += _upgrades(old, new, found)
        found += _leavers(old, new, found)
    return tuple(found)


_BOOTSTRAP = "bootstraps etcd, once in the cluster's life"


def _names(found: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.resource for step in found)


def _applied(
    node: ClusterNodePlan, known: Mapping[str, ClusterNodePlan], reboots: Mapping[str, Verdict], after: Sequence[Step]
) -> Step:
    resource = f"arda-apply-{node.name}"
    if node.name not in known:
        says = f"installs {node.name} with its first configuration; it joins as {node.role}"
        return Step(resource, "join", node.name, _names(after), says, "no")
    verdict = reboots.get(node.name, "no")
    told = {"yes": "and reboots it", "no": "while it runs", "unknown": "and may reboot it"}[verdict]
    return Step(
        resource, "apply", node.name, _names(after), f"changes the configuration of {node.name} {told}", verdict
    )


def _upgrades(old: ClusterPlan, new: ClusterPlan, applied: Sequence[Step]) -> Iterator[Step]:
    """Snapshot, control planes one by one, workers one by one, then Kubernetes."""
    standing = {node.name: node for node in old.members}
    todo = [node for node in new.members if node.name in standing and _differs(standing[node.name], node)]
    kubernetes = old.kubernetes != new.kubernetes
    if not todo and not kubernetes:
        return
    yield Step("arda-snapshot", "snapshot", None, _names(applied), "keeps etcd's data in a file, first of all", "no")
    last = "arda-snapshot"
    for node in todo:
        yield Step(
            f"arda-upgrade-{node.name}", "upgrade", node.name, (last,), _upgraded(standing[node.name], node), "yes"
        )
        last = f"arda-upgrade-{node.name}"
    if kubernetes:
        says = f"upgrades Kubernetes from {old.kubernetes} to {new.kubernetes}, once every node is Ready"
        yield Step("arda-upgrade-kubernetes", "upgrade-kubernetes", None, (last,), says, "no")


def _differs(old: ClusterNodePlan, new: ClusterNodePlan) -> bool:
    return old.image.installer != new.image.installer


def _upgraded(old: ClusterNodePlan, new: ClusterNodePlan) -> str:
    was, will = (node.image.installer.rpartition(":")[2] for node in (old, new))
    what = f"from Talos {was} to {will}" if was != will else f"to another image of Talos {will}"
    gates = "etcd whole and no learner" if new.role == "control-plane" else "the API ready"
    stores = sorted({disk.system for disk in new.data})
    stored = f", {listed(stores)} healthy" if stores else ""
    return f"upgrades {new.name} {what}: once {gates}{stored}; it reboots"


def _leavers(old: ClusterPlan, new: ClusterPlan, earlier: Sequence[Step]) -> Iterator[Step]:
    standing = {node.name for node in old.members}
    last = _names(earlier[-1:])
    for node in (one for one in new.going if one.name in standing):
        how = "drained, out of etcd, reset" if node.role == "control-plane" else "drained, reset"
        how = how if node.state == "leaving" else "forgotten: it is lost"
        yield Step(f"arda-leave-{node.name}", "leave", node.name, last, f"takes {node.name} out: {how}", "yes")
        last = (f"arda-leave-{node.name}",)


def ancestors(taken: Sequence[Step]) -> dict[str, set[str]]:
    """Resource → every resource that is over before it begins."""
    found: dict[str, set[str]] = {}
    for step in taken:
        found[step.resource] = {one for near in step.after for one in {near, *found.get(near, ())}}
    return found


def may_be_away_together(taken: Sequence[Step]) -> list[tuple[Step, Step]]:
    """Pairs of steps whose nodes may be away at one moment: neither waits until the other's node is back."""
    over = ancestors(taken)

    def back_before(first: Step, second: Step) -> bool:
        """A step that waits has its node back at its end; after one that does not, a gate in between must wait."""
        if first.resource not in over[second.resource]:
            return False
        if first.waits:
            return True
        return any(
            step.resource in over[second.resource] and first.resource in over[step.resource] and step.kind == "gate"
            for step in taken
        )

    away = [step for step in taken if step.away == "yes" and step.node]
    return [pair for pair in combinations(away, 2) if not back_before(*pair) and not back_before(*reversed(pair))]


def tolerated(system: StorageSystem) -> int:
    """How many of its nodes a system may miss and still serve: Ceph's own `min_size`, taken for Longhorn too.

    0 where there is one copy: no order of steps can keep that up.
    """
    if system.erasure_coding:
        return max(system.erasure_coding.coding - 1, 0)
    return system.replicas // 2


def breaches(before: Environment, cluster: ClusterPlan | None, taken: Sequence[Step]) -> list[Finding]:
    """What the steps would cost if the slowest of them met: findings of grade error."""
    if cluster is None:
        return []
    pairs = {frozenset((one.node, two.node)) for one, two in may_be_away_together(taken)}
    return [*_planes_together(cluster, pairs), *_stores_together(before, pairs)]


def _planes_together(cluster: ClusterPlan, pairs: set[frozenset[str | None]]) -> Iterator[Finding]:
    planes = [node.name for node in cluster.control_planes]
    for one, two in combinations(planes, 2):
        if frozenset((one, two)) in pairs:
            message = f"{one} and {two} may reboot at one time, and etcd of {len(planes)} needs {len(planes) // 2 + 1}"
            hint = "change what reboots one control plane in an edit of its own"
            yield Finding(
                "change-planes-together", "error", f"cluster.nodes.{two}", message, hint, f"cluster.nodes.{one}"
            )
            return


def _stores_together(before: Environment, pairs: set[frozenset[str | None]]) -> Iterator[Finding]:
    for name, system in sorted(before.storage.systems.items()):
        most = tolerated(system)
        held = every_holder(before, system) if system.disk and most else []
        for group in combinations(held, most + 1):
            if all(frozenset(pair) in pairs for pair in combinations(group, 2)):
                message = f"{listed(group)} may be away at one time, and {name} serves without {most} of them at most"
                hint = "change what reboots them node by node, an edit each"
                yield Finding("change-storage-together", "error", f"storage.systems.{name}", message, hint)
                break
