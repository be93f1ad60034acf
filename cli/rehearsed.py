"""How a rehearsal is told while it goes: its banner, each run's outcome, what was refused, how to go on.

Owns the words. Refuses to decide anything: every fact is handed in.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from cli.console import pairs, say, short, title
from cli.progress import by_realm
from cli.words import count, seconds
from rehearsal.engine_events import Diagnostic, Step, name_of
from rehearsal.locks import LiftedLock
from rehearsal.rack import Run, Verb
from rehearsal.world import World
from stacks.change import UPGRADE
from stacks.resuming import Advice

_WILL = {"preview": "would ", "up": "", "refresh": "", "destroy": ""}
_DONE = {
    "create": ("create", "created"),
    "update": ("update", "updated"),
    "delete": ("delete", "deleted"),
    "replace": ("replace", "replaced"),
    "same": ("leave unchanged", "unchanged"),
    "refresh": ("compare", "compared"),
}
_TITLES: dict[Verb, str] = {
    "preview": "what the engine would do",
    "up": "doing it, in the order the dependencies allow",
    "refresh": "comparing the state with the World",
    "destroy": "taking it down",
}
_STEPS_SHOWN = 30
_PROTECTED = "because it is protected"  # the engine's words, which `protection` says better
_PENDING = "Attempting to deploy or update resources with"  # likewise, and `found` has said it


def banner(out: Console, stack: str, folder: Path) -> None:
    """Say, before anything else, that nothing real is touched, and where everything of this rehearsal lies."""
    text = Text.assemble(
        ("Nothing real is touched. ", "bold"),
        f"The real Pulumi engine runs the real program for `{stack}` against a simulated world on this machine: no",
        " hardware, no account, no network. Its state, world and keys are in ",
        (short(folder), "bold"),
        ".",
    )
    out.print(Panel(text, title="rehearsal", title_align="left", border_style="cyan", padding=(0, 1)))


def found(out: Console, state: Mapping[str, Any], world: World, lifted: Sequence[LiftedLock]) -> None:
    """Say what an earlier step left in this rack, and what a cut one left unfinished."""
    for lock in lifted:
        line = f"The engine of an earlier run died (process {lock.pid}, {lock.since}); the lock it left is lifted."
        say(out, line, "yellow")
    resources = len(state.get("resources") or ())
    events = len(world.entries())
    pending = unfinished(state)
    if resources or events:
        there = f"{count(resources, 'resource')} in the state, {count(events, 'event')} in the World"
        say(out, f"Going on from an earlier step: {there}.")
    if pending:
        say(out, f"The last run was cut in the middle of {', '.join(map(name_of, pending))}.", "yellow")


def unfinished(state: Mapping[str, Any]) -> list[str]:
    """URNs of what a cut left undone. The engine remembers a create even when it has been done again since."""
    made = {resource["urn"] for resource in state.get("resources") or ()}
    pending = state.get("pending_operations") or ()
    urns = [(entry["type"], entry["resource"]["urn"]) for entry in pending]
    return [urn for kind, urn in urns if kind != "creating" or urn not in made]


def on_leftovers(out: Console, standing: Sequence[str], stack: str) -> None:
    """Before an `up` that begins with an empty state where an earlier life of the lab has left things standing."""
    say(out, f"The state is empty, and of an earlier life {count(len(standing), 'thing')} still stand:", "yellow")
    for name in standing:
        out.print(Text(f"    {name}"))
    say(out, "This up meets them, and what is made but once (a bootstrap, a name in use) fails on them, every time.")
    say(out, f"./lab rehearse {stack} up --fresh starts on a new World. On real machines: reset them first.")


def retired(out: Console, names: Sequence[str]) -> None:
    """What left the lab's data: deleting its resources from the state resets nothing."""
    for name in names:
        say(out, f"{name} left the lab, and runs on with its configuration until it is reset.", "yellow")


def heading(out: Console, verb: Verb, note: str = "") -> None:
    """Open the part of one run."""
    out.print()
    out.print(Text.assemble((f"{verb}{f' {note}' if note else ''}", "bold"), ("  " + _TITLES[verb], "dim")))


