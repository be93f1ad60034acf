"""The project's own files, for the house rules to read."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("model", "render", "foresight", "components", "stacks", "rehearsal", "cli")
_NOT_OURS = {"node_modules", "__pycache__", "out"}
_OURS_THOUGH_HIDDEN = {".ci", ".github", ".vscode"}


def files(*suffixes: str) -> Iterator[Path]:
    """Every file of the project with one of these suffixes, or every file at all."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if _is_ours(name))
        for name in sorted(names):
            path = Path(folder, name)
            if path.is_file() and (not suffixes or path.suffix in suffixes):
                yield path


def _is_ours(folder: str) -> bool:
    return folder in _OURS_THOUGH_HIDDEN or not (folder in _NOT_OURS or folder.startswith("."))


def text_files() -> Iterator[tuple[Path, str]]:
    """Every file that is text, with it."""
    for path in files():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def shown(path: Path) -> str:
    """The path as a person reads it."""
    return path.relative_to(ROOT).as_posix()
