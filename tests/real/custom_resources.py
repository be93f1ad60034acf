"""The CustomResourceDefinitions that projects publish in their Go modules, and their verdict on an object.

Owns fetching them (pinned by sum in tools/crds.yaml; tools/definitions has what no module carries) and reading their
schemas closed: an API server would drop a field it does not know, and say nothing. Refuses to know any kind by itself.
"""

import functools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.labs import ROOT

PINS = ROOT / "tools" / "crds.yaml"
OWN = ROOT / "tools" / "definitions"
OPEN = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
Schema = Mapping[str, Any]


class Loader(yaml.CSafeLoader):
    """PyYAML's, and an equals sign is a string: Alertmanager's definitions have one in an enum."""


Loader.add_constructor("tag:yaml.org,2002:value", yaml.CSafeLoader.construct_yaml_str)


def _go() -> str:
    go = shutil.which("go")
    if go is None and os.environ.get("CI") == "true":
        pytest.fail("go is missing, and in CI that is a failure", pytrace=False)
    return go or pytest.skip("go is not installed here: it fetches the modules that carry the definitions")


@functools.cache
def folders() -> tuple[Path, ...]:
    """Where the definitions lie, each pinned module's and our own; the download is kept in Go's own cache."""
    return (OWN, *(_fetched(pin) for pin in yaml.safe_load(PINS.read_text(encoding="utf-8"))["modules"]))


def _fetched(pin: Mapping[str, str]) -> Path:
    named = f"{pin['module']}@{pin['version']}"
    command = [_go(), "mod", "download", "-json", named]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, env=os.environ | {"GOWORK": "off"})
    assert done.returncode == 0, f"{named} cannot be fetched: {done.stdout}{done.stderr}"
    told = json.loads(done.stdout)
    assert told["Sum"] == pin["sum"], f"{named} has the sum {told['Sum']}, and tools/crds.yaml says {pin['sum']}"
    return Path(told["Dir"], pin["crds"])


@functools.cache
def schemas(group: str) -> Mapping[tuple[str, str], Schema]:
    """(apiVersion, kind) → JSON Schema of an API group, every object closed that does not say it is open."""
    found: dict[tuple[str, str], Schema] = {}
    for folder in folders():
        files = sorted(folder.rglob("*.yaml"))
        assert files, f"{folder} holds no definition"
        for text in (file.read_text(encoding="utf-8") for file in files):
            if f"group: {group}" in text:
                for document in yaml.load_all(text, Loader=Loader):  # definitions are long
                    found.update(_served(document or {}))
    return found


def _served(document: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Schema]]:
    if document.get("kind") == "CustomResourceDefinition":
        spec = document["spec"]
        for version in spec["versions"]:
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            schema = _closed(version["schema"]["openAPIV3Schema"])
            # The API server judges metadata by its own type; a definition says only that it is there
            yield key, {**schema, "properties": {**schema.get("properties", {}), "metadata": {"type": "object"}}}


def _closed(schema: Any) -> Any:
    """OpenAPI's dialect of Kubernetes as JSON Schema (Kubernetes documentation, "Structural schemas")."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items() if key not in ("default", "example", "description")}
    if isinstance(schema.get("properties"), dict):
        closed["properties"] = {name: _closed(one) for name, one in schema["properties"].items()}
        if "additionalProperties" not in schema and not any(schema.get(word) for word in OPEN):
            closed["additionalProperties"] = "type" not in schema  # without a type it is one branch of an anyOf
    if schema.get("x-kubernetes-int-or-string"):
        closed.pop("type", None)
    if schema.get("nullable") and isinstance(closed.get("type"), str):
        closed["type"] = [closed["type"], "null"]
    return closed


def faults(body: Mapping[str, Any]) -> list[str]:
    """What is wrong with a custom resource, a line each; LookupError when no pinned module defines its kind."""
    key = (str(body.get("apiVersion")), str(body.get("kind")))
    known = schemas(key[0].partition("/")[0])
    if key not in known:
        raise LookupError(f"nobody in tools/crds.yaml or tools/definitions defines {key[1]} of {key[0]}")
    judge = jsonschema.Draft202012Validator(known[key])
    return [f"{error.json_path}: {error.message[:200]}" for error in judge.iter_errors(body)]
