"""`./lab rehearse STACK --crash-matrix`: a run killed at every moment there is.

Owns the telling and the exit code. Refuses to own the killing and the verdicts (`rehearsal.crash`).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable

from pulumi import automation as auto
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.check import judge, show
from cli.console import complain, console, say
from cli.engine import EngineMissing, find_engine
from cli.rehearse import FINE, RACKS, REFUSED, UNUSABLE
from cli.rehearsed import banner
from cli.stack_files import ROOT, StackFile
from cli.words import count, seconds
from rehearsal.crash import Clean, NotClean, Of, Verdict, live_clean, matrix, sample
from rehearsal.engine import EngineTrouble
from rehearsal.locks import RackBusy, only_one
from rehearsal.rack_folder import Lab, make_private, write_private
from rehearsal.world_process import WorldTrouble

_TOLD_EVERY = 10
"""Without a terminal to draw on, progress is a line each so many cuts."""


_CUT: dict[Of, str] = {
    "up": "the first up",
    "edit": "the up after an edit of the file (a node's label, a gateway's address, public names)",
    "destroy": "a destroy",
}


def crash_matrix(stack: StackFile, of: Of, only: int, seed: int) -> int:
    """Kill the run `of` `stack` at every moment, or at `only` drawn by `seed`; FINE when each one converged."""
    out = console()
    checked = judge(stack)
    if checked.environment is None or not checked.sound:
        show(console(stderr=True), stack, [one for one in checked.findings if one.grade == "error"])
        return REFUSED
    folder = RACKS / f"{stack.rack}.crash"
    banner(out, stack.stack, folder)
    try:
        make_private(RACKS)
        write_private(RACKS / ".gitignore", "*\n")
        with only_one(RACKS / f"{stack.rack}.crash.lock", f"rehearse {stack.stack} --crash-matrix"):
            lab = Lab(stack.stack, stack.path, stack.gitops(), ROOT / "__main__.py", stack.rack)
            started = time.monotonic()
            clean = live_clean(folder, lab, find_engine(), of)
            points = sample(clean.points, only, seed) if only else list(clean.points)
            _opening(out, clean, len(points), seed, time.monotonic() - started)
            verdicts = _watched(out, matrix(clean, points, max(2, os.cpu_count() or 2)), len(points))
            if all(verdict.converged for verdict in verdicts):
                shutil.rmtree(folder)
            return _closing(out, clean, verdicts, time.monotonic() - started)
    except NotClean as trouble:
        complain(f"Already the run that nothing cut did not end well:\n{trouble}")
    except (EngineMissing, EngineTrouble, RackBusy, WorldTrouble) as trouble:
        complain(str(trouble))
    except auto.CommandError as refusal:
        complain(f"The engine would not set up a rack:\n{refusal}")
    return UNUSABLE


def _opening(out: Console, clean: Clean, chosen: int, seed: int, took: float) -> None:
    there, verb = len(clean.points), clean.verb
    out.print()
    say(out, f"What is cut: {_CUT[clean.of]}.")
    say(out, f"A clean run passes {count(there, 'moment')} at which it can be cut; found in {seconds(took)}.")
    if chosen < there:
        say(out, f"Of these, {chosen} drawn with --seed {seed}.")
    say(out, f"At each: SIGKILL to the engine, {verb} again with what a person would type, and {verb} once more.")


def _watched(out: Console, verdicts: Iterable[Verdict], total: int) -> list[Verdict]:
    """The verdicts, shown as they come: progress, and whatever did not converge at once."""
    found: list[Verdict] = []
    columns = (
        TextColumn("  "),
        BarColumn(30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task("", total=total, last="")
        for verdict in verdicts:
            found.append(verdict)
            progress.update(task, advance=1, last=verdict.point)
            if not verdict.converged:
                _failing(out, verdict)
            if not out.is_terminal and len(found) % _TOLD_EVERY == 0:
                out.print(f"  {len(found)} of {total}, {sum(one.converged for one in found)} converged")
    return found


def _failing(out: Console, verdict: Verdict) -> None:
    out.print(Text.assemble(("  ✗ ", "red"), (verdict.point, "bold")), soft_wrap=True)
    for line in [*(f"$ {command}" for command in verdict.typed), *verdict.trouble]:
        out.print(Text(f"      {line}"), soft_wrap=True)
    out.print(Text(f"      its rack is kept: {verdict.folder}"), soft_wrap=True)


def _closing(out: Console, clean: Clean, verdicts: list[Verdict], took: float) -> int:
    converged = sum(verdict.converged for verdict in verdicts)
    alone = sum(verdict.converged and not verdict.typed for verdict in verdicts)
    out.print()
    if converged > alone:
        say(out, f"{alone} by {clean.verb} alone, {converged - alone} after the commands it asked for.")
    good = converged == len(verdicts) and bool(verdicts)
    well = ", nothing twice, nothing lost" if good else ""
    told = f"{clean.lab.stack}, {clean.of}: {converged} of {len(verdicts)} converged{well}"
    out.print(Text.assemble(("✓ ", "green") if good else ("✗ ", "red"), f"{told}, in {seconds(took)}."))
    return FINE if good else REFUSED
