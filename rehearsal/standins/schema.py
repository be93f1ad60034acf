"""What a package's resources and functions take and give.

Owns the reading of ``rehearsal/schemas/<package>.json``, which is generated from the installed SDKs. It refuses to own
meaning: whether a value makes sense is for the World to say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parent.parent / "schemas"


@dataclass(frozen=True)
class Shape:
    """The properties of one resource or function, or of an object inside one, in the engine's names (camelCase).

    ``open`` marks a shape whose properties are not all known (a custom resource): nothing is refused as unknown there.
    """

    inputs: frozenset[str]
    required: frozenset[str]
    outputs: frozenset[str]
    secret: frozenset[str]
    open: bool = False
    nested: Mapping[str, Shape] = field(default_factory=dict)

    def faults(self, properties: Mapping[str, Any], inside: str = "") -> list[tuple[str, str]]:
        """``(property, reason)`` for every unknown and every missing property at any depth, in the providers' words."""
        unknown = [] if self.open else sorted(set(properties) - self.inputs - {"__defaults"})
        missing = sorted(name for name in self.required if properties.get(name) is None)
        found = [(inside + name, f"Invalid or unknown key. Examine values at '{inside}{name}'.") for name in unknown]
        found += [
            (
                inside + name,
                f'Missing required argument. The argument "{inside}{name}" is required, but no definition was found.',
            )
            for name in missing
        ]
        for name, shape in self.nested.items():
            for path, value in _objects(f"{inside}{name}", properties.get(name)):
                found += shape.faults(value, f"{path}.")
        return found


def _objects(path: str, value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects at a property: itself, or the items of its list; what is unknown yet is none."""
    if isinstance(value, list):
        return [(f"{path}[{index}]", item) for index, item in enumerate(value) if isinstance(item, dict)]
    return [(path, value)] if isinstance(value, dict) else []


OPEN = Shape(frozenset(), frozenset(), frozenset(), frozenset(), open=True)


@dataclass(frozen=True)
class Schema:
    """The shapes of one package, by token."""

    resources: Mapping[str, Shape]
    functions: Mapping[str, Shape]
    provider: Shape = OPEN

    @staticmethod
    def load(package: str, folder: Path = SCHEMAS) -> Schema:
        """The schema of ``package``; ``FileNotFoundError`` when it was never generated."""
        return Schema.of(json.loads((folder / f"{package}.json").read_text(encoding="utf-8")))

    @staticmethod
    def of(document: Mapping[str, Any]) -> Schema:
        """From ``{resources: {token: {inputs, required, outputs, secret, open?, nested?}}, functions, provider?}``."""
        return Schema(
            {token: _shape(entry) for token, entry in document.get("resources", {}).items()},
            {token: _shape(entry) for token, entry in document.get("functions", {}).items()},
            _shape(document["provider"]) if "provider" in document else OPEN,
        )


def _shape(entry: Mapping[str, Any]) -> Shape:
    return Shape(
        inputs=frozenset(entry.get("inputs", ())),
        required=frozenset(entry.get("required", ())),
        outputs=frozenset(entry.get("outputs", ())),
        secret=frozenset(entry.get("secret", ())),
        open=bool(entry.get("open", False)),
        nested={name: _shape(inner) for name, inner in entry.get("nested", {}).items()},
    )
