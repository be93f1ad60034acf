"""`./lab plan` of the Pis: what each can be with what is plugged into it, and what the sets cost."""

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from model.ainur import BootPart, BootstrapNodePlan
from tests.labs import planned, raw

TABLE: dict[tuple[BootPart, ...], tuple[tuple[str, ...], int]] = {
    ("sd", "nvme", "poe"): (("server", "storage"), 122),
    ("sd", "nvme"): (("server", "storage"), 100),
    ("sd", "poe"): (("server",), 107),
    ("sd",): (("server",), 85),
    ("nvme", "poe"): (("netboot", "storage"), 117),
    ("nvme",): (("netboot", "storage"), 95),
    ("poe",): (("netboot",), 102),
    (): (("netboot",), 80),
}
"""The owner's table of boot configurations, row by row."""


def planned_with(parts: tuple[BootPart, ...], price: int | None = None) -> BootstrapNodePlan:
    edited = raw("homelab")
    edited["bootstrap"]["nodes"]["maia-1"]["boot"] = list(parts)
    edited["hardware"]["raspberry-pi-5-8gb"]["price_gbp"] = price
    bootstrap = planned(edited).bootstrap
    assert bootstrap
    return next(node for node in bootstrap.nodes if node.name == "maia-1")


@pytest.mark.parametrize("parts", TABLE)
def test_a_pi_can_be_and_costs_what_the_owner_s_table_says(parts: tuple[BootPart, ...]) -> None:
    node = planned_with(parts)
    assert (node.can, node.cost_gbp) == TABLE[parts]
    assert node.board_guessed


def test_a_class_that_says_what_its_board_cost_is_believed() -> None:
    node = planned_with(("nvme", "poe"), 60)
    assert (node.cost_gbp, node.board_guessed) == (97, False)


def test_the_plan_shows_it_with_the_total_and_where_the_prices_are_from() -> None:
    said = CliRunner().invoke(app, ["plan", "homelab"]).output
    lines = [line.split() for line in said.splitlines()]
    assert ["vala-1", "Pi", "+", "SD", "+", "NVMe", "+", "PoE", "can", "cannot", "can", "£122"] in lines
    assert ["maia-1", "Pi", "+", "NVMe", "+", "PoE", "cannot", "can", "can", "£117"] in lines
    assert ["all", "£356"] in lines
    assert "price guide of late 2024" in said
    assert "Pi 5 with 8 GB" in said
