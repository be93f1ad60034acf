"""What changes between two sets of inputs.

Owns the comparison and its words for the engine (add, update, delete, replace, at the path where it happens). It
refuses to own which property forces a replacement: a Kind says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rehearsal.standins.wire import Path


@dataclass(frozen=True)
class Diff:
    """The answer to "what would change?".

    ``changes`` is a plain yes or no, or the dotted paths that change. ``replaces`` names paths (or whole subtrees) that
    force a replacement; ``delete_before_replace`` tears the old one down first.
    """

    changes: bool | list[str]
    replaces: list[str] = field(default_factory=list)
    delete_before_replace: bool = False
    details: dict[str, str] = field(default_factory=dict)
    """path → ``add``, ``update`` or ``delete``"""

    @property
    def any(self) -> bool:
        """Whether anything changes at all."""
        return bool(self.changes) or bool(self.replaces)


def compare(
    olds: dict[str, Any], news: dict[str, Any], replace_on: set[str], *, delete_before_replace: bool = False
) -> Diff:
    """Property by property, nested; a path equal to or below one of ``replace_on`` forces a replacement."""
    details: dict[str, str] = {}
    _walk(olds, news, (), details)
    replaces = sorted(path for path in details if any(is_at_or_below(path, top) for top in replace_on))
    return Diff(sorted(details), replaces, delete_before_replace, details)


def is_at_or_below(path: str, top: str) -> bool:
    """Whether the dotted ``path`` is ``top`` or stands under it."""
    return path == top or path.startswith((f"{top}.", f"{top}["))


def _walk(old: Any, new: Any, path: Path, details: dict[str, str]) -> None:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(set(old) | set(new)):
            _walk(old.get(name), new.get(name), (*path, name), details)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (before, after) in enumerate(zip(old, new, strict=True)):
            _walk(before, after, (*path, index), details)
    elif old is None and new is not None:
        details[dotted(path)] = "add"
    elif new is None and old is not None:
        details[dotted(path)] = "delete"
    elif old != new:
        details[dotted(path)] = "update"


def dotted(path: Path) -> str:
    """``path`` as the engine writes it: ``spec.listeners[0].name``, quoting names that hold dots."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif "." in step or "[" in step:
            text += f'["{step}"]'
        else:
            text += f".{step}" if text else step
    return text
