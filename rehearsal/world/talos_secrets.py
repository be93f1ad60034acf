"""The secrets of a Talos cluster: made once, believable in shape, random in value.

Owns the making of a bundle and of client credentials. It refuses to own real cryptography: a certificate here is PEM
around random bytes, and the World itself remembers which authority issued what.
"""

from __future__ import annotations

import base64
import secrets
import string
from typing import Any

_ALPHABET = string.ascii_lowercase + string.digits


def _pem(label: str, size: int) -> str:
    """Base64 of a PEM block around random bytes, the form Talos keeps certificates and keys in."""
    body = base64.encodebytes(secrets.token_bytes(size)).decode()
    return base64.b64encode(f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()).decode()


def certificate() -> str:
    """A certificate."""
    return _pem("CERTIFICATE", 320)


def key(kind: str = "ED25519 PRIVATE KEY") -> str:
    """A private key."""
    return _pem(kind, 48)


def token() -> str:
    """A bootstrap token, ``abcdef.0123456789abcdef``."""
    letters = [secrets.choice(_ALPHABET) for _ in range(22)]
    return f"{''.join(letters[:6])}.{''.join(letters[6:])}"


def client_of(authority: str) -> dict[str, str]:
    """A client's credentials issued by ``authority`` (its certificate)."""
    return {"caCertificate": authority, "clientCertificate": certificate(), "clientKey": key()}


def machine_secrets() -> dict[str, Any]:
    """A new bundle in the provider's shape (``MachineSecrets``, camelCase), every value plain."""
    random = [base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2)]
    return {
        "certs": {
            "etcd": {"cert": certificate(), "key": key("EC PRIVATE KEY")},
            "k8s": {"cert": certificate(), "key": key("EC PRIVATE KEY")},
            "k8sAggregator": {"cert": certificate(), "key": key("EC PRIVATE KEY")},
            "k8sServiceaccount": {"key": key("RSA PRIVATE KEY")},
            "os": {"cert": certificate(), "key": key()},
        },
        "cluster": {"id": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(), "secret": random[0]},
        "secrets": {"bootstrapToken": token(), "secretboxEncryptionSecret": random[1]},
        "trustdinfo": {"token": token()},
    }


SECRET_LEAVES = frozenset(
    {"key", "secret", "bootstrapToken", "secretboxEncryptionSecret", "aescbcEncryptionSecret", "token"}
)
"""Names of the fields of a bundle that are secret; certificates and ``cluster.id`` are not."""

SHAPE: dict[str, Any] = {
    "certs": {
        "etcd": {"cert": True, "key": True},
        "k8s": {"cert": True, "key": True},
        "k8sAggregator": {"cert": True, "key": True},
        "k8sServiceaccount": {"key": True},
        "os": {"cert": True, "key": True},
    },
    "cluster": {"id": True, "secret": True},
    "secrets": {"bootstrapToken": True, "secretboxEncryptionSecret": True, "aescbcEncryptionSecret": False},
    "trustdinfo": {"token": True},
}
"""The fields of ``MachineSecrets``; ``True`` means required."""


def misshapen(value: Any, shape: dict[str, Any], path: str) -> tuple[str, str] | None:
    """The first ``(path, reason)`` by which ``value`` is not of ``shape``: an unknown or a missing attribute."""
    if not isinstance(value, dict):
        return path, "Invalid type. Expected an object."
    for name in value:
        if name not in shape:
            return f"{path}.{name}", f"Invalid or unknown key. Examine values at '{path}.{name}'."
    for name, inner in shape.items():
        if isinstance(inner, dict):
            found = misshapen(value.get(name), inner, f"{path}.{name}")
            if found:
                return found
        elif inner and not isinstance(value.get(name), str):
            return f"{path}.{name}", f'Missing required argument. The argument "{path}.{name}" is required.'
    return None
