"""What network policies let through: Kubernetes' NetworkPolicy and Cilium's own, as Cilium enforces both.

Owns the verdict of all policies together on one connection. Refuses to read one (`policy_rules`), to find policies and
pods (`workloads`), and to judge (`model.laws.policies`). Sources: Kubernetes, "Network Policies"; Cilium 1.18, "Layer 3
Policies", "Deny Policies". Answers may be None: not known, because a chart's pods are not in the folders, or because a
rule says what is not read here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from model.closure.selectors import Selector

Direction = Literal["ingress", "egress"]
Known = bool | None
Entity = Literal["kube-apiserver", "nodes", "world", "ingress"]
"""Who is no pod. `nodes` are the machines and what runs in their own network; `ingress` are Cilium's own gateways."""


class Pods(NamedTuple):
    """Pods that are alike: those of one workload."""

    who: str
    """As a person says it: `Deployment media/jellyfin`."""
    namespace: str
    labels: Mapping[str, str] | None
    """None where a chart makes them, and nobody here knows."""
    ports: Mapping[str, int] | None
    """Name → number of every named port of the containers; None where that is not known."""
    host: bool = False
    """Whether they share the machine's network: no policy holds them then, and to others they are `nodes`."""


Peer = Pods | Entity


class Port(NamedTuple):
    """A port of the side that is called."""

    number: int | None
    """None where only a Service's own is known, and the pods' is a chart's."""
    protocol: str = "TCP"


@dataclass(frozen=True)
class Rule:
    """One opening, or one denial."""

    peer: Callable[["Ground", Peer], Known]
    ports: tuple[tuple[str, str, int | None], ...] | None
    """(protocol, number or name, last number); None for every port."""

    def covers(self, ground: "Ground", peer: Peer, port: Port, named: Mapping[str, int] | None) -> Known:
        """Whether a connection from, or to, a peer at a port is meant. `named`: the called pods' named ports."""
        return both(self.peer(ground, peer), self._port(port, named))

    def _port(self, port: Port, named: Mapping[str, int] | None) -> Known:
        if self.ports is None:
            return True
        return either(self._one(one, port, named) for one in self.ports)

    @staticmethod
    def _one(one: tuple[str, str, int | None], port: Port, named: Mapping[str, int] | None) -> Known:
        protocol, text, last = one
        if protocol not in ("ANY", port.protocol):
            return False
        if text in ("", "0"):
            return True
        if port.number is None:
            return None
        if text.isdecimal():
            return int(text) <= port.number <= (last or int(text))
        return named.get(text) == port.number if named is not None else None


@dataclass(frozen=True, eq=False)
class Policy:
    """One policy. A direction that it does not speak of is None."""

    kind: str
    name: str
    namespace: str
    """Empty for one that holds in every namespace."""
    file: str
    selector: Selector
    rules: Mapping[Direction, tuple[Rule, ...]]
    """What it opens, of the directions that it holds closed otherwise, or opens without closing."""
    denials: Mapping[Direction, tuple[Rule, ...]]
    closes: frozenset[Direction]
    """The directions in which pods that it selects are closed but for what is opened."""

    def __str__(self) -> str:
        """As a person says it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def selects(self, ground: "Ground", pods: Pods) -> Known:
        """Whether it holds for pods."""
        if pods.host or (self.namespace and pods.namespace != self.namespace):
            return False
        return self.selector(pods.labels, ground.labels(pods.namespace), pods.namespace)


@dataclass(frozen=True)
class Ground:
    """Every policy of a cluster, and what its namespaces are labelled."""

    policies: tuple[Policy, ...]
    namespaces: Mapping[str, Mapping[str, str]]

    def labels(self, namespace: str) -> Mapping[str, str]:
        """A namespace's labels, the one that Kubernetes puts on each included."""
        return {**self.namespaces.get(namespace, {}), "kubernetes.io/metadata.name": namespace}

    def closed(self, pods: Pods, direction: Direction) -> tuple[Policy, ...]:
        """The policies that close a direction for pods, whatever any of them opens."""
        return tuple(one for one in self.policies if direction in one.closes and one.selects(self, pods) is True)


