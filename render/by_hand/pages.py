"""The two pages: a guide to read, and a script that does the same.

Owns their form. Refuses to say anything of a step that the step does not say itself.
"""

from collections.abc import Sequence

from model.plan import Plan
from render.by_hand.step import Step
from render.talosctl import ROUNDS

APPLY = f"""\
# apply ADDRESS FILE: configure a machine, whether it is in maintenance mode or of the cluster already; half an hour
apply() {{
  n=0
  until said=$(talosctl apply-config --insecure --nodes "$1" --file "$2" 2>&1) ||
    said=$(talosctl --talosconfig secret/talosconfig --endpoints "$1" --nodes "$1" apply-config --file "$2" 2>&1); do
    n=$((n + 1))
    case $n in {ROUNDS}) echo "$1 takes no configuration: $said" >&2; return 1 ;; esac
    sleep 20
  done
}}
"""
"""The one command that is not a program's own."""


def guide(plan: Plan, steps: Sequence[Step]) -> str:
    """BY-HAND.md: every step with its commands, to be read and typed."""
    lines = [
        f"# {plan.name} by hand",
        "",
        "What `pulumi up` does, as commands in the same order, for the day the program is not at hand. Type them in",
        "this folder, or run `sh by-hand.sh` for all of them, `sh by-hand.sh 4 7` for steps 4 to 7. What is done",
        "already may be done again, but for what a step says of itself.",
        "",
        "Nothing here is secret but a card's `ilmarin-host-key`. What the commands make is: it goes to `secret/`,",
        "which only you may read, and which belongs into your backup and into no repository.",
        "",
        "`apply ADDRESS FILE` is this function:",
        "",
        *_block(APPLY.rstrip().splitlines()),
    ]
    for number, step in enumerate(steps, 1):
        lines += ["", f"## {number}. {step.title}", "", step.why, "", *_block(step.commands)]
    return "\n".join(lines) + "\n"


def _block(lines: Sequence[str]) -> list[str]:
    return ["```sh", *lines, "```"]


def script(plan: Plan, steps: Sequence[Step]) -> str:
    """by-hand.sh: the same commands; stops at the first that fails, and says which step to go on from."""
    last = len(steps)
    lines = [
        "#!/bin/sh",
        f"# {plan.name} by hand: sh by-hand.sh [FIRST [LAST]], steps 1 to {last}; BY-HAND.md says what each is for.",
        "set -eu",
        'cd "$(dirname "$0")"',
        "(umask 077 && mkdir -p secret)",
        f"first=${{1:-1}} last=${{2:-{last}}} step=0",
        'told() { test "$1" = 0 || echo "step $step failed: mend it, then sh by-hand.sh $step" >&2; }',
        "trap 'told $?' EXIT",
        APPLY.rstrip(),
    ]
    for number, step in enumerate(steps, 1):
        lines += ["", f'if test {number} -ge "$first" && test {number} -le "$last"; then']
        lines += [
            f"  step={number}",
            f"  echo '{number}. {step.title}'",
            *(f"  {line}" for line in step.commands),
            "fi",
        ]
    return "\n".join(lines) + "\n"
