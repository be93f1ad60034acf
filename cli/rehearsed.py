"""How a rehearsal is told: its banner, each run's outcome, and what it all means at the end.

Owns the words and the tables. Refuses to decide anything: every fact is handed in.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.progress import by_realm
from cli.words import count, seconds, span
from rehearsal.engine_events import Diagnostic, Step, name_of
from rehearsal.locks import LiftedLock
from rehearsal.rack import Run, Verb
from rehearsal.report import Forecast, Span
from rehearsal.standing import standing
from rehearsal.world import World

_WILL = {"preview": "would ", "up": "", "refresh": "", "destroy": ""}
_DONE = {
    "create": ("create", "created"),
    "update": ("update", "updated"),
    "delete": ("delete", "deleted"),
    "replace": ("replace", "replaced"),
    "same": ("leave unchanged", "unchanged"),
}
_TITLES: dict[Verb, str] = {
    "preview": "what the engine would do",
    "up": "doing it, in the order the dependencies allow",
    "refresh": "comparing the state with the World",
    "destroy": "taking it down",
}
_CHAIN_SHOWN = 8
_PROTECTED = "because it is protected"  # the engine's words


def banner(out: Console, stack: str, folder: Path) -> None:
    """Say, before anything else, that nothing real is touched, and where everything of this rehearsal lies."""
    text = Text.assemble(
        ("Nothing real is touched. ", "bold"),
        f"The real Pulumi engine runs the real program for `{stack}` against a simulated world on this machine: no",
        " hardware, no account, no network. Its state, world and keys are in ",
        (_short(folder), "bold"),
        ".",
    )
    out.print(Panel(text, title="rehearsal", title_align="left", border_style="cyan", padding=(0, 1)))


def found(out: Console, state: Mapping[str, Any], world: World, lifted: Sequence[LiftedLock]) -> None:
    """Say what an earlier step left in this rack, and what a cut one left unfinished."""
    for lock in lifted:
        line = f"The engine of an earlier run died (process {lock.pid}, {lock.since}); the lock it left is lifted."
        _say(out, line, "yellow")
    resources = len(state.get("resources") or ())
    events = len(world.entries())
    pending = state.get("pending_operations") or ()
    if resources or events:
        there = f"{count(resources, 'resource')} in the state, {count(events, 'event')} in the World"
        _say(out, f"Going on from an earlier step: {there}.")
    if pending:
        names = ", ".join(name_of(entry["resource"]["urn"]) for entry in pending)
        _say(out, f"The last run was cut in the middle of {names}.", "yellow")


def heading(out: Console, verb: Verb, note: str = "") -> None:
    """Open the part of one run."""
    out.print()
    out.print(Text.assemble((f"{verb}{f' {note}' if note else ''}", "bold"), ("  " + _TITLES[verb], "dim")))


def outcome(out: Console, run: Run, told: Set[Diagnostic], *, realms: bool) -> None:
    """Say what a run did, then its warnings but those `told` before, and, when it went badly, why.

    `realms`: also realm by realm, which is noise where the progress has just said it.
    """
    if realms and run.well:
        _realms(out, run)
    for entry in run.transcript.diagnostics:
        if entry.grade == "warning" and entry not in told:
            _diagnostic(out, entry)
    if run.well:
        out.print(Text.assemble(("  ✓ ", "green"), _tally(run), (f", in {seconds(run.seconds)}", "dim")))
        return
    for entry in [] if run.stopped else run.errors():
        if not (run.refused and _PROTECTED in entry.message):  # `protection` says that better
            _diagnostic(out, entry)
    out.print(Text.assemble(("  ✗ ", "red"), _verdict(run), (f", in {seconds(run.seconds)}", "dim")))


def _verdict(run: Run) -> str:
    if run.refused:
        return f"{run.verb} refused: nothing was touched"
    ended = "stopped" if run.stopped else "failed"
    total = len(run.transcript.steps)
    done = f" after {len(run.transcript.finished)} of {count(total, 'resource')}" if total else ""
    return f"{run.verb} {ended}{done}"


def _realms(out: Console, run: Run) -> None:
    for realm, members in by_realm(run.transcript).items():
        tally: dict[str, int] = {}
        for step in members:
            tally[step.operation.value] = tally.get(step.operation.value, 0) + 1
        words = ", ".join(_operation(run.verb, name, number) for name, number in sorted(tally.items()))
        out.print(f"  {realm:<10} {words}")


def _tally(run: Run) -> str:
    tally = run.transcript.counts()
    if not any(step.changes for step in run.transcript.steps.values()):
        nothing = "nothing would change" if run.verb == "preview" else "nothing changed"
        return f"{nothing}: {count(sum(tally.values()), 'resource')}"
    return ", ".join(_operation(run.verb, name, number) for name, number in sorted(tally.items()))


def _operation(verb: Verb, name: str, number: int) -> str:
    to_do, done = _DONE.get(name, (name, name))
    return f"{number} to {to_do}" if verb == "preview" else f"{number} {done}"


def _diagnostic(out: Console, entry: Diagnostic) -> None:
    """One message, whole: the first line names whom it is about, the rest is indented under it."""
    colour = "red" if entry.grade == "error" else "yellow"
    subject = f" {entry.subject}:" if entry.subject else ":"
    first, _, rest = entry.message.removeprefix(f"{entry.grade} ").partition("\n")
    out.print(Text.assemble((f"  {entry.grade}", colour), (subject, "bold"), f" {first}"), soft_wrap=True)
    for line in textwrap.dedent(rest).splitlines():
        out.print(Text(f"    {line}"), soft_wrap=True)


def changed(out: Console, steps: Sequence[Step]) -> None:
    """Name each resource that changed though nothing had been edited, and the properties that did it."""
    out.print(Text(f"  Nothing was edited, and yet {count(len(steps), 'resource')} changed:", style="red"))
    for step in steps:
        properties = f": {', '.join(step.properties)}" if step.properties else ""
        out.print(Text(f"    {step.name} ({step.operation.value}{properties})"), soft_wrap=True)


def mismatch(out: Console, promised_only: Sequence[str], made_only: Sequence[str]) -> None:
    """Name what the preview promised and `up` did not make, and the other way round."""
    out.print(Text("  The preview and the up disagree on what is created:", style="red"))
    for urn in promised_only:
        out.print(f"    {name_of(urn)}: promised, not made")
    for urn in made_only:
        out.print(f"    {name_of(urn)}: made, not promised")


def protection(out: Console, urns: Sequence[str], stack: str) -> None:
    """Explain a refused destroy, and give the commands that unlock it, here and on real machines."""
    out.print()
    what = count(len(urns), "resource is", "resources are")
    _say(out, f"{what} protected, so that no slip can destroy what cannot be made again.")
    _say(out, "On this rack, destroy all the same with:")
    out.print(Text(f"    ./lab rehearse {stack} destroy --unprotect", style="bold"), soft_wrap=True)
    _say(out, "On real machines, unlock each by hand, then destroy:")
    for urn in urns:
        out.print(Text(f"    pulumi state unprotect '{urn}'", style="bold"), soft_wrap=True)


def summary(out: Console, world: World, whole: Forecast, outputs: Mapping[str, Any], secret: Sequence[str]) -> None:
    """What stands, at which addresses, and how long the same takes on real machines."""
    _title(out, "What stands in the World")
    for where, sentences in standing(world):
        out.print(Text(f"  {where}"))
        for sentence in sentences:
            out.print(Padding(Text(sentence), (0, 0, 0, 4), expand=False))
    for title, key in (("Addresses", "addresses"), ("Where to open it", "urls")):
        _pairs(out, title, outputs.get(key))
    if secret:
        out.print()
        _say(out, f"Secret outputs, encrypted in the state: {', '.join(secret)}")
    if whole.phases:
        _real_time(out, whole)


def _pairs(out: Console, title: str, entries: Any) -> None:
    if not isinstance(entries, dict) or not entries:
        return
    _title(out, title)
    cells = [f"{name}  {value}" for name, value in sorted(entries.items())]
    out.print(Padding(Columns(cells, padding=(0, 3), column_first=True), (0, 0, 0, 2), expand=False))


def _real_time(out: Console, whole: Forecast) -> None:
    table = _table("realm", "takes", "stands after", "resources")
    for phase in whole.phases:
        kinds = ", ".join(kind if number == 1 else f"{number} {kind}" for kind, number in sorted(phase.kinds.items()))
        table.add_row(phase.realm, span(phase.takes), span(phase.stands_after), kinds)
    _title(out, "How long this takes on real machines")
    out.print(table)
    out.print(Text.assemble("  All of it: ", (span(whole.whole), "bold"), ". Its longest chain, where time is lost:"))
    slow = sorted(whole.chain, key=lambda link: -link.takes.high)[:_CHAIN_SHOWN]
    for link in sorted(slow, key=whole.chain.index):
        takes = span(Span(link.takes.low, link.takes.high))
        out.print(Text.assemble(f"    {link.name}  {takes}  ", (link.takes.source, "dim")), soft_wrap=True)


def next_steps(out: Console, stack: str, folder: Path, steps: Any) -> None:
    """Where to look next: on the rack, and what the program itself says about real machines."""
    _title(out, "Where to look next")
    grid = Table.grid(padding=(0, 2))
    grid.add_row(f"  ./lab rehearse {stack} preview", "after an edit of the stack file: what it would change")
    grid.add_row(f"  ./lab rehearse {stack} destroy", "what is refused, and what would stay behind")
    grid.add_row(f"  {_short(folder)}/up.txt", "what the engine said, as you would see it with `pulumi up`")
    out.print(grid)
    for step in steps if isinstance(steps, list) else ():
        out.print(Text(f"  · {step}"), soft_wrap=True)


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


def left(out: Console, promised: Set[str], found: Set[str]) -> None:
    """After a destroy: what still stands, against what the plan says will."""
    if promised == found:
        _title(out, f"Left standing, exactly as the plan says: {count(len(found), 'thing')}")
    else:
        _title(out, "What is left standing is not what the plan says")
    for name in sorted(promised & found):
        out.print(Text(f"  {name}"))
    for name in sorted(found - promised):
        out.print(Text(f"  {name}: not in the plan", style="red"))
    for name in sorted(promised - found):
        out.print(Text(f"  {name}: in the plan, and gone", style="red"))


def how_to_go_on(out: Console, stack: str, folder: Path, run: Run) -> None:
    """After a run that did not go well: the World is as it was left, and a step goes on from there."""
    out.print()
    if run.stopped:
        _say(out, "The engine finished what was under way; state and World are kept as they are.")
    grid = Table.grid(padding=(0, 2))
    if run.verb != "preview":
        grid.add_row(f"  ./lab rehearse {stack} {run.verb}", "goes on from there, against the same half-built World")
    grid.add_row(f"  ./lab rehearse {stack}", "starts afresh")
    grid.add_row(f"  {_short(folder)}/{run.verb}.txt", "everything the engine said")
    out.print(grid)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _title(out: Console, title: str) -> None:
    out.print()
    out.print(Text(title, style="bold"))


def _say(out: Console, sentence: str, style: str = "") -> None:
    """A sentence of ours, indented, on as many lines as it takes."""
    out.print(Padding(Text(sentence, style=style), (0, 0, 0, 2), expand=False))


def _short(folder: Path) -> str:
    return "/".join(folder.parts[-2:])
