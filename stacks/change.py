"""The edit between what was deployed and what the file says now, at the engine's door and for the terminal.

Owns what of it stops a run, what is said of it in a preview, and what a person may accept. Refuses to compare:
that is `foresight`'s.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from foresight.edits import RULES
from foresight.impact import Impact, Side, impact
from foresight.steps import UNSURE, Step
from model.findings import Finding
from model.tree import Tree
from stacks import deployed

ACCEPT = "ILUVATAR_ACCEPT"
"""Variable of the environment: codes, by commas, of what a person has seen to by hand. For one run, so no setting."""

UPGRADE = "Upgrade plan"
"""How the plan of an upgrade begins in a preview."""
UNJUDGED = (
    "change-unjudged",
    "warning",
    "What was deployed can be read: in a form of another program, the edit is not judged.",
)
"""(code, grade, what must hold) of the output itself."""


def since(last: Any, after: Side, tree: Tree, accepted: Iterable[str] = ()) -> Impact | None:
    """What the edit since the last `up` does; None when nothing was deployed.

    `last` is the output as it was read. What cannot be read is one warning.
    """
    if last is None:
        return None
    before = deployed.understood(last, tree)
    if before is None:
        return Impact((), (), (), (_unreadable(),), ())
    made_again = deployed.fingerprints(before.plan) if before.plan else {}
    found = impact(before, after, made_again)
    return replace(found, findings=tuple(_accepted(finding, set(accepted)) for finding in found.findings))


def codes(text: str) -> set[str]:
    """The codes that `ILUVATAR_ACCEPT` holds."""
    return {code.strip() for code in text.split(",") if code.strip()}


def _accepted(finding: Finding, accepted: set[str]) -> Finding:
    """An error that a person can see to says how it is accepted, and is a warning once it is."""
    known = RULES.get(finding.code)
    by_hand = finding.code == UNSURE or (known is not None and known.by_hand)
    if finding.grade != "error" or not by_hand:
        return finding
    if finding.code in accepted:
        return replace(finding, grade="warning", hint=f"accepted by {ACCEPT}; else: {finding.hint}")
    return replace(finding, hint=f"{finding.hint}\nseen to by hand: {ACCEPT}={finding.code} pulumi up")


def upgrade_plan(found: Impact) -> Iterator[str]:
    """The upgrade step by step, as a preview prints it; nothing where no version and no image changes."""
    steps = [step for step in found.steps if step.kind in ("snapshot", "upgrade", "upgrade-kubernetes")]
    if steps:
        yield f"{UPGRADE}, {len(steps)} steps, each begun when the one before has ended well:"
        yield from (f"  {number}. {told(step)}" for number, step in enumerate(steps, 1))
        yield "An `up` that is interrupted goes on with the first step that is not done: each looks at what runs."


def told(step: Step) -> str:
    """A step in a line: the resource that does it, and what it does."""
    return f"{step.resource}: {step.says}"


def _unreadable() -> Finding:
    message = "the stack remembers what was deployed in a form that this program does not read: the edit is not judged"
    hint = "look at the preview with care; after the next `pulumi up` it is judged again"
    return Finding(UNJUDGED[0], "warning", deployed.OUTPUT, message, hint)
