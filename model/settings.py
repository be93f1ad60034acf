"""What a node's layers come to: its settings, one value each.

Owns merging the layers of a node and the plain form of the result. Refuses text: that is `render.talos`'.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model.arda import Cluster, ClusterNode
from model.layers import reaching, written
from model.merge import merged

WATCHDOG_TIMEOUT = "5m"


@dataclass(frozen=True)
class MirrorPlan:
    """Where images of one registry are pulled from."""

    registry: str
    endpoints: tuple[str, ...]
    skip_fallback: bool
    override_path: bool


@dataclass(frozen=True)
class BondPlan:
    """Several cards as the link `bond0`."""

    links: tuple[str, ...]
    mode: str
    hash_policy: str | None
    lacp_rate: str | None


@dataclass(frozen=True)
class NodeSettings:
    """A node's own settings of Talos, merged. Mappings are sorted by key."""

    sysctls: Mapping[str, str]
    kernel_modules: Mapping[str, tuple[str, ...]]
    """Module → parameters."""
    kubelet: Mapping[str, Any]
    """Fields of `KubeletConfiguration`."""
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    taints: Mapping[str, str]
    mirrors: tuple[MirrorPlan, ...]
    trusted_roots: Mapping[str, str]
    """Name → PEM text."""
    cert_sans: tuple[str, ...]
    time_servers: tuple[str, ...]
    resolvers: tuple[str, ...]
    watchdog_timeout: str
    """As Go writes a duration: `5m`."""
    bond: BondPlan | None
    machine: Mapping[str, Any]
    """Below `machine` of the Talos configuration, besides what the model writes there."""
    cluster: Mapping[str, Any]
    """Below `cluster`, likewise."""
    documents: Mapping[str, Mapping[str, Any]]
    """`Kind` or `Kind/name` → the document's other keys."""


def settings_of(name: str, cluster: Cluster, resolvers: tuple[str, ...], time_servers: tuple[str, ...]) -> NodeSettings:
    """The settings of a node; `resolvers` and `time_servers` are the network's, for layers that say nothing."""
    return _settings(merged_layers(cluster, cluster.nodes[name]), resolvers, time_servers)


def merged_layers(cluster: Cluster, node: ClusterNode) -> dict[str, Any]:
    """A node's layers as one mapping, its `labels` key among them."""
    layers = [written(layer) for _, layer in reaching(cluster.talos, node.role, node.hardware, node.talos)]
    return merged([*layers, {"labels": node.labels} if node.labels else {}])


def _settings(said: Mapping[str, Any], resolvers: tuple[str, ...], time_servers: tuple[str, ...]) -> NodeSettings:
    bond = said.get("bond")
    modules = said.get("kernel_modules") or {}
    return NodeSettings(
        sysctls={key: str(value) for key, value in ordered(said.get("sysctls") or {}).items()},
        kernel_modules={key: tuple(modules[key]) for key in sorted(modules)},
        kubelet=ordered(said.get("kubelet") or {}),
        labels=ordered(said.get("labels") or {}),
        annotations=ordered(said.get("annotations") or {}),
        taints=ordered(said.get("taints") or {}),
        mirrors=tuple(_mirror(key, one) for key, one in sorted((said.get("registry_mirrors") or {}).items())),
        trusted_roots=ordered(said.get("trusted_roots") or {}),
        cert_sans=tuple(said.get("cert_sans") or ()),
        time_servers=tuple(said.get("time_servers") or time_servers),
        resolvers=tuple(str(address) for address in said.get("resolvers") or resolvers),
        watchdog_timeout=said.get("watchdog_timeout") or WATCHDOG_TIMEOUT,
        bond=_bond(bond) if bond else None,
        machine=ordered(said.get("machine") or {}),
        cluster=ordered(said.get("cluster") or {}),
        documents=ordered(said.get("documents") or {}),
    )


def _mirror(registry: str, said: Mapping[str, Any]) -> MirrorPlan:
    return MirrorPlan(
        registry, tuple(said["endpoints"]), said.get("skip_fallback", False), said.get("override_path", False)
    )


def _bond(said: Mapping[str, Any]) -> BondPlan:
    return BondPlan(
        tuple(said["links"]), said.get("mode", "active-backup"), said.get("hash_policy"), said.get("lacp_rate")
    )


def ordered(value: Any) -> Any:
    """The same value with every mapping sorted by key, so that the order in a file changes no byte."""
    if isinstance(value, Mapping):
        return {key: ordered(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list | tuple):
        return [ordered(one) for one in value]
    return value
