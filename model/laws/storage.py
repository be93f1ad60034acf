"""Laws of storage: each disk has one owner, and copies fit the machines that can hold them.

Owns disks, copies and the default class. Refuses the systems' own configuration, which is Git's.
"""

from collections.abc import Iterator

from model.environment import Environment
from model.laws.claims import claims, members, talos_nodes
from model.laws.registry import Breach, law
from model.laws.words import listed, nearest
from model.storage import StorageSystem

NEEDS = {"longhorn": ("siderolabs/iscsi-tools", "siderolabs/util-linux-tools")}
"""Extensions without which a storage system does not work on Talos (Longhorn's own Talos page)."""
NODES = ("cluster.nodes", "hardware")
WANTED = ("storage-node-unknown", "hardware-class-unknown")
THINNED = ("leaving-storage-copies", "leaving-storage-thin")


def holders(env: Environment, system: StorageSystem) -> list[str]:
    """The nodes whose disk a system uses and that stay."""
    staying = dict(members(env))
    return [name for name in every_holder(env, system) if name in staying]


def width(system: StorageSystem) -> int:
    """How many nodes a system needs for its copies, or for the chunks of its erasure-coded pool."""
    coding = system.erasure_coding
    return max(system.replicas, coding.data + coding.coding if coding else 0)


def every_holder(env: Environment, system: StorageSystem) -> list[str]:
    """The nodes whose disk a system uses, those that leave included: those it names, or every node whose class has
    the disk."""
    nodes = dict(talos_nodes(env))
    if system.nodes:
        return [name for name in system.nodes if name in nodes]
    return [
        name
        for name, node in nodes.items()
        if node.hardware in env.hardware and system.disk in env.hardware[node.hardware].disks
    ]


@law("storage-cluster-missing")
def storage_has_a_cluster(env: Environment) -> Iterator[Breach]:
    """Storage systems run on the cluster."""
    if env.storage.systems and env.cluster is None:
        yield Breach(
            "storage.systems",
            "there are storage systems, and no cluster that they run on",
            "add cluster, or leave them out",
            "cluster",
        )


@law("storage-default-unknown")
def default_exists(env: Environment) -> Iterator[Breach]:
    """The default class is one of the systems."""
    default = env.storage.default
    if default and default not in env.storage.systems:
        message = f"the default class is '{default}', which is no storage system"
        yield Breach("storage.default", message, nearest(default, env.storage.systems), "storage.systems")


@law("storage-default-missing", "warning")
def default_is_named(env: Environment) -> Iterator[Breach]:
    """One storage system is the default: a claim that names no class waits for ever otherwise."""
    if env.storage.systems and env.storage.default is None:
        message = "no storage system is the default: a claim that names no class would wait for ever"
        yield Breach("storage.default", message, f"name one: {listed(env.storage.systems)}", "storage.systems")


@law("storage-node-unknown")
def storage_nodes_exist(env: Environment) -> Iterator[Breach]:
    """A storage system names nodes of the cluster, each once."""
    known = dict(talos_nodes(env))
    for name, system in env.storage.systems.items():
        for index, node in enumerate(system.nodes):
            path = f"storage.systems.{name}.nodes.{index}"
            if known and node not in known:
                yield Breach(
                    path, f"{name} uses a disk of '{node}', which is no node", nearest(node, known), "cluster.nodes"
                )
            elif node in system.nodes[:index]:
                yield Breach(path, f"{name} names {node} twice", "leave one out")


@law("storage-disk-missing")
def system_names_a_disk(env: Environment) -> Iterator[Breach]:
    """A storage system that lives on disks says which."""
    for name, system in env.storage.systems.items():
        if system.kind != "nfs" and system.disk is None:
            disks = sorted({disk for hardware in env.hardware.values() for disk in hardware.disks})
            yield Breach(f"storage.systems.{name}.disk", f"{name} names no disk", f"one of {listed(disks)}", "hardware")


@law("storage-disk-unknown", unless=WANTED)
def disk_exists_on_every_node(env: Environment) -> Iterator[Breach]:
    """Each node that a storage system uses has the disk it names."""
    nodes = dict(talos_nodes(env))
    for name, system in env.storage.systems.items():
        path = f"storage.systems.{name}.disk"
        if system.disk is None or not nodes:
            continue
        users = holders(env, system)
        lacking = [node for node in users if system.disk not in _disks(env, nodes[node].hardware)]
        known = sorted({disk for node in users or nodes for disk in _disks(env, nodes[node].hardware)})
        if lacking:
            message = f"{name} uses disk '{system.disk}', which is missing on {listed(lacking)}"
            yield Breach(
                path, message, nearest(system.disk, known), f"hardware.{nodes[lacking[0]].hardware}.disks", NODES
            )
        elif not users:
            yield Breach(
                path, f"{name} uses disk '{system.disk}', which no node has", nearest(system.disk, known), "hardware"
            )


