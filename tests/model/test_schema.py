"""What is generated from the model is fresh: `--snapshot-update` rewrites it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from model import schema
from model.laws import LAWS, reference
from tests.model import cases

GENERATED = {"docs/stack.schema.json": schema.text, "docs/findings.md": reference.markdown}
WITH_CODES = (
    "model/fields.py",
    "model/document.py",
    "model/yaml_reader.py",
    "model/laws/shape.py",
    "model/laws/names.py",
    "stacks/secrets.py",
)


@pytest.mark.parametrize("path", GENERATED)
def test_a_generated_file_is_fresh(path: str, pytestconfig: pytest.Config) -> None:
    file, wanted = cases.ROOT / path, GENERATED[path]()
    if pytestconfig.getoption("update_snapshots"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(wanted, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == wanted, f"{path} is stale: run this test with --snapshot-update"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(schema.schema())


def documents() -> list[tuple[str, Any]]:
    found = [(name, cases.read(cases.ROOT / f"Pulumi.{name}.yaml")) for name in cases.STACKS]
    for name in cases.names("valid"):
        environment = cases.read(cases.FIXTURES / "valid" / f"{name}.yaml")["environment"]
        found.append((name, {"config": {"iluvatar:environment": environment}}))
    return found


@pytest.mark.parametrize(("name", "document"), documents(), ids=lambda one: one if isinstance(one, str) else "")
def test_the_schema_accepts_what_the_door_accepts(name: str, document: Any) -> None:
    jsonschema.validate(document, schema.schema(), cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "name", [name for name in cases.names("invalid") if "unknown-key" in name or "key-misspelt" in name]
)
def test_the_schema_refuses_unknown_keys(name: str) -> None:
    document = {"config": {"iluvatar:environment": cases.invalid(name).raw}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema.schema(), cls=jsonschema.Draft202012Validator)


def properties(node: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, one in (node.get("properties") or {}).items():
            yield f"{where}.{key}", one
        for key, one in node.items():
            yield from properties(one, f"{where}.{key}")
    elif isinstance(node, list):
        for index, one in enumerate(node):
            yield from properties(one, f"{where}.{index}")


def test_every_field_is_described() -> None:
    definitions = schema.schema()["$defs"]
    bare = [
        where
        for where, one in properties(schema.schema())
        if not one.get("description")
        and not definitions.get(str(one.get("$ref", "")).rpartition("/")[2], {}).get("description")
    ]
    assert not bare, f"fields that say nothing: {bare}"


@pytest.mark.parametrize("name", cases.STACKS)
def test_a_stack_file_tells_editors_where_its_schema_is(name: str) -> None:
    first = (cases.ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=docs/stack.schema.json"


def test_every_code_that_can_be_found_is_in_the_reference() -> None:
    known = set(LAWS) | set(reference.SHAPES) | set(reference.DOCUMENTS)
    rooms = "|".join(sorted({code.partition("-")[0] for code in known}))
    used = {
        code
        for path in WITH_CODES
        for code in re.findall(rf'"((?:{rooms})-[a-z0-9-]+)"', Path(cases.ROOT, path).read_text())
    }
    assert used - known == set(), "codes that docs/findings.md does not explain"
    assert (set(reference.SHAPES) | set(reference.DOCUMENTS)) - used == set(), "codes that nothing gives"
