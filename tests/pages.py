"""Pages whose tables are made: a part between two marks is held equal to what makes it, or written anew."""

import re
from pathlib import Path

import pytest


def hold_fresh(page: Path, mark: str, wanted: str, config: pytest.Config) -> None:
    """The part of `page` after `<!-- mark -->` is `wanted`; with `--snapshot-update` it is made so first."""
    part = re.compile(rf"(<!-- {re.escape(mark)} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    text = page.read_text(encoding="utf-8")
    if config.getoption("update_snapshots"):
        text = part.sub(lambda hit: f"{hit[1]}{wanted}\n{hit[3]}", text)
        page.write_text(text, encoding="utf-8")
    found = part.search(text)
    assert found, f"{page.name} has no part {mark}"
    assert found[2] == f"{wanted}\n", f"{page.name} is stale: the same test with --snapshot-update writes it anew"
