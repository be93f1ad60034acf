"""The program as the engine runs it on a rack: the very `__main__.py`, in this process.

Owns running it anew each time, and clearing away what the SDK leaves when the engine ends before the program does.
Refuses to know what the program does.
"""

from __future__ import annotations

import asyncio
import runpy
import sys
import time
from pathlib import Path
from typing import Any

_PATIENCE = 60.0
"""Seconds that a program may go on after its engine is gone. It meets the closed connection within milliseconds, and on
a machine with more to do than it can it takes seconds."""


class InlineProgram:
    """Call it to run `main` once; the Automation API does, for each run of the engine."""

    def __init__(self, main: Path) -> None:
        """`main` is run as `__main__` and imports from its own folder."""
        self._main = main
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self) -> None:
        """Run the program, on the event loop of the engine's run."""
        self._loop = asyncio.get_running_loop()
        root = str(self._main.parent)
        added = root not in sys.path
        if added:
            sys.path.insert(0, root)
        try:
            runpy.run_path(str(self._main), run_name="__main__")
        finally:
            if added:
                sys.path.remove(root)

    def settle(self) -> None:
        """Wait for the program to end after its engine has, and end what is left of it.

        When the engine is stopped or killed, the SDK leaves its event loop open and its tasks half done (seen with
        pulumi 3.272); collected at some later time, they complain on stderr in the middle of something else.
        """
        loop, self._loop = self._loop, None
        if loop is None or loop.is_closed() or not _stops(loop):
            return
        loop.set_exception_handler(lambda *_: None)  # the SDK's own stops the loop at each closed connection
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            _run_out(loop, loop.create_task(asyncio.wait(tasks, timeout=_PATIENCE)))
        loop.close()


def _stops(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the thread that runs `loop` leaves it; it does so in steps, between which it looks stopped."""
    deadline = time.monotonic() + _PATIENCE
    idle = 0
    while idle < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
        idle = 0 if loop.is_running() else idle + 1
    return idle == 3


def _run_out(loop: asyncio.AbstractEventLoop, waiting: asyncio.Task[Any]) -> None:
    """Run `loop` until `waiting` is done. The SDK may have asked it to stop once more before: then it is run again."""
    deadline = time.monotonic() + _PATIENCE
    while not waiting.done() and time.monotonic() < deadline:
        try:
            loop.run_until_complete(waiting)
        except RuntimeError:  # "Event loop stopped before Future completed", seen on a busy machine
            time.sleep(0.05)
