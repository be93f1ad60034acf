"""Makes `.venv` from `requirements.txt`, before anything is installed: standard library only.

Owns the environment's making and its stamp; `tools/setup.sh` decides whether it is needed at all. Knows nothing of
package indexes: pip's own settings say where packages come from, and the hashes in the lock say whether they are right.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path

from tools.running import watch
from tools.waiting import Progress, only_one

ROOT = Path(__file__).resolve().parent.parent
STAMP = "requirements.stamp"


class SetupFailed(Exception):
    """The environment could not be made; the message is one a person can act on."""


def locked_packages(lock: str) -> int:
    """How many packages the lock's text pins."""
    return len(re.findall(r"^[A-Za-z0-9][\w.-]*==", lock, flags=re.MULTILINE))


def is_ready(root: Path) -> bool:
    """Whether `.venv` was made, to its end, from the lock as it is now, and its Python is still there."""
    try:
        same = (root / ".venv" / STAMP).read_bytes() == (root / "requirements.txt").read_bytes()
    except FileNotFoundError:
        return False
    return same and os.access(root / ".venv" / "bin" / "python", os.X_OK)


def refuse_without_venv() -> None:
    """Raise SetupFailed when this Python cannot make environments: Debian ships that half as a package of its own."""
    if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv"):
        return
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise SetupFailed(
        f"Python {version} at {sys.executable} cannot make virtual environments: on Debian or Ubuntu"
        f" `sudo apt install python{version}-venv` mends that; then run this again."
    )


def make_empty(venv: Path, progress: Progress) -> None:
    """Make an empty environment at `venv`, removing what an earlier run left there.

    It is made by the versioned interpreter itself: when a system upgrade removes that one, the link dangles and the
    environment is made anew, instead of a newer Python looking into an older one's site-packages.
    """
    doing = "Setting up, once: a Python environment in .venv"
    progress.show(doing)
    shutil.rmtree(venv, ignore_errors=True)
    python = os.path.realpath(sys.executable)
    code, said = watch([python, "-m", "venv", str(venv)], lambda _: progress.show(doing))
    if code:
        raise SetupFailed("\n".join([f"`{python} -m venv` failed:", *said]).strip())


def install(venv: Path, lock: Path, progress: Progress) -> None:
    """Install exactly the lock into `venv`, each file checked against its hash; SetupFailed with pip's own reason."""
    total = locked_packages(lock.read_text(encoding="utf-8"))
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-color", "--no-input"]
    code, said = watch(
        [*pip, "install", "--require-hashes", "--no-deps", "--progress-bar=off", "-r", str(lock)],
        lambda so_far: progress.show(_doing(so_far, total)),
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    if code:
        raise SetupFailed(_why_pip_failed(said))


def _doing(said: list[str], total: int) -> str:
    if any(line.startswith("Installing collected packages") for line in said):
        return f"Setting up, once: installing {total} packages"
    fetched = sum(line.startswith(("Collecting ", "Ignoring ")) for line in said)
    return f"Setting up, once: fetching package {min(fetched, total)} of {total}"


def _why_pip_failed(said: list[str]) -> str:
    errors = [line for line in said if "ERROR" in line or line.startswith("error")] or said[-5:]
    return "\n".join(
        [
            "The packages in requirements.txt could not be installed. pip says:",
            *(f"  {line.strip()}" for line in errors[:8]),
            "Nothing half-made stays in use: when the cause is mended (often just the network), run this again.",
        ]
    )


def make(root: Path, progress: Progress) -> None:
    """Make `.venv` of the checkout `root`, unless another run did so meanwhile. The stamp comes last."""
    refuse_without_venv()
    lock, venv = root / "requirements.txt", root / ".venv"
    with only_one(root / ".venv.lock", progress, "Another run is setting up this checkout; waiting for it"):
        if is_ready(root):
            progress.wipe()
            return
        content = lock.read_bytes()
        make_empty(venv, progress)
        install(venv, lock, progress)
        partial = venv / f"{STAMP}.partial"
        partial.write_bytes(content)
        partial.rename(venv / STAMP)
    progress.close("Set up: the packages are in .venv, and the next run starts at once")


def main() -> int:
    """Set this checkout up; 0 when it is, 2 with a sentence when it cannot be, 130 when the person stopped it."""
    progress = Progress(sys.stderr)
    try:
        make(ROOT, progress)
    except SetupFailed as failure:
        progress.wipe()
        print(failure, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        progress.close("Stopped; the next run starts this afresh")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