class Verdict(NamedTuple):
    """What becomes of a connection."""

    passes: Known
    why: str
    """Which policy lets it through, or which closes the way; one sentence's end."""
    direction: Direction | None = None
    """The side that denies, or that is not known; None when it passes."""


def verdict(ground: Ground, source: Peer, target: Peer, port: Port) -> Verdict:
    """Whether a connection passes: the source's policies let it out, and the target's let it in.

    A policy that selects neither side says nothing; one without the direction in question closes nothing of it.
    """
    named = target.ports if isinstance(target, Pods) else {}
    told: list[str] = []
    worst = Verdict(True, "")
    sides: tuple[tuple[Direction, Peer, Peer], ...] = (("egress", source, target), ("ingress", target, source))
    for direction, held, other in sides:
        found = _side(ground, direction, held, other, port, named)
        if found.passes is False:
            return found
        worst = found if found.passes is None and worst.passes is True else worst
        told.append(found.why)
    return worst if worst.passes is None else Verdict(True, "; ".join(told))


def _side(
    ground: Ground, direction: Direction, held: Peer, other: Peer, port: Port, named: Mapping[str, int] | None
) -> Verdict:
    way = "out of" if direction == "egress" else "into"
    if not isinstance(held, Pods) or held.host:
        return Verdict(True, f"no policy holds {held.who if isinstance(held, Pods) else held}")
    where = f"{way} {held.who}"
    here = [(one, selected) for one in ground.policies if (selected := one.selects(ground, held)) is not False]
    denied = [(one, both(selected, _hit(one.denials, ground, direction, other, port, named))) for one, selected in here]
    opened = {one: _hit(one.rules, ground, direction, other, port, named) for one, _ in here}
    closing = [(one, selected) for one, selected in here if direction in one.closes]
    for one, hit in denied:
        if hit is True:
            return Verdict(False, f"{one} denies it, {where}", direction)
    perhaps = next((one for one, hit in denied if hit is None), None)
    if perhaps is not None:
        return Verdict(None, f"{perhaps} may deny it, {where}", direction)
    sure = next((one for one, selected in here if both(selected, opened[one]) is True), None)
    if sure is not None:
        return Verdict(True, f"{sure} opens it, {where}")
    if not closing:
        return Verdict(True, f"no policy closes the way {where}")
    if all(selected is None and opened[one] is True for one, selected in closing):
        return Verdict(True, f"{closing[0][0]} opens it, if it holds at all, {where}")
    closes = next((one for one, selected in closing if selected is True), None)
    opens = next((one for one, selected in here if both(selected, opened[one]) is None), None)
    if closes is None or opens is not None:
        told = f"{closes or closing[0][0]} {'closes' if closes else 'may close'} the way {where}"
        return Verdict(None, f"{told}, and {opens or 'nobody'} may open it", direction)
    return Verdict(False, f"{closes} closes the way {where}, and no policy opens it", direction)


def _hit(
    rules: Mapping[Direction, tuple[Rule, ...]],
    ground: Ground,
    direction: Direction,
    other: Peer,
    port: Port,
    named: Mapping[str, int] | None,
) -> Known:
    return either(rule.covers(ground, other, port, named) for rule in rules.get(direction, ()))


def either(found: Iterable[Known]) -> Known:
    """Whether any is so; None when that depends on what is not known."""
    unknown = False
    for one in found:
        if one is True:
            return True
        unknown = unknown or one is None
    return None if unknown else False


def both(*found: Known) -> Known:
    """Whether all are so; None when that depends on what is not known."""
    return False if any(one is False for one in found) else None if any(one is None for one in found) else True
