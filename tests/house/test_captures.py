"""What the documents show of the terminal is what the terminal shows: `--snapshot-update` captures anew."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from foresight.edits import RULES
from foresight.steps import TOGETHER
from stacks.change import UNJUDGED
from tests.house.sources import ROOT

CAPTURE = re.compile(r"```\n(?P<shown>(?:(?!```).)*)```\n\n<!-- capture: (?P<words>[^>]+) -->", re.DOTALL)
PAGES = ("docs/check-and-plan.md", "docs/how-a-machine-comes-up.md", "docs/impact.md")
HURRY = {
    "vip: 192.168.1.100 #": "vip: 192.168.1.101 #",
    "subnet: 192.168.20.0/24": "subnet: 192.168.20.5/24",
    '"02:00:00:00:02:06"': '"03:00:00:00:02:06"',
    "address: 192.168.1.239, hostname": "address: 192.168.1.199, hostname",
    "  default: longhorn": "  defualt: longhorn",
    'kubernetes: "v1.34.2"': 'kubernetes: "v1.36.0"',
}
"""What somebody in a hurry makes of homelab."""
TOMORROW = {
    'talos: "v1.12.4"': 'talos: "v1.13.1"',
    "resolvers: [1.1.1.1, 9.9.9.9]": "resolvers: [9.9.9.9]",
    "port: usw-pro-24/14, reach": "port: usw-pro-24/14, labels: { example.com/gpu: intel }, reach",
    "- { name: example.com, target": "- { name: www.example.com, target",
}
"""What homelab is to become."""
RULE = """machine: { udev: { rules: ['SUBSYSTEM=="drm", GROUP="44"'] } }"""
RASH = {
    'kubernetes: "v1.34.2"': 'kubernetes: "v1.32.1"',
    "address: 192.168.1.104": "address: 192.168.1.140",
    "        workers:\n          sysctls:": f"        workers:\n          {RULE}\n          sysctls:",
}
"""What homelab must not become: no law forbids any of it, but what stands does."""


def written(folder: Path, name: str, edits: dict[str, str]) -> str:
    """homelab after some edits, as a file called `name` from where the person stands."""
    text = (ROOT / "Pulumi.homelab.yaml").read_text(encoding="utf-8")
    for before, after in edits.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    (folder / name).write_text(text, encoding="utf-8")
    return name


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """homelab after a hurried edit, called `Pulumi.homelab.yaml` from where the person stands; others beside it."""
    monkeypatch.setenv("LAB_CALLED_FROM", str(tmp_path))
    monkeypatch.setattr("stacks.programs.shutil.which", lambda _: None)  # one machine has them, another has not
    written(tmp_path, "tomorrow.yaml", TOMORROW)
    written(tmp_path, "rash.yaml", RASH)
    return written(tmp_path, "Pulumi.homelab.yaml", HURRY)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_is_what_is_printed(page: str, broken: str, pytestconfig: pytest.Config) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    found = list(CAPTURE.finditer(text))
    assert found, f"{page} shows nothing"
    fresh = text
    for capture in found:
        words = [broken if word == "broken" else word for word in capture["words"].split()]
        printed = CliRunner().invoke(app, words, prog_name="./lab").output
        lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
        wanted = "\n".join([f"$ ./lab {' '.join(words)}", *lines, ""])
        fresh = fresh.replace(capture[0], capture[0].replace(capture["shown"], wanted))
    if pytestconfig.getoption("update_snapshots"):
        (ROOT / page).write_text(fresh, encoding="utf-8")
        text = fresh
    assert text == fresh, f"{page} is stale: run this test with --snapshot-update"


def test_what_the_page_shows_as_refused_is_refused_by_what_stands(broken: str) -> None:
    printed = CliRunner().invoke(app, ["impact", "homelab", "--to", "rash.yaml"], prog_name="./lab").output
    for code in ("change-node-address", "change-version-down", "change-storage-together"):
        assert code in printed, f"{broken} is found wrong by something else: {printed}"


RULES_TABLE = re.compile(r"(\| code \| grade \| what must hold \|\n\|---\|---\|---\|\n)(?:\|.*\n)+")


def test_the_page_of_edits_lists_every_rule(pytestconfig: pytest.Config) -> None:
    page = ROOT / "docs" / "impact.md"
    text = page.read_text(encoding="utf-8")
    judged = [(rule.code, rule.grade, rule.holds) for rule in RULES.values()]
    rows = "".join(f"| `{code}` | {grade} | {holds} |\n" for code, grade, holds in [*judged, *TOGETHER, UNJUDGED])
    fresh = RULES_TABLE.sub(lambda found: found[1] + rows, text)
    if pytestconfig.getoption("update_snapshots"):
        page.write_text(fresh, encoding="utf-8")
        text = fresh
    assert text == fresh, "docs/impact.md is stale: run this test with --snapshot-update"
