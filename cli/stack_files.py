"""From what a person types, STACK or FILE, to the files it means.

Owns finding and naming: which file, which stack, which gitops/ folder, which rack. Refuses to judge what is in them.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from model.document import Document, parse

ROOT = Path(__file__).resolve().parent.parent

_STACK_FILE = re.compile(r"Pulumi\.(?P<stack>[A-Za-z0-9._-]+)\.ya?ml")
_STACK_NAME = re.compile(r"[A-Za-z0-9._-]+")


class NoSuchStack(Exception):
    """What was typed means no readable stack file; the message says what there is instead. For exit code 2."""


@dataclass(frozen=True)
class StackFile:
    """A stack file that exists. `stack` is its name to Pulumi, `typed` what the person called it."""

    stack: str
    path: Path
    typed: str

    @property
    def rack(self) -> str:
        """The name of its rack: a file outside the checkout never shares one with a stack of the same name inside."""
        if self.path.parent == ROOT:
            return self.stack
        return f"{self.stack}-{hashlib.sha256(str(self.path.parent).encode()).hexdigest()[:6]}"

    def read(self) -> Document:
        """What the file says, as the engine reads it. NoSuchStack when it holds no text."""
        try:
            return parse(self.path.read_text(encoding="utf-8"), self.path.name)
        except UnicodeDecodeError:
            raise NoSuchStack(f"{self.path} is no text file.") from None

    def gitops(self) -> Path:
        """The folder that holds `<environment>/…`: beside the file when it is there, else the checkout's."""
        name = (self.read().environment or {}).get("name")
        beside = self.path.parent / "gitops"
        return beside if isinstance(name, str) and (beside / name).is_dir() else ROOT / "gitops"


def stacks() -> list[str]:
    """The stacks that ship with this checkout, or were added to it, sorted."""
    found = (_STACK_FILE.fullmatch(path.name) for path in ROOT.iterdir())
    return sorted(match["stack"] for match in found if match)


def find(typed: str) -> StackFile:
    """The stack file that `typed` means: a stack's name, or a path from where the person stands, else NoSuchStack."""
    if "/" in typed or typed.endswith((".yaml", ".yml")):
        return _file(typed)
    path = ROOT / f"Pulumi.{typed}.yaml"
    if not path.is_file():
        known = ", ".join(stacks()) or "none yet"
        raise NoSuchStack(f"There is no stack `{typed}`: {path.name} does not exist here. Stacks there are: {known}.")
    return StackFile(typed, path, typed)


def _file(typed: str) -> StackFile:
    """`./lab` itself runs in the checkout; LAB_CALLED_FROM is where the person typed the path."""
    path = Path(os.environ.get("LAB_CALLED_FROM", "."), typed).expanduser().resolve()
    if not path.is_file():
        what = "is a folder, not a stack file" if path.is_dir() else "does not exist"
        raise NoSuchStack(f"{path} {what}. Stacks of this checkout: {', '.join(stacks()) or 'none yet'}.")
    match = _STACK_FILE.fullmatch(path.name)
    stack = match["stack"] if match else _named_inside(path)
    if not _STACK_NAME.fullmatch(stack):
        raise NoSuchStack(f"{path.name} gives no usable stack name: call it Pulumi.<name>.yaml.")
    return StackFile(stack, path, typed)


def _named_inside(path: Path) -> str:
    """The stack of a file that is not called Pulumi.<stack>.yaml: what its environment is named, else the file."""
    name = (StackFile(path.stem, path, path.name).read().environment or {}).get("name")
    return name if isinstance(name, str) and _STACK_NAME.fullmatch(name) else path.stem
