"""The secrets of a Talos cluster: made once, believable in shape, random in value.

Owns the making of a bundle and of client credentials. It refuses to own real cryptography: a certificate here is
random bytes that say when they end, and the World itself remembers which authority issued what.
"""

from __future__ import annotations

import base64
import re
import secrets
import string
from typing import Any

_BEGIN, _FOR_EVER = "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"
"""When certificates begin, and when those of authorities end: Talos gives them ten years, longer than any rehearsal."""
_ALPHABET = string.ascii_lowercase + string.digits


def _pem(label: str, size: int) -> str:
    """A PEM block around random bytes."""
    return _armoured(label, secrets.token_bytes(size))


def _armoured(label: str, content: bytes) -> str:
    """Base64 of a PEM block, the form Talos keeps certificates and keys in."""
    body = base64.encodebytes(content).decode()
    return base64.b64encode(f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()).decode()


def certificate(until: str = _FOR_EVER) -> str:
    """A certificate that ends at ``until``, RFC 3339: as much of X.509 as says so, around random bytes."""
    moments = b"".join(_der(0x18, _moment(each)) for each in (_BEGIN, until))
    version, serial = _der(0xA0, _der(0x02, b"\2")), _der(0x02, b"\1" + secrets.token_bytes(8))
    names = _der(0x30, b"") * 2
    signed = _der(0x30, version + serial + names + _der(0x30, moments) + _der(0x04, secrets.token_bytes(240)))
    return _armoured("CERTIFICATE", _der(0x30, signed))


def expires(certificate: str) -> str:
    """When a certificate ends, RFC 3339; one that does not say so never does."""
    body = "".join(base64.b64decode(certificate).decode().splitlines()[1:-1])
    found = re.findall(rb"\x18\x0f(\d{14})Z", base64.b64decode(body))
    digits = found[1].decode() if len(found) > 1 else _moment(_FOR_EVER).decode()
    date, time = (digits[:4], digits[4:6], digits[6:8]), (digits[8:10], digits[10:12], digits[12:14])
    return f"{'-'.join(date)}T{':'.join(time)}Z"


def _moment(text: str) -> bytes:
    """An RFC 3339 time as ASN.1's GeneralizedTime."""
    return text.translate(str.maketrans("", "", "-:T")).encode()


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + content


def key(kind: str = "ED25519 PRIVATE KEY") -> str:
    """A private key."""
    return _pem(kind, 48)


def token() -> str:
    """A bootstrap token, ``abcdef.0123456789abcdef``."""
    letters = [secrets.choice(_ALPHABET) for _ in range(22)]
    return f"{''.join(letters[:6])}.{''.join(letters[6:])}"


def client_of(authority: str, until: str) -> dict[str, str]:
    """A client's credentials issued by ``authority`` (its certificate), good until then."""
    return {"caCertificate": authority, "clientCertificate": certificate(until), "clientKey": key()}


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
