"""How long operations take on real machines.

Owns a range of seconds per operation, each with where it comes from. It refuses to own time itself: nothing here
waits, the report only adds up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Duration:
    """Between ``low`` and ``high`` seconds; ``source`` cites, or says ``assumed``."""

    low: float
    high: float
    source: str


_CALL = Duration(0.2, 2.0, "assumed: one API call")

_TABLE: dict[str, Duration] = {}


def duration(operation: str) -> Duration:
    """The range of ``operation`` (``<package>.<Kind>.<operation>``); one API call when nothing longer is known."""
    return _TABLE.get(operation, _CALL)
