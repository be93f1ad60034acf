"""The examination of an environment: its shape and its meaning in one run, everything found at once.

Owns the order of judgement and two rules about what is not repeated. Refuses to hold laws.

The rules:
1. A breach is not reported when a finding whose code the law names in `unless` stands at the breach's path or at its
   other owner, around or inside either: where a VLAN's name is unknown, no address is said to lie outside it.
2. When the shape has errors, the smallest part around each error that can be left out is left out (an optional field,
   an entry of a mapping, an item of a list), and the laws judge the rest. A breach is then held back when its path or
   its other owner is a part that was left out, lies in one, or holds one: that part, put right, might settle it. A law
   therefore names the collections in which it missed something, as the other owner or in `missed_in`. Without the
   environment's name nobody knows which folders are its own, and no law reads any.
"""

from dataclasses import dataclass

from model.environment import Environment
from model.findings import Finding
from model.laws.registry import LAWS, Places, without_effects
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
        tree = None if "name" in pruned else tree
        judged = [one for law in LAWS.values() for one in law.judge(environment, tree)]
        gone = Places(pruned)
        findings += [one.finding for one in without_effects(judged) if not any(map(gone.touch, one.places))]
    return Examination(environment, tuple(sorted(findings, key=lambda f: (f.path, f.code, f.message))))
