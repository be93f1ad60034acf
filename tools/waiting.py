"""What a person sees while something takes long, and how two runs take turns. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

LOG_SECONDS = 10.0
"""Between two lines of progress where nobody watches a terminal: a log should show life, not frames."""


class Progress:
    """One line that says what is going on and for how long: rewritten on a terminal, repeated now and then in a log."""

    def __init__(self, out: IO[str], clock: Callable[[], float] = time.monotonic) -> None:
        """Start the clock; `out` is where a person looks: stderr, as stdout is the verb's own."""
        self._out = out
        self._clock = clock
        self._live = out.isatty()
        self._started = clock()
        self._last_line = -LOG_SECONDS
        self._silent = True

    def show(self, doing: str) -> None:
        """Say what is being done now; cheap to call often."""
        elapsed = self._clock() - self._started
        if self._live:
            self._write(f"\r\033[K{doing} ({elapsed:.0f} s)")
        elif elapsed - self._last_line >= LOG_SECONDS:
            self._last_line = elapsed
            self._write(f"{doing} ({elapsed:.0f} s)\n")

    def close(self, last: str) -> None:
        """Leave one closing line behind, if anything was said at all."""
        if not self._silent:
            self._write(f"{self._wipe()}{last} ({self._clock() - self._started:.0f} s)\n")

    def wipe(self) -> None:
        """Take an unfinished line away, so that what is printed next starts at the left."""
        if not self._silent:
            self._write(self._wipe())

    def _wipe(self) -> str:
        return "\r\033[K" if self._live else ""

    def _write(self, text: str) -> None:
        self._silent = False
        print(text, end="", file=self._out, flush=True)


@contextlib.contextmanager
def only_one(lock: Path, progress: Progress, meanwhile: str) -> Iterator[None]:
    """Hold the file `lock` alone, saying `meanwhile` while another run has it. The kernel frees it on any death."""
    with lock.open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.show(meanwhile)
                time.sleep(0.2)
        yield
