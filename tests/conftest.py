"""What every tier of tests shares: how a test asks for a real tool."""

import os
import shutil
from collections.abc import Callable

import pytest


def _require_tool(name: str) -> str:
    path = shutil.which(name)
    if path:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(
            f"{name} is missing, and in CI a missing tool is a failure: .ci/run has to install it", pytrace=False
        )
    pytest.skip(f"{name} is not installed here")


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """`require_tool("dnsmasq")` gives the tool's path; without it the test is skipped, and in CI failed."""
    return _require_tool
