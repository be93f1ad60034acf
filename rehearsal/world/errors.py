"""How the simulated world says no.

Owns the exceptions that carry a refusal from a room of the World to whoever asked. It refuses to own transport: which
gRPC answer a refusal becomes is decided in ``rehearsal.standins``.
"""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """The outside world refuses, in the words of the real thing.

    ``message`` is what a person reads under the failing resource; ``property`` names the input at fault (camelCase,
    dotted when nested) where the real thing names one.
    """

    def __init__(self, message: str, property: str | None = None) -> None:  # noqa: A002 - the word of the engine
        super().__init__(message)
        self.message = message
        self.property = property


class Retried(Refusal):
    """A refusal that whoever asked goes on meeting and asking again, until it is out of patience.

    ``after`` is how many seconds the answer itself asks to be left alone, where it says.
    """

    def __init__(self, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.after = after


class InitFailed(Refusal):
    """The thing was made, but did not become ready: it stays, and the engine remembers it as half-made.

    ``id`` and ``state`` are what was made, ``reasons`` why it is not ready. The next ``up`` updates it instead of
    creating it again.
    """

    def __init__(
        self,
        message: str,
        *,
        id: str,  # noqa: A002 - the word of the engine
        state: dict[str, Any],
        reasons: list[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.id = id
        self.state = state
        self.reasons = reasons or [message]


class EngineKilled(Exception):
    """A fault asked for the engine's death at this point: the operation gets no answer."""
