"""One call of one program on a simulated host: carried to the World, its answer carried back.

Started once for every program a command runs, so it imports next to nothing. Frames are a length line and JSON.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def _send(stream: socket.socket, message: dict[str, object]) -> None:
    body = json.dumps(message).encode()
    stream.sendall(b"%d\n" % len(body) + body)


def _receive(stream: socket.socket) -> dict[str, object]:
    size = b""
    while not size.endswith(b"\n"):
        size += stream.recv(1)
    body = b""
    while len(body) < int(size):
        body += stream.recv(65536)
    answer = json.loads(body)
    return dict(answer)


def main() -> int:
    """Ask, hand over standard input only when the program wants it, print what it printed."""
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(os.environ["RACK_SOCKET"])
    _send(stream, {"argv": [os.path.basename(sys.argv[1]), *sys.argv[2:]], "user": os.environ["RACK_USER"]})
    answer = _receive(stream)
    if answer.get("wants_stdin"):
        _send(stream, {"stdin": sys.stdin.buffer.read().decode("utf-8", "surrogateescape")})
        answer = _receive(stream)
    if "shell" in answer:
        os.environ["RACK_USER"] = str(answer["user"])
        arguments = [str(word) for word in answer["shell"]]  # type: ignore[attr-defined]  # JSON: a list of words
        os.execv(arguments[0], arguments)
    sys.stdout.write(str(answer["stdout"]))
    sys.stdout.flush()
    sys.stderr.write(str(answer["stderr"]))
    return int(str(answer["code"]))


if __name__ == "__main__":
    sys.exit(main())
