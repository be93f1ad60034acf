"""One policy as it is written: what it selects, closes and opens.

Owns the reading of Kubernetes' NetworkPolicy and of Cilium's own. Refuses what several do together (`policies`).
Sources: Kubernetes, "Network Policies"; Cilium 1.18, "Layer 3 Policies", "Layer 4 Policies", "Deny Policies".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from model.closure.policies import Direction, Entity, Ground, Known, Peer, Pods, Policy, Rule, both, either
from model.closure.reading import items, mapping
from model.closure.selectors import cilium_selector, everyone, kubernetes_selector

DIRECTIONS: tuple[tuple[Direction, str], ...] = (("ingress", "from"), ("egress", "to"))
"""(direction, what peers are called in it)."""


def read(kind: str, namespace: str, file: str, body: Mapping[str, Any]) -> Iterator[Policy]:
    """The policies that an object holds; none for an object of another kind."""
    name = str(mapping(body.get("metadata")).get("name", ""))
    if kind == "NetworkPolicy":
        yield _kubernetes(name, namespace, file, mapping(body.get("spec")))
    elif kind in ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"):
        for spec in (body.get("spec"), *items(body.get("specs"))):
            if isinstance(spec, Mapping) and "nodeSelector" not in spec:
                yield _cilium(kind, name, namespace, file, spec)


def _kubernetes(name: str, namespace: str, file: str, spec: Mapping[str, Any]) -> Policy:
    """Without `policyTypes` it closes the way in, and the way out when it has rules for that."""
    stated = [str(one).lower() for one in items(spec.get("policyTypes"))]
    stated = stated or ["ingress", *(["egress"] if "egress" in spec else [])]
    closes: frozenset[Direction] = frozenset(direction for direction, _ in DIRECTIONS if direction in stated)
    rules: dict[Direction, tuple[Rule, ...]] = {
        direction: tuple(_kubernetes_rule(mapping(one), key, namespace) for one in items(spec.get(direction)))
        for direction, key in DIRECTIONS
        if direction in stated
    }
    selector = kubernetes_selector(mapping(spec.get("podSelector")))
    return Policy("NetworkPolicy", name, namespace, file, selector, rules, {}, closes)


def _kubernetes_rule(rule: Mapping[str, Any], key: str, namespace: str) -> Rule:
    peers = [_kubernetes_peer(mapping(one), namespace) for one in items(rule.get(key))]
    ports = [
        (str(told.get("protocol") or "TCP"), str(told.get("port") or ""), told.get("endPort"))
        for told in map(mapping, items(rule.get("ports")))
    ]
    who = _any_of(peers) if peers else everyone
    return Rule(who, tuple(ports) or None)


def _any_of(peers: list[Callable[[Ground, Peer], Known]]) -> Callable[[Ground, Peer], Known]:
    return lambda ground, peer: either(one(ground, peer) for one in peers)


def _kubernetes_peer(peer: Mapping[str, Any], namespace: str) -> Callable[[Ground, Peer], Known]:
    """Pods of this namespace, or of those that a selector names; or addresses, which to Cilium are never a pod's, nor a
    node's ("Layer 3 Policies", "IP/CIDR based")."""
    if "ipBlock" in peer:
        every = str(mapping(peer["ipBlock"]).get("cidr")).endswith("/0")
        return lambda _ground, one: every and one == "world"
    pods = kubernetes_selector(mapping(peer.get("podSelector")))
    spaces = kubernetes_selector(mapping(peer.get("namespaceSelector"))) if "namespaceSelector" in peer else None

    def matches(ground: Ground, one: Peer) -> Known:
        if not isinstance(one, Pods) or one.host:
            return False
        there = ground.labels(one.namespace)
        here = one.namespace == namespace if spaces is None else spaces(there, there, one.namespace)
        return both(here, pods(one.labels, there, one.namespace))

    return matches


def _cilium(kind: str, name: str, namespace: str, file: str, spec: Mapping[str, Any]) -> Policy:
    """A direction with a section, even an empty rule, is closed, unless `enableDefaultDeny` says otherwise."""
    wide = kind != "CiliumNetworkPolicy"
    home = "" if wide else namespace
    said = mapping(spec.get("enableDefaultDeny"))
    rules: dict[Direction, tuple[Rule, ...]] = {}
    denials: dict[Direction, tuple[Rule, ...]] = {}
    closes: set[Direction] = set()
    for direction, key in DIRECTIONS:
        opening, denying = items(spec.get(direction)), items(spec.get(f"{direction}Deny"))
        rules[direction] = tuple(_cilium_rule(mapping(one), key, home) for one in opening)
        denials[direction] = tuple(_cilium_rule(mapping(one), key, home) for one in denying)
        if (opening or denying) and said.get(direction) is not False:
            closes.add(direction)
    selector = cilium_selector(mapping(spec.get("endpointSelector")), "")
    return Policy(kind, name, home, file, selector, rules, denials, frozenset(closes))


_APART = ("Requires", "Groups", "Services", "Nodes")
"""Ways to name peers that are not read here."""


def _cilium_rule(rule: Mapping[str, Any], key: str, home: str) -> Rule:
    ports = [
        (str(told.get("protocol") or "ANY"), str(told.get("port") or ""), told.get("endPort"))
        for one in items(rule.get("toPorts"))
        for told in map(mapping, items(mapping(one).get("ports")))
    ]
    stated = [word for word in rule if word.startswith(key) and word != "toPorts"]
    if not stated:  # a port alone is open to anybody; an empty rule opens nothing, and closes the direction
        return Rule(everyone if "toPorts" in rule else _nobody, tuple(ports) or None)
    selectors = [cilium_selector(mapping(one), home) for one in items(rule.get(f"{key}Endpoints"))]
    entities = {str(one) for one in items(rule.get(f"{key}Entities"))}
    addresses = [str(one) for one in items(rule.get(f"{key}CIDR"))]
    addresses += [str(mapping(one).get("cidr")) for one in items(rule.get(f"{key}CIDRSet"))]
    world = any(one.endswith("/0") for one in addresses) or bool(rule.get("toFQDNs"))
    apart = any(word.endswith(_APART) for word in stated)

    def matches(ground: Ground, peer: Peer) -> Known:
        if not isinstance(peer, Pods) or peer.host:
            who: Entity = "nodes" if isinstance(peer, Pods) else peer
            return bool(entities & ENTITIES[who]) or (world and who == "world") or (None if apart else False)
        if entities & {"all", "cluster"}:
            return True
        there = ground.labels(peer.namespace)
        found = either(one(peer.labels, there, peer.namespace) for one in selectors)
        return found if found is True or not apart else None

    return Rule(matches, tuple(ports) or None)


ENTITIES: Mapping[Entity, frozenset[str]] = {
    "kube-apiserver": frozenset(("kube-apiserver", "cluster", "all")),
    "nodes": frozenset(("host", "remote-node", "cluster", "all")),
    "world": frozenset(("world", "world-ipv4", "all")),
    "ingress": frozenset(("ingress", "cluster", "all")),
}
"""Who is no pod → Cilium's entities that mean it ("Entities based")."""


def _nobody(_ground: Ground, _peer: Peer) -> Known:
    return False
