"""`./lab plan STACK --route HOST`: one name's chain, from whoever types it to the pods that answer.

Owns showing what `model.routes` proves. Refuses to walk it, and to judge the rest of the file.
"""

from __future__ import annotations

import json

from rich.console import Console
from rich.text import Text

from cli import check
from cli.console import complain, console, say, table, title
from cli.plan import plain
from cli.stack_files import StackFile
from model.closure.reading import said
from model.environment import Environment
from model.findings import Grade
from model.laws import LAWS
from model.routes.proof import Proof, prove
from model.routes.things import Chain, Gap, Link, Way
from model.tree import SHARED

FINE, REFUSED, WRONG = 0, 1, 2
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}

STARTS = {"outside": "From the internet", "inside": "On the LAN"}
FOR = {"public": "for everybody", "lan": "for the LAN alone", None: "no route has it"}
MOST = 12
"""How many names are told of where one was asked for that nobody knows."""


def route(stack: StackFile, host: str, *, as_json: bool) -> int:
    """Show the chain of one name of `stack`; REFUSED when a link is missing, WRONG when nothing is about the name."""
    checked = check.judge(stack)
    proof = prove(checked.environment, checked.tree) if checked.environment else None
    if checked.environment is None or proof is None:
        errors = [finding for finding in checked.findings if finding.grade == "error"]
        check.show(console(stderr=True), stack, errors)
        return REFUSED
    chain = proof.chain(host.lower().rstrip("."))
    if chain is None:
        complain(f"{stack.typed} knows no name `{host}`. {_known(proof, host.lower().rstrip('.'))}")
        return WRONG
    if as_json:
        print(json.dumps(plain(chain), indent=2, ensure_ascii=False))
    else:
        _show(console(), checked.environment, chain)
    return REFUSED if any(_grade(gap) == "error" for gap in chain.gaps) else FINE


def _known(proof: Proof, host: str) -> str:
    near = proof.near(host)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    names = [chain.host for chain in proof.chains]
    if not names:
        return "It has no gateway, no record and no route."
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"Names it has: {', '.join(names[:MOST])}{more}."


def _show(out: Console, env: Environment, chain: Chain) -> None:
    out.print(
        Text.assemble((chain.host, "bold"), (f"  {FOR[chain.audience]}; files are below gitops/{env.name}/", "dim"))
    )
    first, *others = chain.ways
    meant = "it is not meant to go further" if chain.audience else "no route has this name"
    _way(out, env, first, (), meant)
    for other in others:
        _way(out, env, other, _shared(first, other), meant)
    if chain.gaps:
        out.print()
    for gap in chain.gaps:
        _gap(out, gap)


def _shared(first: Way, other: Way) -> tuple[Link, ...]:
    """The links that both ways end with, where they are worth leaving out the second time."""
    count = 0
    while count < min(len(first.links), len(other.links)) and first.links[-1 - count] == other.links[-1 - count]:
        count += 1
    return other.links[len(other.links) - count :] if count > 1 else ()


def _way(out: Console, env: Environment, way: Way, shared: tuple[Link, ...], meant: str) -> None:
    title(out, STARTS[way.start])
    shown = way.links[: len(way.links) - len(shared)]
    rows = [(link.step, link.says, _where(env, link)) for link in shown]
    rows += [(shared[0].step, "from here on as from the internet", "")] if shared else []
    table(out, ("link", "what happens", "decided by"), rows, whole="decided by")
    broken = next((link for link in way.links if link.gap), None)
    ended = next((link for link in way.links if link.ends), None)
    if broken and broken.gap:
        say(out, f"✗ {broken.gap.message}", _COLOURS[_grade(broken.gap)])
    elif ended:
        say(out, f"○ it ends here: {meant}", "dim")
    else:
        say(out, "✓ it arrives", "green")


def _where(env: Environment, link: Link) -> str:
    """A key of the stack file, a file below the environment's folder, or one that several environments share."""
    return said(env, link.by) if link.by.startswith(SHARED) else link.by


def _grade(gap: Gap) -> Grade:
    return LAWS[gap.code].grade if gap.code in LAWS else "error"


def _gap(out: Console, gap: Gap) -> None:
    grade = _grade(gap)
    out.print(Text.assemble((grade, _COLOURS[grade]), "  ", (gap.path, "bold"), "  ", (gap.code, "dim")))
    say(out, gap.message, indent=4)
    say(out, gap.hint, "green", indent=4)
