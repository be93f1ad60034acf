"""Rules over edits of machines and disks: what happens to data, to etcd, and to who is still asked.

Owns those of nodes and storage. Refuses versions (`edits_of_versions`).
"""

from collections.abc import Iterator

from foresight.edits import both_clusters, rule, staying
from model.arda import ClusterNode
from model.environment import Environment
from model.laws.registry import Breach
from model.laws.storage import every_holder
from model.laws.words import listed
from model.storage import StorageSystem


def _path(name: str, key: str = "") -> str:
    return f"cluster.nodes.{name}.{key}" if key else f"cluster.nodes.{name}"


@rule("change-node-removed")
def a_member_leaves_before_its_entry_goes(before: Environment, after: Environment) -> Iterator[Breach]:
    """A node leaves the cluster before its entry is deleted: otherwise nobody tells etcd, Kubernetes or the machine,
    which runs on as a member."""
    clusters = both_clusters(before, after)
    for name, node in clusters[0].nodes.items() if clusters else ():
        if clusters and node.state == "member" and name not in clusters[1].nodes:
            message = f"{name} is a member of the cluster, and without its entry nobody would take it out"
            hint = "put it back with state: leaving (lost, if the machine is dead), `pulumi up`, then delete it"
            yield Breach(_path(name), message, hint)


@rule("change-quorum")
def most_of_etcd_stays(before: Environment, after: Environment) -> Iterator[Breach]:
    """One control plane leaves in one edit at most, counted against what stands: etcd must be whole again before it
    loses another."""
    clusters = both_clusters(before, after)
    if clusters is None:
        return
    old, new = clusters
    planes = [name for name, node in old.nodes.items() if node.role == "control-plane" and node.state == "member"]
    gone = [name for name in planes if name not in new.nodes or new.nodes[name].state != "member"]
    gone += [name for name in planes if name in new.nodes and new.nodes[name].role != "control-plane"]
    if len(gone) > 1:
        message = f"{listed(gone)} would go at once, of {len(planes)} control planes"
        yield Breach(_path(gone[1]), message, f"let {gone[0]} leave first, then the next", _path(gone[0]))


@rule("change-node-role")
def a_role_is_for_life(before: Environment, after: Environment) -> Iterator[Breach]:
    """A machine keeps its role until it has left: Talos takes no other one into a running machine."""
    for name, old, new in staying(before, after):
        if old.role != new.role:
            message = f"{name} runs as {old.role}; a running machine takes no other role"
            yield Breach(_path(name, "role"), message, f"let it leave (state: leaving), then add it as {new.role}")


@rule("change-node-address")
def an_address_is_for_life(before: Environment, after: Environment) -> Iterator[Breach]:
    """A member keeps its address: its configuration is brought to the new one, where nobody answers yet, and etcd
    knows its peers by the old one."""
    for name, old, new in staying(before, after):
        if old.address != new.address:
            message = f"{name} answers at {old.address}; its configuration would be sent to {new.address}, to nobody"
            hint = f"put back {old.address}; or let it leave (state: leaving), then add it at {new.address}"
            yield Breach(_path(name, "address"), message, hint)


@rule("change-node-machine")
def another_machine_is_another_member(before: Environment, after: Environment) -> Iterator[Breach]:
    """Another machine under an old name joins only after the old one is gone: nothing else tells the program that it
    must be configured, and etcd that its member has no data."""
    for name, old, new in staying(before, after):
        if old.mac != new.mac:
            message = f"{name} is the machine {old.mac}; {new.mac} would never be sent a configuration"
            hint = "mark it state: lost, `pulumi up`, then make it a member again with the new MAC"
            yield Breach(_path(name, "mac"), message, hint)


@rule("change-node-architecture")
def a_class_change_keeps_the_processor(before: Environment, after: Environment) -> Iterator[Breach]:
    """A running machine is not upgraded to an image for another processor."""
    for name, old, new in staying(before, after):
        was, is_now = before.hardware.get(old.hardware), after.hardware.get(new.hardware)
        if was and is_now and was.arch != is_now.arch:
            message = f"{name} runs on {was.arch}; {new.hardware} is {is_now.arch}, and its image would not start there"
            hint = f"put back {old.hardware}; a new machine joins under an entry of its own"
            yield Breach(_path(name, "class"), message, hint)


@rule("change-install-disk", "warning")
def an_installed_system_stays_on_its_disk(before: Environment, after: Environment) -> Iterator[Breach]:
    """Talos stays on the disk that it was installed to: naming another one has no effect on a machine that runs."""
    for name, old, new in staying(before, after):
        if _system_disk(before, old) != _system_disk(after, new):
            message = f"{name} runs from the disk that it was installed to, and goes on to"
            yield Breach(_path(name), message, "it counts when the machine is installed anew: leave, then join")


def _system_disk(env: Environment, node: ClusterNode) -> tuple[object, ...]:
    """What tells the disk that a node is installed to: name, kind and identity."""
    known = env.hardware.get(node.hardware)
    disks = known.disks.items() if known else ()
    return tuple((name, disk.kind, node.disks.get(name)) for name, disk in disks if disk.role == "system")


@rule("change-storage-removed", by_hand=True)
def a_store_is_not_left_out(before: Environment, after: Environment) -> Iterator[Breach]:
    """A storage system with data goes from Git first: left out here, its disks are taken from under it."""
    for name, system in before.storage.systems.items():
        if system.disk and name not in after.storage.systems:
            message = f"{name} has disks on {listed(every_holder(before, system))}, and its data with them"
            hint = "put it back; move its volumes, take it out of gitops/, then accept this"
            yield Breach(f"storage.systems.{name}", message, hint)


@rule("change-storage-disk", by_hand=True)
def a_store_keeps_its_disks(before: Environment, after: Environment) -> Iterator[Breach]:
    """A storage system keeps its disks and its kind: on others it starts empty, on every node at once."""
    for name, old, new in _kept(before, after):
        if old.kind != new.kind or (old.disk != new.disk and old.disk):
            was, now = f"{old.kind} on {old.disk}", f"{new.kind} on {new.disk}"
            message = f"{name} is {was}, with data; as {now} it would start empty everywhere at once"
            yield Breach(f"storage.systems.{name}", message, f"put back {was}; a second system takes the new disk")


@rule("change-storage-copies", by_hand=True)
def a_copy_stays(before: Environment, after: Environment) -> Iterator[Breach]:
    """Fewer nodes leave a storage system in one edit than it has copies (or chunks to spare): otherwise some data may
    have had all its copies on them."""
    for name, old, new in _kept(before, after):
        held, stays = every_holder(before, old), set(every_holder(after, new))
        members = after.cluster.nodes if after.cluster else {}
        gone = [node for node in held if node not in stays or node not in members or members[node].state != "member"]
        chunks = [old.erasure_coding.coding] if old.erasure_coding else []
        spare = min(old.replicas - 1, *chunks) if chunks else old.replicas - 1
        # OpenEBS' volumes are local by nature: for what keeps copies of its own
        if len(gone) > spare and old.disk and old.kind != "openebs":
            message = f"{listed(gone)} would leave {name} at once, which can miss {spare}: their last copies may go"
            hint = (
                "one node at a time, its data moved before the next"
                if spare
                else "move its data first, then accept this"
            )
            yield Breach(f"storage.systems.{name}.nodes", message, hint)


def _kept(before: Environment, after: Environment) -> Iterator[tuple[str, StorageSystem, StorageSystem]]:
    for name, old in before.storage.systems.items():
        if after.cluster and name in after.storage.systems:
            yield name, old, after.storage.systems[name]
