"""Laws of Talos' settings in layers: only keys that Talos knows, only those that nothing else decides.

Owns `cluster.talos` and each node's `talos`: which keys may stand there. Refuses the values of typed keys
(`settings`), and what Talos itself says of a value: `talosctl validate` has the last word.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.environment import Environment
from model.laws.claims import talos_nodes
from model.laws.registry import Breach, law
from model.laws.words import nearest
from model.layers import TalosLayer
from model.talos_keys import CLUSTER, CONTROL_PLANE_ONLY, DERIVED, DOCUMENTS, KUBELET_PROTECTED, MACHINE

KNOWN: Mapping[str, frozenset[str]] = {"machine": MACHINE, "cluster": CLUSTER}
SELECTORS = ("diskSelector", "volumeSelector", "discovery")
"""Keys by which a document picks a disk (Talos 1.12, `block`)."""
PHYSICAL = ("mac(", "permanent_addr", "hardware_addr", "bus_path")
"""What in a link selector means one card and no other (Talos 1.12, `LinkSpec`)."""


def layers(env: Environment) -> Iterator[tuple[str, TalosLayer]]:
    """(path, layer) of every layer that is written down, the most general first."""
    if env.cluster is None:
        return
    said = env.cluster.talos
    yield from (("cluster.talos.all", said.all), ("cluster.talos.control_planes", said.control_planes))
    yield "cluster.talos.workers", said.workers
    for name, layer in said.classes.items():
        yield f"cluster.talos.classes.{name}", layer
    for name, node in talos_nodes(env):
        yield f"cluster.nodes.{name}.talos", node.talos


def free(env: Environment) -> Iterator[tuple[str, str, Any]]:
    """(path, place, value) of everything below `machine` and `cluster` of a layer; `place` as Talos has it."""
    for path, layer in layers(env):
        for root in KNOWN:
            yield from _inside(f"{path}.{root}", root, getattr(layer, root) or {})


def _inside(path: str, place: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        yield f"{path}.{key}", f"{place}.{key}", inner
        yield from _inside(f"{path}.{key}", f"{place}.{key}", inner)


def documents(env: Environment) -> Iterator[tuple[str, str, str, Mapping[str, Any] | None]]:
    """(path, kind, name, body) of every free document of a layer."""
    for path, layer in layers(env):
        for key, body in (layer.documents or {}).items():
            kind, _, name = key.partition("/")
            yield f"{path}.documents.{key}", kind, name, body


@law("talos-key-unknown")
def keys_are_talos(env: Environment) -> Iterator[Breach]:
    """What stands below `machine` and `cluster` of a layer begins with a key that Talos knows."""
    for path, place, _ in free(env):
        root, _, rest = place.partition(".")
        if "." not in rest and rest not in KNOWN[root] and place not in DERIVED:
            message = f"Talos' configuration has no {place[:80]}"
            yield Breach(path, message, nearest(rest, KNOWN[root]))


@law("talos-key-derived")
def derived_keys_are_left_alone(env: Environment) -> Iterator[Breach]:
    """No layer sets what follows from the rest of the file: two places that say one thing would come to disagree."""
    for path, place, _ in free(env):
        if place in DERIVED:
            message = f"{place} follows from the rest of this file and cannot be set in a layer"
            yield Breach(path, message, f"use {DERIVED[place]}")


@law("talos-key-role")
def control_plane_keys_stay_there(env: Environment) -> Iterator[Breach]:
    """What only control planes may have reaches no worker: Talos refuses the whole configuration."""
    workers = {node.hardware for _, node in talos_nodes(env) if node.role == "worker"}
    reaching = ["cluster.talos.workers"] + ["cluster.talos.all"] * bool(workers)
    reaching += [f"cluster.talos.classes.{hardware}" for hardware in workers]
    reaching += [f"cluster.nodes.{name}.talos" for name, node in talos_nodes(env) if node.role == "worker"]
    for path, layer in layers(env):
        for key in CONTROL_PLANE_ONLY:
            if path in reaching and key in (layer.cluster or {}):
                message = f"cluster.{key} is for control planes, and this layer reaches workers"
                yield Breach(f"{path}.cluster.{key}", message, "move it to cluster.talos.control_planes")


@law("talos-kubelet-protected")
def kubelet_keys_are_free(env: Environment) -> Iterator[Breach]:
    """The kubelet's fields that Talos keeps for itself are in no layer."""
    for path, layer in layers(env):
        for key in layer.kubelet or {}:
            if key in KUBELET_PROTECTED:
                message = f"Talos sets the kubelet's {key} itself and refuses another"
                yield Breach(f"{path}.kubelet.{key}", message, "leave it out")


@law("talos-document-unknown")
def documents_are_talos(env: Environment) -> Iterator[Breach]:
    """A document is of a kind that Talos reads."""
    for path, kind, _, _ in documents(env):
        if kind not in DOCUMENTS:
            message = f"Talos reads no document of kind {kind[:60]!r}"
            yield Breach(path, message, nearest(kind, DOCUMENTS))


