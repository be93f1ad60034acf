"""What a cluster goes through between two plans: the steps, which waits for which, and who is away meanwhile.

Owns the order as the graph has it (a test holds it to the recorded one) and the rule that no two of them together cost
the quorum or a storage system's minimum. Refuses to know what runs: the steps' own gates ask that.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
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

UNSURE = "change-storage-unsure"
"""The only one of these that a person can see to by hand: nothing may need the system meanwhile."""
TOGETHER = (
    (
        "change-two-planes-upgraded",
        "error",
        "Talos is not upgraded on a control plane while etcd has two members: without the one the other has no "
        "majority, and Talos itself refuses it.",
    ),
    (
        "change-planes-together",
        "error",
        "No two control planes are away at one time: the next one is touched when the one before is back.",
    ),
    (
        "change-storage-together",
        "error",
        "No storage system misses more of its nodes at one time than it can and still serve: configurations reach "
        "workers at once, and those that reboot, reboot at once.",
    ),
    (
        UNSURE,
        "error",
        "The same where it is not known whether a configuration reboots a machine: what may reboot counts as what "
        "does.",
    ),
)
"""(code, grade, what must hold) of what the steps themselves must not do."""
Pairs = Collection[frozenset[str | None]]
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
    """Every step from what stands to what is wanted, in an order that the graph allows (see `components.arda`).

    `before` is None, or without a cluster, when nothing stands; `reboots` tells for each node that changes whether its
    configuration reboots it.
    """
    new, old = after.cluster, before.cluster if before else None
    if new is None:
        return ()
    known = {node.name for node in old.members} if old else set()
    touched = [node for node in new.members if node.name in reboots or old is None]
    found = list(_leavers(new, known, "lost", ()))
    found += _upgrades(old, new, _names(found)) if old else []
    begun = _names(found[-1:])
    for node in (one for one in touched if one.role == "control-plane"):
        # One after the other, the next once this one is back
        found.append(_applied(node, known, reboots, begun))
        found.append(_back(node, found[-1]))
        begun = _names(found[-1:])
    if old is None:
        first = new.control_planes[0].name
        found.append(Step("arda-bootstrap", "bootstrap", first, begun, "bootstraps etcd, once in its life", "no"))
        begun = ("arda-bootstrap",)
    workers = [_applied(node, known, reboots, begun) for node in touched if node.role == "worker"]
    found += workers
    found += _leavers(new, known, "leaving", _names(workers) or begun)
    return tuple(found)


def _names(found: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.resource for step in found)


def _applied(
    node: ClusterNodePlan, known: Collection[str], reboots: Mapping[str, Verdict], after: tuple[str, ...]
) -> Step:
    resource = f"arda-apply-{node.name}"
    if node.name not in known:
        says = f"installs {node.name} with its first configuration; it joins as {node.role}"
        return Step(resource, "join", node.name, after, says, "no")
    verdict = reboots.get(node.name, "no")
    told = {"yes": "and reboots it", "no": "while it runs", "unknown": "and may reboot it"}[verdict]
    return Step(resource, "apply", node.name, after, f"changes the configuration of {node.name} {told}", verdict)


def _back(node: ClusterNodePlan, applied: Step) -> Step:
    says = f"waits until {node.name} runs with it"
    return Step(f"arda-back-{node.name}", "gate", node.name, (applied.resource,), says, "no")


def _upgrades(old: ClusterPlan, new: ClusterPlan, after: tuple[str, ...]) -> Iterator[Step]:
    """Snapshot, control planes one by one, workers one by one, then Kubernetes."""
    standing = {node.name: node for node in old.members}
    todo = [node for node in new.members if node.name in standing and _differs(standing[node.name], node)]
    kubernetes = old.kubernetes != new.kubernetes
    if not todo and not kubernetes:
        return
    yield Step("arda-snapshot", "snapshot", None, after, "keeps etcd's data in a file, first of all", "no")
    last = "arda-snapshot"
    for node in todo:
        says = _upgraded(standing[node.name], node)
        yield Step(f"arda-upgrade-{node.name}", "upgrade", node.name, (last,), says, "yes")
        last = f"arda-upgrade-{node.name}"
    if kubernetes:
        says = f"upgrades Kubernetes from {old.kubernetes} to {new.kubernetes}, once every node is Ready"
        yield Step("arda-upgrade-kubernetes", "upgrade-kubernetes", None, (last,), says, "no")


def _differs(old: ClusterNodePlan, new: ClusterNodePlan) -> bool:
    return old.image.installer != new.image.installer


def _upgraded(old: ClusterNodePlan, new: ClusterNodePlan) -> str:
    was, will = (node.image.installer.rpartition(":")[2] for node in (old, new))
    what = f"from Talos {was} to {will}" if was != will else f"to another image of Talos {will}"
    gates = ["etcd is whole"] if new.role == "control-plane" else []
    gates += [f"{system} is healthy" for system in sorted({disk.system for disk in new.data})]
    return f"upgrades {new.name} {what}{', once ' if gates else ''}{listed(gates)}; it reboots"


def _leavers(new: ClusterPlan, known: Collection[str], state: str, after: tuple[str, ...]) -> Iterator[Step]:
    """The dead are forgotten before all else, the living leave after it: who joins has joined by then."""
    for node in (one for one in new.going if one.name in known and one.state == state):
        how = "drained, out of etcd, reset" if node.role == "control-plane" else "drained, reset"
        how = how if state == "leaving" else "forgotten, for it is lost"
        yield Step(f"arda-leave-{node.name}", "leave", node.name, after, f"takes {node.name} out: {how}", "yes")


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

    away = [step for step in taken if step.away != "no" and step.node]
    return [pair for pair in combinations(away, 2) if not back_before(*pair) and not back_before(*reversed(pair))]


def tolerated(system: StorageSystem) -> int:
    """How many of its nodes a system may miss and still serve: Ceph's own `min_size`, taken for Longhorn too.

    A pool of copies serves with more than half of them, rounded down; an erasure-coded one with k + min(1, m - 1)
    chunks (Ceph, "Pools", `min_size`). 0 where there is one copy: no order of steps can keep that up.
    """
    coding = system.erasure_coding.coding if system.erasure_coding else None
    chunks = [coding - min(1, coding - 1)] if coding else []
    return min([system.replicas // 2, *chunks])


def breaches(
    before: Environment, old: ClusterPlan | None, new: ClusterPlan | None, taken: Sequence[Step]
) -> list[Finding]:
    """What the steps would cost if the slowest of them met, and what Talos would refuse: findings of grade error."""
    if old is None or new is None:
        return []
    pairs = may_be_away_together(taken)
    together = {frozenset((one.node, two.node)) for one, two in pairs}
    surely = {frozenset((one.node, two.node)) for one, two in pairs if one.away == two.away == "yes"}
    return [
        *_two_upgraded(old, new, taken),
        *_planes_together(old, together),
        *_stores_together(before, together, surely),
    ]


def _two_upgraded(old: ClusterPlan, new: ClusterPlan, taken: Sequence[Step]) -> Iterator[Finding]:
    """Etcd's members at an upgrade are those that stand without the lost: joining and leaving come after it."""
    lost = {node.name for node in new.going if node.state == "lost"}
    planes = [node.name for node in old.control_planes if node.name not in lost]
    upgraded = [step.node for step in taken if step.kind == "upgrade" and step.node in planes]
    if len(planes) == 2 and upgraded:
        message = f"etcd has two members, {listed(planes)}: without {upgraded[0]} the other is no majority"
        hint = "let a third control plane join, or one of the two leave, in an edit before this one"
        yield Finding("change-two-planes-upgraded", "error", f"cluster.nodes.{upgraded[0]}", message, hint)


