"""What a Helm chart is to the World.

Owns the shape of what is known of one. It refuses to know any: the charts that a cluster stands on are in
``kube_charts``, those of applications in ``kube_catalogue``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rehearsal.world.kube_cluster import Cluster

Values = dict[str, Any]


@dataclass(frozen=True)
class Chart:
    """One chart. ``repositories`` are ``https`` indexes or ``oci`` folders, without the chart's name.

    ``kinds`` come with the chart, ``operator_kinds`` are registered by its operator once that runs; ``network`` makes
    nodes Ready; ``privileged`` needs a namespace that allows it; ``crashes`` says why its pods would not stay up with
    these values; ``ordinary`` names its pods that need a Ready, untainted node. ``asked`` is the value that brings its
    kinds, and whether it is true where nobody says; ``classes`` are its StorageClasses, a default one first.
    """

    name: str
    repositories: tuple[str, ...]
    version: str
    kinds: tuple[str, ...] = ()
    operator_kinds: tuple[str, ...] = ()
    network: bool = False
    privileged: bool = False
    crashes: Callable[[Cluster, Values], Iterator[str]] = lambda _cluster, _values: iter(())
    ordinary: Callable[[Values], Iterator[str]] = lambda _values: iter(())
    asked: tuple[str, bool] | None = None
    classes: Callable[[Values], Iterator[Values]] = lambda _values: iter(())

    def kinds_with(self, values: Values) -> tuple[str, ...]:
        """The kinds that come with the chart when it is installed with ``values``."""
        return self.kinds if self.asked is None or value(values, *self.asked) else ()


def value(values: Values, path: str, default: Any) -> Any:
    """The value at a dotted ``path``, or the chart's default."""
    found: Any = values
    for step in path.split("."):
        if not isinstance(found, dict) or found.get(step) is None:
            return default
        found = found[step]
    return found


def pods(*names: str) -> Callable[[Values], Iterator[str]]:
    """The pods of a chart that are the same whatever its values say."""
    return lambda _values: iter(names)