@law("talos-document-derived")
def derived_documents_are_left_alone(env: Environment) -> Iterator[Breach]:
    """No layer writes a document that follows from the rest of the file, or one that holds a key."""
    links = {node.hardware: env.hardware[node.hardware].nics[0] for _, node in talos_nodes(env) if _known(env, node)}
    for path, kind, name, body in documents(env):
        fact = DOCUMENTS.get(kind)
        if fact and fact.instead:
            yield Breach(path, f"{kind} is not a layer's to write", f"use {fact.instead}")
        elif kind == "LinkConfig" and name in {*links.values(), "bond0"}:
            message = f"LinkConfig/{name} carries a node's address and follows from the rest of this file"
            yield Breach(path, message, "use hardware.<class>.mtu, cluster.vlan and nodes.<node>.address")
        elif kind == "VolumeConfig" and "encryption" in (body or {}):
            yield Breach(f"{path}.encryption", "a volume's encryption is not a layer's", "use cluster.disk_encryption")


def _known(env: Environment, node: Any) -> bool:
    return node.hardware in env.hardware


@law("talos-document-name", unless=("talos-document-unknown", "talos-document-derived"))
def documents_have_their_names(env: Environment) -> Iterator[Breach]:
    """A document of which there may be several has a name, the others have none, and no document says twice what its
    key says."""
    for path, kind, name, body in documents(env):
        fact = DOCUMENTS.get(kind)
        if fact and fact.named != bool(name):
            hint = f"write {kind}/<name>" if fact.named else f"write {kind}"
            said = "has a name" if fact.named else "is one for the whole machine and has no name"
            yield Breach(path, f"a {kind} {said}", hint)
        for key in ("apiVersion", "kind", "name"):
            if key in (body or {}):
                yield Breach(f"{path}.{key}", f"{key} follows from the document's own key", "leave it out")


@law("talos-disk-selector", unless=("talos-document-derived",))
def layers_pick_no_disk(env: Environment) -> Iterator[Breach]:
    """No layer picks a disk: nobody could check that its selector finds none that nothing may touch."""
    for path, kind, _, body in documents(env):
        for where, place, _ in _inside(path, kind, body or {}):
            if place.rpartition(".")[2] in SELECTORS:
                hint = "use hardware.<class>.disks and storage.systems; a size alone (minSize, maxSize) may stand here"
                yield Breach(where, f"{place} picks a disk, and nothing could check which", hint)


@law("talos-selector-wide")
def link_selectors_mean_one_card(env: Environment) -> Iterator[Breach]:
    """An alias is for one card, by its hardware address or its place on the bus: `physical` matches every card."""
    for path, kind, name, body in documents(env):
        match = _match(body)
        if kind == "LinkAliasConfig" and match is not None and not any(word in match for word in PHYSICAL):
            message = f"the alias {name[:40]} could be any of several cards: {match[:80]}"
            yield Breach(f"{path}.selector", message, 'match: mac(link.permanent_addr) == "02:00:00:00:02:01"')


@law("talos-selector-duplicate", unless=("talos-selector-wide",))
def link_selectors_differ(env: Environment) -> Iterator[Breach]:
    """Two aliases that reach a node are of different cards: one card under two names is configured twice."""
    written = [
        (path, path.partition(".documents.")[0], name, "".join(match.split()))
        for path, kind, name, body in documents(env)
        if kind == "LinkAliasConfig" and (match := _match(body)) is not None
    ]
    told: set[str] = set()
    for name, node in talos_nodes(env) if written else ():
        role = "control_planes" if node.role == "control-plane" else "workers"
        own = {"cluster.talos.all", f"cluster.talos.{role}", f"cluster.talos.classes.{node.hardware}"}
        seen: dict[str, tuple[str, str]] = {}
        for path, layer, alias, match in written:
            if layer not in own and layer != f"cluster.nodes.{name}.talos":
                continue
            first, other = seen.setdefault(match, (alias, path))
            if first != alias and path not in told:
                told.add(path)
                message = f"the aliases {first} and {alias} of {name} are of one card"
                yield Breach(f"{path}.selector", message, "leave one out", f"{other}.selector")


def _match(body: Mapping[str, Any] | None) -> str | None:
    selector = (body or {}).get("selector")
    match = selector.get("match") if isinstance(selector, Mapping) else None
    return match if isinstance(match, str) else None


@law("talos-class-unknown")
def layered_classes_exist(env: Environment) -> Iterator[Breach]:
    """A layer for a hardware class is for one that some node has: for any other it would say nothing to anybody."""
    used = {node.hardware for _, node in talos_nodes(env)}
    for name in env.cluster.talos.classes if env.cluster else ():
        if name not in used:
            message = f"no node is of class '{name}'" if name in env.hardware else f"there is no class '{name}'"
            yield Breach(f"cluster.talos.classes.{name}", message, nearest(name, used), "cluster.nodes")
