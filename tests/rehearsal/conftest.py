"""What the tests of the rack share: the real engine."""

import os
from pathlib import Path

import pytest

from cli.engine import EngineMissing, find_engine


@pytest.fixture(scope="session")
def engine() -> Path:
    """The real engine, built once where none is installed; where it cannot be had the test is skipped, in CI failed."""
    try:
        return find_engine()
    except EngineMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
