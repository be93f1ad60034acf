"""How the command line writes numbers of things and spans of time.

Owns the wording. Refuses to know where the numbers come from.
"""

from __future__ import annotations

from rehearsal.report import Span


def count(number: int, one: str, many: str = "") -> str:
    """`1 resource`, `3 resources`, `no resources`."""
    noun = one if number == 1 else many or f"{one}s"
    return f"{number or 'no'} {noun}"


def seconds(value: float) -> str:
    """A measured time: `0.8 s`, `14 s`, `3 min 5 s`."""
    if value < 10:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def span(between: Span) -> str:
    """An expected time, no finer than it is known: `1-20 s`, `40 s - 3 min`, `1-9 min`, `80 min - 2.5 h`."""
    (low, low_unit), (high, high_unit) = _rough(between.low), _rough(between.high)
    if high_unit == "min" and between.low >= 60:
        low, low_unit = f"{between.low / 60:.0f}", "min"
    if low_unit != high_unit:
        return f"{low} {low_unit} - {high} {high_unit}"
    return f"{low} {low_unit}" if low == high else f"{low}-{high} {low_unit}"


def _rough(value: float) -> tuple[str, str]:
    if value < 90:
        return f"{value:.0f}", "s"
    if value < 90 * 60:
        return f"{value / 60:.0f}", "min"
    return f"{value / 3600:.1f}".removesuffix(".0"), "h"
