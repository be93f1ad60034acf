"""model/, render/ and foresight/ are pure. import-linter judges what they import; this, what runs and is called."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import ROOT, files, shown

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys, time
for room in sys.argv[1:]:
    package = importlib.import_module(room)
    for module in pkgutil.walk_packages(package.__path__, f"{room}."):
        importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
print(time.process_time())
"""
PURE = ("model", "render", "foresight")
HEAVY = {"pulumi", "grpc", "typer", "rich", "requests", "pytest"}
IMPORT_SECONDS = 1.3
"""Of processor, not of clock: some three times what it takes, so that it speaks of the code and not of the machine."""
IMPURE_NAMES = {"open", "input", "print", "exec", "eval", "breakpoint"}
IMPURE_METHODS = {"now", "today", "utcnow", "write_text", "write_bytes", "getenv"}


def _loaded_by(*rooms: str) -> tuple[set[str], float]:
    """What importing everything in these rooms loads, and the seconds of processor it takes from Python's start on."""
    run = subprocess.run([sys.executable, "-c", IMPORT_EVERYTHING, *rooms], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    names, seconds = run.stdout.splitlines()
    return set(names.split()), float(seconds)


def _pure_modules() -> Iterator[Path]:
    return (path for path in files(".py") if path.relative_to(ROOT).parts[0] in PURE)


def _impure_calls(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func
            named = isinstance(called, ast.Name) and called.id in IMPURE_NAMES
            method = isinstance(called, ast.Attribute) and called.attr in IMPURE_METHODS
            if named or method:
                yield f"{shown(path)}:{node.lineno} {ast.unparse(called)}()"


def test_importing_what_is_pure_loads_nothing_heavy():
    loaded, seconds = _loaded_by(*PURE)
    heavy = {name for name in loaded if name in HEAVY or name.startswith("pulumi")}
    assert not heavy, f"{PURE} must import without these: {sorted(heavy)}"
    assert seconds < IMPORT_SECONDS, f"importing {PURE} takes {seconds:.1f} s of processor: what got heavy?"


def test_what_is_pure_asks_no_clock_and_touches_no_file():
    impure = [call for path in _pure_modules() for call in _impure_calls(path)]
    assert not impure, f"hand it in as data instead: {impure}"


def test_the_program_imports_only_its_composition():
    tree = ast.parse((ROOT / "__main__.py").read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    rooms = {name.partition(".")[0] for name in imported} - {"pulumi", "__future__"}
    assert rooms <= {"stacks"}, f"__main__.py enters {sorted(rooms)}, and may enter only stacks/"
