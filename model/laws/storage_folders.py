"""Laws of storage as the folders have it: classes, drivers, disks and exports are those of the stack file.

Owns what the stack file's `storage` says and a folder says again. Refuses disks and copies as such (`storage`), and
classes that nobody brings (`closure`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.graph import Graph
from model.closure.reading import items, mapping
from model.closure.things import DEFAULT_CLASS, Thing
from model.environment import Environment
from model.laws.closure import UNREADABLE, few, graphs, place, said
from model.laws.registry import Breach, tree_law
from model.laws.storage import WANTED, holders
from model.laws.words import listed
from model.storage import StorageSystem
from model.tree import Chart, Tree

MAKERS = {
    "longhorn": ("longhorn",),
    "rook-ceph": ("rook-ceph-cluster",),
    "openebs": ("localpv-provisioner", "openebs"),
    "nfs": ("csi-driver-nfs",),
}
"""Kind of a storage system → the charts that make its classes."""
DRIVER = re.compile(r"(?P<prefix>.+)\.(?:rbd|cephfs|nfs)\.csi\.ceph\.com")
"""A driver of Ceph's (Rook, "Ceph CSI Drivers": it is called after the operator's namespace)."""
DISKS = "/dev/disk/by-id/"


def _own(env: Environment, tree: Tree) -> Iterator[Graph]:
    """The graph of the cluster that `storage` is about."""
    yield from (graph for graph in graphs(env, tree) if env.cluster and graph.cluster == env.cluster.name)


def _charts(graph: Graph, *names: str) -> Iterator[tuple[str, Chart]]:
    yield from ((file, chart) for app in graph.apps for file, chart in app.charts if chart.name in names)


@tree_law("storage-class-default", unless=(*UNREADABLE, "storage-default-unknown"))
def one_class_is_the_default(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Exactly one class of a cluster is the default, on the Talos cluster one of `storage.default`. Of two, Kubernetes
    takes the one made last, and a claim that names none lands where nobody meant it to."""
    for graph in graphs(env, tree):
        makers = graph.brought.get(Thing("StorageClass", "", DEFAULT_CLASS), ())
        if len(makers) > 1:
            who = listed([f"{one.by} of {one.app}" for one in makers])
            yield Breach(place(graph), f"{who} each make a default class"[:239], "leave one of them the default")
    for graph in _own(env, tree):
        yield from _meant(env, graph)


def _meant(env: Environment, graph: Graph) -> Iterator[Breach]:
    default = env.storage.default or ""
    system = env.storage.systems.get(default)
    makers = graph.brought.get(Thing("StorageClass", "", DEFAULT_CLASS), ())
    if system is None or len(makers) > 1 or not list(_charts(graph, *MAKERS[system.kind])):
        return
    if not makers:
        message = f"{default} is to be the default, and no class on {graph.cluster} is"
    elif makers[0].by in {f"chart {name}" for name in MAKERS[system.kind]} or not makers[0].by.startswith("chart "):
        return
    else:
        message = f"{default} is to be the default, and {makers[0].by} of {makers[0].app} makes its class so"
    yield Breach("storage.default", message, f"make it so in the values of {listed(MAKERS[system.kind])}", place(graph))


