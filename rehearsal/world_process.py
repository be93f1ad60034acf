"""Starting and stopping the process in which the World lives.

Owns that process as seen from outside: its command line, the wait for its ports, its end. What happens inside is
`rehearsal.serve`'s. Refuses to start it with anything of the person's environment but PATH and how to write text.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTS_WITHIN = 30.0
"""Seconds; it takes about one, but a busy Raspberry Pi importing gRPC for the first time may take many."""

_STOPS_WITHIN = 10.0


@dataclass(frozen=True)
class Staging:
    """What a rehearsal of failures adds: the file `faults` for `rehearsal.faults`, and `points`, which it fills."""

    faults: Path | None = None
    points: Path | None = None

    def words(self) -> list[str]:
        """As words of the World's command line."""
        given = (("--faults", self.faults), ("--points", self.points))
        return [word for option, path in given if path for word in (option, str(path))]


class WorldTrouble(Exception):
    """The World's process did not start; the message carries its last words."""


@contextlib.contextmanager
def world(
    folder: Path,
    stack_file: Path,
    repository: Path,
    authorized_keys: Sequence[str],
    keep_open: Sequence[int] = (),
    staging: Staging | None = None,
    git_readers: Sequence[str] = (),
) -> Iterator[dict[str, int]]:
    """Run the World kept in `folder` and give `{package: port}` of its stand-ins, all on 127.0.0.1.

    `stack_file` says what hardware there is, `repository` holds gitops/, `authorized_keys` are what the simulated cards
    admit, `git_readers` whom the Git server lets in; the cards are `folder`/cards.json. What the process says goes to
    `folder`/world.log. WorldTrouble when it does not come up.
    """
    ports_file = folder / "ports.json"
    ports_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "rehearsal.serve", "--world", str(folder / "world.json")]
    command += ["--environment", str(stack_file), "--repository", str(repository), "--ports-file", str(ports_file)]
    command += ["--cards", str(folder / "cards.json")]
    command += [word for key in authorized_keys for word in ("--authorized-key", key)]
    command += [word for reader in git_readers for word in ("--git-reader", reader)]
    command += staging.words() if staging else []
    with (folder / "world.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # Ctrl-C is for the engine; the World ends after it
            pass_fds=tuple(keep_open),
        )
        try:
            yield _ports(process, ports_file, folder / "world.log")
        finally:
            _stop(process)
            ports_file.unlink(missing_ok=True)


def _ports(process: subprocess.Popen[bytes], ports_file: Path, log: Path) -> dict[str, int]:
    deadline = time.monotonic() + STARTS_WITHIN
    while not ports_file.exists():
        if process.poll() is not None:
            raise WorldTrouble(f"The simulated world ended before it was ready. {_last_words(log)}")
        if time.monotonic() > deadline:
            raise WorldTrouble(f"The simulated world was not ready within {STARTS_WITHIN:.0f} s. {_last_words(log)}")
        time.sleep(0.02)
    return dict(json.loads(ports_file.read_text(encoding="utf-8"))["ports"])


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if not lines:
        return f"It said nothing; its log is {log}."
    return f"Its last words: {lines[-1].strip()} (all of them are in {log})"


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the World gently, so that it saves; it also saves after each change, so a kill loses nothing either."""
    process.terminate()
    try:
        process.wait(_STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
