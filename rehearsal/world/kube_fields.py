"""Which fields the custom kinds have that this lab's charts register.

Owns ``kube_fields.json``: structure, required fields and allowed values of each kind, and the judgement of a value
against such a structure. The names are facts of the projects' published CustomResourceDefinitions (Cilium 1.18.4,
Gateway API 1.4.1, Envoy Gateway 1.7.0, Argo CD 3.2.0, flux-operator 0.59.0, Flux' source-controller 1.10.1 and
kustomize-controller 1.7.3, cert-manager 1.18.2, trust-manager 0.25.0, external-secrets 0.18.2, sealed-secrets 0.30.0,
CloudNativePG 1.28.0, VolSync 0.14.0, Longhorn 1.10.1, external-snapshotter 8.4.0, prometheus-operator 0.85.0,
Tailscale 1.92.4); rules written in CEL are not among them (``kube_rules``). Kinds are added, or brought up to date, by

    python -m rehearsal.world.kube_fields CRD_YAML...

``NAMED`` are kinds of which no more than their names is known here: nothing of theirs is judged.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rehearsal.world.kube_kinds import plural

FILE = Path(__file__).with_suffix(".json")
_RULES = ("enum", "pattern", "minimum", "maximum", "minItems", "maxItems", "maxLength", "minLength")
_EVERYWHERE = ("apiVersion", "kind", "metadata", "status")
_GO_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


_KAGENT = ("kagent.dev", "Namespaced", ("v1alpha2",))
_MONITORING = ("monitoring.coreos.com", "Namespaced", ("v1",))
_ROOK = ("ceph.rook.io", "Namespaced", ("v1",))
_LONGHORN = ("longhorn.io", "Namespaced", ("v1beta2",))
NAMED: dict[str, tuple[str, str, tuple[str, ...]]] = {
    **dict.fromkeys(("BackupTarget", "Setting", "Volume"), _LONGHORN),
    **dict.fromkeys(("CephBlockPool", "CephCluster", "CephFilesystem"), _ROOK),
    **dict.fromkeys(("CephObjectStore", "CephObjectStoreUser"), _ROOK),
    "ObjectBucketClaim": ("objectbucket.io", "Namespaced", ("v1alpha1",)),
    **dict.fromkeys(("ClusterImageCatalog",), ("postgresql.cnpg.io", "Cluster", ("v1",))),
    **dict.fromkeys(("Database", "ImageCatalog", "Pooler"), ("postgresql.cnpg.io", "Namespaced", ("v1",))),
    **dict.fromkeys(("Alertmanager", "Probe", "Prometheus", "ThanosRuler"), _MONITORING),
    **dict.fromkeys(("AlertmanagerConfig", "PrometheusAgent", "ScrapeConfig"), (*_MONITORING[:2], ("v1alpha1",))),
    **dict.fromkeys(("NodeFeature", "NodeFeatureGroup"), ("nfd.k8s-sigs.io", "Namespaced", ("v1alpha1",))),
    "NodeFeatureRule": ("nfd.k8s-sigs.io", "Cluster", ("v1alpha1",)),
    **dict.fromkeys(("Agent", "MCPServer", "ModelConfig", "RemoteMCPServer"), _KAGENT),
    **dict.fromkeys(("DNSConfig", "ProxyClass", "ProxyGroup", "Recorder"), ("tailscale.com", "Cluster", ("v1alpha1",))),
    "HelmChartConfig": ("helm.cattle.io", "Namespaced", ("v1",)),
}
"""Kind → group, scope, versions."""


@functools.cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return table


def definition(kind: str) -> dict[str, Any]:
    """The CustomResourceDefinition object of ``kind``, without its fields. ``KeyError`` when none is known."""
    entry = _table()["kinds"].get(kind) or _named(kind)
    versions = [{"name": name, "served": True, "storage": index == 0} for index, name in enumerate(entry["versions"])]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{entry['plural']}.{entry['group']}"},
        "spec": {
            "group": entry["group"],
            "names": {"kind": kind, "plural": entry["plural"], "singular": kind.lower()},
            "scope": entry["scope"],
            "versions": versions,
        },
    }


def _named(kind: str) -> dict[str, Any]:
    group, scope, versions = NAMED[kind]
    return {"group": group, "plural": plural(kind), "scope": scope, "versions": versions}


def objections(body: dict[str, Any], crd: dict[str, Any]) -> Iterator[str]:
    """What the API server objects to in ``body``, of the kind that the object ``crd`` registers."""
    version = body["apiVersion"].rpartition("/")[2]
    known = _table()["kinds"].get(body["kind"])
    schemas = {each["name"]: each.get("schema") for each in crd["spec"]["versions"]}
    if schemas.get(version):
        own: list[Any] = []
        root = _compact(schemas[version]["openAPIV3Schema"], own, {})
    elif known is not None and known["group"] == crd["spec"]["group"] and version in known["versions"]:
        own, root = _table()["structures"], known["versions"][version]
    else:
        return
    fields = {name: body[name] for name in body if name not in _EVERYWHERE}
    structure = dict(own[root])
    for part in ("fields", "required"):
        if part in structure:
            structure[part] = _without(structure[part])
    yield from _judge(fields, structure, own, "")


def _without(names: Any) -> Any:
    """``names``, a dict or a list, less those every kind has: the API server judges them itself."""
    kept = [name for name in names if name not in _EVERYWHERE]
    return {name: names[name] for name in kept} if isinstance(names, dict) else kept


def _judge(value: Any, structure: dict[str, Any], structures: list[Any], path: str) -> Iterator[str]:
    wanted = structure.get("type")
    if wanted and not _is(value, wanted):
        got = _GO_TYPES.get(type(value), "null")
        yield f'{path}: Invalid value: "{got}": {path} in body must be of type {wanted}: "{got}"'
        return
    yield from _ruled(value, structure, path)
    if "fields" in structure and isinstance(value, dict):
        yield from _judge_fields(value, structure, structures, path)
    elif "each" in structure and isinstance(value, dict):
        for name, inner in value.items():
            yield from _judge(inner, structures[structure["each"]], structures, _below(path, name))
    elif "items" in structure and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _judge(inner, structures[structure["items"]], structures, f"{path}[{index}]")


def _judge_fields(value: dict[str, Any], structure: dict[str, Any], structures: list[Any], path: str) -> Iterator[str]:
    for name in structure.get("required", ()):
        if value.get(name) is None:
            yield f"{_below(path, name)}: Required value"
    for name, inner in value.items():
        if name not in structure["fields"]:
            yield f".{_below(path, name)}: field not declared in schema"
        elif inner is not None:
            yield from _judge(inner, structures[structure["fields"][name]], structures, _below(path, name))


def _ruled(value: Any, rules: dict[str, Any], path: str) -> Iterator[str]:
    if "enum" in rules and value not in rules["enum"]:
        listed = ", ".join(json.dumps(each) for each in rules["enum"])
        yield f"{path}: Unsupported value: {json.dumps(value)}: supported values: {listed}"
    if isinstance(value, str):
        if "pattern" in rules and not re.search(rules["pattern"], value):
            yield f"{path}: Invalid value: {json.dumps(value)}: {path} in body should match '{rules['pattern']}'"
        if not rules.get("minLength", 0) <= len(value) <= rules.get("maxLength", len(value)):
            yield f"{path}: Invalid value: {json.dumps(value)}: {len(value)} characters are too few or too many"
    if isinstance(value, int | float) and not rules.get("minimum", value) <= value <= rules.get("maximum", value):
        yield f"{path}: Invalid value: {value}: {path} in body is out of range"
    if isinstance(value, list) and not rules.get("minItems", 0) <= len(value) <= rules.get("maxItems", len(value)):
        yield f"{path}: Invalid value: {len(value)}: {path} in body has too few or too many items"


def _is(value: Any, wanted: str) -> bool:
    if wanted in ("integer", "number"):
        return isinstance(value, int if wanted == "integer" else int | float) and not isinstance(value, bool)
    types = {"boolean": bool, "string": str, "array": list, "object": dict}
    return isinstance(value, types[wanted])


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _compact(schema: dict[str, Any], structures: list[Any], seen: dict[str, int]) -> int:
    """Append what matters of an OpenAPI ``schema`` to ``structures``, alike ones once; its index there."""
    found: dict[str, Any] = {name: schema[name] for name in _RULES if name in schema}
    anything = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
    if not anything:
        if "type" in schema:
            found["type"] = schema["type"]
        if "properties" in schema:
            inner = schema["properties"].items()
            found["fields"] = {name: _compact(each, structures, seen) for name, each in inner}
            found["required"] = schema.get("required", [])
        elif isinstance(schema.get("additionalProperties"), dict):
            found["each"] = _compact(schema["additionalProperties"], structures, seen)
        if isinstance(schema.get("items"), dict):
            found["items"] = _compact(schema["items"], structures, seen)
    key = json.dumps(found, sort_keys=True)
    if key not in seen:
        seen[key] = len(structures)
        structures.append(found)
    return seen[key]


def write(files: list[Path]) -> None:
    """Put the kinds that the CustomResourceDefinitions in ``files`` register into the table, over older ones of theirs.

    A file out of a chart may have lines of Helm's templates around its YAML: they are passed over.
    """
    table = json.loads(FILE.read_text(encoding="utf-8"))
    kinds, structures = table["kinds"], table["structures"]
    seen = {json.dumps(each, sort_keys=True): index for index, each in enumerate(structures)}
    for file in files:
        plain = re.sub(r"{{.*?}}", "x", re.sub(r"(?m)^ *{{.*}}\s*$", "", file.read_text(encoding="utf-8")))
        for document in yaml.safe_load_all(plain):
            if document and document["kind"] == "CustomResourceDefinition":
                _write_kinds(document["spec"], kinds, structures, seen)
    table = {"kinds": dict(sorted(kinds.items())), "structures": structures}
    lines = ",\n".join(f'"{name}": {json.dumps(table[name], separators=(",", ":"))}' for name in table)
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def _write_kinds(spec: dict[str, Any], kinds: dict[str, Any], structures: list[Any], seen: dict[str, int]) -> None:
    entry = {"group": spec["group"], "plural": spec["names"]["plural"], "scope": spec["scope"], "versions": {}}
    for version in spec["versions"]:
        schema = version["schema"]["openAPIV3Schema"]
        kept = {"properties": _without(schema["properties"]), "required": _without(schema.get("required", []))}
        if version.get("served", True):
            entry["versions"][version["name"]] = _compact(schema | kept, structures, seen)
    kinds[spec["names"]["kind"]] = entry


if __name__ == "__main__":
    write([Path(argument) for argument in sys.argv[1:]])
