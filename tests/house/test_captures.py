"""What the documents show of the terminal is what the terminal shows: `--snapshot-update` captures anew."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from tests.house.sources import ROOT

CAPTURE = re.compile(r"```\n(?P<shown>(?:(?!```).)*)```\n\n<!-- capture: (?P<words>[^>]+) -->", re.DOTALL)
PAGES = ("docs/check-and-plan.md", "docs/how-a-machine-comes-up.md")
HURRY = {
    "vip: 192.168.1.100 #": "vip: 192.168.1.101 #",
    "subnet: 192.168.20.0/24": "subnet: 192.168.20.5/24",
    '"02:00:00:00:02:06"': '"03:00:00:00:02:06"',
    "address: 192.168.1.239, hostname": "address: 192.168.1.199, hostname",
    "  default: longhorn": "  defualt: longhorn",
    'kubernetes: "v1.34.2"': 'kubernetes: "v1.36.0"',
}
"""What somebody in a hurry makes of homelab."""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """homelab after a hurried edit, called `Pulumi.homelab.yaml` from where the person stands."""
    text = (ROOT / "Pulumi.homelab.yaml").read_text(encoding="utf-8")
    for before, after in HURRY.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    (tmp_path / "Pulumi.homelab.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("LAB_CALLED_FROM", str(tmp_path))
    return "Pulumi.homelab.yaml"


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
