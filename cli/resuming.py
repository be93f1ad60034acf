"""What to type after a `pulumi up` or `pulumi destroy` on real machines that cannot simply be run again.

    pulumi stack export | .venv/bin/python -m cli.resuming mylab

Without the stack's name it tells what a run was cut off doing, and of a tunnel that somebody deleted; with it also
what to do when somebody else took one of the plan's names at Cloudflare first. All in the names of one's own stack.

Owns the page. Refuses to run anything, and to know the commands (`stacks.resuming`, `stacks.in_the_way`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cli.check import judge
from cli.stack_files import NoSuchStack, find
from model.edge_plan import EdgePlan
from model.plan import plan
from stacks.in_the_way import lost, told, unmade
from stacks.resuming import CLEAR, Advice, all_advice, cut_off


def page(state: Mapping[str, Any], edge: EdgePlan | None = None) -> str:
    """The page for a deployment as `pulumi stack export` gives it, and for what the plan has at Cloudflare."""
    made, changed = cut_off(state), cut_off(state, "changing")
    cut = [advice for resource in made for advice in all_advice(resource)]
    cut += [advice for resource in changed for advice in all_advice(resource, "changing")]
    if cut:
        lines = [
            "First the same again: what can be done again is. Only what then fails with these words needs its commands:"
        ]
        lines += _commands(cut)
    elif made or changed:
        lines = ["The same again goes on by itself: everything that was cut off can be done again."]
    else:
        lines = ["Nothing was cut off: `pulumi up` goes on by itself."]
    if made:
        lines += ["", "When all is well, end the engine's warning:", f"    {CLEAR}"]
    gone = lost(state)
    if gone:
        lines += ["", "Gone from Cloudflare:", *_commands(gone)]
    known = {advice.name for advice in cut}
    strangers = [told(each) for each in unmade(edge, state)] if edge else []
    strangers = [advice for advice in strangers if advice.name not in known]
    if strangers:
        lines += ["", "These are still to be made. Only where `up` fails with the words was somebody first:"]
        lines += _commands(strangers)
    return "\n".join(lines)


def _commands(told: Sequence[Advice]) -> list[str]:
    lines = []
    for one in told:
        lines += ["", f"{one.name}: {one.sign}", f"    {one.why}", *(f"    {command}" for command in one.commands)]
    return lines


def _edge(stack: str) -> EdgePlan:
    """What the plan of `stack` has at Cloudflare; `SystemExit` with a sentence when there is no such plan."""
    try:
        checked = judge(find(stack))
    except NoSuchStack as trouble:
        raise SystemExit(str(trouble)) from None
    if checked.environment is None or not checked.sound:
        raise SystemExit(f"The stack file has errors: ./lab check {stack} lists them.")
    return plan(checked.environment, checked.tree).edge


def exported(text: str) -> Mapping[str, Any]:
    """The deployment in what `pulumi stack export` prints; `SystemExit` with a sentence for anything else."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    deployment = found.get("deployment") if isinstance(found, dict) else None
    if not isinstance(deployment, dict):
        raise SystemExit("This is not what `pulumi stack export` prints: pipe that in.")
    return deployment


if __name__ == "__main__":
    wanted = _edge(sys.argv[1]) if len(sys.argv) > 1 else None
    print(page(exported(sys.stdin.read()), wanted))
