"""Talos settings in layers: for all nodes, for a role, for a hardware class, for one node.

Owns the layers' shape and which of them reach a node; `model.merge` has the rules by which they become one. Refuses
what follows from the rest of the environment (address, links, image, disks, VIP, CNI): a law names the key to use.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from model.fields import Address, Flag, Lines, Name, Shape, Text


class RegistryMirror(Shape):
    """Where images of one registry are pulled from instead."""

    endpoints: tuple[Text, ...] = Field(min_length=1)
    """URLs of the mirrors, in the order in which they are tried."""
    skip_fallback: Flag = False
    """Whether the registry itself is never asked when no mirror has the image."""
    override_path: Flag = False
    """Whether each URL already ends in the path of the registry's API (Harbor's proxy projects)."""


class BondLinks(Shape):
    """Several network cards as one link, which then carries the node's address and, on control planes, the VIP."""

    links: tuple[Text, ...] = Field(min_length=1)
    """The cards, by the names of the class; the first one boots."""
    mode: Literal["active-backup", "802.3ad", "balance-xor", "balance-alb", "balance-tlb"] = "active-backup"
    """`802.3ad` (LACP) needs a switch that is told so; `active-backup` needs none."""
    hash_policy: Literal["layer2", "layer2+3", "layer3+4"] | None = None
    """What decides which card a packet leaves by, where the mode uses several."""
    lacp_rate: Literal["slow", "fast"] | None = None
    """How often LACP speaks; with 802.3ad only."""


class TalosLayer(Shape):
    """Settings of Talos for some nodes. In every layer a key set to null takes away what earlier layers said."""

    sysctls: dict[Text, Text | int | None] | None = None
    """Kernel parameters, such as `net.core.rmem_max`."""
    kernel_modules: dict[Text, tuple[Text, ...] | None] | None = None
    """Kernel modules to load, each with its parameters, `[]` for none."""
    kubelet: dict[Text, Any] | None = None
    """Fields of the kubelet's own configuration, as Kubernetes names them (`KubeletConfiguration`)."""
    labels: dict[str, str | None] | None = None
    """Kubernetes labels of the nodes."""
    annotations: dict[str, str | None] | None = None
    """Kubernetes annotations of the nodes."""
    taints: dict[str, str | None] | None = None
    """Kubernetes taints: key to `value:Effect`, or the effect alone."""
    registry_mirrors: dict[Text, RegistryMirror | None] | None = None
    """Mirrors by registry, such as `docker.io`; `"*"` is every registry without one of its own."""
    trusted_roots: dict[Name, Lines | None] | None = None
    """Certificate authorities to trust besides the public ones: name to PEM text."""
    cert_sans: tuple[Text, ...] | None = None
    """Further names and addresses that the Talos API's certificates are for, and on control planes the Kubernetes
    API's. Grows from layer to layer."""
    time_servers: tuple[Text, ...] | None = None
    """NTP servers. Left out: the network's."""
    resolvers: tuple[Address, ...] | None = None
    """Who answers names. Left out: the network's."""
    watchdog_timeout: Text | None = None
    """After how long a machine that hangs is reset, where its class has a watchdog. Left out: `5m`."""
    bond: BondLinks | None = None
    """Several cards as one link. Left out: the class's first card carries the address."""
    machine: dict[Text, Any] | None = None
    """Anything else below `machine` of a Talos configuration, in Talos' own words."""
    cluster: dict[Text, Any] | None = None
    """Anything else below `cluster` of a Talos configuration, in Talos' own words."""
    documents: dict[Text, dict[Text, Any] | None] | None = None
    """Any other document of Talos by `Kind` or `Kind/name`; `apiVersion`, `kind` and `name` are filled in."""


class TalosLayers(Shape):
    """Settings of Talos for more than one node, from the most general to the most special."""

    all: TalosLayer = TalosLayer()
    """Every node."""
    control_planes: TalosLayer = TalosLayer()
    """Control planes."""
    workers: TalosLayer = TalosLayer()
    """Workers."""
    classes: dict[Name, TalosLayer] = Field(default_factory=dict)
    """Nodes of a hardware class, by its name."""


def reaching(layers: TalosLayers, role: str, hardware: str, own: TalosLayer) -> list[tuple[str, TalosLayer]]:
    """The layers that reach a node with the place of each, the most general first; the place of its `own` is ''."""
    by_role = "control_planes" if role == "control-plane" else "workers"
    found = [("all", layers.all), (by_role, getattr(layers, by_role))]
    if hardware in layers.classes:
        found.append((f"classes.{hardware}", layers.classes[hardware]))
    return [*found, ("", own)]


def written(layer: TalosLayer) -> Mapping[str, Any]:
    """A layer as its owner wrote it: only the keys that stand there, nulls too."""
    return layer.model_dump(exclude_unset=True)
