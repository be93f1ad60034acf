"""Property values as the engine sends them.

Owns the two directions between protobuf structs and plain Python values, with what a struct cannot say by itself:
unknowns and secrets. It refuses to own any meaning of a property.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.runtime import rpc

Path = tuple[str | int, ...]
"""Where a value stands in a tree of properties: names and list indices from the top."""

_SIGNATURE: Final = rpc._special_sig_key
_SECRET: Final = rpc._special_secret_sig
_OUTPUT: Final = rpc._special_output_value_sig


class _Unknown(enum.Enum):
    UNKNOWN = rpc.UNKNOWN

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown.UNKNOWN
"""A value that only the real run will know. Compare with ``is``; survives copying."""


@dataclass(frozen=True)
class Secret:
    """Marks an output, or any value inside one, as secret on its way to the engine."""

    value: Any


def decode(struct: struct_pb2.Struct) -> tuple[dict[str, Any], frozenset[Path]]:
    """Plain properties of ``struct`` and the paths of those that came as secrets."""
    secrets: set[Path] = set()
    plain = {name: _decode(value, (name,), secrets) for name, value in _in_order(struct)}
    return plain, frozenset(secrets)


def _in_order(struct: struct_pb2.Struct) -> list[tuple[str, struct_pb2.Value]]:
    """The fields by name: a struct's own order is a hash table's, and differs from run to run."""
    return sorted(struct.fields.items())


def _decode(value: struct_pb2.Value, path: Path, secrets: set[Path]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _decode_struct(value.struct_value, path, secrets)
    if kind == "list_value":
        return [_decode(item, (*path, index), secrets) for index, item in enumerate(value.list_value.values)]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "string_value":
        return UNKNOWN if value.string_value == rpc.UNKNOWN else value.string_value
    return None


def _decode_struct(struct: struct_pb2.Struct, path: Path, secrets: set[Path]) -> Any:
    fields = struct.fields
    signature = fields[_SIGNATURE].string_value if _SIGNATURE in fields else None
    if signature == _SECRET:
        secrets.add(path)
        return _decode(fields["value"], path, secrets)
    if signature == _OUTPUT:
        if "secret" in fields and fields["secret"].bool_value:
            secrets.add(path)
        return _decode(fields["value"], path, secrets) if "value" in fields else UNKNOWN
    return {name: _decode(value, (*path, name), secrets) for name, value in _in_order(struct)}


def encode(properties: dict[str, Any], secrets: frozenset[Path] = frozenset()) -> struct_pb2.Struct:
    """``properties`` as a struct; ``Secret`` values and those at ``secrets`` go as secrets, ``UNKNOWN`` as unknown."""
    struct = struct_pb2.Struct()
    struct.update({name: _encode(value, (name,), secrets) for name, value in properties.items()})
    return struct


def _encode(value: Any, path: Path, secrets: frozenset[Path]) -> Any:
    if isinstance(value, Secret):
        return {_SIGNATURE: _SECRET, "value": _encode(value.value, path, frozenset())}
    if path in secrets:
        return {_SIGNATURE: _SECRET, "value": _encode(value, path, secrets - {path})}
    if value is UNKNOWN:
        return rpc.UNKNOWN
    if isinstance(value, dict):
        return {str(name): _encode(item, (*path, name), secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encode(item, (*path, index), secrets) for index, item in enumerate(value)]
    return value


def reveal(value: Any) -> Any:
    """``value`` without ``Secret`` wrappers, at any depth."""
    if isinstance(value, Secret):
        return reveal(value.value)
    if isinstance(value, dict):
        return {name: reveal(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [reveal(item) for item in value]
    return value


def contains_unknown(value: Any) -> bool:
    """Whether ``value`` is unknown or holds an unknown at any depth."""
    if isinstance(value, dict):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(contains_unknown(item) for item in value)
    return value is UNKNOWN or (isinstance(value, Secret) and contains_unknown(value.value))


def value_at(tree: Any, path: Path) -> Any:
    """What stands at ``path`` in ``tree``, or ``UNKNOWN`` where nothing does."""
    for step in path:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return UNKNOWN
        if isinstance(tree, Secret):
            tree = tree.value
    return tree
