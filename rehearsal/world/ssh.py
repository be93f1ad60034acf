"""Who gets into a simulated host over SSH.

Owns sshd's decision: does the host answer, is its key the expected one, does the user exist, does the offered key
belong to one that is authorised. It refuses to own what is done once inside.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from typing import Any

from rehearsal.world.errors import Refusal


def public_half(private_key: str) -> str | None:
    """The public key inside an OpenSSH private key, ``<type> <base64>``; ``None`` if it is none or encrypted."""
    lines = [line.strip() for line in private_key.strip().splitlines()]
    if len(lines) < 3 or lines[0] != "-----BEGIN OPENSSH PRIVATE KEY-----":
        return None
    try:
        rest = base64.b64decode("".join(lines[1:-1]), validate=True).removeprefix(b"openssh-key-v1\0")
        cipher, rest = _field(rest)
        _, rest = _field(rest)
        _, rest = _field(rest)
        blob, _ = _field(rest[4:])
        kind, _ = _field(blob)
    except (ValueError, struct.error):
        return None
    return f"{kind.decode()} {base64.b64encode(blob).decode()}" if cipher == b"none" else None


def public_line(drawn: str) -> str:
    """A public key that follows from a text: nothing here checks a signature."""
    parts = (b"ssh-ed25519", hashlib.sha256(drawn.encode()).digest())
    blob = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def _field(data: bytes) -> tuple[bytes, bytes]:
    (size,) = struct.unpack(">I", data[:4])
    return data[4 : 4 + size], data[4 + size :]


def admit(host: dict[str, Any] | None, connection: dict[str, Any], authorized: list[str]) -> None:
    """Raise ``Refusal`` in the words of Go's SSH client when ``connection`` does not get into ``host``.

    ``authorized`` are the keys of the user that it names: none where there is no such user.
    """
    where = f"{connection['host']}:{int(connection.get('port') or 22)}"
    if host is None or host["stage"] != "running":
        raise _dial(f"dial tcp {where}: connect: no route to host{_why(host)}")
    if not where.endswith(f":{port(host)}") or host["host_key"] is None:
        raise _dial(f"dial tcp {where}: connect: connection refused")
    expected = connection.get("hostKey")
    if expected and not same_key(expected, host["host_key"]):
        raise _dial("ssh: handshake failed: ssh: host key mismatch")
    private = connection.get("privateKey")
    if private is not None and public_half(private) is None:
        readable = "PRIVATE KEY" in private
        raise Refusal("ssh: this private key is passphrase protected" if readable else "ssh: no key found")
    offered = public_half(private) if private else None
    known = offered is not None and any(same_key(offered, line) for line in authorized)
    if not known:
        tried = "[none publickey]" if offered else "[none]"
        raise _dial(
            "ssh: handshake failed: ssh: unable to authenticate, "
            f"attempted methods {tried}, no supported methods remain"
        )


def port(host: dict[str, Any]) -> int:
    """Where its sshd listens (sshd_config(5), ``Port``): in what was put beside Ubuntu's own configuration, or 22."""
    texts = (file["content"] for path, file in host["files"].items() if path.startswith("/etc/ssh/sshd_config.d/"))
    told = (re.search(r"^Port (\d+)$", text, re.MULTILINE) for text in texts)
    return next((int(found[1]) for found in told if found), 22)


def _why(host: dict[str, Any] | None) -> str:
    """What the dialler cannot know, for who must go and look."""
    return f" ({host['name']} stands at '{host['stage']}': {host['reason']})" if host and host["reason"] else ""


def same_key(one: str, other: str) -> bool:
    """Whether two OpenSSH public key lines are one key, comments aside."""
    return one.split()[:2] == other.split()[:2]


def _dial(reason: str) -> Refusal:
    return Refusal(f"unable to dial: {reason} (the provider keeps dialling: 10 times, or until the create timeout)")
