"""Every fixture gives the findings it names and no other, and every law has a fixture that breaks it."""

import pytest

from model.laws import LAWS, examine
from tests.model import cases


@pytest.mark.parametrize("name", cases.names("invalid"))
def test_a_mistake_gives_exactly_its_findings(name: str) -> None:
    case = cases.invalid(name)
    new = cases.found(case.raw, case.tree) - case.already
    missed, extra = sorted(case.expected - new), sorted(new - case.expected)
    assert not missed, f"{name}: not found: {missed}"
    assert not extra, f"{name}: found besides what it names: {extra}"
    assert case.expected, f"{name} names no finding"


@pytest.mark.parametrize("name", cases.names("valid"))
def test_a_valid_shape_gives_only_the_warnings_it_names(name: str) -> None:
    spec = cases.read(cases.FIXTURES / "valid" / f"{name}.yaml")
    examined = examine(spec["environment"], None)
    assert not examined.errors, f"{name}: {examined.errors}"
    given = sorted((finding.code, finding.path) for finding in examined.findings)
    assert given == sorted((one["code"], one["path"]) for one in spec["findings"])


@pytest.mark.parametrize("stack", cases.STACKS)
def test_a_shipped_lab_has_no_error(stack: str) -> None:
    assert not examine(cases.stack(stack), None).errors


def test_every_law_is_broken_by_some_fixture() -> None:
    broken: set[str] = set()
    for name in cases.names("invalid"):
        broken |= {code for code, _ in cases.invalid(name).expected}
    for name in cases.names("valid"):
        broken |= {one["code"] for one in cases.read(cases.FIXTURES / "valid" / f"{name}.yaml")["findings"]}
    assert not sorted(set(LAWS) - broken), "laws without a fixture that breaks them"


def test_there_are_enough_fixtures() -> None:
    assert len(cases.names("invalid")) >= 80
    assert len(cases.names("valid")) >= 10


def test_every_message_is_one_readable_sentence_with_a_way_out() -> None:
    for name in cases.names("invalid"):
        case = cases.invalid(name)
        for finding in examine(case.raw, case.tree).findings:
            for text, most in ((finding.message, 240), (finding.hint, 200)):
                assert text, f"{name}: {finding} says nothing"
                assert "\n" not in text, f"{name}: more than a line: {text}"
                assert "None" not in text, f"{name}: speaks Python: {text}"
                assert len(text) <= most, f"{name}: too long to read: {text}"
