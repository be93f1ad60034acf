"""What the scripts' tests share: a Pi, its disks, and who serves it files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real.pi.box import Box, box
from tests.real.pi.disks import Disks, disks
from tests.real.pi.served import Served, served


@pytest.fixture
def pi(tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Box]:
    """A Pi without settings."""
    folder = tmp_path / "pi"
    folder.mkdir()
    with box(folder, require_tool) as made:
        yield made


@pytest.fixture
def plugged(pi: Box, tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Disks]:
    """Puts disks into the Pi."""
    with disks(pi, tmp_path, require_tool) as made:
        yield made


@pytest.fixture
def site() -> Iterator[Served]:
    """An HTTP server on loopback."""
    with served() as made:
        yield made
