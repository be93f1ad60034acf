"""Cilium's values in every lab's folder, against the chart itself: its schema, its keys, its defaults.

The chart comes with the Go module that tools/crds.yaml pins; a lab that is a minor ahead is judged by that one.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from model.laws.cilium_values import agreed
from model.tree import seed
from tests.labs import SHIPPED, shipped_plan, tree
from tests.model import cases
from tests.real import custom_resources

pytestmark = pytest.mark.real
OPEN = ("annotations", "labels", "resources", "nodeSelector", "extraConfig")
"""Mappings of the user's own keys."""


@cache
def chart() -> Path:
    """The chart's folder in the pinned module."""
    crds = next(one for one in custom_resources.folders() if "cilium@" in str(one))
    return next(one for one in crds.parents if "@" in one.name) / "install" / "kubernetes" / "cilium"


@cache
def defaults() -> Mapping[str, Any]:
    return yaml.safe_load((chart() / "values.yaml").read_text(encoding="utf-8"))


def values(lab: str) -> Mapping[str, Any]:
    return seed(tree(lab), (shipped_plan(lab).cluster or pytest.fail("no cluster")).name, "cilium").values


@cache
def templates() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in sorted((chart() / "templates").rglob("*.yaml")))


def unknown(given: Mapping[str, Any], known: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Keys that the chart neither has a default for nor reads: Helm takes them, and nothing comes of them."""
    for key, value in given.items():
        if key not in known:
            read = (f".Values.{where}{key} ", f"${where}{key} ")  # the chart keeps some of its parts in a variable
            yield from () if any(one in templates() for one in read) else (f"{where}{key}",)
        elif isinstance(value, Mapping) and isinstance(known[key], Mapping) and known[key] and key not in OPEN:
            yield from unknown(value, known[key], f"{where}{key}.")


def at(path: str) -> Any:
    found: Any = defaults()
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_values_fit_the_chart_s_schema(lab: str) -> None:
    schema = json.loads((chart() / "values.schema.json").read_text(encoding="utf-8"))
    faults = [f"{one.json_path}: {one.message}" for one in jsonschema.Draft7Validator(schema).iter_errors(values(lab))]
    assert not faults, f"{lab}: {faults}"


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_key_is_one_that_the_chart_reads(lab: str) -> None:
    assert not list(unknown(values(lab), defaults()))


def test_a_misspelt_key_is_found() -> None:
    assert list(unknown({"loadBalancer": {"mdoe": "dsr"}}, defaults())) == ["loadBalancer.mdoe"]


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_capabilities_are_the_chart_s_own_without_kernel_modules(lab: str) -> None:
    for container in ("ciliumAgent", "cleanCiliumState"):
        theirs = set(at(f"securityContext.capabilities.{container}"))
        assert "SYS_MODULE" in theirs, "the chart asks for it no more: the law gitops-cilium-modules can go"
        ours = set(values(lab)["securityContext"]["capabilities"][container])
        assert ours == theirs - {"SYS_MODULE"}, f"{lab}: {container}"


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_laws_know_the_chart_s_defaults(lab: str) -> None:
    environment = cases.examine(cases.stack(lab), None).environment
    assert environment
    assert environment.cluster
    for one in agreed(environment.cluster):
        theirs = at(one.key)
        # An empty default leaves the choice to the agent, whose own is the one that the law names
        assert theirs in (None, "", "~") or theirs == one.default, f"{one.key}: {theirs}, not {one.default}"