def _disks(env: Environment, hardware: str) -> tuple[str, ...]:
    return tuple(env.hardware[hardware].disks) if hardware in env.hardware else ()


@law("storage-disk-role", unless=("storage-disk-unknown", *WANTED))
def disk_is_for_data(env: Environment) -> Iterator[Breach]:
    """A storage system uses disks of role data; OpenEBS' local volumes may share the system disk. Never the disk that
    Talos is installed to, and never one of role never-touch."""
    nodes = dict(talos_nodes(env))
    for name, system in env.storage.systems.items():
        classes = sorted({nodes[node].hardware for node in holders(env, system)})
        for hardware in classes:
            disk = env.hardware[hardware].disks.get(system.disk or "") if hardware in env.hardware else None
            allowed = ("data", "system") if system.kind == "openebs" else ("data",)
            if disk and disk.role not in allowed:
                why = "Talos is installed to it" if disk.role == "system" else "nothing may touch it"
                good = [one for one, shape in env.hardware[hardware].disks.items() if shape.role == "data"]
                message = f"{name} would use {system.disk} of {hardware}, and {why}"
                hint = f"did you mean {good[0]}?" if good else f"leave nodes of class {hardware} out"
                yield Breach(
                    f"storage.systems.{name}.disk", message, hint, f"hardware.{hardware}.disks.{system.disk}.role"
                )


@law("storage-disk-shared")
def disk_has_one_owner(env: Environment) -> Iterator[Breach]:
    """A disk belongs to one storage system on each node."""
    owners: dict[tuple[str, str], str] = {}
    told: set[tuple[str, str]] = set()
    for name, system in env.storage.systems.items():
        for node in holders(env, system) if system.disk else ():
            other = owners.setdefault((node, system.disk or ""), name)
            if other != name and (name, other) not in told:
                told.add((name, other))
                message = f"{system.disk} of {node} belongs to {name} and to {other}"
                hint = "give each its own disk, or its own nodes"
                yield Breach(f"storage.systems.{name}.disk", message, hint, f"storage.systems.{other}.disk")


@law("storage-replicas", unless=("storage-disk-unknown", *THINNED, *WANTED))
def replicas_fit(env: Environment) -> Iterator[Breach]:
    """Every copy has a machine of its own."""
    for name, system in env.storage.systems.items():
        count = len(holders(env, system))
        if system.disk and count and system.replicas > count:
            message = f"{name} keeps {system.replicas} copies, and {count} nodes hold its disks"
            yield Breach(
                f"storage.systems.{name}.replicas", message, f"nearest: {count}", f"storage.systems.{name}.nodes"
            )


@law("storage-erasure", unless=("storage-disk-unknown", *THINNED, *WANTED))
def chunks_fit(env: Environment) -> Iterator[Breach]:
    """Every chunk of an erasure-coded pool has a machine of its own, and there are at least two data chunks."""
    for name, system in env.storage.systems.items():
        coding, count = system.erasure_coding, len(holders(env, system))
        if coding is None:
            continue
        path, wide = f"storage.systems.{name}.erasure_coding", coding.data + coding.coding
        if coding.data < 2:
            yield Breach(f"{path}.data", "one data chunk is a copy, at a copy's price", "at least 2, or use replicas")
        elif count and wide > count:
            message = f"{name} cuts into {coding.data}+{coding.coding} chunks, and {count} nodes hold its disks"
            hint = f"nearest: {count - 1}+1" if count > 2 else "use replicas"
            yield Breach(path, message, hint, f"storage.systems.{name}.nodes", NODES)


@law("storage-no-spare", "warning", unless=("storage-replicas", "storage-erasure"))
def a_machine_is_spare(env: Environment) -> Iterator[Breach]:
    """There is a machine more than copies or chunks: else a failed one leaves nowhere to repair to."""
    for name, system in env.storage.systems.items():
        count, wide = len(holders(env, system)), width(system)
        if system.disk and count == wide > 1:
            message = f"{name} spreads over all of its {count} nodes: when one fails there is nowhere to repair to"
            yield Breach(f"storage.systems.{name}", message, "add a node, or accept it", "cluster.nodes")


