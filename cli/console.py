"""Where the command line writes, how wide, and in which few forms.

Owns the two consoles and the look of a title, a sentence and a table. Refuses to know what is written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH = 100
"""What a page of text is laid out for; a narrower terminal gets what it can show."""


def console(*, stderr: bool = False) -> Console:
    """A console for a person: as wide as their terminal, at most WIDTH; WIDTH where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    out = Console(file=stream, highlight=False)
    out.width = min(out.width, WIDTH) if stream.isatty() else WIDTH
    return out


def complain(message: str) -> None:
    """Say on stderr why nothing was done, word for word: square brackets in it are not markup."""
    console(stderr=True).print(Text(message), soft_wrap=True)


def title(out: Console, text: str, note: str = "") -> None:
    """Open a part of a page."""
    out.print()
    out.print(Text.assemble((text, "bold"), (f"  {note}" if note else "", "dim")))


def say(out: Console, sentence: str, style: str = "", indent: int = 2) -> None:
    """A sentence of ours, indented, on as many lines as it takes."""
    out.print(Padding(Text(sentence, style=style), (0, 0, 0, indent), expand=False))


def table(out: Console, columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]], *, whole: str = "") -> None:
    """Rows under their columns, word for word: an empty cell for None, too long a one folded, but in column `whole`."""
    grid = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column == whole)
    for row in rows:
        grid.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    out.print(grid)


def pairs(out: Console, rows: Iterable[tuple[str, Any]]) -> None:
    """Names and what is said of each, without a heading."""
    grid = Table.grid(padding=(0, 2))
    for name, what in rows:
        grid.add_row(Text(f"  {name}"), Text(str(what)))
    out.print(grid)


def short(folder: Path) -> str:
    """A rack's folder as a person at the checkout would write it."""
    return "/".join(folder.parts[-2:])
