"""What is told of a rack before and after a step: only what is true of it."""

import io
from typing import Any

import pytest
from rich.console import Console

from cli import rehearsed
from rehearsal.standing import retired
from tests.rehearsal.worlds import a_world, lab

URN = "urn:pulumi:lab::iluvatar::talos:machine/bootstrap:Bootstrap::arda-bootstrap"


def _said(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return " ".join(out.file.getvalue().split())


@pytest.fixture
def out() -> Console:
    return Console(file=io.StringIO(), width=100)


@pytest.mark.parametrize(
    ("kind", "made", "told"),
    [("creating", [], True), ("creating", [{"urn": URN}], False), ("updating", [{"urn": URN}], True)],
)
def test_a_cut_is_told_until_what_it_cut_is_made(out: Console, kind: str, made: list[Any], told: bool):
    state = {"resources": made, "pending_operations": [{"type": kind, "resource": {"urn": URN}}]}
    rehearsed.found(out, state, a_world(), [])
    assert ("cut in the middle of arda-bootstrap" in _said(out)) is told


def test_an_up_on_what_an_earlier_life_left_names_it_and_the_way_out(out: Console):
    rehearsed.on_leftovers(out, ["machine/cp-1", "machine/cp-2"], "lab")
    for words in ("2 things still stand", "machine/cp-2", "./lab rehearse lab up --fresh", "reset them first"):
        assert words in _said(out)


def test_a_machine_that_left_the_lab_runs_on_and_is_no_breach_of_the_plan(out: Console):
    world = a_world()
    for name in ("cp-1", "worker-1"):
        world.machines.records[name]["config"] = "installed"
    assert retired(world) == []
    environment = lab()
    del environment["cluster"]["nodes"]["worker-1"]
    world.environment = environment
    assert retired(world) == ["machine/worker-1"]
    assert rehearsed.left(out, {"machine/cp-1"}, set(world.leftovers()), set(retired(world)))
    assert "exactly as the plan says: 1 thing" in _said(out)
    assert "machine/worker-1 left the lab, and runs on with its configuration until it is reset" in _said(out)


def test_what_stands_against_the_plan_is_told(out: Console):
    assert not rehearsed.left(out, {"machine/cp-1"}, {"machine/cp-2"}, set())
    assert "machine/cp-2: not in the plan" in _said(out)
