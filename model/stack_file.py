"""A stack file's text, read as the engine reads it.

Owns the one reading that tools share. The engine uses Go's yaml.v3 (its `resolve.go`), and both must yield one object:
where Python's YAML differs, this follows Go (an unquoted MAC is text, `on` is text), and what invites a difference (a
key written twice, a number in another base, a date) is a finding. Refuses to judge the environment: `model.laws` does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from model.findings import Finding

ENVIRONMENT_KEY = "iluvatar:environment"

_AMBIGUOUS = re.compile(
    r"[-+]?0[0-9_]+|[-+]?0[xXoObB][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"  # other bases, grouped digits
    r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"  # no number at all, dates
)


class NotAStackFile(ValueError):
    """The text cannot be a stack file; the message ends a sentence that began with the file's name."""


@dataclass(frozen=True)
class Reading:
    """What a stack file says."""

    environment: Any
    """The raw object under `iluvatar:environment`; None when the file has none."""
    keys: frozenset[str]
    """Every configuration key that is set, such as `iluvatar:environment`."""
    findings: tuple[Finding, ...]
    """What two readers of this file could disagree on; paths from the environment's root."""


class _Loader(yaml.SafeLoader):
    """SafeLoader with yaml.v3's idea of what a plain scalar is: two truths, decimal numbers, no base sixty."""


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


def read(text: str) -> Reading:
    """What `text` says. NotAStackFile when it is not YAML or holds no `config:` mapping."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        document = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise NotAStackFile(f"is not YAML: {error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise NotAStackFile(f"is not YAML: {str(error).splitlines()[0]}") from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict) or not isinstance(root, MappingNode):
        raise NotAStackFile(f"is no stack file: there is no `config:` with `{ENVIRONMENT_KEY}:` in it")
    return Reading(config.get(ENVIRONMENT_KEY), frozenset(map(str, config)), tuple(_disputable(root)))


def _disputable(root: MappingNode) -> Iterator[Finding]:
    """Everything disputable in the environment, and keys written twice above it."""
    yield from _twice(root, "")
    for key, value in root.value:
        if key.value == "config" and isinstance(value, MappingNode):
            yield from _twice(value, "config")
            for name, environment in value.value:
                if name.value == ENVIRONMENT_KEY:
                    yield from _walk(environment, "")


def _walk(node: Node, path: str) -> Iterator[Finding]:
    if isinstance(node, MappingNode):
        yield from _twice(node, path)
        for key, value in node.value:
            yield from _walk(value, f"{path}.{key.value}".strip("."))
            if isinstance(key, ScalarNode) and not key.tag.endswith((":str", ":merge")):
                yield _quote(key, f"{path}.{key.value}".strip("."), "the key")
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield from _walk(item, f"{path}[{index}]")
    elif isinstance(node, ScalarNode) and node.style is None and _AMBIGUOUS.fullmatch(node.value):
        yield _quote(node, path, "the value")


def _twice(mapping: MappingNode, path: str) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for key, _ in mapping.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode) or key.value not in first:
            first[str(key.value)] = line
            continue
        yield Finding(
            code="yaml-key-twice",
            grade="error",
            path=f"{path}.{key.value}".strip("."),
            message=f"the key `{key.value}` is written twice, in line {first[key.value]} and in line {line}",
            hint="keep one of them: the engine refuses both, and other readers silently take the last",
        )


def _quote(node: ScalarNode, path: str, what: str) -> Finding:
    return Finding(
        code="yaml-unquoted",
        grade="error",
        path=path,
        message=f"{what} {node.value} in line {node.start_mark.line + 1} is not text to every reader of YAML",
        hint=f'quote it: "{node.value}", or write it as a plain decimal number',
    )
