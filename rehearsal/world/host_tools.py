"""The programs on a simulated host.

Owns the call of a program (who calls, with what) and the table of programs there are. It refuses to own a shell: that
one is real (``rehearsal.standins.shell``). A program knows the options written down for it and says so about others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.world import host_units

if TYPE_CHECKING:
    from rehearsal.world import World


@dataclass(frozen=True)
class Result:
    """What a program printed and its exit code; ``shell`` when it wants a shell run as ``user`` instead."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0
    shell: str | None = None
    user: str = ""


class Failed(Exception):
    """A program ends with ``code`` and says ``message`` on stderr."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass
class Call:
    """One run of one program on ``host`` by ``user``. ``stdin()`` reads standard input, once."""

    world: World
    host: dict[str, Any]
    user: str
    argv: list[str]
    stdin: Callable[[], str]
    cache: list[str] = field(default_factory=list)

    @property
    def tool(self) -> str:
        """The program's name."""
        return self.argv[0]

    def read(self, path: str) -> str:
        """A file's content, ``-`` and ``/dev/stdin`` being standard input. ``Failed`` as the kernel would."""
        if path in ("-", "/dev/stdin"):
            if not self.cache:
                self.cache.append(self.stdin())
            return self.cache[0]
        if path == "/dev/null":
            return ""
        if not self.may_reach(path):
            raise Failed(f"{self.tool}: {path}: Permission denied")
        found = self.host["files"].get(path)
        if found is None:
            what = "Is a directory" if self.world.hosts.is_dir(self.host, path) else "No such file or directory"
            raise Failed(f"{self.tool}: {path}: {what}")
        if self.user not in ("root", found["owner"]) and not int(found["mode"], 8) & 0o004:
            raise Failed(f"{self.tool}: {path}: Permission denied")
        return str(found["content"])

    def may_reach(self, path: str) -> bool:
        """Whether no folder above ``path`` is shut to this user: one that is 0700 is its owner's, here root's."""
        shut = self.host.get("shut", ())
        return self.user == "root" or not any(path.startswith(f"{folder}/") for folder in shut)

    def write(self, path: str, content: str, mode: str | None = None) -> None:
        """Put a file there; only root writes outside ``/tmp`` and the user's home."""
        if path == "/dev/null":
            return
        if self.user != "root" and not path.startswith(("/tmp/", f"/home/{self.user}/")):
            raise Failed(f"{self.tool}: cannot create regular file '{path}': Permission denied")
        before = self.host["files"].get(path, {})
        kept = mode or before.get("mode", "0644")
        self.world.hosts.write(self.host, path, content, mode=kept, owner=before.get("owner", self.user))

    def options(
        self, flags: str = "", valued: str = "", long: dict[str, str] | None = None
    ) -> tuple[dict[str, str], list[str]]:
        """``(options, operands)``: short ``flags`` and ``valued`` letters, ``long`` names mapped to letters.

        A long name whose letter is in ``valued`` takes a value. ``Failed`` with code 2 for any other option.
        """
        found: dict[str, str] = {}
        rest: list[str] = []
        words = iter(self.argv[1:])
        for word in words:
            if word == "--":
                rest += words
            elif word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                letter = (long or {}).get(name)
                if letter is None:
                    raise Failed(f"{self.tool}: the rack's {self.tool} does not know option --{name}", 2)
                found[letter] = (value if equals else next(words, "")) if letter in valued else ""
            elif word.startswith("-") and len(word) > 1:
                self._short(word[1:], flags, valued, found, words)
            else:
                rest.append(word)
        return found, rest

    def _short(self, letters: str, flags: str, valued: str, found: dict[str, str], words: Any) -> None:
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in valued:
                found[letter] = letters or next(words, "")
                return
            if letter not in flags:
                raise Failed(f"{self.tool}: the rack's {self.tool} does not know option -{letter}", 2)
            found[letter] = ""


Tool = Callable[[Call], Result]


def tools() -> dict[str, Tool]:
    """Every program there is, by name."""
    from rehearsal.world import (
        host_curl,
        host_files,
        host_services,
        host_ssh,
        host_text,
        kubectl,
        talosctl,
    )  # our names

    ours = host_files.TOOLS | host_text.TOOLS | host_services.TOOLS | host_curl.TOOLS | host_ssh.TOOLS
    return ours | talosctl.TOOLS | kubectl.TOOLS


def run(call: Call) -> Result:
    """Run one program; what it refuses becomes its stderr and exit code."""
    if call.tool == "sudo":
        return _sudo(call)
    if call.tool in ("sh", "bash"):
        return _shell(call)
    tool = tools().get(call.tool)
    if tool is None:
        return Result(stderr=f"{call.tool}: command not found\n", code=127)
    call.argv[1:] = [host_units.real(call.host, word) for word in call.argv[1:]]
    try:
        return tool(call)
    except Failed as failed:
        return Result(stderr=f"{failed.message}\n" if failed.message else "", code=failed.code)


def _sudo(call: Call) -> Result:
    """Everybody who may log in may become root without a password (cloud-init: ``NOPASSWD:ALL``)."""
    user, words = "root", call.argv[1:]
    while words and words[0].startswith("-"):
        option = words.pop(0)
        if option == "-u" and words:
            user = words.pop(0)
        elif option not in ("-n", "-E", "-H", "--", "--non-interactive"):
            return Result(stderr=f"sudo: the rack's sudo does not know option {option}\n", code=1)
    while words and "=" in words[0]:
        words.pop(0)
    if not words:
        return Result(stderr="usage: sudo command\n", code=1)
    if words[0].startswith("/"):
        words[0] = words[0].rpartition("/")[2]
    return run(Call(call.world, call.host, user, words, call.stdin))


def _shell(call: Call) -> Result:
    if call.argv[1:2] == ["./lab"]:
        from rehearsal.world.host_lab import lab  # needs our names

        return lab(call)
    words = [word for word in call.argv[1:] if word != "-e"]
    if len(words) >= 2 and words[0] in ("-c", "-ec"):
        strict = "set -e\n" if "e" in words[0] or "-e" in call.argv else ""
        return Result(shell=strict + words[1], user=call.user)
    if words in ([], ["-s"]):
        return Result(shell=call.stdin(), user=call.user)
    return Result(stderr=f"{call.tool}: the rack's shell takes -c TEXT or a script on standard input\n", code=2)
