"""The keys of one rehearsal: an SSH key pair and an API token nobody outside the rack would accept.

Owns their making. Refuses to be used for anything that lasts.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


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
    pair = Ed25519PrivateKey.from_private_bytes(seed or secrets.token_bytes(32))
    private = pair.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = pair.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return SshKey(private=private.decode(), public=f"{public.decode()} {comment}")
