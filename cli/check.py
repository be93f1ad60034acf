"""`./lab check`: everything that is wrong with a stack file, said at once.

Owns gathering the findings (of the file's text, of the laws, of secrets not yet set) and showing them. Refuses to
judge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.text import Text

from cli.console import console, say
from cli.stack_files import StackFile
from cli.words import count
from model.environment import Environment
from model.findings import Finding
from model.tree import Tree
from stacks import programs
from stacks.judgement import judge as judge_environment

FINE, REFUSED = 0, 1

_ORDER = ("error", "warning", "note")
_COLOURS = {"error": "red", "warning": "yellow", "note": "cyan"}


@dataclass(frozen=True)
class Checked:
    """A stack file, read and judged. `environment` is whole only when no finding is an error."""

    environment: Environment | None
    tree: Tree
    findings: list[Finding]

    @property
    def sound(self) -> bool:
        """Whether nothing stops this stack."""
        return not any(finding.grade == "error" for finding in self.findings)


def judge(stack: StackFile) -> Checked:
    """Read and judge `stack`, errors first; NoSuchStack when the file is no text."""
    document = stack.read()
    findings = list(document.findings)
    if document.environment is None:
        return Checked(None, {}, findings)
    judged = judge_environment(document.environment, stack.stack, set(document.secrets), stack.gitops())
    findings += judged.findings
    findings.sort(key=lambda finding: _ORDER.index(finding.grade))
    return Checked(judged.environment, judged.tree, findings)


def check(stack: StackFile, *, as_json: bool) -> int:
    """Show every finding of `stack`; REFUSED when one of them is an error."""
    checked = judge(stack)
    if checked.environment:
        checked.findings.extend(programs.missing(checked.environment))
    out = console()
    if as_json:
        fields = ("code", "grade", "path", "message", "hint")
        found = [{name: getattr(finding, name) for name in fields} for finding in checked.findings]
        print(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        show(out, stack, checked.findings)
    return FINE if checked.sound else REFUSED


def show(out: Console, stack: StackFile, findings: list[Finding]) -> None:
    """The findings for a person, and a closing count."""
    show_findings(out, findings)
    if findings:
        out.print()
    tally = [count(sum(one.grade == grade for one in findings), grade) for grade in _ORDER]
    out.print(f"{stack.typed}: {', '.join(tally)}.")


def show_findings(out: Console, findings: Iterable[Finding]) -> None:
    """Each finding: where, its code, what is wrong, how to mend it."""
    for grade, group in groupby(findings, key=lambda finding: finding.grade):
        for finding in group:
            out.print(
                Text.assemble((grade, _COLOURS[grade]), "  ", (finding.path, "bold"), "  ", (finding.code, "dim"))
            )
            for line in finding.message.splitlines():
                say(out, line, indent=4)
            if finding.against:
                say(out, f"the other owner: {finding.against}", "dim", indent=4)
            for line in finding.hint.splitlines():
                say(out, line, "green", indent=4)