def outcome(out: Console, run: Run, told: Set[Diagnostic], *, realms: bool) -> None:
    """Say what a run did, then its warnings but those `told` before, the upgrade it plans, and, if it failed, why.

    `realms`: also realm by realm, which is noise where the progress has just said it.
    """
    if realms and run.well:
        _realms(out, run)
        if len(run.transcript.changed()) < len(run.transcript.steps):
            _steps(out, run.transcript.changed())
    for entry in run.transcript.diagnostics:
        if entry.grade == "warning" and entry not in told and not entry.message.startswith(_PENDING):
            _diagnostic(out, entry)
        if entry.grade == "info" and entry.message.startswith(UPGRADE):
            out.print(Text(textwrap.indent(entry.message, "  ")), soft_wrap=True)
    if run.well:
        out.print(Text.assemble(("  ✓ ", "green"), _tally(run), (f", in {seconds(run.seconds)}", "dim")))
        return
    for entry in [] if run.stopped else run.errors():
        if not (run.refused and _PROTECTED in entry.message):
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
    _steps(out, steps)


def _steps(out: Console, steps: Sequence[Step]) -> None:
    """Each resource, what is done to it, and the properties that are the reason."""
    for step in steps[:_STEPS_SHOWN]:
        properties = f": {', '.join(step.properties)}" if step.properties else ""
        out.print(Text(f"    {step.operation.value} {step.name}{properties}"), soft_wrap=True)
    if len(steps) > _STEPS_SHOWN:
        out.print(f"    … and {len(steps) - _STEPS_SHOWN} more")


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
    say(out, f"{what} protected, so that no slip can destroy what cannot be made again.")
    say(out, "On this rack, destroy all the same with:")
    out.print(Text(f"    ./lab rehearse {stack} destroy --unprotect", style="bold"), soft_wrap=True)
    say(out, "On real machines, unlock them by hand, then destroy:")
    out.print(Text("    pulumi state unprotect --all", style="bold"), soft_wrap=True)
    say(out, f"They are {', '.join(sorted(name_of(urn) for urn in urns))}.")


def left(out: Console, promised: Set[str], standing: Set[str], gone: Set[str]) -> bool:
    """After a destroy: what still stands, against what the plan says will; whether they agree.

    `gone` left the lab's data before: the plan knows nothing of it.
    """
    found = standing - gone
    if promised == found:
        title(out, f"Left standing, exactly as the plan says: {count(len(found), 'thing')}")
    else:
        title(out, "What is left standing is not what the plan says")
    for name in sorted(promised & found):
        out.print(Text(f"  {name}"))
    for name in sorted(found - promised):
        out.print(Text(f"  {name}: not in the plan", style="red"))
    for name in sorted(promised - found):
        out.print(Text(f"  {name}: in the plan, and gone", style="red"))
    retired(out, sorted(standing & gone))
    return promised == found


def advice(out: Console, told: Sequence[Advice], stack: str) -> None:
    """What a person types when creates that were cut off cannot be done again; here `--resume` types it."""
    out.print()
    say(out, "An earlier run was cut off, and these cannot simply be made again. On real machines, type:")
    for one in told:
        typed(out, one, "")
    say(out, f"Then `pulumi up`. On this rack, ./lab rehearse {stack} up --resume types it and goes on.")


def in_the_way(out: Console, told: Sequence[Advice], stack: str) -> None:
    """What a person types when somebody else was at Cloudflare: took a name, deleted the tunnel."""
    out.print()
    say(
        out,
        "Somebody else was at Cloudflare. What is theirs was not touched. On real machines, read, choose, and type:",
    )
    for one in told:
        typed(out, one, "")
    say(out, f"Then `pulumi up`. On this rack, ./lab rehearse {stack} up --resume types it and goes on.")


def typed(out: Console, one: Advice, trouble: str) -> None:
    """The commands for one resource, word for word, and what they printed when they failed."""
    say(out, f"{one.name}: {one.why}", indent=4)
    for command in one.commands:
        out.print(Text(f"      {command}", style="bold"), soft_wrap=True)
    if trouble:
        out.print(Text(textwrap.indent(trouble.strip(), "      "), style="red"), soft_wrap=True)


def how_to_go_on(out: Console, stack: str, folder: Path, run: Run) -> None:
    """After a run that did not go well: the World is as it was left, and a step goes on from there."""
    out.print()
    if run.stopped:
        say(out, "The engine finished what was under way; state and World are kept as they are.")
    rows = [
        (f"./lab rehearse {stack}", "starts afresh"),
        (f"{short(folder)}/{run.verb}.txt", "everything the engine said"),
    ]
    if run.verb != "preview":
        rows.insert(0, (f"./lab rehearse {stack} {run.verb}", "goes on from there, against the same half-built World"))
    pairs(out, rows)
