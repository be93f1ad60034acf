"""Every fixture of an edit gives the findings it names and no other, and every rule has a fixture that breaks it."""

import copy
from typing import Any

import pytest

from foresight.edits import RULES, judge
from foresight.impact import RULES as ROOMS
from model.environment import Environment
from tests.model import cases

NAMES = cases.names("edits")


def sides(name: str) -> tuple[Environment, Environment, set[tuple[str, str]]]:
    """What stood, what is wanted, and what must be found."""
    spec = cases.read(cases.FIXTURES / "edits" / f"{name}.yaml")
    before = cases.edited(cases.stack(spec["of"]), spec.get("before", ()))
    after = cases.edited(copy.deepcopy(before), spec["edit"])
    expected = {(one["code"], one["path"]) for one in spec["findings"]}
    return Environment.model_validate(before), Environment.model_validate(after), expected


@pytest.mark.parametrize("name", NAMES)
def test_a_dangerous_edit_gives_exactly_its_findings(name: str) -> None:
    before, after, expected = sides(name)
    assert {(finding.code, finding.path) for finding in judge(before, after)} == expected


def test_every_rule_is_broken_by_some_fixture() -> None:
    assert len(ROOMS) > 2, "a room whose import is forgotten enters no rule"
    assert {code for name in NAMES for code, _ in sides(name)[2]} == set(RULES)


@pytest.mark.parametrize("name", NAMES)
def test_every_message_is_one_readable_sentence_with_a_way_out(name: str) -> None:
    before, after, _ = sides(name)
    for finding in judge(before, after):
        for text, most in ((finding.message, 240), (finding.hint, 200)):
            assert text, f"{finding} says nothing"
            assert "\n" not in text, f"more than a line: {text}"
            assert "None" not in text, f"speaks Python: {text}"
            assert len(text) <= most, f"too long to read: {text}"


@pytest.mark.parametrize("lab", cases.STACKS)
def test_no_edit_is_no_danger(lab: str) -> None:
    environment = Environment.model_validate(cases.stack(lab))
    assert judge(environment, environment) == []


@pytest.mark.parametrize("lab", cases.STACKS)
def test_what_an_owner_does_every_month_is_let_through(lab: str) -> None:
    """A rule that refuses the ordinary is switched off by its owner."""
    raw = cases.stack(lab)
    workers = [name for name, node in raw["cluster"]["nodes"].items() if node["role"] == "worker"]
    edits: list[dict[str, Any]] = [
        {"set": "versions.kubernetes", "to": "v1.35.0"},
        {"set": "versions.talos", "to": "v1.13.1"},
        {"set": "network.resolvers", "to": ["9.9.9.9"]},
        {"set": f"cluster.nodes.{workers[-1]}.labels", "to": {"example.com/a": "b"}},
        {"set": f"cluster.nodes.{workers[-1]}.state", "to": "leaving"},
    ]
    before = Environment.model_validate(raw)
    for edit in edits:
        after = Environment.model_validate(cases.edited(copy.deepcopy(raw), [edit]))
        assert judge(before, after) == [], edit
