"""YAML as Go programs read it.

Owns one loader: only ``true`` and ``false`` are booleans, ``10:20`` is text, a key twice is an error. Talos, the engine
and the image factory are Go programs; PyYAML's own loader would judge other data than they see.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from rehearsal.world.errors import Refusal

_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's reader where PyYAML was built with it: a machine configuration is read dozens of times."""
_Writer: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _GoLoader(_Fast):
    """PyYAML's safe loader with YAML 1.2's core scalars."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's class-level table

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f'mapping key "{key.value}" already defined', key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", [*"tTfF"]),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*|0o[0-7]+|0x[0-9a-fA-F]+)$", [*"-+0123456789"]),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", [*"-+0123456789."]),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^<<$", ["<"]),
):
    _GoLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def load_all(text: str) -> list[Any]:
    """Every document of ``text``, empty ones left out. ``Refusal`` in Go's manner when it is no YAML."""
    try:
        return [document for document in yaml.load_all(text, Loader=_GoLoader) if document is not None]
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise Refusal(f"yaml: {where}{problem}") from error


def load(text: str) -> Any:
    """The first document of ``text``, ``None`` when there is none."""
    documents = load_all(text)
    return documents[0] if documents else None


def dump_all(documents: list[Any]) -> str:
    """``documents`` as text, keys in their own order."""
    return "---\n".join(yaml.dump(document, Dumper=_Writer, sort_keys=False, width=4096) for document in documents)
