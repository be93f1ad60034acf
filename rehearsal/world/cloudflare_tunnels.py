"""What Cloudflare accepts as a tunnel and as its rules.

Owns the rules, with their error codes. It refuses to own where tunnels are kept and who may ask.

The rules of ingress are cloudflared's (``ingress/ingress.go``), which Cloudflare applies to remote configurations too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

Fault = tuple[int, str]
"""Cloudflare's code and message."""

SOURCES = ("local", "cloudflare")
_SECRET_BYTES = 32
_STATUS = re.compile(r"http_status:[1-9]\d\d")
_SCHEMES = ("http", "https", "tcp", "ssh", "rdp", "smb", "unix", "unix+tls", "ws", "wss")
_FIXED = ("hello_world", "hello-world", "bastion", "socks-proxy")
_LAST = "The last ingress rule must match all URLs (i.e. it should not have a hostname or path filter)"
_WILDCARD = (
    'Hostname patterns can have at most one wildcard character ("*") and it can only be used for subdomains, e.g.'
    ' "*.example.com"'
)


def fault_of_secret(secret: Any) -> Fault | None:
    """A tunnel's secret is at least 32 bytes in base64. The words are assumed; the rule is the API reference's."""
    try:
        drawn = base64.b64decode(str(secret), validate=True)
    except (binascii.Error, ValueError):
        return 1002, "Bad Request: tunnel_secret must be encoded as a base64 string"
    if len(drawn) < _SECRET_BYTES:
        return 1002, f"Bad Request: tunnel_secret must be at least {_SECRET_BYTES} bytes"
    return None


def fault_of_ingress(rules: Sequence[Mapping[str, Any]]) -> Fault | None:
    """What is wrong with a tunnel's rules: ``{hostname?, path?, service}``, first match wins."""
    for index, rule in enumerate(rules):
        last = index == len(rules) - 1
        problem = (
            _of_hostname(rule, last) or _of_service(str(rule.get("service") or "")) or _of_place(rule, index, last)
        )
        if problem:
            return 1056, f"Bad Configuration: Validation failed: {problem}"
    return None if rules else (1056, f"Bad Configuration: Validation failed: {_LAST}")


def _of_hostname(rule: Mapping[str, Any], last: bool) -> str | None:
    hostname = rule.get("hostname") or ""
    if ":" in hostname:
        return "Hostname cannot contain a port"
    if "*" in hostname.removeprefix("*.") and not (hostname == "*" and last):
        return _WILDCARD
    return None


def _of_service(service: str) -> str | None:
    if _STATUS.fullmatch(service) or service in _FIXED or service.startswith(("unix:", "unix+tls:")):
        return None
    if service.startswith("http_status:"):
        return f"invalid HTTP status code: {service.partition(':')[2]}"
    parts = urlsplit(service)
    if parts.scheme not in _SCHEMES or not parts.netloc:
        return f"{service} is an invalid address, please make sure it has a scheme and a hostname"
    if parts.path:
        return (
            f"{service} is an invalid address, ingress rules don't support proxying to a different path on the origin"
            " service. The path will be the same as the eyeball request's path"
        )
    return None


def _of_place(rule: Mapping[str, Any], index: int, last: bool) -> str | None:
    everything = rule.get("hostname") in (None, "", "*") and not rule.get("path")
    if last and not everything:
        return _LAST
    if everything and not last:
        return (
            f"Rule #{index + 1} is matching the hostname '{rule.get('hostname') or ''}', but this will match every"
            " hostname, meaning the rules which follow it will never be triggered."
        )
    return None
