"""Every place at which a stand-in says no, and the tests that hear it.

Owns finding both in the source: the literal words of a refusal, the words that a test of the conformance table looks
for. Refuses to run anything: a refusal counts as heard when a test that a row cites names some of its words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOMS = (
    "world/talos*.py",
    "world/kubectl*.py",
    "world/cel.py",
    "world/leaving.py",
    "world/git_mirror.py",
    "world/machines.py",
    "world/hosts.py",
    "world/host_*.py",
    "world/ssh.py",
    "world/cloudflare*.py",
    "world/kube_external_dns.py",
    "world/kube_dns_settings.py",
    "standins/cloudflare.py",
    "standins/talos*.py",
    "standins/command.py",
    "standins/shell.py",
)
"""Where each refusal must be heard: Talos, Cloudflare, the owner's programs, SSH and commands, the Git mirror."""
_SAYS_NO = frozenset({"Refusal", "Retried", "Failed", "InitFailed", "NoCel", "grpc_error", "refused", "bad_request"})
_LEAST = 8
"""Letters of what tells one refusal from another; shorter words are everybody's."""
_TELLING = 16
"""Letters of a long refusal that a test must name at least; of a short one more than half."""
_WILD = re.compile(r"\\d[+*]|\[\\s\\S\]\*|\.\*|(?<!\\)[|^$()]")


@dataclass(frozen=True)
class Saying:
    """A refusal: where, as `file::function`, and the literal parts of its words."""

    place: str
    words: tuple[str, ...]

    def heard_in(self, fragments: Iterable[str]) -> bool:
        """Whether one of the `fragments` holds a part of the words, or is a telling piece of one."""
        return any(part in each or _tells(each, part) for part in self.words for each in fragments)


def _tells(fragment: str, words: str) -> bool:
    return fragment in words and (len(fragment) >= _TELLING or len(fragment) > len(words) / 2)


def refusals(rooms: Iterable[str] = ROOMS) -> Iterator[Saying]:
    """Every refusal in `rooms`, globs below `rehearsal/`, that has words of its own."""
    for path in sorted({path for room in rooms for path in HERE.glob(room)}):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
            for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
                name = call.func.id if isinstance(call.func, ast.Name) else ""
                words = tuple(_literals(call.args[1:] if name == "grpc_error" else call.args))
                if name in _SAYS_NO and words:
                    yield Saying(f"{path.relative_to(HERE)}::{function.name}", words)


def _literals(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The literal texts in `nodes` that are long enough to tell one refusal from another."""
    for node in nodes:
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and len(each.value.strip()) >= _LEAST:
                yield each.value.strip()


def listened_for(tests: Iterable[tuple[Path, str]]) -> set[str]:
    """What the tests, `(file, function)`, look for: their own texts and their files' tables, cut at wildcards."""
    wanted: dict[Path, set[str]] = {}
    for file, name in tests:
        wanted.setdefault(file, set()).add(name)
    texts: set[str] = set()
    for file, names in wanted.items():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name in names or not node.name.startswith("test_"):
                texts |= set(_texts(node))
    return {re.sub(r"\\(.)", r"\1", part).strip() for text in texts for part in _WILD.split(text)}


def _texts(tree: ast.AST) -> Iterator[str]:
    """Every literal text that is an expression's part: no docstring."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.value


def unheard(tests: Iterable[tuple[Path, str]]) -> list[Saying]:
    """The refusals that none of `tests` listens for."""
    fragments = {each for each in listened_for(tests) if len(each) >= _LEAST}
    return [saying for saying in refusals() if not saying.heard_in(fragments)]
