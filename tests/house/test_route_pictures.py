"""docs/how-a-request-arrives.md is drawn from the proof: `--snapshot-update` draws it anew."""

import re
from xml.etree import ElementTree

import pytest

from foresight.route_picture import picture
from model.environment import Environment
from model.routes.proof import Proof, prove
from tests.house.sources import ROOT
from tests.house.test_cli import lab
from tests.labs import SHIPPED, raw, tree

PAGE = ROOT / "docs" / "how-a-request-arrives.md"
CHAIN = re.compile(r"<!-- chain: (?P<lab>\S+) (?P<host>\S+) -->\n```\n(?P<text>[^`]*(?:`[^`]+`[^`]*)*?)```\n")
SVG = "{http://www.w3.org/2000/svg}"


def _proof(stack: str) -> Proof:
    found = prove(Environment.model_validate(raw(stack)), tree(stack))
    assert found
    return found


@pytest.mark.parametrize("stack", SHIPPED)
def test_every_labs_picture_is_what_the_proof_says(stack: str, pytestconfig: pytest.Config) -> None:
    file, drawn = PAGE.parent / "routes" / f"{stack}.svg", picture(_proof(stack))
    if pytestconfig.getoption("update_snapshots"):
        file.write_text(drawn, encoding="utf-8")
    assert file.read_text(encoding="utf-8") == drawn, f"{file.name} is stale: run this test with --snapshot-update"
    assert f"(routes/{stack}.svg)" in PAGE.read_text(encoding="utf-8"), f"{file.name} is drawn and not shown"


def test_every_chain_on_the_page_is_what_plan_shows(pytestconfig: pytest.Config) -> None:
    text = fresh = PAGE.read_text(encoding="utf-8")
    found = list(CHAIN.finditer(text))
    assert {one["lab"] for one in found} >= {"homelab", "pitower"}
    for one in found:
        shown = lab("plan", one["lab"], "--route", one["host"]).stdout
        lines = [f"$ ./lab plan {one['lab']} --route {one['host']}", *(line.rstrip() for line in shown.splitlines())]
        told = "\n".join([*lines, ""])
        fresh = fresh.replace(one[0], f"<!-- chain: {one['lab']} {one['host']} -->\n```\n{told}```\n")
    if pytestconfig.getoption("update_snapshots"):
        PAGE.write_text(fresh, encoding="utf-8")
        text = fresh
    assert text == fresh, f"{PAGE.name} is stale: run this test with --snapshot-update"


@pytest.mark.parametrize("stack", SHIPPED)
def test_a_picture_shows_every_gateway_and_every_name_that_arrives(stack: str) -> None:
    proof = _proof(stack)
    words = " ".join(one.text or "" for one in ElementTree.fromstring(picture(proof)).iter(f"{SVG}text"))
    for part in proof.ground.clusters:
        assert all(gateway.name in words for gateway in part.gateways)
    arriving = [chain.host for chain in proof.chains if any(way.arrives for way in chain.ways)]
    assert all(host in words for host in arriving)


@pytest.mark.parametrize("stack", SHIPPED)
def test_no_box_of_a_picture_lies_on_another_or_outside(stack: str) -> None:
    drawn = ElementTree.fromstring(picture(_proof(stack)))
    wide, high = (float(drawn.attrib[key]) for key in ("width", "height"))
    boxes = [tuple(float(one.attrib[key]) for key in ("x", "y", "width", "height"))
             for one in drawn.iter(f"{SVG}rect") if "x" in one.attrib]  # fmt: skip
    assert boxes
    for at, (x, y, width, height) in enumerate(boxes):
        assert min(x, y) > 0
        assert x + width < wide
        assert y + height < high
        for other_x, other_y, other_width, other_height in boxes[at + 1 :]:
            beside = x + width <= other_x or other_x + other_width <= x
            assert beside or y + height <= other_y or other_y + other_height <= y
