"""`./lab impact`: what an edit would do to a lab that stands, before anything is touched.

Owns which two sides are compared, and showing the comparison as tables or JSON. Refuses to compare: every fact is
`foresight`'s.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from rich.console import Console

from cli import check
from cli.console import complain, console, say, table, title
from cli.engine import EngineMissing, find_engine
from cli.stack_files import ROOT, NoSuchStack, StackFile
from foresight.fields import Field, hidden, shown
from foresight.impact import Impact, NodeImpact, Side
from foresight.impact import impact as compare
from model.plan import plan
from rehearsal.rack_folder import RackFolder
from stacks import change, deployed

FINE, REFUSED, UNUSABLE = 0, 1, 2
RACKS = ROOT / ".rack"
FILE, DEPLOYED, RACK = "file", "deployed", "rack"
"""What an edit is held against."""


def impact(stack: StackFile, to: StackFile | None, source: str | None, *, as_json: bool) -> int:
    """Show what happens if `stack`, as it stands or as its file says, becomes `to` or its own file.

    REFUSED when one side has errors, or a rule refuses the edit; UNUSABLE when nothing was deployed to compare with.
    """
    against = source or (FILE if to else DEPLOYED)
    if against is FILE and to is None:
        complain(f"`--from file` compares {stack.typed} with another file: say which, --to FILE.")
        return UNUSABLE
    wanted = _side(to or stack)
    before = _side(stack) if against is FILE else None
    if wanted is None or (against is FILE and before is None):
        return REFUSED
    after, tree = wanted
    if before:
        found = compare(before[0], after)
    else:
        last = _kept(stack) if against is RACK else _asked(stack)
        judged = change.since(last, after, tree)
        if judged is None:
            complain(_nothing_deployed(stack, against))
            return UNUSABLE
        found = judged
    if as_json:
        print(json.dumps(as_data(found), indent=2, ensure_ascii=False))
    else:
        show(console(), found, _heading(stack, to, against))
    return REFUSED if found.refused else FINE


def _side(stack: StackFile) -> tuple[Side, Any] | None:
    """A file that is sound, with its folders; else its errors are shown."""
    checked = check.judge(stack)
    if checked.environment is None or not checked.sound:
        errors = [finding for finding in checked.findings if finding.grade == "error"]
        check.show(console(stderr=True), stack, errors)
        return None
    return Side(checked.environment, plan(checked.environment, checked.tree)), checked.tree


def _asked(stack: StackFile) -> Any:
    """The output `deployed` as Pulumi gives it to its owner; None when there is none."""
    try:
        pulumi = find_engine()
    except EngineMissing as missing:
        raise NoSuchStack(f"{missing}\nWithout it: ./lab impact {stack.typed} --to FILE compares two files.") from None
    words = [str(pulumi), "stack", "output", "--json", "--stack", stack.stack, "--non-interactive"]
    asked = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if asked.returncode:
        raise NoSuchStack(
            f"Pulumi does not say what was deployed of {stack.stack}: {asked.stderr.strip()}\n"
            f"Without it: ./lab impact {stack.typed} --to FILE compares two files, --from rack looks at a rehearsal."
        )
    return json.loads(asked.stdout or "{}").get(deployed.OUTPUT)


def _kept(stack: StackFile) -> Any:
    """The same output of the stack's rehearsal, from the state that its rack keeps; None when there is none."""
    return RackFolder(RACKS / stack.rack).output(stack.stack, deployed.OUTPUT)


def _nothing_deployed(stack: StackFile, against: str) -> str:
    if against is RACK:
        return f"No rehearsal of {stack.typed} has been kept: ./lab rehearse {stack.typed} up makes one."
    return (
        f"{stack.typed} has not been deployed by this program yet, so there is nothing to compare with.\n"
        f"Two files: ./lab impact {stack.typed} --to FILE. All of it: ./lab plan {stack.typed}, or pulumi preview."
    )


def _heading(stack: StackFile, to: StackFile | None, against: str) -> str:
    old = {FILE: stack.path.name, DEPLOYED: "what was deployed last", RACK: "what stands on the rack"}
    return f"From {old[against]} to {(to or stack).path.name}"


