"""What no file may hold: a version in code, a registry's host, a path of one machine, a dead promise."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import ROOMS, ROOT, files, shown, text_files

VERSION = re.compile(r"(?<![\w.])v\d+\.\d+\.\d+(?![\w.])|^\d+\.\d+\.\d+$")
PLACEHOLDERS = {"v1.2.3", "1.2.3"}
EXCUSED = re.compile(r"#\s*version:\s*\w.{8,}")

# Written so that this file does not name them either.
REGISTRIES = [
    f"{name}.{domain}"
    for name, domain in (
        ("pypi", "org"), ("pythonhosted", "org"), ("proxy.golang", "org"), ("sum.golang", "org"),
        ("npmjs", "org"), ("npmjs", "com"), ("deb.debian", "org"), ("crates", "io"),
    )
]  # fmt: skip
MACHINE_PATHS = re.compile("/wo" + r"rk/(main|shared|\.library)\b")

LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")
CODE = re.compile(r"`(?:\./)?([\w.-]+(?:/[\w.-]+)*/?)`")


def _literals(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value


def _versions_in(path: Path) -> Iterator[str]:
    lines = path.read_text(encoding="utf-8").splitlines()
    for line, literal in _literals(path):
        found = set(VERSION.findall(literal)) - PLACEHOLDERS
        if found and not EXCUSED.search(lines[line - 1]):
            yield f"{shown(path)}:{line} {sorted(found)}"


def test_no_version_is_written_in_code():
    code = [path for path in files(".py") if "tests" not in path.relative_to(ROOT).parts]
    written = [found for path in code for found in _versions_in(path)]
    assert not written, (
        "versions are data of a stack file or of gitops/; an example is v1.2.3; a fact about others' code carries"
        f" `# version: whose it is`: {written}"
    )


def test_no_file_names_a_package_registry():
    named = [f"{shown(path)}: {host}" for path, text in text_files() for host in REGISTRIES if host in text]
    assert not named, f"where packages come from is each person's own setting: {named}"


def test_no_file_holds_a_path_of_the_machine_it_was_written_on():
    held = [f"{shown(path)}: {found.group()}" for path, text in text_files() for found in MACHINE_PATHS.finditer(text)]
    assert not held, f"these paths exist on one machine only: {held}"


def test_what_the_documents_link_to_exists():
    dead = [
        f"{shown(path)}: {target}"
        for path in files(".md")
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists() and not (ROOT / target.lstrip("/")).exists()
    ]
    assert not dead, f"documents promise files that are not there: {dead}"


def test_what_the_readme_names_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ours = {*ROOMS, "tests", "tools", "docs", "gitops"}
    named = [path for path in CODE.findall(text) if "/" in path and path.partition("/")[0] in ours]
    dead = [path for path in named if not (ROOT / path).exists()]
    assert not dead, f"README.md names files that are not there: {dead}"


def test_the_lock_holds_a_hash_for_every_package():
    blocks = re.split(r"^(?=[A-Za-z0-9])", (ROOT / "requirements.txt").read_text(encoding="utf-8"), flags=re.M)
    bare = [block.splitlines()[0] for block in blocks if block.strip() and "--hash=sha256:" not in block]
    assert not bare, f"requirements.txt holds packages without a hash: {bare}"


def test_the_lock_follows_from_what_was_asked():
    asked = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?(?:==([\w.]+))?", (ROOT / "requirements.in").read_text(), flags=re.M)
    locked = dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / "requirements.txt").read_text(), flags=re.M))
    stale = [
        name for name, version in asked if locked.get(name.lower()) not in ({version} if version else locked.values())
    ]
    assert not stale, f"requirements.txt is older than requirements.in: run `make lock` ({stale})"
