"""Which keys a Talos 1.12 machine configuration knows.

Owns ``talos_keys.json``: for each document kind and each structure below it the names of its fields, and which
structure a field holds (``[]X`` a list, ``{}X`` a map of them, empty a plain value). The names are facts of Talos'
published configuration schema, whose every definition is closed. Written anew for another release by

    python -m rehearsal.world.talos_keys CONFIG_SCHEMA_JSON
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".json")
_ROOT = "v1alpha1.Config"
_ACCEPTED_STILL = {
    _ROOT: {"persist"},
    "v1alpha1.MachineConfig": {"disks", "time", "registries", "systemDiskEncryption"},
    "v1alpha1.NetworkConfig": {
        "hostname",
        "interfaces",
        "nameservers",
        "searchDomains",
        "extraHostEntries",
        "disableSearchDomain",
    },
    "v1alpha1.InstallConfig": {"extraKernelArgs", "extensions", "bootloader"},
    "v1alpha1.ClusterConfig": {"allowSchedulingOnMasters"},
    "v1alpha1.APIServerConfig": {"disablePodSecurityPolicy"},
    "v1alpha1.EtcdConfig": {"subnet"},
    "v1alpha1.FeaturesConfig": {"rbac", "stableHostname", "apidCheckExtKeyUsage"},
}
"""Deprecated fields: gone from the schema, decoded by Talos 1.12 all the same."""


@functools.cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def kinds() -> frozenset[str]:
    """The document kinds besides the v1alpha1 document itself, which has none."""
    return frozenset(_table()["kinds"])


def unknown_keys(document: dict[str, Any]) -> list[str]:
    """Dotted paths of the keys in ``document`` that Talos does not know; of an unknown kind, the kind in quotes."""
    kind = document.get("kind")
    if kind is not None and kind not in kinds():
        return [f'"{kind}"']
    return list(_unknown(document, _ROOT if kind is None else _table()["kinds"][kind], ""))


def _unknown(value: Any, definition: str, path: str) -> Iterator[str]:
    if not definition or value is None:
        return
    if definition.startswith("[]") and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, definition[2:], f"{path}[{index}]")
    elif definition.startswith("{}") and isinstance(value, dict):
        for name, item in value.items():
            yield from _unknown(item, definition[2:], f"{path}.{name}")
    elif isinstance(value, dict):
        fields: dict[str, str] = _table()["definitions"].get(definition, dict.fromkeys(value, ""))
        accepted = {"$patch", *_ACCEPTED_STILL.get(definition, ())}
        for name, item in value.items():
            if name in fields:
                yield from _unknown(item, fields[name], f"{path}.{name}".lstrip("."))
            elif name not in accepted:
                yield f"{path}.{name}".lstrip(".")


def _holds(entry: dict[str, Any]) -> str:
    """The structure that a schema entry holds, ``""`` for a plain value."""
    if "$ref" in entry:
        return str(entry["$ref"]).rsplit("/", 1)[-1]
    if isinstance(entry.get("items"), dict):
        inner = _holds(entry["items"])
        return f"[]{inner}" if inner else ""
    for inner_entry in entry.get("patternProperties", {}).values():
        inner = _holds(inner_entry)
        return f"{{}}{inner}" if inner else ""
    return ""


def extract(schema: dict[str, Any]) -> dict[str, Any]:
    """The table of ``talos_keys.json`` from Talos' ``config.schema.json``."""
    definitions = {
        name: {field: _holds(entry) for field, entry in definition.get("properties", {}).items()}
        for name, definition in schema["$defs"].items()
    }
    named = {
        definition["properties"]["kind"]["enum"][0]: name
        for name, definition in schema["$defs"].items()
        if "kind" in definition.get("properties", {})
    }
    return {"kinds": named, "definitions": definitions}


def main() -> None:
    """Write the table from the schema file named on the command line."""
    schema = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    FILE.write_text(json.dumps(extract(schema), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
