"""What Cloudflare accepts as a DNS record.

Owns the rules of one record and of its neighbours in the zone, with their error codes. It refuses to own where records
are kept and who may ask.

Codes and words: Cloudflare's API reference and its answers as people report them; 1004 where no own code is known.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

Fields = Mapping[str, Any]
Fault = tuple[int, str]
"""Cloudflare's code and message."""

ADDRESSES = ("A", "AAAA")
PROXIABLE = (*ADDRESSES, "CNAME")
TYPES = (
    "A", "AAAA", "CNAME", "MX", "NS", "OPENPGPKEY", "PTR", "TXT", "CAA", "CERT", "DNSKEY", "DS", "HTTPS", "LOC",
    "NAPTR", "SMIMEA", "SRV", "SSHFP", "SVCB", "TLSA", "URI",
)  # fmt: skip
_NAMES = ("CNAME", "MX", "NS", "PTR")
"""Types whose content is a name."""
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_TTL = range(60, 86_401)
_AUTOMATIC = 1
# Not simply "not global": 192.0.2.1 and 100:: are what Cloudflare itself recommends for a name without an origin.
_UNREACHABLE = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::1/128",
        "fc00::/7", "fe80::/10",
    )
]  # fmt: skip


def normal(name: str, domain: str) -> str:
    """The name as the API gives it back: whole, lower case, no trailing dot; ``@`` is the zone itself."""
    plain = name.lower().rstrip(".")
    if plain == "@":
        return domain
    # One label without a dot is below the zone. With dots Cloudflare would append the zone to a foreign name too, and
    # make a record nobody meant; such a name is refused here (`fault_alone`).
    return f"{plain}.{domain}" if "." not in plain and plain != domain else plain


def normal_content(kind: str, content: Any) -> Any:
    """The content as the API gives it back: a name without its trailing dot."""
    return content.rstrip(".") if kind in _NAMES and isinstance(content, str) else content


def fault_alone(record: Fields, domain: str) -> Fault | None:
    """What is wrong with a record by itself; its name is normal already."""
    name, kind, content = record["name"], record["type"], record.get("content")
    if not _is_name(name):
        return 9000, "DNS name is invalid."
    if name != domain and not name.endswith(f".{domain}"):
        return 1004, f"DNS Validation Error: {name} is not a name in the zone {domain}."
    if kind not in TYPES:
        return 9002, "Invalid DNS record type."
    ttl = record.get("ttl")
    if ttl != _AUTOMATIC and ttl not in _TTL:
        return 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic."
    if content is None:
        return None if record.get("data") else (1004, "DNS Validation Error: content is a required field.")
    return _fault_of_content(name, kind, str(content)) or _fault_of_proxying(record, kind, str(content))


def _fault_of_content(name: str, kind: str, content: str) -> Fault | None:
    if kind in ADDRESSES:
        address = _address(content)
        version, code = (4, 9005) if kind == "A" else (6, 9006)
        if address is None or address.version != version:
            return code, f"Content for {kind} record must be a valid IPv{version} address."
    if kind == "CNAME":
        target = content.lower().rstrip(".")
        if not _is_name(target) or _address(target) is not None:
            return 9007, "Content for CNAME record is invalid."
        if target == name:
            return 9039, "CNAME content cannot reference itself."
    return None


def _fault_of_proxying(record: Fields, kind: str, content: str) -> Fault | None:
    if not record.get("proxied"):
        return None
    if kind not in PROXIABLE:
        return 9004, "This record type cannot be proxied."
    address = _address(content)
    if address is not None and any(address in network for network in _UNREACHABLE):
        return 9003, f"Target {content} is not allowed for a proxied record."
    if record.get("ttl") != _AUTOMATIC:
        return 9021, "ttl must be set to 1 when `proxied` is true"
    return None


def fault_among(record: Fields, others: Iterable[Fields]) -> Fault | None:
    """What is wrong with a record beside the zone's ``others``."""
    for other in others:
        if other["name"] != record["name"]:
            continue
        if other["type"] == record["type"] and _same_content(other, record):
            return 81058, "An identical record already exists."
        clash = _clash(str(record["type"]), str(other["type"]))
        if clash:
            return clash
    return None


def _clash(new: str, old: str) -> Fault | None:
    """What is wrong with a record of one type beside one of another at the same name."""
    if new == "CNAME" and old in PROXIABLE:
        return 81053, "An A, AAAA, or CNAME record with that host already exists."
    if new in ADDRESSES and old == "CNAME":
        return 81054, "A CNAME record with that host already exists."
    if "NS" in (new, old) and new != old and {new, old} & set(PROXIABLE):
        return 81056, "NS records with that host already exist."
    return None


def _same_content(one: Fields, two: Fields) -> bool:
    keys = ("content", "data", "priority")
    return all(one.get(key) == two.get(key) for key in keys)


def _is_name(name: str) -> bool:
    labels = name.split(".")
    if labels[0] == "*" and len(labels) > 1:
        labels = labels[1:]
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
