"""Everything there is to find about an environment before a stack of it is touched.

Owns bringing together what the laws, the stack's name, the secrets' absence and the boot-chain proof say, for
`./lab check` and for the engine alike. Refuses to say it to anyone, and to stop anything.
"""

from dataclasses import dataclass
from pathlib import Path

from foresight import boot
from model.environment import Environment
from model.findings import Finding
from model.laws import examine
from model.laws.names import of_its_stack
from model.plan import plan
from model.tree import Tree
from stacks import checkout, secrets


@dataclass(frozen=True)
class Judged:
    """An environment and what was found. Without findings of grade error, `environment` is whole."""

    environment: Environment | None
    tree: Tree
    findings: list[Finding]


def judge(raw: object, stack: str, present: set[str], gitops: Path | None = None) -> Judged:
    """Judge raw data as the environment of `stack`, which has the secret keys `present`.

    `gitops` holds the folders; left out, they are the checkout's. Never raises for anything that `raw` holds.
    """
    name = raw.get("name") if isinstance(raw, dict) else None
    tree = checkout.tree(name, gitops) if isinstance(name, str) and "/" not in name else {}
    examined = examine(raw, tree)
    findings = list(examined.findings)
    if examined.environment:
        findings += of_its_stack(examined.environment, stack)
        findings += secrets.missing(examined.environment, present)
        if not any(finding.grade == "error" for finding in findings):
            # Only what has no error has a plan, and only a plan has boot files to prove
            findings += boot.findings(boot.prove(examined.environment, plan(examined.environment, tree)))
    return Judged(examined.environment, tree, findings)
