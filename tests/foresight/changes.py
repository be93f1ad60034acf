"""Edits that owners make, for tests that try many, and what a change is to somebody who does not know `foresight`.

Owns drawing them, and comparing configurations by the World's own facts. An edit may be one that the laws refuse.
"""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from foresight.impact import Side
from model.environment import Environment
from model.plan import Plan, plan
from model.talos import ClusterNodePlan, ClusterPlan
from rehearsal.world import talos_config, talos_generate, talos_secrets
from render.talos import machine_patch
from tests.labs import SHIPPED, raw, tree
from tests.model import labs_of_many
from tests.model.test_properties import labs

BUNDLE = talos_secrets.machine_secrets()
UDEV = {"udev": {"rules": ['SUBSYSTEM=="drm", GROUP="44"']}}
"""A setting outside Talos' allow-list: machines reboot for it."""


def side(data: dict[str, Any]) -> Side:
    """Raw data that has the shape of an environment, as a side of a comparison."""
    environment = Environment.model_validate(data)
    return Side(environment, planned(environment))


def planned(environment: Environment) -> Plan:
    """Its plan, in the folders that ship, or in those that a drawn lab needs."""
    folders = tree(environment.name) if environment.name in SHIPPED else labs_of_many.tree()
    return plan(environment, folders)


def _nodes(data: dict[str, Any], role: str) -> list[str]:
    return [name for name, node in data["cluster"]["nodes"].items() if node["role"] == role]


