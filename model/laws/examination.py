"""The examination of an environment: its shape and its meaning in one run, everything found at once.

Owns the order of judgement and two rules about what is not repeated. Refuses to hold laws.

The rules:
1. A law's breach is not reported when a finding whose code the law names in `unless` stands at the same place (or
   around it), at the breach's path or at its other owner: the address that lies outside its subnet is not also said to
   be missing from the pool.
2. When the shape has errors, the smallest part around each error that can be left out is left out (an optional field,
   an entry of a mapping, an item of a list), and the laws judge the rest. A breach is then held back when its path or
   its other owner is a part that was left out, lies in one, or holds one: that part, put right, might settle it. A law
   therefore names as the other owner the collection in which it missed something.
"""

from dataclasses import dataclass

from model.environment import Environment
from model.findings import Finding
from model.laws.registry import LAWS, around, without_effects
from model.laws.shape import shape
from model.tree import Tree


@dataclass(frozen=True)
class Examination:
    """What was found. Without findings of grade error, `environment` is whole."""

    environment: Environment | None
    """What could be built: all of it, or what is left without the broken parts; None when nothing could be."""
    findings: tuple[Finding, ...]
    """Sorted by path, then code."""

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that stop everything."""
        return tuple(finding for finding in self.findings if finding.grade == "error")


def examine(raw: object, tree: Tree | None) -> Examination:
    """Judge an environment as it was read. `tree`: the GitOps folders, or None when they are not at hand.

    Never raises for anything that `raw` holds.
    """
    environment, findings, pruned = shape(raw)
    if environment is not None:
        broken = [finding for law in LAWS.values() for finding in law.findings(environment, tree)]
        findings += _independent(without_effects(broken), pruned)
    return Examination(environment, tuple(sorted(findings, key=lambda f: (f.path, f.code, f.message))))


def _independent(findings: list[Finding], pruned: tuple[str, ...]) -> list[Finding]:
    """Rule 2: the findings that no part which was left out could settle."""
    gone = set(pruned)
    holders = {place for part in pruned for place in around(part)}

    def touches(path: str | None) -> bool:
        return path is not None and (path in holders or not gone.isdisjoint(around(path)))

    return [finding for finding in findings if not (touches(finding.path) or touches(finding.against))]
