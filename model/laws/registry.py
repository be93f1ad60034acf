"""How a law is written down: a generator over the environment, its code, its grade, its docstring.

Owns the register and the rule for findings that other findings cause. Refuses to hold any law itself.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from model.environment import Environment
from model.findings import Finding, Grade, one_line
from model.tree import Tree


class Breach(NamedTuple):
    """One breach of a law; the law's own code and grade are added by the register."""

    path: str
    """Where, dotted from the environment's root."""
    message: str
    """What is wrong, with the values, and against what."""
    hint: str
    """How to mend it, with the nearest valid value where there is one."""
    against: str | None = None
    """The other owner: a value, or the collection that should have held what is missing."""
    missed_in: tuple[str, ...] = ()
    """Further collections that could have held what is missing."""


class EnvironmentLaw(Protocol):
    """What `@law` takes."""

    __name__: str

    def __call__(self, env: Environment, /) -> Iterator[Breach]:
        """Give every breach of the law in an environment."""
        ...


class TreeLaw(Protocol):
    """What `@tree_law` takes."""

    __name__: str

    def __call__(self, env: Environment, tree: Tree, /) -> Iterator[Breach]:
        """Give every breach of the law in an environment and its GitOps folders."""
        ...


@dataclass(frozen=True)
class Law:
    """A law, as documented in docs/findings.md."""

    code: str
    grade: Grade
    holds: str
    """The function's docstring: what must hold, and why."""
    unless: tuple[str, ...]
    """Codes that explain a breach: one of them at its path or its other owner, around or inside either, silences it."""
    check: Callable[[Environment, Tree | None], Iterator[Breach]]

    def judge(self, env: Environment, tree: Tree | None) -> Iterator["Judged"]:
        """Every breach, as findings."""
        for breach in self.check(env, tree):
            message, hint = one_line(breach.message), one_line(breach.hint)
            finding = Finding(self.code, self.grade, breach.path, message, hint, breach.against)
            yield Judged(finding, tuple(filter(None, (breach.path, breach.against, *breach.missed_in))))


class Judged(NamedTuple):
    """A finding, with every place that it rests on."""

    finding: Finding
    places: tuple[str, ...]


LAWS: dict[str, Law] = {}
"""Every law by its code, in the order of definition."""


def _enter(new: Law) -> None:
    if new.code in LAWS:
        raise ValueError(f"two laws are called {new.code}")
    if not new.holds:
        raise ValueError(f"{new.code} does not say what it holds")
    LAWS[new.code] = new


def law(
    code: str, grade: Grade = "error", *, unless: tuple[str, ...] = ()
) -> Callable[[EnvironmentLaw], EnvironmentLaw]:
    """Enter a law that needs the environment alone. Errors: ValueError for a code given twice or no docstring."""

    def enter(function: EnvironmentLaw) -> EnvironmentLaw:
        _enter(Law(code, grade, _said(function), unless, lambda env, _tree: function(env)))
        return function

    return enter


def tree_law(code: str, grade: Grade = "error", *, unless: tuple[str, ...] = ()) -> Callable[[TreeLaw], TreeLaw]:
    """Enter a law that reads the GitOps folders too; without a tree it is silent."""

    def enter(function: TreeLaw) -> TreeLaw:
        _enter(
            Law(
                code,
                grade,
                _said(function),
                unless,
                lambda env, tree: iter(()) if tree is None else function(env, tree),
            )
        )
        return function

    return enter


def _said(function: object) -> str:
    return " ".join((function.__doc__ or "").split())


def around(path: str) -> Iterator[str]:
    """The path itself, and every part that it lies in: `a.b.c`, `a.b`, `a`."""
    while path:
        yield path
        path = path.rpartition(".")[0]


class Places:
    """A set of dotted paths that answers whether one of them is, holds or lies in a path."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = set(paths)
        self._holders = {place for path in self._paths for place in around(path)}

    def touch(self, path: str) -> bool:
        """Whether a path is one of these, lies in one, or holds one."""
        return path in self._holders or not self._paths.isdisjoint(around(path))


def without_effects(judged: list[Judged]) -> list[Judged]:
    """Leave out every finding that another one explains, by `Law.unless`."""
    causes: dict[str, list[str]] = {}
    for finding, _ in judged:
        causes.setdefault(finding.code, []).extend(filter(None, (finding.path, finding.against)))
    where = {code: Places(paths) for code, paths in causes.items()}
    return [one for one in judged if not _explained(one, where)]


def _explained(one: Judged, where: dict[str, Places]) -> bool:
    codes = [code for code in LAWS[one.finding.code].unless if code in where]
    return any(where[code].touch(place) for code in codes for place in one.places)
