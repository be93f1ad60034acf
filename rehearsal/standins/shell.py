"""A real shell for a simulated host.

Owns the running of a command's text: bash in restricted mode, whose PATH holds nothing but shims, with an empty
environment and a time limit. It refuses the machine it runs on: no program of it, no file of it, no redirection
to or from one but ``/dev/null``. What the shims do is ``rehearsal.world.host_tools``'.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rehearsal.world import World
from rehearsal.world.errors import Refusal
from rehearsal.world.host_tools import Call, Result, run, tools

_SHIM = Path(__file__).parent.parent / "shims" / "shim.py"
_TIME_LIMIT = 120.0
_DISABLED = "[ . bg cd compgen complete dirs disown fc fg history kill popd pushd pwd source test ulimit"
"""Builtins that would see or touch the machine under the rack; ``test`` and ``[`` are shims instead."""

_OPAQUE = re.compile(r"'[^']*'|\"(?:\\.|[^\"\\$`]|\$(?!\())*\"|\\.")
"""Quoted text that holds no command of its own."""
_TO_NULL = re.compile(r"(?P<which>[0-9]*|&)>>?\s*/dev/null(?![\w/])")
_FROM_FILE = re.compile(r"(?<!<)<(?![<&])(?!\s*/dev/null(?![\w/]))|[<>]\(|<<?\s*/dev/tcp")
_TRUE_TEST = re.compile(r"(?:^|[\s;&|(!])\[\[\s")
_START = 'exec 9>/dev/null; ulimit -t 30; exec "$0" --restricted --noprofile --norc -f -c "$1"'


@dataclass(frozen=True)
class Outcome:
    """What a command printed and its exit code."""

    stdout: str
    stderr: str
    code: int


def execute(
    world: World, host: dict[str, Any], user: str, text: str, stdin: str, given: Mapping[str, str] | None = None
) -> Outcome:
    """Run ``text`` as ``user`` on ``host``, with the variables ``given``. Must be called without holding the World: the
    shims take it in turn."""
    bash = shutil.which("bash")
    if bash is None:
        raise Refusal("the rack runs commands with bash, and there is none on PATH")
    with tempfile.TemporaryDirectory(prefix="rack-") as scratch, _answering(world, host, bash, scratch) as address:
        _lay_shims(Path(scratch) / "bin")
        variables = {"PATH": f"{scratch}/bin", "RACK_SOCKET": address, "RACK_USER": user, "HOME": f"/home/{user}"}
        variables |= {"USER": user, "LOGNAME": user, "SHELL": "/bin/bash", "LANG": "C.UTF-8"}
        variables |= given or {}
        try:
            done = subprocess.run(
                _command(bash, text),
                input=stdin.encode("utf-8", "surrogateescape"),
                capture_output=True,
                env=variables,
                cwd=scratch,
                timeout=_TIME_LIMIT,
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as expired:
            raise Refusal(
                f"the command ran for more than {_TIME_LIMIT:.0f} s, and on the rack nothing waits"
            ) from expired
    return Outcome(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), done.returncode)


def _command(bash: str, text: str) -> list[str]:
    """The words that run ``text`` in the restricted shell."""
    return [bash, "--noprofile", "--norc", "-c", _START, bash, f"enable -n {_DISABLED}; {prepared(text)}"]


def prepared(text: str) -> str:
    """``text`` with ``/dev/null`` as an open descriptor, for a restricted shell redirects to no file.

    Raises ``Refusal`` for what would look past the rack: reading a file by redirection, ``[[``, process substitution.
    """
    plain = _OPAQUE.sub(lambda found: "_" * len(found[0]), text)
    for pattern, what in ((_FROM_FILE, "reads a file by redirection"), (_TRUE_TEST, "uses [[")):
        if pattern.search(plain):
            raise Refusal(f"the rack cannot run a command that {what}; use cat or a pipe, and test: {text!r}")
    pieces, end = [], 0
    for found in _TO_NULL.finditer(plain):
        both = found["which"] == "&"
        pieces += [text[end : found.start()], " >&9 2>&9" if both else f" {found['which']}>&9"]
        end = found.end()
    return "".join([*pieces, text[end:]])


def _lay_shims(folder: Path) -> None:
    """A program per name: one script, linked."""
    folder.mkdir()
    script = folder / ".shim"
    words = " ".join(shlex.quote(word) for word in (sys.executable, "-I", "-S", str(_SHIM)))
    script.write_text(f'#!/bin/sh\nexec {words} "$0" "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    for name in (*tools(), "sudo", "sh", "bash"):
        (folder / name).symlink_to(script)


@contextmanager
def _answering(world: World, host: dict[str, Any], bash: str, scratch: str) -> Iterator[str]:
    """A socket on which shims are answered for ``host`` while the body runs; gives its address."""
    address = f"{scratch}/s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        thread = _thread(_serve, listener, world, host, bash)
        thread.start()
        try:
            yield address
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=1.0)


def _thread(target: Callable[..., None], *args: object) -> threading.Thread:
    """A thread that acts for whom this one acts: what a shim does is journaled as its command's."""
    return threading.Thread(target=contextvars.copy_context().run, args=(target, *args), daemon=True)


def _serve(listener: socket.socket, world: World, host: dict[str, Any], bash: str) -> None:
    while True:
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        # One thread a call: in a pipeline one program's input is another's output.
        _thread(_answer, stream, world, host, bash).start()


def _answer(stream: socket.socket, world: World, host: dict[str, Any], bash: str) -> None:
    with stream, contextlib.suppress(OSError):
        request = _receive(stream)
        standard_input: list[str] = []

        def stdin() -> str:
            if not standard_input:
                raise _WantsStdin
            return standard_input[0]

        for _ in range(2):
            try:
                with world.change():
                    result = run(Call(world, host, request["user"], list(request["argv"]), stdin))
                break
            except _WantsStdin:
                # Asked without holding the World: what feeds it may be another program of the same pipeline.
                _send(stream, {"wants_stdin": True})
                standard_input.append(_receive(stream)["stdin"])
        else:
            result = Result(stderr=f"{request['argv'][0]}: read error\n", code=1)
        _send(stream, _reply(result, bash))


class _WantsStdin(Exception):
    """A program reads its standard input: it is started again once that was fetched."""


def _reply(result: Result, bash: str) -> dict[str, Any]:
    if result.shell is None:
        return {"stdout": result.stdout, "stderr": result.stderr, "code": result.code}
    try:
        return {"shell": _command(bash, result.shell), "user": result.user}
    except Refusal as refusal:
        return {"stdout": "", "stderr": f"{refusal.message}\n", "code": 2}


def _receive(stream: socket.socket) -> dict[str, Any]:
    with stream.makefile("rb") as reader:
        size = int(reader.readline())
        message: dict[str, Any] = json.loads(reader.read(size))
    return message


def _send(stream: socket.socket, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    stream.sendall(b"%d\n" % len(body) + body)
