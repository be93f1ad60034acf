"""Finds the Pulumi engine: an installed one when new enough, else the pinned one, built once into the cache.

Standard library only, and no engine is ever downloaded as a binary: what is not installed is built from Go modules
whose every file is checked (tools/engine). `python -m cli.engine` prints the path.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.gobuild import CannotBuild, build_tool, pin_of

ANSWERS_WITHIN = 15.0
"""Seconds for `pulumi version`, which takes a fraction of one; a wrapper that asks a question would wait for ever."""


class EngineMissing(Exception):
    """There is no engine and no way to make one here; the message says both ways to get it. For exit code 2."""


class Unfit(Exception):
    """The `pulumi` on PATH will not do; the message says why, as the start of a sentence."""


def find_engine() -> Path:
    """The path of a `pulumi` that fits this program. May build for some minutes, showing progress on stderr."""
    pin = pin_of("pulumi")
    try:
        return installed(pin.version)
    except Unfit as unfit:
        why_installed = str(unfit)
    try:
        return build_tool(pin.name)
    except CannotBuild as failure:
        raise EngineMissing(
            f"The Pulumi engine is missing: {why_installed}, and {failure}. Either install Pulumi {pin.version} or"
            f" newer (https://www.pulumi.com/docs/install/), or Go {pin.go} or newer, from which this builds it once."
        ) from None


def installed(floor: str) -> Path:
    """The `pulumi` on PATH when it is at least `floor`; Unfit says what is wrong with it."""
    found = shutil.which("pulumi")
    if not found:
        raise Unfit("no `pulumi` is installed")
    version = _version_of(found)
    if _order(version) < _order(floor):
        raise Unfit(f"the `pulumi` at {found} is {version}, older than {floor}")
    return Path(found)


def _version_of(pulumi: str) -> str:
    """What `pulumi version` says, `v1.2.3` or `v1.2.3-beta`; Unfit when it says nothing of the kind."""
    try:
        asked = subprocess.run(
            [pulumi, "version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWERS_WITHIN,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except subprocess.TimeoutExpired:
        raise Unfit(f"the `pulumi` at {pulumi} does not answer") from None
    except OSError as error:
        raise Unfit(f"the `pulumi` at {pulumi} does not start ({error.strerror})") from None
    found = re.search(r"^v?\d+\.\d+\.\d+\S*$", asked.stdout, flags=re.MULTILINE)
    if asked.returncode or not found:
        raise Unfit(f"the `pulumi` at {pulumi} does not say its version")
    return found.group()


def _order(version: str) -> tuple[int, int, int, bool]:
    """What versions sort by: a pre-release comes before its release."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)(-?)", version)
    if not found:
        raise ValueError(f"{version} is not a version")
    major, minor, patch, before = found.groups()
    return int(major), int(minor), int(patch), not before


def main() -> int:
    """Print the engine's path; 2 with a sentence when there is none."""
    try:
        print(find_engine())
    except EngineMissing as missing:
        print(missing, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
