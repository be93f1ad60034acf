"""A finding: what is wrong, where, against what, and how to mend it.

Owns the form of a finding. Refuses to judge: that is `model.laws`'.
"""

from dataclasses import dataclass
from typing import Literal

Grade = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing to say about an environment. `path` is dotted, from the environment's root."""

    code: str
    """Stable code, such as `network-subnet-overlap`."""
    grade: Grade
    """`error` stops everything, `warning` is legal but unwise, `note` is for information."""
    path: str
    """Where, dotted: `cluster.nodes.valinor-1.address`."""
    message: str
    """What is wrong, with the values, and against what."""
    hint: str
    """How to mend it, with the nearest valid value where there is one."""
    against: str | None = None
    """The other owner of a clash, dotted."""


def one_line(message: str) -> str:
    """A message as a terminal can show it: one line, and nothing that turns, hides or breaks what follows."""
    if message.isprintable():
        return message
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in message)


def text(finding: Finding) -> str:
    """A finding as a person reads it: code and place, what is wrong, how to mend it."""
    against = f"\n    against: {finding.against}" if finding.against else ""
    return (
        f"{finding.grade} {finding.code} at {finding.path}\n    {finding.message}{against}\n    mend it: {finding.hint}"
    )
