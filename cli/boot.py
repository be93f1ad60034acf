"""`./lab boot`: what every machine does from power-on to its kernel, step by step, before it is switched on.

Owns showing the chains that `foresight.boot` proves. Refuses to walk them, and to judge.
"""

from __future__ import annotations

import json
from itertools import groupby

from rich.console import Console
from rich.text import Text

from cli import check
from cli.console import complain, console, say, table, title
from cli.plan import plain
from cli.stack_files import StackFile
from cli.words import count
from foresight.boot import Proof, findings, prove
from foresight.boot_chain import Chain, Line
from model.findings import Finding
from model.laws.foreseen import FORESEEN
from model.plan import plan

FINE, REFUSED, WRONG = 0, 1, 2

COLOURS = {"error": "red", "warning": "yellow"}

ENDS = {
    "kernel": "its kernel runs",
    "disk": "its own disk decides what runs",
    "nothing": "it stays dark",
}


def boot(stack: StackFile, node: str | None, *, as_json: bool) -> int:
    """Show the chain of every machine of `stack`, or of one; REFUSED when one does not come up, WRONG for no such."""
    checked = check.judge(stack)
    errors = [one for one in checked.findings if one.grade == "error" and one.code not in FORESEEN]
    if checked.environment is None or errors:
        check.show(console(stderr=True), stack, errors)
        return REFUSED
    proof = prove(checked.environment, plan(checked.environment, checked.tree))
    names = list(dict.fromkeys(chain.machine for chain in proof.chains))
    if node and node not in names:
        complain(f"{stack.typed} has no machine `{node}`. Machines it has: {', '.join(names)}.")
        return WRONG
    chains = [chain for chain in proof.chains if node in (None, chain.machine)]
    shown = Proof(tuple(chains), proof.troubles)
    found = findings(shown)
    if as_json:
        print(json.dumps(_json(shown, found), indent=2, ensure_ascii=False))
    else:
        _show(console(), stack, shown, found)
    return FINE if shown.sound else REFUSED


def _json(proof: Proof, found: list[Finding]) -> dict[str, object]:
    """For a program: the chains in full, and what is wrong with them."""
    return {"chains": plain(proof.chains), "findings": plain(found)}


def _show(out: Console, stack: StackFile, proof: Proof, found: list[Finding]) -> None:
    for machine, group in groupby(proof.chains, key=lambda chain: chain.machine):
        first, *others = group
        _chain(out, machine, first)
        for other in others:
            if _same(first, other):
                say(out, f"announcing itself as {other.firmware}, it fetches the same files", "dim", indent=2)
            else:
                _chain(out, machine, other)
    out.print()
    for one in found:
        out.print(Text.assemble((one.grade, COLOURS[one.grade]), "  ", (one.path, "bold"), "  ", (one.code, "dim")))
        say(out, one.message, indent=4)
        say(out, one.hint, "green", indent=4)
    machines = len({chain.machine for chain in proof.chains})
    tally = [count(sum(one.grade == "error" for one in found), "error")]
    warnings = sum(one.grade == "warning" for one in found)
    tally += [count(warnings, "warning")] if warnings else []
    out.print(f"{stack.typed}: {count(machines, 'machine')}, {', '.join(tally)}.")


def _same(one: Chain, other: Chain) -> bool:
    return one.requests == other.requests and one.end == other.end and not other.troubles


def _chain(out: Console, machine: str, chain: Chain) -> None:
    title(out, machine, chain.firmware)
    rows = ((step.actor, step.says, _where(step.line)) for step in chain.steps)
    table(out, ("who", "does", "decided by"), rows)
    worst = next((one for one in chain.troubles if FORESEEN[one.code].grade == "error"), None)
    if worst:
        say(out, f"✗ {worst.message}", "red")
    elif chain.troubles:
        say(out, f"! {chain.troubles[0].message}", "yellow")
    else:
        say(out, f"✓ {ENDS[chain.end]}", "green")


def _where(line: Line | None) -> str:
    return str(line) if line else ""
