"""The keys of one rehearsal: an SSH key pair and an API token nobody outside the rack would accept.

Owns their making, from the standard library alone: a laptop need not have ssh-keygen, and no package in the lock signs.
Refuses to be used for anything that lasts: the arithmetic below is right, but not hardened against who measures time.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import string
import struct
import textwrap
from dataclasses import dataclass

# Curve25519 in Edwards form, RFC 8032 section 5.1.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_BASE_Y = 4 * pow(5, -1, _P) % _P

Point = tuple[int, int]


@dataclass(frozen=True)
class SshKey:
    """An Ed25519 pair: `private` in OpenSSH's own format, `public` as a line for authorized_keys."""

    private: str
    public: str


def api_token() -> str:
    """A token of the form Cloudflare hands out: 40 characters, letters, digits, `-` and `_`."""
    return "".join(secrets.choice(string.ascii_letters + string.digits + "-_") for _ in range(40))


def passphrase() -> str:
    """What encrypts the secrets in one rack's state."""
    return secrets.token_urlsafe(32)


def ssh_key(comment: str, seed: bytes | None = None) -> SshKey:
    """A fresh pair, without a passphrase; `seed` (32 bytes) fixes it."""
    seed = seed or secrets.token_bytes(32)
    public = ed25519_public(seed)
    blob = _string(b"ssh-ed25519") + _string(public)
    check = secrets.token_bytes(4)
    inner = check + check + blob + _string(seed + public) + _string(comment.encode())
    inner += bytes(range(1, 1 + -len(inner) % 8))
    outer = b"openssh-key-v1\0" + _string(b"none") + _string(b"none") + _string(b"")
    outer += struct.pack(">I", 1) + _string(blob) + _string(inner)
    body = "\n".join(textwrap.wrap(base64.b64encode(outer).decode(), 70))
    return SshKey(
        private=f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}\n-----END OPENSSH PRIVATE KEY-----\n",
        public=f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}",
    )


def ed25519_public(seed: bytes) -> bytes:
    """The 32-byte public key of a 32-byte secret (RFC 8032, 5.1.5)."""
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = (digest[31] & 127) | 64
    x, y = _times(int.from_bytes(digest, "little"), (_recover_x(_BASE_Y), _BASE_Y))
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _string(value: bytes) -> bytes:
    """SSH's wire form of a byte string: its length, then itself (RFC 4251, section 5)."""
    return struct.pack(">I", len(value)) + value


def _recover_x(y: int) -> int:
    """The even x of the point with this y."""
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P)
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    return x if x % 2 == 0 else _P - x


def _add(a: Point, b: Point) -> Point:
    (x1, y1), (x2, y2) = a, b
    product = _D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, _P)
    y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, _P)
    return x % _P, y % _P


def _times(scalar: int, point: Point) -> Point:
    total: Point = (0, 1)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point = _add(point, point)
        scalar >>= 1
    return total