@st.composite
def edited(draw: st.DrawFn, any_lab: bool = False, unsure: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """(before, after) of a shipped lab, or of any lab at all, and up to four edits of it.

    `unsure`: also one after which nobody knows what reboots.
    """
    before = draw(labs()) if any_lab and draw(st.booleans()) else raw(draw(st.sampled_from(SHIPPED)))
    after = copy.deepcopy(before)
    edits = (*EDITS, _contract) if unsure else EDITS
    for edit in draw(st.lists(st.sampled_from(edits), min_size=1, max_size=4, unique=True)):
        edit(draw, after)
    return before, after


def _label(draw: st.DrawFn, data: dict[str, Any]) -> None:
    node = data["cluster"]["nodes"][draw(st.sampled_from(sorted(data["cluster"]["nodes"])))]
    node["labels"] = node.get("labels", {}) | {"example.com/drawn": draw(st.sampled_from(["a", "b"]))}


def _layer(draw: st.DrawFn, data: dict[str, Any]) -> dict[str, Any]:
    """The settings of some node, or of all of a kind."""
    which = draw(st.sampled_from(["all", "control_planes", "workers", "node"]))
    if which != "node":
        return data["cluster"].setdefault("talos", {}).setdefault(which, {})
    return data["cluster"]["nodes"][draw(st.sampled_from(sorted(data["cluster"]["nodes"])))].setdefault("talos", {})


def _sysctl(draw: st.DrawFn, data: dict[str, Any]) -> None:
    _layer(draw, data)["sysctls"] = {"net.core.rmem_max": "7500000"}


def _udev(draw: st.DrawFn, data: dict[str, Any]) -> None:
    layer = _layer(draw, data)
    layer["machine"] = layer.get("machine", {}) | UDEV


def _mirror(draw: st.DrawFn, data: dict[str, Any]) -> None:
    _layer(draw, data)["registry_mirrors"] = {"docker.io": {"endpoints": ["https://mirror.example.com"]}}


def _resolvers(draw: st.DrawFn, data: dict[str, Any]) -> None:
    data["network"]["resolvers"] = draw(st.sampled_from([["1.1.1.1"], ["9.9.9.9", "1.1.1.1"]]))


def _time(draw: st.DrawFn, data: dict[str, Any]) -> None:
    data["network"]["time_servers"] = draw(st.sampled_from([["time.example.com"], ["a.example.com", "b.example.com"]]))


def _talos(draw: st.DrawFn, data: dict[str, Any]) -> None:
    data["versions"]["talos"] = draw(st.sampled_from(["v1.12.9", "v1.13.0", "v1.13.2"]))


def _contract(draw: st.DrawFn, data: dict[str, Any]) -> None:
    """Nobody knows what then reboots."""
    data["versions"]["talos"] = draw(st.sampled_from(["v1.13.0", "v1.13.2"]))
    data["cluster"]["talos_contract"] = "v1.13"


def _kubernetes(draw: st.DrawFn, data: dict[str, Any]) -> None:
    data["versions"]["kubernetes"] = draw(st.sampled_from(["v1.34.9", "v1.35.0"]))


def _mtu(draw: st.DrawFn, data: dict[str, Any]) -> None:
    for hardware in data["hardware"].values():
        hardware["mtu"] = 1400


def _watchdog(draw: st.DrawFn, data: dict[str, Any]) -> None:
    data["hardware"][draw(st.sampled_from(sorted(data["hardware"])))]["watchdog"] = "/dev/watchdog1"


def _extension(draw: st.DrawFn, data: dict[str, Any]) -> None:
    used = sorted({node["class"] for node in data["cluster"]["nodes"].values()})
    talos = data["hardware"][draw(st.sampled_from(used))].setdefault("talos", {})
    talos["extensions"] = [*talos.get("extensions", []), "siderolabs/nfs-utils"]


def _schedulable(draw: st.DrawFn, data: dict[str, Any]) -> None:
    data["cluster"]["schedulable_control_planes"] = not data["cluster"].get("schedulable_control_planes", False)


def _leave(draw: st.DrawFn, data: dict[str, Any]) -> None:
    name = draw(st.sampled_from(sorted(data["cluster"]["nodes"])))
    data["cluster"]["nodes"][name]["state"] = draw(st.sampled_from(["leaving", "lost"]))


def _delete(draw: st.DrawFn, data: dict[str, Any]) -> None:
    data["cluster"]["nodes"].pop(draw(st.sampled_from(_nodes(data, "worker") or [""])), None)


def _join(draw: st.DrawFn, data: dict[str, Any]) -> None:
    like = draw(st.sampled_from(sorted(data["cluster"]["nodes"])))
    subnet = data["cluster"]["vip"].rpartition(".")[0]
    new = {key: value for key, value in data["cluster"]["nodes"][like].items() if key not in ("port", "disks", "state")}
    new |= {"address": f"{subnet}.141", "mac": "02:00:00:00:09:41"}
    data["cluster"]["nodes"]["a-new-one"] = new


EDITS = (
    _label, _sysctl, _udev, _udev, _mirror, _resolvers, _time, _talos, _kubernetes, _mtu, _watchdog,
    _extension, _schedulable, _leave, _leave, _delete, _join,
)  # fmt: skip


def configuration(cluster: ClusterPlan, node: ClusterNodePlan) -> list[dict[str, Any]]:
    """What the World's provider makes of a node's patch."""
    kind = "controlplane" if node.role == "control-plane" else "worker"
    told = (kind, cluster.name, cluster.endpoint, BUNDLE, cluster.kubernetes, cluster.contract)
    return talos_config.patched(talos_generate.generate(*told), [machine_patch(cluster, node)])


def places(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(document, dotted path) of every field that differs between two configurations as the World holds them."""
    old, new = ({_name(one): _full(one) for one in documents} for documents in (before, after))
    return {(name, path) for name in {*old, *new} for path in _differing(old.get(name), new.get(name), "")}


def _name(document: dict[str, Any]) -> str:
    return " ".join(str(document[key]) for key in ("kind", "name") if document.get(key))


def _full(value: Any) -> Any:
    """Without empty mappings, which Talos does not write."""
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in ((key, _full(one)) for key, one in value.items()) if inner != {}}


def _differing(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {*before, *after}:
            yield from _differing(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    elif before != after:
        yield path
