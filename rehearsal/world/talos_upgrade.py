"""Which Talos and Kubernetes a machine really runs, and what an upgrade does to it.

Owns the facts of releases (which Talos takes over from which, which Kubernetes goes with which) and the steps of an
upgrade. It refuses to own booting (``machines``) and etcd's membership (``talos_etcd``).

Sources: Talos 1.12, ``pkg/machinery/compatibility``; its upgrade sequence (``v1alpha1_sequencer.go``: drain, stop,
install, reboot; a control plane stays a member of etcd and is away meanwhile); ``Upgrade`` in ``v1alpha1_server.go``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from rehearsal.world import talos_config
from rehearsal.world.errors import Refusal
from rehearsal.world.factory import ImageName, read_installer
from rehearsal.world.go_yaml import load
from rehearsal.world.talos_config import main_document
from rehearsal.world.talos_door import grpc_error
from rehearsal.world.talos_node import Node

if TYPE_CHECKING:
    from rehearsal.world import World

_MOST_MINORS = 2
"""A release takes over from two minors below itself, and from one above (``MinimumHostUpgradeVersion``)."""
_KUBERNETES = {10: (28, 33), 11: (29, 34), 12: (30, 35), 13: (31, 36)}
"""Minor of Talos → minors of Kubernetes that go with it (``MinimumKubernetesVersion``, ``Maximum…``)."""
_IMAGES = ("apiServer", "controllerManager", "scheduler")


def installed(record: dict[str, Any]) -> None:
    """Remember what an install from maintenance mode has put on the disk: its configuration's installer."""
    image = main_document(talos_config.parse(record["config"]))["machine"]["install"]["image"]
    _put(record, read_installer(str(image)))


def _put(record: dict[str, Any], image: ImageName | None) -> None:
    if image is not None:
        record["runs"] = {"version": image.version, "schematic": image.schematic}


def runs(record: dict[str, Any]) -> ImageName:
    """The image that is on the disk of a machine with a configuration."""
    if "runs" not in record:
        installed(record)
    return ImageName(record["runs"]["schematic"], record["runs"]["version"])


def extensions(world: World, record: dict[str, Any]) -> list[tuple[str, str]]:
    """``(name, version)`` of each extension that runs; the factory's images carry their schematic's id as one."""
    image = runs(record)
    if image.schematic is None:
        return []
    document = load(world.factory.text(image.schematic))
    official = document["customization"].get("systemExtensions", {}).get("officialExtensions", [])
    found = [(str(each).rpartition("/")[2], image.version) for each in official]
    return [*found, ("schematic", image.schematic)]


def _minor(version: str) -> int:
    return int(version.split(".")[1])


def upgrade(world: World, node: Node, image: str) -> None:
    """One node to another image; it drains itself, is installed anew, reboots, and is Ready again."""
    found = read_installer(image)
    wrong = "not found" if found is None else world.factory.objection(found, node.machine.arch)
    if found is None or wrong:
        raise grpc_error("Unknown", f'error validating installer image "{image}": {wrong}')
    _etcd_allows(world, node)
    before, after = _minor(runs(node.record).version), _minor(found.version)
    if not after - _MOST_MINORS <= before <= after + 1:
        raise Refusal(
            f"host version {runs(node.record).version} is not supported to upgrade to {found.version} "
            "(pre-flight checks of the installer)"
        )
    versions = _KUBERNETES.get(after)
    kubernetes = node.kubernetes_version
    if versions and not versions[0] <= _minor(kubernetes) <= versions[1]:
        raise Refusal(f"kubernetes version {kubernetes} is not supported by Talos {found.version} (pre-flight checks)")
    name = node.machine.name
    world.journal("drain", kind="talos", subject=name)
    _put(node.record, found)
    world.journal("upgrade", kind="talos", subject=name, duration_of="talos.install")
    world.talos.reboot(name)
    world.talos.settle()


def _etcd_allows(world: World, node: Node) -> None:
    """Talos' own gate: a control plane goes only while every member of etcd is healthy, and never one of two."""
    if node.kind != "controlplane":
        return
    members = world.talos.clusters[node.authority]["members"] if node.authority in world.talos.clusters else []
    if len(members) == 2:
        text = "etcd member count(2) is insufficient to maintain quorum if upgrade commences"
        raise grpc_error("Unknown", f"error validating etcd for upgrade: {text}")
    running = {each.hostname for each in world.talos.nodes() if each.running}
    down = [each for each in members if each not in running]
    if down:
        text = f"etcd member {down[0]} is not healthy; all members must be healthy to perform an upgrade"
        raise grpc_error("Unknown", f"error validating etcd for upgrade: {text}")


def upgrade_kubernetes(world: World, node: Node, to: str) -> list[str]:
    """Control plane first, node by node, then every kubelet, then Talos' manifests; gives talosctl's lines.

    What runs the version already is left alone (``pkg/cluster/kubernetes/talos_managed.go``).
    """
    cluster = world.talos.clusters[node.authority]
    nodes = [each for each in world.talos.nodes() if each.hostname in cluster["nodes"]]
    down = [each.hostname for each in nodes if not each.running]
    if down:
        raise Refusal(f"error getting nodes: {down[0]} does not answer")
    wanted, lowest = f"v{to.removeprefix('v')}", min((each.kubernetes_version for each in nodes), key=order)
    if _minor(wanted) - _minor(lowest) not in (0, 1):
        raise Refusal(f"unsupported upgrade path {_path(lowest)}->{_path(wanted)} (from {lowest!r} to {wanted!r})")
    first, last = _KUBERNETES[_minor(runs(node.record).version)]
    if not first <= _minor(wanted) <= last:
        raise Refusal(f"version of Kubernetes {to} is not supported by Talos {runs(node.record).version}")
    told = [f"automatically detected the lowest Kubernetes version {lowest}"]
    for part in ("control plane", "kubelet"):
        for each in nodes:
            if (part == "kubelet" or each.kind == "controlplane") and _set_version(each, wanted, part):
                world.journal(f"upgrade {part}", kind="kubernetes", subject=each.hostname)
                told.append(f'updating {part} on "{each.record["address"]}": {wanted}')
    world.journal("sync manifests", kind="kubernetes", subject=cluster["name"])
    told.append("updating manifests")
    world.kubernetes.clusters[cluster["name"]].record["version"] = wanted
    world.talos.settle()
    return told


def order(version: str) -> tuple[int, ...]:
    """A release as numbers, to be compared."""
    return tuple(int(part) for part in version.removeprefix("v").partition("-")[0].split("."))


def _path(version: str) -> str:
    return ".".join(version.removeprefix("v").split(".")[:2])


def _set_version(node: Node, version: str, part: str) -> bool:
    """Patch the configuration that the node runs, as talosctl does; whether there was anything to patch."""
    changed = False
    documents = copy.deepcopy(talos_config.parse(node.record["config"]))
    main = main_document(documents)
    places = [main["machine"]["kubelet"]] if part == "kubelet" else [main["cluster"].get(name) for name in _IMAGES]
    for place in places:
        if place and "image" in place:
            name, _, before = place["image"].rpartition(":")
            changed = changed or before != version
            place["image"] = f"{name}:{version}"
    node.record["config"] = talos_config.text_of(documents)
    return changed
