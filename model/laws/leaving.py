"""Laws of nodes that leave: what must still stand when they are gone.

Owns `state` of a node. Refuses what only a running cluster knows (who is healthy, where the last copy lies): the
removal itself asks that, `render.leaving`.
"""

from collections.abc import Iterator

from model.environment import Environment
from model.laws.claims import leavers, members
from model.laws.registry import Breach, law
from model.laws.storage import every_holder, holders, width
from model.laws.words import listed

MONITORS = 3
"""Ceph's monitors, each on a machine of its own (Rook's default `mon.count`, `allowMultiplePerNode: false`)."""


def _path(name: str) -> str:
    return f"cluster.nodes.{name}.state"


def _going(env: Environment, role: str) -> list[str]:
    return [name for name, node in leavers(env) if node.role == role]


def _staying(env: Environment) -> int:
    return sum(node.role == "control-plane" for _, node in members(env))


@law("leaving-last-control-plane")
def a_control_plane_stays(env: Environment) -> Iterator[Breach]:
    """Some control plane stays: with the last one goes etcd, and all that the cluster knows."""
    gone = _going(env, "control-plane")
    lost = {name for name, node in leavers(env) if node.state == "lost"}
    if not gone or _staying(env):
        return
    last = gone[-1]
    if last in lost:
        message = f"{last} is lost, and no other control plane is there to forget it: etcd's data went with it"
        yield Breach(_path(last), message, "restore from a snapshot: docs/day-2/restore.md")
    else:
        message = f"{last} is the last control plane: with it go etcd and all that the cluster knows"
        hint = "let another machine join as a control plane first; to give the lab up: pulumi destroy"
        yield Breach(_path(last), message, hint)


@law("leaving-control-planes-together", unless=("leaving-last-control-plane", "leaving-quorum"))
def control_planes_leave_singly(env: Environment) -> Iterator[Breach]:
    """One control plane goes at a time: etcd must be whole again before it loses another."""
    nodes = dict(leavers(env))
    # What is dead goes first: until it is forgotten, its missing vote counts against the others
    first, *others = sorted(_going(env, "control-plane"), key=lambda name: nodes[name].state != "lost") or [""]
    for name in others:
        message = f"{name} would go in the same `up` as {first}: etcd must be whole again in between"
        yield Breach(_path(name), message, f"leave it a member until the entry of {first} is gone", _path(first))


@law("leaving-quorum", unless=("leaving-last-control-plane",))
def the_living_are_most(env: Environment) -> Iterator[Breach]:
    """Lost control planes are less than half: etcd forgets a dead member only by the vote of most of them."""
    lost = [name for name, node in leavers(env) if node.state == "lost" and node.role == "control-plane"]
    voters = _staying(env) + len(_going(env, "control-plane"))
    alive = voters - len(lost)
    if lost and alive <= voters // 2:
        message = f"{listed(lost)} lost of {voters} control planes: {alive} left is no majority, and etcd stands still"
        yield Breach(_path(lost[-1]), message, "get one to start again, or restore: docs/day-2/restore.md")


@law("leaving-quorum-even", "warning", unless=("leaving-control-planes-together", "leaving-quorum"))
def an_odd_number_stays(env: Environment) -> Iterator[Breach]:
    """An odd number of control planes stays: an even number survives no more failures than one less does."""
    gone, count = _going(env, "control-plane"), _staying(env)
    if gone and count and count % 2 == 0:
        survives = "either's failure stops both" if count == 2 else f"they survive no more failures than {count - 1}"
        message = f"{count} control planes stay: {survives}"
        hint = f"go on to {count - 1} or {count + 1} as soon as {gone[0]} is gone"
        yield Breach(_path(gone[0]), message, hint, "cluster.nodes")


@law("leaving-storage-named", unless=("leaving-last-control-plane",))
def nobody_counts_on_its_disks(env: Environment) -> Iterator[Breach]:
    """A node that leaves is named by no storage system: Git would go on to wait for its disks."""
    leaving = [name for name, node in leavers(env) if node.state == "leaving"]
    for system_name, system in env.storage.systems.items():
        for index, node in enumerate(system.nodes):
            if node in leaving:
                path = f"storage.systems.{system_name}.nodes.{index}"
                message = f"{system_name} uses a disk of {node}, which leaves"
                hint = "leave it out here, and in the folder under gitops/ that configures it"
                yield Breach(path, message, hint, _path(node))


@law("leaving-storage-copies", unless=("leaving-last-control-plane", "leaving-control-planes-together"))
def copies_still_fit(env: Environment) -> Iterator[Breach]:
    """Every copy and every chunk still has a machine of its own when a node has left: else its data has nowhere to
    go, and the storage system stays below its own minimum."""
    for name, held, staying, wide in _thinned(env, "leaving"):
        message = f"{name} needs {wide} nodes with its disks, and {staying} would stay without {listed(held)}"
        hint = "add a node with such a disk first, and let its data move there; or keep fewer copies, in Git too"
        yield Breach(_path(held[0]), message, hint, f"storage.systems.{name}")


@law("leaving-storage-thin", "warning", unless=("leaving-last-control-plane",))
def lost_copies_come_back(env: Environment) -> Iterator[Breach]:
    """Where a machine was lost, enough stay for every copy: the data that is left has fewer until one comes back."""
    for name, held, staying, wide in _thinned(env, "lost"):
        message = (
            f"{name} needs {wide} nodes, and {staying} stay without {listed(held)}: data has fewer copies till then"
        )
        yield Breach(_path(held[0]), message, "let the new machine join soon, as a member", f"storage.systems.{name}")


def _thinned(env: Environment, state: str) -> Iterator[tuple[str, list[str], int, int]]:
    """(system, its nodes in `state`, nodes that stay, nodes it needs) of each system that needs more than stay."""
    going = [name for name, node in leavers(env) if node.state == state]
    for name, system in env.storage.systems.items():
        held = [node for node in every_holder(env, system) if node in going]
        staying, wide = len(holders(env, system)), width(system)
        if system.disk and held and staying < wide:
            yield name, held, staying, wide


@law("leaving-storage-monitors", unless=("leaving-storage-copies",))
def monitors_still_fit(env: Environment) -> Iterator[Breach]:
    """Ceph's three monitors still have a machine each when a node has left: with two, the next failure stops it."""
    if env.cluster is None:
        return
    open_ones = env.cluster.schedulable_control_planes
    staying = sum(open_ones or node.role == "worker" for _, node in members(env))
    leaving = [name for name, one in leavers(env) if one.state == "leaving" and (open_ones or one.role == "worker")]
    for name, system in env.storage.systems.items():
        if system.kind == "rook-ceph" and leaving and staying < MONITORS <= staying + len(leaving):
            message = f"{name} runs {MONITORS} monitors, each on a machine of its own, and {staying} would stay"
            yield Breach(_path(leaving[0]), message, "add a node first", f"storage.systems.{name}")
