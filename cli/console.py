"""Where the command line writes, and how wide.

Owns the two consoles. Refuses to know what is written.
"""

from __future__ import annotations

import sys

from rich.console import Console
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