def _planes_together(cluster: ClusterPlan, pairs: Pairs) -> Iterator[Finding]:
    planes = [node.name for node in cluster.control_planes]
    for one, two in combinations(planes, 2):
        if frozenset((one, two)) in pairs:
            message = f"{one} and {two} may reboot at one time, and etcd of {len(planes)} needs {len(planes) // 2 + 1}"
            hint = "change what reboots one control plane in an edit of its own"
            yield Finding(
                "change-planes-together", "error", f"cluster.nodes.{two}", message, hint, f"cluster.nodes.{one}"
            )
            return


def _stores_together(before: Environment, pairs: Pairs, surely: Pairs) -> Iterator[Finding]:
    for name, system in sorted(before.storage.systems.items()):
        most = tolerated(system)
        held = every_holder(before, system) if system.disk and most else []
        group = _first_group(held, most, surely) or _first_group(held, most, pairs)
        if group:
            message = f"{listed(group)} may be away at one time, and {name} serves without {most} of them at most"
            hint = "change what reboots them node by node, an edit each"
            code = "change-storage-together"
            if not _all_in(group, surely):
                code = UNSURE
                message += "; whether they reboot is not known"
                hint = f"{hint}; or see that nothing needs {name} meanwhile"
            yield Finding(code, "error", f"storage.systems.{name}", message, hint)


def _first_group(held: Sequence[str], most: int, pairs: Pairs) -> tuple[str, ...]:
    """The first nodes that are one more than may be missing, each away together with each other; () without any."""
    return next((group for group in combinations(held, most + 1) if _all_in(group, pairs)), ())


def _all_in(group: Sequence[str], pairs: Pairs) -> bool:
    return all(frozenset(pair) in pairs for pair in combinations(group, 2))
