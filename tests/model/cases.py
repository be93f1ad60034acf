"""Fixtures of the door: whole environments, and small named edits of them that must be found.

Owns reading and applying them. A fixture's file says in its first line what somebody did.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model.document import parse
from model.laws import examine
from model.yaml_reader import Reader
from stacks import checkout

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures"
STACKS = tuple(sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml")))

Found = set[tuple[str, str]]


@dataclass(frozen=True)
class Case:
    """One fixture of `tests/fixtures/invalid`."""

    name: str
    of: str
    """The shipped lab that was edited."""
    raw: Any
    tree: dict[str, str] | None
    expected: Found
    already: Found
    """What the unedited environment gives."""


def read(path: Path) -> Any:
    """A YAML file, as the engine would read it."""
    value, repeated = Reader(path.read_text(encoding="utf-8")).document()
    assert not repeated, f"{path} repeats a key: {repeated}"
    return value


def stack(name: str) -> dict[str, Any]:
    """The environment of a shipped stack file."""
    document = parse((ROOT / f"Pulumi.{name}.yaml").read_text(encoding="utf-8"), name)
    assert document.environment is not None, f"Pulumi.{name}.yaml cannot be read: {document.findings}"
    return document.environment


def small_tree(name: str = "homelab") -> dict[str, str]:
    """The GitOps folders that a lab needs at least: path below `gitops/<name>/` to text. A category that the lab has
    and the fixture does not know is an empty folder."""
    tree = dict(read(FIXTURES / "trees" / f"{name}.yaml"))
    for cluster, own in stack(name)["gitops"]["clusters"].items():
        for category in own["categories"]:
            if not any(path.startswith(f"{cluster}/{category}/") for path in tree):
                tree[f"{cluster}/{category}/.gitkeep"] = ""
    return tree


def invalid(name: str) -> Case:
    """A fixture with its edits done."""
    spec = read(FIXTURES / "invalid" / f"{name}.yaml")
    base = stack(spec["of"])
    tree = small_tree(spec["of"]) if "tree" in spec else None
    already = found(base, tree)
    for edit in spec.get("tree") or ():
        assert tree is not None
        _edit_tree(tree, edit)
    raw = edited(copy.deepcopy(base), spec.get("edit") or ())
    expected = {(one["code"], one["path"]) for one in spec["findings"]}
    return Case(name, spec["of"], raw, tree, expected, already)


def edited(raw: Any, edits: Iterable[dict[str, Any]]) -> Any:
    """The same data, edits done in place."""
    for edit in edits:
        _edit(raw, edit)
    return raw


def found(raw: object, tree: dict[str, str] | None) -> Found:
    """(code, path) of everything that is found."""
    return {(finding.code, finding.path) for finding in examine(raw, tree).findings}


def own_tree(name: str) -> dict[str, str]:
    """The GitOps folders that a shipped lab has: path below `gitops/<name>/` to text, the shared ones besides."""
    return dict(checkout.tree(name, ROOT / "gitops"))


@cache
def shipped(name: str) -> frozenset[tuple[str, str]]:
    """What a shipped lab gives beside its own folders."""
    return frozenset(found(stack(name), own_tree(name)))


def names(folder: str) -> list[str]:
    """The fixtures of a folder, by name."""
    return sorted(path.stem for path in (FIXTURES / folder).glob("*.yaml"))


def with_any_tree() -> list[str]:
    """The wrong fixtures that need no folders of their own."""
    return [name for name in names("invalid") if "tree" not in read(FIXTURES / "invalid" / f"{name}.yaml")]


def _edit(raw: Any, edit: dict[str, Any]) -> None:
    verb = next(iter(edit))
    *way, last = str(edit[verb]).split(".")
    holder = raw
    for part in way:
        holder = holder[int(part)] if isinstance(holder, list) else holder.setdefault(part, {})
    key: Any = int(last) if isinstance(holder, list) else last
    if verb == "set" and isinstance(holder, list) and key == len(holder):
        holder.append(edit["to"])
    elif verb == "set":
        holder[key] = edit["to"]
    elif verb == "delete":
        del holder[key]
    elif verb == "rename":
        holder[edit["to"]] = holder.pop(key)
    else:
        raise ValueError(f"no such edit: {verb}")


def _edit_tree(tree: dict[str, str], edit: dict[str, str]) -> None:
    if "set" in edit:
        tree[edit["set"]] = edit["to"]
        return
    gone = [path for path in tree if path == edit["delete"] or path.startswith(f"{edit['delete']}/")]
    assert gone, f"the tree has nothing at {edit['delete']}"
    for path in gone:
        del tree[path]
