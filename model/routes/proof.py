"""The proof of a whole environment: one chain a name, and everything that is missing.

Owns which names are proved, and finding one that a person asks for. Refuses to print it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from model.closure.clusters import closure
from model.closure.graph import Graph
from model.edge_plan import plan_edge
from model.environment import Environment
from model.routes import clusters, dns
from model.routes.clusters import SOURCES
from model.routes.matching import takes
from model.routes.things import Chain, Gap, Route
from model.routes.walk import Ground, Walk
from model.tree import Tree


@dataclass(frozen=True)
class Proof:
    """Every chain of an environment."""

    chains: tuple[Chain, ...]
    """One a name that somebody wants, sorted by name."""
    loose: tuple[tuple[Route, Gap], ...]
    """What is wrong with a route whatever name it is asked by."""
    ground: Ground

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Everything that is missing, each once."""
        loose = (gap for _, gap in self.loose)
        return tuple(dict.fromkeys((*loose, *(gap for chain in self.chains for gap in chain.gaps))))

    def chain(self, host: str) -> Chain | None:
        """The chain of a name, also of one that only a wildcard answers; None for one that nothing here is about."""
        known = next((one for one in self.chains if one.host == host), None)
        if known or not self._told(host):
            return known
        return _chain(self.ground, host, (), ())

    def near(self, host: str) -> tuple[str, ...]:
        """Names that somebody may have meant, the likeliest first."""
        known = [one.host for one in self.chains]
        holding = [one for one in known if host and host in one]
        labels = get_close_matches(host.partition(".")[0], {one.partition(".")[0] for one in known}, 3, 0.6)
        alike = [one for label in labels for one in known if one.partition(".")[0] == label]
        return tuple(dict.fromkeys((*alike, *holding)))[:3]

    def _told(self, host: str) -> bool:
        answered = dns.follow(self.ground.zone, host, self.ground.env.domain)
        return bool(answered or dns.inside(self.ground.env, host, (), self.ground.zone))


def prove(env: Environment, tree: Tree, graphs: Iterable[Graph] | None = None) -> Proof | None:
    """Prove every name of an environment; None where the edge names what is not there, which is found elsewhere.

    `graphs`: the closure of each cluster that is reconciled, where it is at hand. Never raises for what the folders
    hold.
    """
    if not dns.whole(env):
        return None
    named = env.gitops.clusters if env.gitops else ()
    every = [closure(env, tree, name) for name in named] if graphs is None else graphs
    parts = tuple(clusters.cluster(env, tree, graph) for graph in every)
    attached = [one for part in parts for one in part.attached if SOURCES.get(one.route.kind) in part.publishes]
    objects = [one for part in parts for one in part.objects if SOURCES.get(one.held.kind) in part.publishes]
    plan = plan_edge(env.edge, env.domain)
    ground = Ground(env, parts, dns.zone(env, attached, objects), plan.tunnel)
    wanted = _wanted(env, ground)
    loose = tuple(_loose(env, ground))
    chains = tuple(_chain(ground, host, tuple(routes), loose) for host, routes in sorted(wanted.items()))
    return Proof(chains, loose, ground)


def _wanted(env: Environment, ground: Ground) -> dict[str, list[Route]]:
    """Name → routes that have it; a name of the stack file may have none."""
    found: dict[str, list[Route]] = {}
    for part in ground.clusters:
        for route in part.routes:
            for host in route.hosts:
                found.setdefault(host, []).append(route)
    for host in (*ground.zone, *(one.hostname for one in env.edge.gateways.values())):
        found.setdefault(host, [])
    for host, routes in found.items():
        others = (route for part in ground.clusters for route in part.routes if route not in routes)
        routes += [route for route in others if any(takes(one, host) for one in route.hosts)]
    return found


def _chain(ground: Ground, host: str, routes: tuple[Route, ...], loose: tuple[tuple[Route, Gap], ...]) -> Chain:
    walk = Walk(ground, host, routes)
    owners = [*(f"{route} ({route.file})" for route in routes)]
    entry = ground.zone.get(host)
    owners += [entry.by] if entry and not routes else []
    besides = tuple(gap for route, gap in loose if route in routes)
    return Chain(host, tuple(owners), walk.audience, (walk.outside(), walk.inside()), besides)


def _loose(env: Environment, ground: Ground) -> Iterator[tuple[Route, Gap]]:
    for part in ground.clusters:
        yield from part.refused
        yield from clusters.clashes(env, part)
        yield from clusters.plain(env, part)
        yield from clusters.exposures(env, part)
        for one in part.attached:
            yield from ((one.route, link.gap) for link in part.backends.links(one) if link.gap)
