"""What every tier of tests shares: how a test asks for a real tool, or for the engine."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.engine import EngineMissing, find_engine
from tools.gobuild import pin_of

# A runner in the background hands down an ignored Ctrl-C, and what a test starts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Debian keeps daemons where an ordinary user's PATH does not look.
PATHS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def _built(name: str) -> str | None:
    try:
        tool = pin_of(name).cached()
    except LookupError:
        return None
    return str(tool) if tool.exists() else None


def _require_tool(name: str) -> str:
    path = _built(name) or shutil.which(name, path=PATHS)
    if path:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{name} is missing, and in CI that is a failure: .ci/run has to install it", pytrace=False)
    pytest.skip(f"{name} is not installed here")


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """`require_tool("dnsmasq")` gives the tool's path, the build pinned under tools/ before one on PATH.

    Where it is missing the test is skipped with a plain word, and in CI failed.
    """
    return _require_tool


@pytest.fixture(scope="session")
def engine() -> Path:
    """The real engine, built once where none is installed; where it cannot be had the test is skipped, in CI failed."""
    try:
        return find_engine()
    except EngineMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
