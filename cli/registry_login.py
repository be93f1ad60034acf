"""Where a login for a registry is kept: Docker's configuration and its credential helpers, as `docker login` left it.

Owns finding it, and reading one from standard input. Refuses arguments and the environment: both are seen by others.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HUB = "index.docker.io"
_HELPER = re.compile(r"[A-Za-z0-9._-]+")


class LoginTrouble(Exception):
    """A login is kept where it cannot be read; the message says why."""


@dataclass(frozen=True, repr=False)
class Login:
    """Who logs in to a registry. Never shown."""

    basic: str
    """`user:password` in base64."""
    of: str
    """Where it was found, as a message names its owner."""

    @staticmethod
    def how(host: str) -> str:
        """What a person does to be let in."""
        return f"Log in with `docker login {host}`, or give --username NAME --password-stdin."


def from_stdin(user: str) -> Login:
    """The password on standard input, less its last line end."""
    password = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not password:
        raise LoginTrouble("--password-stdin: standard input holds no password.")
    return Login(b64encode(f"{user}:{password}".encode()).decode(), user)


def kept(host: str) -> Login | None:
    """What Docker keeps for a registry, None when it keeps nothing (docker-cli, `config/configfile`)."""
    file = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise LoginTrouble(f"{file} cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise LoginTrouble(f"{file} is not Docker's configuration.")
    helper = _part(found, "credHelpers").get(host) or found.get("credsStore")
    if isinstance(helper, str) and helper:
        return _asked(helper, host)
    for name, entry in _part(found, "auths").items():
        if _bare(name) == _bare(host) and isinstance(entry, dict) and entry.get("auth"):
            return _decoded(str(entry["auth"]), file, host)
    return None


def _part(found: dict[str, Any], name: str) -> dict[str, Any]:
    part = found.get(name)
    return part if isinstance(part, dict) else {}


def _bare(name: str) -> str:
    """The host of a key in `auths`: Docker Hub's is an address, and old ones are too."""
    host = name.partition("://")[2] or name
    host = host.partition("/")[0]
    return _HUB if host == "docker.io" else host


def _decoded(auth: str, file: Path, host: str) -> Login:
    try:
        user = b64decode(auth, validate=True).decode().partition(":")[0]
    except ValueError:
        raise LoginTrouble(
            f"{file} holds a login for {host} that cannot be read: `docker login {host}` anew."
        ) from None
    return Login(auth, user)


def _asked(helper: str, host: str) -> Login | None:
    """Docker's credential helper protocol: the registry on standard input, `Username` and `Secret` as JSON."""
    program = f"docker-credential-{helper}"
    if not _HELPER.fullmatch(helper):
        raise LoginTrouble(f"Docker's configuration names a credential helper '{helper[:40]}', which is no program.")
    key = "https://index.docker.io/v1/" if _bare(host) == _HUB else host
    try:
        done = subprocess.run([program, "get"], input=key, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        raise LoginTrouble(f"Docker keeps the login for {host} in {program}, which is not on PATH.") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LoginTrouble(f"{program} gave no login for {host}: {error}.") from None
    if done.returncode:
        said = (done.stdout or done.stderr).strip()
        if "credentials not found" in said:  # docker-credential-helpers, `credentials/error.go`
            return None
        raise LoginTrouble(f"{program} gave no login for {host}: {said[:200] or 'it said nothing'}.")
    try:
        found = json.loads(done.stdout)
        return Login(b64encode(f"{found['Username']}:{found['Secret']}".encode()).decode(), str(found["Username"]))
    except (ValueError, KeyError, TypeError):
        raise LoginTrouble(f"{program} answered nothing that is a login for {host}.") from None
