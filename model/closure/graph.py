"""The graph: which app needs what of which, in which order they can come up, and what nobody brings.

Owns matching needs with what is brought, and the order that follows. Refuses to judge: a need that is not met is data
here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from model.closure import charts
from model.closure.brings import besides, declared, home_of
from model.closure.needs import chart_needs, needs
from model.closure.things import ANYWHERE, App, Brought, Need, Thing


@dataclass(frozen=True)
class Graph:
    """One cluster's apps, everything they need and everything they bring."""

    cluster: str
    apps: tuple[App, ...]
    needs: tuple[Need, ...]
    brought: Mapping[Thing, tuple[Brought, ...]]
    unknown: tuple[tuple[str, str, str], ...]
    """(app, file, chart) of every chart that nothing is known of."""

    def bringers(self, need: Need) -> tuple[Brought, ...]:
        """Everybody who brings what is needed, where the need can see it; empty when nobody does."""
        wanted = need.thing
        keys = (wanted, wanted._replace(namespace=ANYWHERE)) if wanted.namespace else (wanted,)
        found = (one for key in keys for one in self.brought.get(key, ()))
        return tuple(one for one in found if not one.private or one.app == need.app) or self._assumed(wanted)

    def _assumed(self, thing: Thing) -> tuple[Brought, ...]:
        """Charts name what is theirs after their release: what is called so is taken for theirs."""
        found = (
            Brought(thing, called(app), f"chart {chart.name}, by its name", 0, later=True)
            for app in self.apps
            for _, chart in app.charts
            if thing.kind in _CHARTS_OWN and charts.assumed(chart, thing)
        )
        return tuple(found)

    @cached_property
    def edges(self) -> dict[str, dict[str, Need]]:
        """App → apps that must be there before it, each with a need that says why.

        What is also there before any app, or from the app itself, orders nothing.
        """
        found: dict[str, dict[str, Need]] = {called(app): {} for app in self.apps}
        for need in self.needs:
            sources = {one.app for one in self.bringers(need)}
            if sources and "" not in sources and need.app not in sources:
                found[need.app].setdefault(min(sources), need)
        return found

    @cached_property
    def order(self) -> tuple[tuple[str, ...], ...]:
        """The apps in the order they can come up: each in the first round in which all it needs is there.

        Apps of a circle, and those that need one of them, are in no round.
        """
        rounds: list[tuple[str, ...]] = []
        placed: set[str] = set()
        waiting = dict(self.edges)
        while ready := sorted(app for app, before in waiting.items() if before.keys() <= placed):
            rounds.append(tuple(ready))
            placed.update(ready)
            waiting = {app: before for app, before in waiting.items() if app not in placed}
        return tuple(rounds)

    @cached_property
    def circle(self) -> tuple[str, ...]:
        """Apps that each need the next, the last one the first; empty when there is no circle."""
        placed = {app for one in self.order for app in one}
        rest = {app: before for app, before in self.edges.items() if app not in placed}
        if not rest:
            return ()
        way = [min(rest)]
        while way.count(way[-1]) == 1:
            way.append(min(one for one in rest[way[-1]] if one in rest))
        return tuple(way[way.index(way[-1]) : -1])


_CHARTS_OWN = frozenset(("ConfigMap", "Deployment", "PersistentVolumeClaim", "Secret", "Service", "ServiceAccount"))
"""Kinds whose names a chart makes of its release."""


def called(app: App) -> str:
    """An app as the graph and a person call it: `networking/cloudflared`."""
    return f"{app.category}/{app.name}".rstrip("/")


def graph(cluster: str, apps: Iterable[App], standing: Iterable[tuple[Thing, str]]) -> Graph:
    """The graph of a cluster's apps beside what stands there already, `(thing, by whom)`."""
    every = tuple(apps)
    home = home_of({chart.name: chart.namespace for app in every for _, chart in app.charts})
    brought: dict[Thing, list[Brought]] = {}
    for thing, by in standing:
        brought.setdefault(thing, []).append(Brought(thing, "", by, 0))
    for app in every:
        for one in _brought(app, home):
            brought.setdefault(one.thing, []).append(one)
    return Graph(
        cluster,
        every,
        tuple(dict.fromkeys(need for app in every for need in _needs(app, home))),
        {thing: tuple(found) for thing, found in brought.items()},
        tuple(
            (called(app), file, chart.name)
            for app in every
            for file, chart in app.charts
            if chart.name not in charts.CHARTS
        ),
    )


def _needs(app: App, home: Mapping[str, str]) -> Iterator[Need]:
    for held in app.objects:
        for thing in needs(held, home):
            yield Need(thing, called(app), held.file, f"{held.kind} {held.name}", held.wave)
    for file, chart in app.charts:
        for thing in (*chart_needs(chart), *charts.asks(chart)):
            yield Need(thing, called(app), file, f"chart {chart.name}", 0)


def _brought(app: App, home: Mapping[str, str]) -> Iterator[Brought]:
    name = called(app)
    for held in app.objects:
        if held.patch:
            continue
        by = f"{held.kind} {held.name}"
        yield Brought(held.thing, name, by, held.wave, private=held.hashed)
        yield from (Brought(thing, name, by, held.wave, later=True) for thing in besides(held, home))
    for _, chart in app.charts:
        for thing, later in charts.brings(chart):
            yield Brought(thing, name, f"chart {chart.name}", 0, later=later)
    yield from (Brought(thing, name, "its kustomization", 0, later=True) for thing in declared(app.notes))
