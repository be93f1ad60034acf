"""The table of what the stand-ins hold to: behaviour, source, test.

Owns making CONFORMANCE.md from `conformance.yaml`, and what is wrong with that. Refuses to judge whether a source is
right: a row is a claim that its test repeats.

    python -m rehearsal.conformance
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from rehearsal.refusals import unheard

HERE = Path(__file__).resolve().parent
DATA, PAGE, TESTS = HERE / "conformance.yaml", HERE / "CONFORMANCE.md", HERE.parent / "tests" / "rehearsal"


def load() -> dict[str, Any]:
    """`{sources: {key: place}, behaviours: {part: [[behaviour, file::test, source key]]}, gaps: [sentence]}`."""
    document: dict[str, Any] = yaml.safe_load(DATA.read_text(encoding="utf-8"))
    parts = document["behaviours"].items()
    return document | {"behaviours": {part: [row.split(" | ") for row in rows] for part, rows in parts}}


def page(document: dict[str, Any]) -> str:
    """CONFORMANCE.md."""
    lines = [
        "<!-- Made from conformance.yaml by `python -m rehearsal.conformance`; a test holds it fresh. -->",
        "# What the stand-ins hold to",
        "",
        "A rehearsal is worth what its simulated world refuses. Each line is something the real thing does, where that",
        "is known from, and the test in `tests/rehearsal/` that shows a rehearsal doing it.",
    ]
    for part, rows in document["behaviours"].items():
        lines += ["", f"## {part}", "", "| behaviour | source | test |", "|---|---|---|"]
        lines += [f"| {row[0]} | {document['sources'][row[2]]} | {_link(row[1])} |" for row in rows]
    lines += ["", "## Known gaps", ""]
    return "\n".join([*lines, *(f"- {gap}" for gap in document["gaps"])]) + "\n"


def _link(test: str) -> str:
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../tests/rehearsal/{file})"


def faults(document: dict[str, Any]) -> Iterator[str]:
    """Rows whose test is not there, sources nobody cites, and refusals that no row's test listens for."""
    rows = [row for part in document["behaviours"].values() for row in part]
    known: dict[str, set[str]] = {}
    for _, test, _ in rows:
        file, _, name = test.partition("::")
        if file not in known:
            path = TESTS / file
            tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
            known[file] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if name not in known[file]:
            yield f"there is no test {test}"
    yield from (f"nobody cites the source {key}" for key in sorted(set(document["sources"]) - {row[2] for row in rows}))
    cited = [test.partition("::") for _, test, _ in rows]
    heard = [(TESTS / file, name) for file, _, name in cited if (TESTS / file).exists()]
    yield from (f"no row's test hears {each.place}: {each.words[0]}" for each in unheard(heard))


if __name__ == "__main__":
    PAGE.write_text(page(load()), encoding="utf-8")
