"""The end of a rehearsal: what stands, at which addresses, and how long the same takes on real machines.

Owns these words and tables. Refuses to find anything out: every fact is handed in, or asked of the World.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cli.console import pairs, say, short, table, title
from cli.words import seconds, span
from rehearsal.report import Forecast, Phase, Span
from rehearsal.standing import standing
from rehearsal.world import World

_CHAIN_SHOWN = 8


def summary(out: Console, world: World, whole: Forecast, outputs: Mapping[str, Any], secret: Sequence[str]) -> None:
    """What stands, at which addresses, and how long the same takes on real machines."""
    title(out, "What stands in the World")
    for where, sentences in standing(world):
        out.print(Text(f"  {where}"))
        for sentence in sentences:
            say(out, sentence, indent=4)
    _addresses(out, outputs.get("addresses"))
    _urls(out, outputs.get("urls"))
    if secret:
        out.print()
        say(out, f"Secret outputs, encrypted in the state: {', '.join(secret)}")
    if whole.phases:
        _real_time(out, whole)


def _addresses(out: Console, addresses: Any) -> None:
    """In columns, by address: a lab has dozens."""
    if not isinstance(addresses, dict) or not addresses:
        return
    title(out, "Addresses")
    by_address = sorted(addresses.items(), key=lambda entry: [part.zfill(3) for part in str(entry[1]).split(".")])
    cells = [f"{address!s:<15}  {name}" for name, address in by_address]
    out.print(Padding(Columns(cells, padding=(0, 3), column_first=True), (0, 0, 0, 2), expand=False))


def _urls(out: Console, urls: Any) -> None:
    if not isinstance(urls, dict) or not urls:
        return
    title(out, "Where to open it")
    pairs(out, sorted(urls.items()))


def _real_time(out: Console, whole: Forecast) -> None:
    title(out, "How long this takes on real machines")
    rows = ((phase.realm, span(phase.takes), span(phase.stands_after), _kinds(phase)) for phase in whole.phases)
    table(out, ("realm", "takes", "stands after", "resources"), rows)
    out.print(Text.assemble("  All of it: ", (span(whole.whole), "bold"), ". Its longest chain, where time is lost:"))
    slow = sorted(whole.chain, key=lambda link: -link.takes.high)[:_CHAIN_SHOWN]
    rows = (
        (link.name, span(Span(link.takes.low, link.takes.high)), link.takes.source)
        for link in sorted(slow, key=whole.chain.index)
    )
    table(out, ("step", "takes", "doing"), rows)


def _kinds(phase: Phase) -> str:
    return ", ".join(kind if number == 1 else f"{number} {kind}" for kind, number in sorted(phase.kinds.items()))


def next_steps(out: Console, stack: str, folder: Path, steps: Any) -> None:
    """Where to look next: on the rack, and what the program itself says about real machines."""
    title(out, "Where to look next")
    pairs(
        out,
        [
            (f"./lab rehearse {stack} preview", "after an edit of the stack file: what it would change"),
            (f"./lab rehearse {stack} destroy", "what is refused, and what would stay behind"),
            (f"{short(folder)}/up.txt", "what the engine said, as you would see it with `pulumi up`"),
        ],
    )
    for step in steps if isinstance(steps, list) else ():
        out.print(Text(f"  · {step}"), soft_wrap=True)


def unwell(out: Console, troubles: Sequence[str]) -> None:
    """What stands and does not do its work, each with its reason."""
    if troubles:
        out.print()
        out.print(Text("  Made as promised, and yet it does not come up:", style="red"))
    for trouble in troubles:
        out.print(Text(f"    {trouble}"), soft_wrap=True)


def closing(out: Console, stack: str, took: float, *, kept: bool) -> None:
    """The last line: whether the lab kept what its preview promised, and how long the rehearsal took."""
    out.print()
    if kept:
        told = f"{stack} rehearsed in {seconds(took)}: up made what the preview promised, and again had nothing to do."
        out.print(Text.assemble(("✓ ", "green"), told))
    else:
        out.print(
            Text.assemble(("✗ ", "red"), f"{stack} rehearsed in {seconds(took)}, and not as it should be: see above.")
        )
