"""A cluster's objects as they are applied: each app's own, with the patches that its kustomization lays over them.

Owns laying a patch over an object, as far as the proof reads objects. Refuses JSON patches: what they change is not
seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from model.closure.graph import Graph, called
from model.closure.reading import mapping
from model.closure.things import App, Held


@dataclass(frozen=True)
class Applied:
    """An object, and the app that applies it."""

    app: str
    held: Held

    @property
    def spec(self) -> Mapping[str, Any]:
        """Its `spec`; empty when that is no mapping."""
        return mapping(self.held.body.get("spec"))

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return words(mapping(self.held.body.get("metadata")).get("labels"))

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return words(mapping(self.held.body.get("metadata")).get("annotations"))


def applied(graph: Graph) -> tuple[Applied, ...]:
    """Every object that is no patch, patched, in the apps' order."""
    return tuple(Applied(called(app), held) for app in graph.apps for held in _patched(app))


def _patched(app: App) -> Iterator[Held]:
    patches = [held for held in app.objects if held.patch]
    for held in app.objects:
        if held.patch:
            continue
        body = held.body
        for patch in patches:
            if (patch.kind, patch.name) == (held.kind, held.name):
                body = _merged(body, patch.body)
        yield held if body is held.body else replace(held, body=body)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """A strategic merge: mappings are merged, lists of named things by their names, `null` takes away."""
    found = dict(under)
    for key, value in over.items():
        below = found.get(key)
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            found[key] = _merged(below, value)
        elif isinstance(value, list) and isinstance(below, list) and _named(value) and _named(below):
            kept = {one["name"]: one for one in below}
            kept |= {one["name"]: _merged(mapping(kept.get(one["name"])), one) for one in value}
            found[key] = list(kept.values())
        else:
            found[key] = value
    return found


def _named(many: list[Any]) -> bool:
    return bool(many) and all(isinstance(one, Mapping) and isinstance(one.get("name"), str) for one in many)


def words(value: object) -> dict[str, str]:
    """A mapping of texts, such as labels; what is no text is left out."""
    return {str(key): one for key, one in mapping(value).items() if isinstance(one, str)}


def text(value: object) -> str:
    """A value that is text, else an empty one."""
    return value if isinstance(value, str) else ""
