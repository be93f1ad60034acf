"""How long a thing may be, and that whoever silences a judge says why."""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.house.sources import ROOT, files, shown

MODULE_LINES = 300
FUNCTION_LINES = 40
MAIN_LINES = 15

SILENCER = re.compile(r"#\s*(noqa|type:\s*ignore|pyright:\s*ignore)", re.IGNORECASE)
SILENCED_WITH_REASON = re.compile(
    r"#\s*noqa:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*\W+\w.{5,}"
    r"|#\s*(type|pyright):\s*ignore\[[\w, -]+\]\W+\w.{5,}"
)


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            yield f"{shown(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def test_no_module_is_longer_than_its_budget():
    lengths = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files(".py")}
    over = {name: lines for name, lines in lengths.items() if lines > MODULE_LINES}
    assert not over, f"modules over {MODULE_LINES} lines, each wants a second room: {over}"


def test_no_function_is_longer_than_its_budget():
    over = {name: lines for path in files(".py") for name, lines in _functions(path) if lines > FUNCTION_LINES}
    assert not over, f"functions over {FUNCTION_LINES} lines, each does two things: {over}"


def test_the_program_itself_only_reads_builds_and_exports():
    main = ROOT / "__main__.py"
    lines = len(main.read_text(encoding="utf-8").splitlines())
    assert lines <= MAIN_LINES, f"__main__.py has {lines} lines of {MAIN_LINES}: what it does belongs to stacks/"


def test_who_silences_a_judge_says_which_and_why():
    silent = [
        f"{shown(path)}:{line} {comment}"
        for path in files(".py")
        for line, comment in _comments(path)
        if SILENCER.search(comment) and not SILENCED_WITH_REASON.search(comment)
    ]
    assert not silent, f"write the code and the reason behind it, `# noqa: B008 - typer reads it`: {silent}"


def test_every_file_with_tests_is_collected():
    missed = [
        shown(path)
        for path in files(".py")
        if not path.name.startswith("test_") and re.search(r"^def test_", path.read_text(encoding="utf-8"), re.M)
    ]
    assert not missed, f"these hold tests that pytest never collects, as they are not named test_*.py: {missed}"
