"""Ctrl-C and SIGTERM while the engine runs.

Owns the moment between a signal and the engine's orderly end. Refuses to own what stopping means: that is whoever is
asked to `stop`.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupts:
    """While this context lasts, signals ask `stop` instead of tearing the engine's supervision down.

    A program killed in mid-`up` leaves operations half recorded; the engine, asked, finishes what is under way. When
    `stop` answers False there was nothing to stop, and the signal ends this process as it always would.
    """

    def __init__(self, stop: Callable[[], bool]) -> None:
        """`stop` is called from the signal handler, on the main thread, once for each signal."""
        self.came = False
        self._stop = stop
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Interrupts:
        """Take the signals over; only the main thread can, and elsewhere they are the main thread's affair."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        if not self._stop():
            raise KeyboardInterrupt
