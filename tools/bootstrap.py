"""Makes `.venv` from `requirements.txt`, before anything is installed: standard library only.

Owns the environment's making and its stamp; `tools/setup.sh` decides whether it is needed at all. Knows nothing of
package indexes: pip's own settings say where packages come from, and the hashes in the lock say whether they are right.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
STAMP = "requirements.stamp"
QUIET_SECONDS = 10.0
"""Between two lines of progress where nobody watches a terminal: a log should show life, not frames."""


class SetupFailed(Exception):
    """The environment could not be made; the message is one a person can act on."""


class Progress:
    """One line that says what is going on and for how long: rewritten on a terminal, repeated now and then in a log."""

    def __init__(self, out: IO[str]) -> None:
        """Start the clock; `out` is where a person looks, stderr, so that stdout stays the verb's own."""
        self._out = out
        self._live = out.isatty()
        self._started = time.monotonic()
        self._last_line = -QUIET_SECONDS

    def show(self, doing: str) -> None:
        """Say what is being done now; cheap to call often."""
        elapsed = time.monotonic() - self._started
        if self._live:
            print(f"\r\033[K{doing} ({elapsed:.0f} s)", end="", file=self._out, flush=True)
        elif elapsed - self._last_line >= QUIET_SECONDS:
            self._last_line = elapsed
            print(f"{doing} ({elapsed:.0f} s)", file=self._out, flush=True)

    def close(self, last: str) -> None:
        """Leave one closing line behind."""
        start = "\r\033[K" if self._live else ""
        print(f"{start}{last} ({time.monotonic() - self._started:.0f} s)", file=self._out, flush=True)


def locked_packages(lock: str) -> int:
    """How many packages the lock's text pins."""
    return len(re.findall(r"^[A-Za-z0-9][\w.-]*==", lock, flags=re.MULTILINE))


def is_ready(root: Path) -> bool:
    """Whether `.venv` was made, to its end, from the lock as it is now."""
    stamp = root / ".venv" / STAMP
    try:
        return stamp.read_bytes() == (root / "requirements.txt").read_bytes()
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def only_one(root: Path, progress: Progress) -> Iterator[None]:
    """Hold the checkout's set-up lock, so that two first runs make one environment. The kernel frees it on any death."""
    with (root / ".venv.lock").open("w") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.show("Another run is setting up this checkout; waiting for it")
                time.sleep(0.2)
        yield


def refuse_without_venv() -> None:
    """Raise SetupFailed when this Python cannot make environments: Debian ships that half as a package of its own."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise SetupFailed(
        f"Python {version} at {sys.executable} cannot make virtual environments: on Debian or Ubuntu,"
        f" `sudo apt install python{version}-venv` mends that; then run this again."
    )


def make_empty(venv: Path) -> None:
    """Make an empty environment at `venv`, removing what an earlier run left there.

    It is made by the versioned interpreter itself: when a system upgrade removes that one, the link dangles and the
    environment is made anew, instead of a newer Python looking into an older one's site-packages.
    """
    shutil.rmtree(venv, ignore_errors=True)
    python = os.path.realpath(sys.executable)
    run = subprocess.run([python, "-m", "venv", str(venv)], capture_output=True, text=True)
    if run.returncode:
        raise SetupFailed(f"`{python} -m venv` failed:\n{(run.stdout + run.stderr).strip()}")


def install(venv: Path, lock: Path, progress: Progress) -> None:
    """Install exactly the lock into `venv`, each file checked against its hash."""
    total = locked_packages(lock.read_text(encoding="utf-8"))
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input"]
    pip = subprocess.Popen(
        [*command, "--disable-pip-version-check", "--no-color", "--progress-bar=off", "-r", str(lock)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    said: list[str] = []
    reader = threading.Thread(target=_collect, args=(pip, said), daemon=True)
    reader.start()
    try:
        while pip.poll() is None:
            progress.show(_doing(said, total))
            reader.join(0.2)
            time.sleep(0.05)
    finally:
        # Also on Ctrl-C: nothing may go on writing into an environment that the next run is about to remove.
        pip.terminate()
        pip.wait()
    reader.join()
    if pip.returncode:
        raise SetupFailed(_why_pip_failed(said))


def _collect(pip: subprocess.Popen[str], said: list[str]) -> None:
    assert pip.stdout is not None
    for line in pip.stdout:
        said.append(line.rstrip())


def _doing(said: list[str], total: int) -> str:
    if any(line.startswith("Installing collected packages") for line in said):
        return f"Setting up, once: installing {total} packages"
    fetched = sum(line.startswith(("Collecting ", "Ignoring ")) for line in said)
    return f"Setting up, once: fetching package {min(fetched, total)} of {total}"


def _why_pip_failed(said: list[str]) -> str:
    errors = [line for line in said if line.startswith(("ERROR", "    ERROR", "error"))] or said[-5:]
    return "\n".join(
        [
            "The packages in requirements.txt could not be installed. pip says:",
            *(f"  {line.strip()}" for line in errors[:8]),
            "Nothing half-made is kept in use: when the cause is mended (often just the network), run this again.",
        ]
    )


def make(root: Path, progress: Progress) -> None:
    """Make `.venv` of the checkout `root` unless another run did so meanwhile. The stamp comes last."""
    refuse_without_venv()
    lock, venv = root / "requirements.txt", root / ".venv"
    with only_one(root, progress):
        if is_ready(root) and os.access(venv / "bin" / "python", os.X_OK):
            return
        content = lock.read_bytes()
        progress.show("Setting up, once: a Python environment in .venv")
        make_empty(venv)
        install(venv, lock, progress)
        partial = venv / f"{STAMP}.partial"
        partial.write_bytes(content)
        partial.rename(venv / STAMP)
    progress.close("Set up: the packages are in .venv; the next run starts at once")


def main() -> int:
    """Set this checkout up; 0 when it is, 2 with a sentence when it cannot be, 130 when the person stopped it."""
    progress = Progress(sys.stderr)
    try:
        make(ROOT, progress)
    except SetupFailed as failure:
        progress.close("Not set up")
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.close("Stopped; the next run starts this afresh")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