@law("storage-one-copy", "warning")
def data_has_a_copy(env: Environment) -> Iterator[Breach]:
    """A storage system that can keep copies keeps more than one."""
    for name, system in env.storage.systems.items():
        if system.kind in ("longhorn", "rook-ceph") and system.replicas == 1 and system.erasure_coding is None:
            yield Breach(
                f"storage.systems.{name}.replicas", f"{name} keeps one copy: a failed disk is lost data", "3 is usual"
            )


@law("storage-nfs")
def nfs_is_elsewhere(env: Environment) -> Iterator[Breach]:
    """NFS has a server and an exported path, and no disk of the cluster's; nothing else has a server."""
    for name, system in env.storage.systems.items():
        path, nfs = f"storage.systems.{name}", system.kind == "nfs"
        for field in ("server", "export"):
            if nfs and getattr(system, field) is None:
                yield Breach(f"{path}.{field}", f"{name} is NFS and names no {field}", f"add {field}")
            if not nfs and getattr(system, field) is not None:
                yield Breach(f"{path}.{field}", f"{name} is {system.kind}, which has no {field}", "leave it out")
        if nfs and system.disk:
            yield Breach(f"{path}.disk", f"{name} is NFS: its disks are the server's own", "leave it out")
        if nfs and system.export and not system.export.startswith("/"):
            yield Breach(f"{path}.export", f"'{system.export[:60]}' is no path", f"did you mean /{system.export[:60]}?")


@law("storage-nfs-server", unless=("storage-nfs",))
def nfs_server_is_not_ours(env: Environment) -> Iterator[Breach]:
    """An NFS server is no node or gateway of the cluster that mounts it."""
    own = {claim.address: claim for claim in claims(env) if claim.served or claim.path.startswith("cluster.")}
    for name, system in env.storage.systems.items():
        if system.server and system.server in own:
            message = f"{name} is served by {system.server}, which is {own[system.server].who}"
            yield Breach(f"storage.systems.{name}.server", message, "name the NAS' address", own[system.server].path)


@law("storage-store-kind")
def stores_are_offered(env: Environment) -> Iterator[Breach]:
    """Only Ceph offers files and objects besides blocks, and each kind of store is named once."""
    for name, system in env.storage.systems.items():
        for index, store in enumerate(system.stores):
            path = f"storage.systems.{name}.stores.{index}"
            if store in system.stores[:index]:
                yield Breach(path, f"{name} names {store} twice", "leave one out")
            elif store != "block" and system.kind in ("longhorn", "openebs"):
                yield Breach(
                    path, f"{name} is {system.kind}, which offers no {store} store", "leave it out, or use rook-ceph"
                )


@law("storage-extensions", unless=("storage-disk-unknown", *WANTED))
def storage_finds_its_tools(env: Environment) -> Iterator[Breach]:
    """The Talos image of a storage node carries the extensions that its storage system calls."""
    nodes = dict(talos_nodes(env))
    for name, system in env.storage.systems.items():
        for hardware in sorted({nodes[node].hardware for node in holders(env, system)} & set(env.hardware)):
            have = env.hardware[hardware].talos.extensions
            lacking = [one for one in NEEDS.get(system.kind, ()) if one not in have]
            if lacking:
                message = f"{name} needs {listed(lacking)} in the image of {hardware}"
                path = f"hardware.{hardware}.talos.extensions"
                yield Breach(path, message, f"add {listed(lacking)}", f"storage.systems.{name}")


@law("storage-unschedulable", unless=WANTED)
def storage_nodes_take_workloads(env: Environment) -> Iterator[Breach]:
    """A storage system's own pods may run on the nodes whose disks it uses."""
    if env.cluster is None or env.cluster.schedulable_control_planes:
        return
    for name, system in env.storage.systems.items():
        closed = [
            node
            for node in system.nodes
            if node in env.cluster.nodes and env.cluster.nodes[node].role == "control-plane"
        ]
        if closed:
            message = f"{name} uses disks of {listed(closed)}, which take no workloads"
            hint = "name workers, or set cluster.schedulable_control_planes: true"
            yield Breach(f"storage.systems.{name}.nodes", message, hint, "cluster.schedulable_control_planes")
