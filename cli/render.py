"""`./lab render`: every file for every host, written into a folder.

Owns the folder: what is there from the last time, what an owner put there or changed, what is gone. Refuses the files'
contents, which are `render.files`', to overwrite what it did not write, and secrets, but for those of `cli.host_keys`.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from rich.console import Console
from rich.text import Text

from cli import check, host_keys
from cli.console import complain, console, say
from cli.stack_files import StackFile
from cli.words import count
from model.plan import plan as decide
from render.files import files

FINE, REFUSED, WRONG = 0, 1, 2
MARKER = ".lab-render.json"
"""In the folder: whose it is, and each file that was written with the SHA-256 it had."""
OWNERS = "secret"
"""The folder in it that belongs to its owner: the commands by hand put there what they make."""


class NotOurs(Exception):
    """The folder holds something that was not written here; the message says what to do."""


def render(stack: StackFile, typed: str) -> int:
    """Write every file of `stack` below the folder `typed`; REFUSED with the findings when one is an error."""
    checked = check.judge(stack)
    if checked.environment is None or not checked.sound:
        check.show(console(stderr=True), stack, [one for one in checked.findings if one.grade == "error"])
        return REFUSED
    folder = Path(os.environ.get("LAB_CALLED_FROM", "."), typed).expanduser().absolute()
    decided = decide(checked.environment, checked.tree)
    made = files(decided)
    try:
        gone = write(folder, decided.name, made)
        keys = host_keys.of_cards(folder, decided.bootstrap) if decided.bootstrap else []
    except (NotOurs, host_keys.NoKey) as error:
        complain(str(error))
        return WRONG
    except OSError as error:
        complain(f"{error.filename or folder} cannot be written: {error.strerror}.")
        return WRONG
    out = console()
    left = f", {count(len(gone), 'file')} of the last time removed" if gone else ""
    say(out, f"{count(len(made), 'file')} in {folder}{left}. None of them is secret.", indent=0)
    _cards(out, keys)
    say(out, f"Begin with {folder / 'BY-HAND.md'}.", indent=0)
    return FINE


def _cards(out: Console, keys: list[host_keys.CardKey]) -> None:
    """What is secret, where it is, and what the stack file does not know yet."""
    for key in keys:
        say(out, f"Secret: {key.file}, the SSH host key of {key.node}'s card. It belongs on that card alone.", indent=0)
        if not key.known:
            has = "another one" if key.instead_of else "none"
            say(out, f"The stack file has {has} at bootstrap.nodes.{key.node}. For a card made of these files write:")
            out.print(Text(f"          host_key: {key.public}"), soft_wrap=True)


def write(folder: Path, lab: str, made: dict[str, str]) -> list[str]:
    """Make the folder hold `made`, and nothing else of what was once written here; gives what was removed.

    Errors: NotOurs before anything is touched, for a folder or a file that is somebody else's; OSError.
    """
    before = _before(folder, lab)
    now = {path: _sum(text) for path, text in made.items()}
    for path in sorted({*made, *before}):
        there = folder / path
        if (there.is_symlink() or there.exists()) and _digest(there) not in {*before.get(path, ()), now.get(path)}:
            known = "was changed since it was written here" if path in before else "was not written here"
            raise NotOurs(f"{there} {known}. Move it away, or render into another folder; nothing was touched.")
    folder.mkdir(parents=True, exist_ok=True)
    # First what is there or will be: a run that is cut off leaves nothing that the next one takes for another's
    _mark(folder, lab, {path: [*before.get(path, ()), *filter(None, [now.get(path)])] for path in {*before, *now}})
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        _replace(folder / path, text)
    gone = sorted(set(before) - set(made))
    for path in gone:
        (folder / path).unlink(missing_ok=True)
    for parent in sorted({parent for path in gone for parent in Path(path).parents if parent.parts}, reverse=True):
        if (folder / parent).is_dir() and not any((folder / parent).iterdir()):
            (folder / parent).rmdir()
    _mark(folder, lab, {path: [one] for path, one in now.items()})
    return gone


def _mark(folder: Path, lab: str, written: dict[str, list[str]]) -> None:
    _replace(folder / MARKER, json.dumps({"lab": lab, "files": written}, indent=1, sort_keys=True) + "\n")


def _before(folder: Path, lab: str) -> dict[str, list[str]]:
    """What was written here the last time; NotOurs for a folder that holds something else."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return {}
    if not folder.is_dir():
        raise NotOurs(f"{folder} is a file, not a folder.")
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        other, written = str(found["lab"]), {str(path): list(sums) for path, sums in found["files"].items()}
    except FileNotFoundError:
        message = "holds files, and nothing there was written by `./lab render`. Name an empty or a new folder."
        raise NotOurs(f"{folder} {message}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise NotOurs(f"{folder / MARKER} is not as it was written: remove the folder, or name another.") from None
    if not all(_inside(path) for path in written):
        raise NotOurs(f"{folder / MARKER} is not as it was written: remove the folder, or name another.")
    if other != lab:
        # Its folder `secret` would make this lab's machines the other one's
        raise NotOurs(f"{folder} is {other}'s. Render {lab} into a folder of its own.")
    return written


def _inside(path: str) -> bool:
    parts = Path(path).parts
    return bool(parts) and not Path(path).is_absolute() and ".." not in parts and parts[0] != OWNERS


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else None


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _replace(path: Path, text: str) -> None:
    """Whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(0o755 if path.suffix == ".sh" else 0o644)
    beside.replace(path)
