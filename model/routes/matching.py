"""Names, paths and who takes them: the Gateway API's own rules of matching, DNS' and TLS'.

Owns the rules. Refuses to know any gateway or route.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from model.closure.reading import items, mapping


def below(name: str, wildcard: str) -> bool:
    """Whether `*.example.com` takes a name as the Gateway API and cloudflared do: at any depth."""
    return wildcard.startswith("*.") and name.endswith(wildcard[1:]) and len(name) > len(wildcard) - 1


def takes(pattern: str | None, name: str) -> bool:
    """Whether a listener's, route's or rule's pattern takes a plain name; None takes every one."""
    return pattern is None or pattern in ("", "*") or pattern == name or below(name, pattern)


def meet(one: str | None, other: str | None) -> str | None:
    """What two patterns have in common, the narrower of them; None when nothing, an empty text when everything."""
    if not one or not other:
        return one or other or ""
    if one == other or below(one, other):
        return one
    return other if below(other, one) else None


def covers(certificate: Iterable[str], name: str) -> bool:
    """Whether a certificate's names cover one: a wildcard stands for exactly one label (RFC 6125, 6.4.3)."""
    parent = name.partition(".")[2]
    return any(one == name or (one.startswith("*.") and one[2:] == parent) for one in certificate)


def answered(names: Iterable[str], name: str) -> str | None:
    """Which of a zone's names answers for one: itself, or the wildcard of its closest encloser (RFC 4592, 3.3.1)."""
    known = set(names)
    if name in known:
        return name
    # A name exists, too, where only something below it is written: a wildcard above does not reach past it
    exists = {end for one in known for end in _ends(one.removeprefix("*."))}
    for end in list(_ends(name))[1:]:
        if f"*.{end}" in known:
            return f"*.{end}"
        if end in exists:
            return None
    return None


def _ends(name: str) -> Iterable[str]:
    """A name, and every name that it lies below: `a.b.c`, `b.c`, `c`."""
    while name:
        yield name
        name = name.partition(".")[2]


def weight(pattern: str | None) -> tuple[bool, int]:
    """How narrow a host pattern is: a plain name before a wildcard, a longer one before a shorter."""
    told = pattern or ""
    return (bool(told) and not told.startswith("*"), len(told))


def selects(selector: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    """Whether a label selector, `matchLabels` and `matchExpressions`, selects what has these labels."""
    plain = mapping(selector.get("matchLabels"))
    return all(labels.get(key) == value for key, value in plain.items()) and all(
        _holds(mapping(one), labels) for one in items(selector.get("matchExpressions"))
    )


def _holds(told: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = str(told.get("key")), items(told.get("values"))
    ways = {
        "In": key in labels and labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }
    return ways.get(str(told.get("operator")), False)