def as_data(found: Impact) -> dict[str, Any]:
    """For JSON, secret leaves hashed: `{refused, findings, nodes, steps, effects, remade}`."""
    keys = ("code", "grade", "path", "message", "hint")
    return {
        "refused": found.refused,
        "findings": [{key: getattr(finding, key) for key in keys} for finding in found.findings],
        "nodes": [_node_data(node) for node in found.nodes],
        "steps": [vars(step) | {"after": list(step.after)} for step in found.steps],
        "effects": [vars(effect) for effect in found.effects],
        "remade": list(found.remade),
    }


def _node_data(node: NodeImpact) -> dict[str, Any]:
    return {
        "name": node.name,
        "role": node.role,
        "touch": node.touch,
        "reboot": vars(node.reboot) | {"because": list(node.reboot.because)},
        "etcd": node.etcd,
        "vip": node.vip,
        "image": list(node.image) if node.image else None,
        "fields": [
            {
                "document": field.document,
                "path": field.path,
                "before": hidden(field.before, field.path),
                "after": hidden(field.after, field.path),
                "waits": field.waits,
            }
            for field in node.fields
        ],
    }


def show(out: Console, found: Impact, heading: str) -> None:
    """The comparison for a person: what is refused, the order, each machine, and all else."""
    title(out, heading)
    if found.nothing:
        say(out, "nothing changes.")
        return
    if found.findings:
        out.print()
        check.show_findings(out, found.findings)
    if found.steps:
        title(out, "In this order", "control planes one by one, each back before the next")
        told = [step for step in found.steps if step.kind != "gate"]
        rows = ((number, step.says, _away(step.away)) for number, step in enumerate(told, 1))
        table(out, ("", "step", "away"), rows)
    for nodes in _alike(found.nodes):
        _nodes(out, nodes)
    if found.effects:
        title(out, "Besides", "by the names that `pulumi preview` lists")
        rows = ((one.kind, one.resource, *_contrast(one.before, one.after)) for one in found.effects)
        table(out, ("", "resource", "before", "after"), rows)
    for name in found.remade:
        say(out, f"{name}: this program makes another configuration of the same data than the one that was sent.")


def _away(verdict: str) -> str:
    return {"yes": "yes", "no": "", "unknown": "maybe"}[verdict]


def _alike(nodes: Iterable[NodeImpact]) -> Iterator[list[NodeImpact]]:
    """Neighbours in the order of touch to which the same happens, together."""

    def same(node: NodeImpact) -> str:
        return repr((node.role, node.touch, node.fields, node.reboot, node.etcd, node.vip, node.image))

    for _, group in groupby(nodes, key=same):
        yield list(group)


def _nodes(out: Console, nodes: list[NodeImpact]) -> None:
    first = nodes[0]
    title(out, ", ".join(node.name for node in nodes), f"{first.role}, {first.touch}")
    say(out, f"reboot: {first.reboot.verdict}. {first.reboot.rule}", indent=4)
    for because in first.reboot.because if first.reboot.verdict == "yes" else ():
        say(out, f"because of {because}", indent=6)
    if first.image and first.touch == "changes":
        say(out, "image: {} to {}; upgraded before its configuration".format(*_contrast(*first.image)), indent=4)
    for what, told in (("etcd", first.etcd), ("the API's address", first.vip)):
        if told:
            say(out, f"{what}: {told}", indent=4)
    if first.fields:
        table(out, ("field", "before", "after", ""), (_row(field) for field in first.fields))


def _row(field: Field) -> tuple[str, str, str, str]:
    before, after = _contrast(shown(field.before, field.path), shown(field.after, field.path))
    return field.place, before, after, "at an upgrade" if field.waits else ""


def _contrast(before: str, after: str) -> tuple[str, str]:
    """Two texts, without the long beginning that both have, and hashes cut short."""
    before, after = (re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", text) for text in (before, after))
    alike = next((index for index, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
    alike = max(before.rfind(mark, 0, alike) for mark in "/:") + 1
    return (f"…{before[alike:]}", f"…{after[alike:]}") if alike > 20 else (before, after)
