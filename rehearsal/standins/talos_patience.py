"""How long the Talos provider goes on trying.

Owns the provider's retries: InvalidArgument ends an operation at once, everything else is tried again until the
resource's own timeout, in the World's time. It refuses to own what may heal meanwhile (``rehearsal.world.clock``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rehearsal.standins.base import Context, Properties
from rehearsal.world.errors import Refusal, Retried

_DEFAULT = "10m"
"""Of every operation of the provider that dials a machine."""
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def seconds_of(duration: str) -> float:
    """Seconds of one of Go's durations, such as ``1h30m`` or ``2.5s``; ``Refusal`` for anything else."""
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise Refusal(f'invalid duration "{duration}": it must be one of Go\'s, such as "30s", "10m" or "1h30m"')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def check_timeouts(news: Properties) -> None:
    """Refuse a timeout that is no duration, naming the input."""
    for name, value in (news.get("timeouts") or {}).items():
        if isinstance(value, str):
            try:
                seconds_of(value)
            except Refusal as refusal:
                raise Refusal(refusal.message, property=f"timeouts.{name}") from None


def patiently(ctx: Context, news: Properties, what: str, attempt: Callable[[], Any]) -> Any:
    """What ``attempt`` gives once it is not refused, tried as long as ``news`` says; ``what`` begins an error."""
    told = (news.get("timeouts") or {}).get(ctx.operation)
    clock = ctx.world.clock
    began = clock.now
    outcome: list[Any] = []
    refused: list[Retried] = []

    def done() -> bool:
        try:
            outcome.append(attempt())
        except Retried as refusal:
            refused.append(refusal)
            return False
        return True

    try:
        if clock.wait_for(done, seconds_of(told or _DEFAULT)):
            return outcome[0]
    except Refusal as refusal:
        raise Refusal(f"{what}: {refusal.message}") from refusal
    limit = f"timeouts.{ctx.operation}" if told else f"the provider's own limit, timeouts.{ctx.operation} is not set"
    waited = _said(clock.now - began)
    raise Refusal(
        f"{what}: {refused[-1].message}; tried again for {waited} ({limit}), and nothing changed"
    ) from refused[-1]


def _said(seconds: float) -> str:
    """Seconds as Go writes a duration: ``10m0s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
