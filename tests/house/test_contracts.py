"""The contracts of pyproject.toml catch what they are for, shown on miniature rooms."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOMS, ROOT

WIDE = {"COLUMNS": "200"}
"""So that the judge says each contract on a line of its own."""
MODULES = (
    *(f"{room}/__init__.py" for room in ROOMS),
    "components/ea.py",
    "components/arda.py",
    "components/bindings/__init__.py",
    "components/bindings/cloudflare.py",
    "rehearsal/world/__init__.py",
    "rehearsal/standins/__init__.py",
    "rehearsal/standins/talos.py",
    "model/plan.py",
)


@pytest.fixture
def rooms(tmp_path):
    """Rooms of one line each, where every import that is allowed is made."""
    for module in MODULES:
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).touch()
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text(encoding="utf-8"), encoding="utf-8")
    for module, line in {
        "cli/__init__.py": "import rehearsal, stacks, foresight, render, model, pulumi",
        "rehearsal/__init__.py": "import stacks.x, os",
        "stacks/__init__.py": "from components import ea, arda",
        "components/ea.py": "import components.bindings.cloudflare, foresight, render, pulumi",
        "foresight/__init__.py": "import render, model.plan",
        "render/__init__.py": "import model.plan, jinja2",
        "model/__init__.py": "import pydantic, ipaddress, hashlib, yaml, importlib.resources",
        "stacks/x.py": "",
    }.items():
        (tmp_path / module).write_text(line)
    return tmp_path


def _broken(rooms: Path) -> str:
    """What the judge says, empty when it is content."""
    lint = "from importlinter.cli import lint_imports_command as lint; lint()"
    run = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"], cwd=rooms, env=os.environ | WIDE, capture_output=True, text=True
    )
    return run.stdout + run.stderr if run.returncode else ""


def test_what_the_house_allows_is_allowed(rooms):
    assert _broken(rooms) == ""


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("model/plan.py", "import render", "Rooms import downwards"),
        ("render/x.py", "import components.ea", "Rooms import downwards"),
        ("render/x.py", "import foresight", "Rooms import downwards"),
        ("foresight/x.py", "import components.ea", "Rooms import downwards"),
        ("stacks/x.py", "import cli", "Rooms import downwards"),
        ("stacks/x.py", "import rehearsal.world", "Rooms import downwards"),
        ("components/arda.py", "import components.ea", "Realms are wired in stacks/"),
        ("components/arda.py", "from .ea import x", "Realms are wired in stacks/"),
        ("model/plan.py", "import pulumi", "model/, render/ and foresight/ are pure"),
        ("model/plan.py", "import subprocess", "model/, render/ and foresight/ are pure"),
        ("render/x.py", "from pathlib import Path", "model/, render/ and foresight/ are pure"),
        ("foresight/x.py", "import pulumi", "model/, render/ and foresight/ are pure"),
        ("foresight/x.py", "import time", "model/, render/ and foresight/ are pure"),
        ("rehearsal/standins/talos.py", "import foresight", "Stand-ins judge from their own facts"),
        ("rehearsal/standins/talos.py", "import model.plan", "Stand-ins judge from their own facts"),
        ("rehearsal/world/x.py", "import rehearsal", "Stand-ins judge from their own facts"),
    ],
)
def test_what_the_house_forbids_is_caught(rooms, module, line, contract):
    (rooms / module).write_text(line)
    broken = [line for line in _broken(rooms).splitlines() if " BROKEN" in line]
    assert any(line.startswith(contract) for line in broken), f"only these complain: {broken}"
