"""A walk through the steps of an edit: the cluster's state at every moment, in any order that the graph allows.

Owns the state, how a step changes it, and what must hold at every moment between. Refuses to choose an order: whoever
walks does, one start or end of a step at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from foresight.steps import Step, tolerated
from model.environment import Environment
from model.laws.storage import every_holder
from model.plan import Plan


@dataclass(frozen=True)
class Store:
    """A storage system as far as a walk needs it."""

    holders: frozenset[str]
    """The nodes that held its data when the walk began."""
    may_miss: int


@dataclass(frozen=True)
class Cluster:
    """The cluster at one moment."""

    voters: frozenset[str]
    """Members of etcd that vote."""
    learners: frozenset[str]
    """Members that are still catching up."""
    members: frozenset[str]
    """Every machine that belongs to it."""
    away: frozenset[str]
    """Machines that do not answer now: they reboot, are upgraded, or leave."""
    leads: str | None
    """The control plane that holds the API's address; None when nobody does."""
    versions: Mapping[str, str]
    """Talos' installer image on each machine."""
    stores: Mapping[str, Store]
    done: frozenset[str]
    """Resources that are through."""
    running: frozenset[str]
    """Resources at work."""


def standing(environment: Environment, plan: Plan) -> Cluster:
    """The cluster of a plan as it stands, all well. Nothing at all without a cluster."""
    cluster = plan.cluster
    members = cluster.members if cluster else ()
    voters = frozenset(node.name for node in members if node.role == "control-plane")
    stores = {
        name: Store(frozenset(every_holder(environment, system)), tolerated(system))
        for name, system in environment.storage.systems.items()
        if system.disk and tolerated(system)
    }
    return Cluster(
        voters=voters,
        learners=frozenset(),
        members=frozenset(node.name for node in members),
        away=frozenset(),
        leads=min(voters, default=None),
        versions={node.name: node.image.installer for node in members},
        stores=stores,
        done=frozenset(),
        running=frozenset(),
    )


def ready(now: Cluster, steps: Sequence[Step]) -> list[Step]:
    """The steps that the graph lets begin."""
    begun = now.done | now.running
    return [step for step in steps if step.resource not in begun and now.done.issuperset(step.after)]


def begin(now: Cluster, step: Step) -> Cluster:
    """The moment after a step has begun: the worst of it, its node away if it may be."""
    now = replace(now, running=now.running | {step.resource})
    if step.node and step.away != "no":
        now = replace(now, away=now.away | {step.node})
    if step.kind == "leave" and step.node:
        now = replace(now, voters=now.voters - {step.node}, learners=now.learners - {step.node})
    return _led(now)


def end(now: Cluster, step: Step, roles: Mapping[str, str], images: Mapping[str, str]) -> Cluster:
    """The moment after a step has ended. A configuration is taken before its reboot is over: its node stays away until
    something waits for it."""
    now = replace(now, running=now.running - {step.resource}, done=now.done | {step.resource})
    node = step.node
    if node is None:
        return now
    if step.kind == "leave":
        versions = {name: image for name, image in now.versions.items() if name != node}
        now = replace(now, members=now.members - {node}, away=now.away - {node}, versions=versions)
    elif step.kind == "join":
        learns = now.learners | {node} if roles[node] == "control-plane" else now.learners
        versions = {**now.versions, node: images[node]}
        now = replace(now, members=now.members | {node}, learners=learns, versions=versions)
    elif step.kind == "upgrade":
        now = replace(now, away=now.away - {node}, versions={**now.versions, node: images[node]})
    elif step.kind in ("gate", "bootstrap"):
        votes = now.voters | ({node} & now.learners) if now.voters else frozenset({node})
        now = replace(now, away=now.away - {node}, voters=votes, learners=now.learners - votes)
    return _led(now)


def _led(now: Cluster) -> Cluster:
    """The API's address is with a voter that answers: the one that has it keeps it, else another takes it."""
    able = now.voters - now.away
    return now if now.leads in able else replace(now, leads=min(able, default=None))


def broken(now: Cluster) -> Iterator[str]:
    """What must hold at every moment of a cluster with voters, and does not; one sentence each."""
    if not now.voters:
        return
    up = now.voters - now.away
    redundant = len(now.voters) > 2
    if redundant and len(up) <= len(now.voters) // 2:
        yield f"etcd: {len(up)} of {len(now.voters)} voters answer, which is no majority"
    if redundant and now.leads is None:
        yield "the API's address is held by nobody"
    planes = (now.voters | now.learners) & now.away
    if len(planes) > 1:
        yield f"two control planes are away at once: {', '.join(sorted(planes))}"
    for name, store in sorted(now.stores.items()):
        missing = store.holders & now.away
        if len(missing) > store.may_miss:
            yield f"{name} misses {', '.join(sorted(missing))}, and may miss {store.may_miss}"


def facts(plan: Plan) -> tuple[dict[str, str], dict[str, str]]:
    """(role, installer image) of each node of a plan."""
    nodes = plan.cluster.nodes if plan.cluster else ()
    return {node.name: node.role for node in nodes}, {node.name: node.image.installer for node in nodes}
