"""Who may use a rack: one rehearsal at a time, and no engine's lock outliving the engine.

Owns the rack's own lock and the lifting of a dead engine's lock in the rack's backend. Refuses to lift any lock whose
process lives, and never looks at a backend that is not a rack's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any


class RackBusy(Exception):
    """Another process is using this rack; the message says which one and what to do."""


@dataclass(frozen=True)
class LiftedLock:
    """A backend lock whose engine was dead: its process id, and when it had taken the lock, in the backend's words."""

    pid: int
    since: str


@contextlib.contextmanager
def only_one(path: Path, doing: str, patience: float = 15.0) -> Iterator[int]:
    """Hold the rack's lock at `path` and give its file descriptor; RackBusy when somebody else holds it.

    The kernel frees the lock with its last holder, so handing the descriptor to the engine and to the World's process
    keeps a rack closed until they too are gone, however this process ended. What a dead rehearsal leaves ends by itself
    and is waited for, `patience` seconds long; a living one is not.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    with path.open("a+") as handle:
        while not _taken(handle):
            holder = _holder(handle)
            if holder and _alive(holder["pid"]):
                raise RackBusy(f"{_told(holder)} is running: wait for it to end, or stop it with Ctrl-C there.")
            if time.monotonic() > deadline:
                what = _told(holder) if holder else "Another rehearsal of this stack"
                raise RackBusy(f"{what} was killed, and what it had started is still ending: try again soon.")
            time.sleep(0.1)
        handle.truncate(0)
        handle.write(json.dumps({"pid": os.getpid(), "doing": doing, "since": f"{datetime.now():%H:%M:%S}"}))
        handle.flush()
        yield handle.fileno()


def _taken(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: IO[str]) -> dict[str, Any] | None:
    handle.seek(0)
    try:
        return dict(json.loads(handle.read()))
    except json.JSONDecodeError:  # caught between the other's truncate and its write
        return None


def _told(holder: dict[str, Any]) -> str:
    what = f"`{holder['doing']}`, process {holder['pid']}, since {holder['since']}"
    return f"Another rehearsal of this stack ({what})"


def lift_dead(backend: Path) -> list[LiftedLock]:
    """Remove the locks in the rack's own `backend` whose process on this host is dead, and return them.

    RackBusy when a lock's process lives or sits on another host. Measured: an engine killed with SIGKILL leaves its
    lock behind, and every later run fails until someone removes it.
    """
    lifted = []
    for path in sorted((backend / ".pulumi" / "locks").glob("**/*.json")):
        lock = json.loads(path.read_text(encoding="utf-8"))
        if lock["hostname"] != socket.gethostname() or _alive(lock["pid"]):
            raise RackBusy(
                f"The rack's state is locked by process {lock['pid']} on {lock['hostname']}, since {lock['timestamp']}."
                " If that is no engine of yours, start anew with --fresh: a rack holds nothing of value."
            )
        path.unlink()
        lifted.append(LiftedLock(pid=lock["pid"], since=lock["timestamp"]))
    return lifted


def _alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet buried by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's
        return True
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:  # no /proc here, or it ended just now
        return True
    return after_name.split()[0] != "Z"
