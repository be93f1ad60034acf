"""A long command, watched: its output line by line as it comes, and no child left behind. Standard library only."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

TICK_SECONDS = 0.2


def watch(
    command: Sequence[str],
    on_tick: Callable[[list[str]], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Run `command` and return its exit code and what it said, stdout and stderr together.

    `on_tick` gets what was said so far, a few times a second. When the wait is cut short (Ctrl-C), the command is ended
    before the exception goes on: nothing may go on writing into what the next run is about to remove.
    """
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", cwd=cwd, env=env
    )
    said: list[str] = []
    reader = threading.Thread(target=_collect, args=(process, said), daemon=True)
    reader.start()
    try:
        on_tick(said)
        while _is_running(process):
            on_tick(said)
    finally:
        process.terminate()
        process.wait()
    reader.join(timeout=5.0)  # a stray grandchild may hold the pipe open; its words are not worth waiting for
    return process.returncode, said


def _is_running(process: subprocess.Popen[str]) -> bool:
    try:
        process.wait(TICK_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _collect(process: subprocess.Popen[str], said: list[str]) -> None:
    assert process.stdout is not None
    with process.stdout as lines:
        for line in lines:
            said.append(line.rstrip())