@tree_law("storage-ceph-driver", unless=UNREADABLE)
def drivers_are_called_alike(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Ceph's operator, its cluster and every class call the CSI drivers by one name. A class of another name is served
    by nobody: its claims wait for ever, and say only that they wait."""
    for graph in graphs(env, tree):
        yield from few(_drivers(env, graph))


def _drivers(env: Environment, graph: Graph) -> Iterator[Breach]:
    operators = list(_charts(graph, "rook-ceph"))
    if not operators:
        return
    file, operator = operators[0]
    prefix = str(mapping(operator.values.get("csi")).get("csiDriverNamePrefix") or operator.namespace)
    for where, cluster in _charts(graph, "rook-ceph-cluster"):
        said_there = str(cluster.values.get("operatorNamespace") or cluster.namespace)
        theirs = str(cluster.values.get("csiDriverNamePrefix") or said_there)
        if said_there != operator.namespace:
            message = f"{said(env, where)} says operatorNamespace {said_there}, and {said(env, file)} is in"
            yield Breach(place(graph), f"{message} {operator.namespace}", f"operatorNamespace: {operator.namespace}")
        elif theirs != prefix:
            message = f"{said(env, where)} makes classes of {theirs}.rbd.csi.ceph.com, and the driver is {prefix}'s"
            yield Breach(place(graph), message, "leave csiDriverNamePrefix out of both values, or say it in both")
    for held in (held for app in graph.apps for held in app.objects):
        named = held.body.get("provisioner") if held.kind == "StorageClass" else held.body.get("driver")
        fits = DRIVER.fullmatch(named) if isinstance(named, str) else None
        if fits and fits["prefix"] != prefix:
            what = f"{held.kind} {held.name} is for {fits[0]}, and the driver is {prefix}'s"
            hint = f"{prefix}{fits[0].removeprefix(fits['prefix'])}"
            yield Breach(place(graph), f"{said(env, held.file)}: {what}", hint)


@tree_law("storage-ceph-disks", unless=(*UNREADABLE, *WANTED, "storage-disk-unknown"))
def ceph_takes_its_disks(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Ceph takes the disks that the stack file gives it, and no other, and keeps as many copies. Left to itself Rook
    takes every empty disk of every node."""
    for graph in _own(env, tree):
        for name, system in env.storage.systems.items():
            if system.kind == "rook-ceph":
                for file, chart in _charts(graph, "rook-ceph-cluster"):
                    yield from few(_disks(env, said(env, file), f"storage.systems.{name}", system, chart))


def _disks(env: Environment, file: str, path: str, system: StorageSystem, chart: Chart) -> Iterator[Breach]:
    storage = mapping(mapping(chart.values.get("cephClusterSpec")).get("storage"))
    loose = [key for key in ("useAllNodes", "useAllDevices") if storage.get(key) is not False]
    if loose:
        message = f"{file}: cephClusterSpec.storage says no {listed([f'{key}: false' for key in loose])}"
        yield Breach(path, message, "name nodes and devices, and say so")
    given = {str(mapping(one).get("name")): _devices(mapping(one)) for one in items(storage.get("nodes"))}
    wanted = {node: _device(env, node, system.disk or "") for node in holders(env, system)}
    # Who leaves or is lost may be among them until its entry goes: Ceph mends what it held first
    going = {name for name, node in env.cluster.nodes.items() if node.state != "member"} if env.cluster else set()
    for node in sorted({*given, *wanted} - going) if not loose else ():
        disk, found = wanted.get(node), given.get(node)
        if found is None or node not in wanted:
            which = f"leaves {node} out" if found is None else f"takes disks of {node}, which is none of its nodes"
            yield Breach(f"{path}.nodes", f"{file} {which}", f"nodes: {listed(sorted(wanted))}")
        elif disk and found != [disk]:
            message = f"{file} takes {listed(found) or 'no device'} of {node}, whose {system.disk} is {disk}"
            yield Breach(f"{path}.disk", message, f"devices: [{{ name: {disk} }}]", f"cluster.nodes.{node}.disks")
    for pool in items(chart.values.get("cephBlockPools")):
        size = mapping(mapping(mapping(pool).get("spec")).get("replicated")).get("size")
        if isinstance(size, int) and size != system.replicas:
            message = f"{file}: {mapping(pool).get('name')} keeps {size} copies"
            yield Breach(f"{path}.replicas", message, f"size: {system.replicas}, or change replicas here")


def _devices(node: Mapping[str, Any]) -> list[str]:
    return [str(mapping(one).get("name")) for one in items(node.get("devices"))]


def _device(env: Environment, node: str, disk: str) -> str | None:
    """The name that a node's disk keeps, as the stack file has it; None where it has none."""
    own = env.cluster.nodes[node].disks.get(disk) if env.cluster and node in env.cluster.nodes else None
    return f"{DISKS}{own.by_id.removeprefix(DISKS)}" if own and own.by_id else None


@tree_law("storage-nfs-volume", unless=(*UNREADABLE, "storage-nfs"))
def volumes_are_exported(env: Environment, tree: Tree) -> Iterator[Breach]:
    """An NFS volume of the Talos cluster lies on a server, and below an export, that the stack file names."""
    exports = [one for one in env.storage.systems.values() if one.kind == "nfs"]
    for graph in _own(env, tree):
        for held in (held for app in graph.apps for held in app.objects if held.kind == "PersistentVolume"):
            nfs = mapping(mapping(held.body.get("spec")).get("nfs"))
            server, folder = str(nfs.get("server", "")), f"{nfs.get('path', '')}/"
            fits = any(str(one.server) == server and folder.startswith(f"{one.export}/") for one in exports)
            if nfs and not fits:
                message = (
                    f"{said(env, held.file)}: {held.name} lies at {server}:{folder.rstrip('/')}, which is no export"
                )
                known = listed([f"{one.server}:{one.export}" for one in exports])
                yield Breach(
                    "storage.systems", message, f"known: {known}" if known else "add it, kind: nfs", place(graph)
                )


@tree_law("storage-local-folder", unless=UNREADABLE)
def local_volumes_are_handed_over(env: Environment, tree: Tree) -> Iterator[Breach]:
    """OpenEBS' volumes lie where Talos lets the kubelet see, `/var/mnt/<system>`: from any other folder no pod can
    mount them."""
    systems = [name for name, one in env.storage.systems.items() if one.kind == "openebs"]
    for graph in _own(env, tree):
        for file, chart in _charts(graph, "localpv-provisioner"):
            folder = mapping(chart.values.get("hostpathClass")).get("basePath", "/var/openebs/local")
            if systems and folder not in [f"/var/mnt/{name}" for name in systems]:
                message = f"{said(env, file)}: hostpathClass.basePath is {str(folder)[:80]}, which no kubelet sees"
                yield Breach(f"storage.systems.{systems[0]}", message, f"basePath: /var/mnt/{systems[0]}", place(graph))


@tree_law("storage-longhorn-parted", unless=(*UNREADABLE, *WANTED, "storage-disk-unknown"))
def longhorn_lies_on_its_disks(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Longhorn's folder is the volume that Talos makes of its disk, on the nodes with Talos' label alone, and it keeps
    as many copies as the stack file says. Its own default path is a folder on the system disk."""
    for graph in _own(env, tree):
        for name, system in env.storage.systems.items():
            if system.kind == "longhorn":
                for file, chart in _charts(graph, "longhorn"):
                    yield from few(_longhorn(f"storage.systems.{name}", name, said(env, file), system, chart))
                yield from few(_classes(env, graph, f"storage.systems.{name}.replicas", system))


def _longhorn(path: str, name: str, file: str, system: StorageSystem, chart: Chart) -> Iterator[Breach]:
    wanted = (
        ("defaultSettings", "defaultDataPath", f"/var/mnt/{name}", f"{path}.disk"),
        ("defaultSettings", "createDefaultDiskLabeledNodes", True, f"{path}.nodes"),
        ("defaultSettings", "defaultReplicaCount", system.replicas, f"{path}.replicas"),
        ("persistence", "defaultClassReplicaCount", system.replicas, f"{path}.replicas"),
    )
    for group, key, value, where in wanted:
        given = mapping(chart.values.get(group)).get(key)
        if given != value:
            told = "is not said" if given is None else f"is {str(given)[:80]}"
            line = f"{key}: {str(value).lower() if value is True else value}"
            yield Breach(where, f"{file}: {group}.{key} {told}", f"write {line} there")


def _classes(env: Environment, graph: Graph, path: str, system: StorageSystem) -> Iterator[Breach]:
    for held in (held for app in graph.apps for held in app.objects if held.kind == "StorageClass"):
        given = mapping(held.body.get("parameters")).get("numberOfReplicas")
        if held.body.get("provisioner") == "driver.longhorn.io" and given != str(system.replicas):
            message = (
                f"{said(env, held.file)}: class {held.name} keeps {str(given or 'as many as Longhorn likes')[:40]}"
            )
            hint = f'numberOfReplicas: "{system.replicas}", or change replicas here'
            yield Breach(path, f"{message} copies", hint, place(graph))
