"""The pictures of docs/how-a-machine-comes-up.md are drawn from the proof: `--snapshot-update` draws them anew."""

import re
import subprocess
from collections.abc import Callable

import pytest

from foresight import boot, boot_diagram
from foresight.boot_chain import Chain
from model.environment import Environment
from tests.house.sources import ROOT
from tests.labs import raw, shipped_plan

PAGE = ROOT / "docs" / "how-a-machine-comes-up.md"
PICTURE = re.compile(
    r"```mermaid\n(?P<text>[^`]*)```\n\n"
    r"<!-- picture: (?P<svg>\S+) is (?P<lab>\S+) (?P<machine>\S+), (?P<firmware>[^>]+) -->"
)
WANTED = {"Raspberry Pi 5", "BIOS x86", "UEFI x64", "its own disk"}
"""What the page shows at least."""


def _chain(lab: str, machine: str, firmware: str) -> Chain:
    proof = boot.prove(Environment.model_validate(raw(lab)), shipped_plan(lab))
    return next(one for one in proof.chains if one.machine == machine and one.firmware.startswith(firmware))


def test_the_page_shows_every_way_that_a_machine_comes_up() -> None:
    found = list(PICTURE.finditer(PAGE.read_text(encoding="utf-8")))
    assert {one["firmware"] for one in found} >= WANTED
    for one in found:
        assert f"({one['svg']})" in PAGE.read_text(encoding="utf-8"), f"{one['svg']} is drawn and not shown"


def test_every_diagram_is_what_the_proof_says(pytestconfig: pytest.Config, require_tool: Callable[[str], str]) -> None:
    update = pytestconfig.getoption("update_snapshots")
    text = fresh = PAGE.read_text(encoding="utf-8")
    for one in PICTURE.finditer(text):
        chain = _chain(one["lab"], one["machine"], one["firmware"])
        fresh = fresh.replace(one[0], one[0].replace(one["text"], boot_diagram.mermaid(chain)))
        svg = PAGE.parent / one["svg"]
        if update:
            command = [require_tool("neato"), "-n2", "-Tsvg", "-o", str(svg)]
            subprocess.run(command, input=boot_diagram.graphviz(chain), text=True, check=True, timeout=60)
        mark = boot_diagram.drawn_from(chain)
        drawn = svg.read_text(encoding="utf-8")
        assert mark in drawn, f"{svg.name} is stale: run this test with --snapshot-update"
    if update:
        PAGE.write_text(fresh, encoding="utf-8")
        text = fresh
    assert text == fresh, f"{PAGE.name} is stale: run this test with --snapshot-update"


@pytest.mark.parametrize(("machine", "firmware"), [("maia-1", "Raspberry"), ("valinor-1", "UEFI"), ("unknown", "BIOS")])
def test_a_diagram_shows_every_file_and_everyone_who_takes_part(machine: str, firmware: str) -> None:
    chain = _chain("homelab", machine, firmware)
    shown = boot_diagram.messages(chain)
    asked = [one.text for one in shown if one.to in ("TFTP", "HTTP")]
    assert len(asked) == len(chain.requests)
    assert all(name in boot_diagram.parties(chain) for one in shown for name in (one.sender, one.to))
