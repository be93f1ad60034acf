"""What Git knows of the packed folders: their files, the commit that made them so, whether one commit follows another.

Owns asking git. Refuses to need it: a checkout without history still packs, and says that it does not know.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_SCP = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>[^/].*)")
_COMMIT = re.compile(r"sha1:(?P<commit>[0-9a-f]{40})")
EPOCH = "1970-01-01T00:00:00Z"


class Unreadable(Exception):
    """A file that cannot be packed; the message says which and why."""


@dataclass(frozen=True)
class Packed:
    """Where some files come from."""

    commit: str | None
    """The last commit that changed any of them, None without a history."""
    created: str
    """When that was, RFC 3339; the epoch without a history."""
    source: str
    """The repository's address, without a login; empty when there is none."""
    uncommitted: tuple[str, ...]
    """Files that are not as that commit has them, that it does not have, or that only it has: deleted here."""


def listing(gitops: Path, folders: Sequence[str]) -> dict[str, bytes]:
    """`gitops/<path>` → content of every file below `folders` of the folder `gitops`, less what Git ignores.

    Errors: Unreadable for a link (Flux refuses one in an artefact) and for what cannot be read.
    """
    there = [folder for folder in folders if (gitops / folder).is_dir()]
    named = _git(gitops, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *there)
    if named is None:
        paths = sorted(path for folder in there for path in (gitops / folder).rglob("*") if not path.is_dir())
    else:
        paths = sorted({gitops / name for name in named.split("\0") if name})
    return {f"gitops/{path.relative_to(gitops).as_posix()}": _read(path) for path in paths if _is_there(path)}


def _is_there(path: Path) -> bool:
    """Whether there is anything at a path, a link that leads nowhere included: Git lists what was deleted, too."""
    return path.is_symlink() or path.exists()


def _read(path: Path) -> bytes:
    if path.is_symlink():
        raise Unreadable(f"{path} is a link, and Flux takes no links out of an artefact. Put the file itself there.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}.") from None


def of(gitops: Path, files: Sequence[str]) -> Packed:
    """Where `files` (`gitops/…`, as `listing` names them) of the folder `gitops` come from.

    Git is asked about the folders that hold them, not about the files: what was deleted is a change of them, too.
    """
    folders = sorted({_packed_whole(path.removeprefix("gitops/")) for path in files})
    said = _git(gitops, "log", "-1", "--format=%H %cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "--", *folders) or ""
    commit, _, created = said.strip().partition(" ")
    # Against HEAD, not the index: what is staged is in no commit either
    changed = _git(gitops, "diff", "--name-only", "-z", "--relative", "HEAD", "--", *folders) or ""
    untracked = _git(gitops, "ls-files", "-z", "--others", "--exclude-standard", "--", *folders) or ""
    names = sorted({f"gitops/{name}" for name in (changed + untracked).split("\0") if name})
    origin = (_git(gitops, "remote", "get-url", "origin") or "").strip()
    return Packed(commit or None, created or EPOCH, public(origin), tuple(names))


def _packed_whole(path: str) -> str:
    """The folder of which everything is packed when a file of it is: an environment's, or one of `shared`."""
    first, *rest = path.split("/")
    return f"{first}/{rest[0]}" if first == "shared" and rest else first


def public(address: str) -> str:
    """A remote's address as anybody may see it, one for every way to write it: no login, https, no `.git`."""
    scp = _SCP.fullmatch(address) if "://" not in address else None
    if scp:
        address = f"ssh://{scp['host']}/{scp['path']}"
    parts = urlsplit(address)
    if parts.scheme not in ("https", "http", "ssh", "git") or not parts.hostname:
        return ""
    return f"https://{parts.hostname}{parts.path.removesuffix('/').removesuffix('.git')}"


def commit_in(revision: str) -> str | None:
    """The commit that an artefact's revision names, as Flux writes one: `main@sha1:<commit>`."""
    found = _COMMIT.search(revision)
    return found["commit"] if found else None


def follows(gitops: Path, later: str | None, earlier: str) -> bool:
    """Whether this history has the commit `earlier`, and `later` is it or came after it."""
    return later is not None and _git(gitops, "merge-base", "--is-ancestor", earlier, later) is not None


def _git(folder: Path, *words: str) -> str | None:
    """What git says in a folder; None when it fails, is missing, or the folder is no part of a repository."""
    environment = {"LC_ALL": "C", "TZ": "UTC", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            env=_inherited() | environment,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout if done.returncode == 0 else None


def _inherited() -> dict[str, str]:
    # Set while git runs a hook: `git -C` would then look at the hook's repository
    return {
        name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")
    }
