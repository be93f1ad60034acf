"""The words of the proof: gateways and their listeners, routes and their rules, links, gaps, chains.

Owns the shapes, named as the Gateway API names them. Refuses to find any.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Audience = Literal["public", "lan"]
Start = Literal["outside", "inside"]
"""Where a request begins: on the internet, or on the LAN."""
STEPS = ("name", "tunnel", "hop", "gateway", "certificate", "route", "service", "pods", "policy")
"""Every kind of link, in the order a request meets them."""


class Gap(NamedTuple):
    """A link that is missing. Its code, and where and how it is mended, as a finding says it."""

    code: str
    path: str
    message: str
    hint: str
    against: str | None = None


@dataclass(frozen=True)
class Link:
    """One step of a request."""

    step: str
    """One of STEPS."""
    says: str
    """What happens, as a person says it."""
    by: str = ""
    """What decides it: a key of the stack file, or a file of the folders."""
    gap: Gap | None = None
    """Set where the chain breaks here."""
    ends: bool = False
    """Whether the request goes no further, and rightly so: nothing is meant to be reached."""


@dataclass(frozen=True)
class Listener:
    """One listener of a gateway."""

    name: str
    protocol: str
    port: int
    hostname: str | None
    """None takes every name."""
    namespaces: str | Mapping[str, Any] = "Same"
    """`Same`, `All`, or a selector of namespaces."""
    kinds: tuple[str, ...] = ()
    """Kinds of routes; empty takes what the protocol does."""
    certificates: tuple[tuple[str, str], ...] = ()
    """(namespace, Secret)."""
    passthrough: bool = False


@dataclass(frozen=True)
class Gateway:
    """A gateway of a cluster, whoever makes it."""

    cluster: str
    namespace: str
    name: str
    address: str | None
    """None where nobody pins it."""
    audience: Audience
    target: str | None
    """The name that records of its routes point to."""
    listeners: tuple[Listener, ...]
    by: str
    """Where it is written: a path of the stack file, or a file of the folders."""
    labels: Mapping[str, str] = field(default_factory=dict)


class Parent(NamedTuple):
    """What a route says it hangs on."""

    namespace: str
    name: str
    section: str | None
    port: int | None


class Backend(NamedTuple):
    """Where a rule sends a request."""

    kind: str
    namespace: str
    name: str
    port: int | str | None


class Match(NamedTuple):
    """One condition of a rule: all of it must hold."""

    type: str
    path: str
    rest: str
    """Method, headers and query parameters in one fixed spelling; empty for none."""


class Rule(NamedTuple):
    """One rule of a route."""

    matches: tuple[Match, ...]
    backends: tuple[Backend, ...]
    answers: bool
    """Whether a filter answers by itself, with a redirect."""


@dataclass(frozen=True)
class Route:
    """An HTTPRoute, GRPCRoute, TLSRoute or Ingress, or what a chart's values make one of."""

    cluster: str
    kind: str
    namespace: str
    name: str
    hosts: tuple[str, ...]
    """Empty: every name of its listeners."""
    parents: tuple[Parent, ...]
    rules: tuple[Rule, ...]
    file: str
    """Path in the tree."""
    app: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    tls: tuple[tuple[tuple[str, ...], str], ...] = ()
    """An Ingress' (names, Secret)."""
    chart: str | None = None
    """The chart that makes it, when a chart does: where it leads is the chart's own then."""
    lan: bool = False
    """Whether its owner wrote that it is the LAN's alone."""

    def __str__(self) -> str:
        """As a person says it."""
        return f"{self.kind} {self.namespace}/{self.name}"


class Attached(NamedTuple):
    """A route at a listener that takes it."""

    route: Route
    gateway: Gateway
    listener: Listener


@dataclass(frozen=True)
class Answer:
    """What a DNS server says of a name, followed to its end."""

    who: str
    """Who answers, as a person says it."""
    says: str
    """The records met, in order."""
    by: str
    """Where the decisive record is written."""
    address: str | None = None
    tunnel: bool = False
    """Whether it ends at the tunnel, and not at an address."""
    proxied: bool = False
    dangling: str | None = None
    """The target that nobody publishes, where one is missing."""


@dataclass(frozen=True)
class Way:
    """A request's way from one side."""

    start: Start
    links: tuple[Link, ...]

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Every link that is missing."""
        return tuple(link.gap for link in self.links if link.gap)

    @property
    def arrives(self) -> bool:
        """Whether the request reaches a backend."""
        return not self.gaps and not any(link.ends for link in self.links)


@dataclass(frozen=True)
class Chain:
    """Everything that happens to a request for one name."""

    host: str
    wanted: tuple[str, ...]
    """Who wants the name to be answered: routes, records, gateways."""
    audience: Audience | None
    """Whom it is for; None when no route has it."""
    ways: tuple[Way, ...]
    besides: tuple[Gap, ...] = ()
    """What is wrong with its routes whichever way a request comes."""

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Every missing link of both ways and what is wrong besides, each once."""
        return tuple(dict.fromkeys((*(gap for way in self.ways for gap in way.gaps), *self.besides)))
