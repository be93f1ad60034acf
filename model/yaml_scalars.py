"""Plain YAML scalars as the engine's reader (Go's yaml.v3) resolves them.

Owns one scalar at a time. Refuses documents (`model.document`). Source: gopkg.in/yaml.v3, `resolve.go`.
"""

import math
import re
from datetime import UTC, datetime, timedelta, timezone

WORDS: dict[str, bool | float | None] = {
    word: value
    for value, words in (
        (True, ("true", "True", "TRUE")),
        (False, ("false", "False", "FALSE")),
        (None, ("", "~", "null", "Null", "NULL")),
        (math.nan, (".nan", ".NaN", ".NAN")),
        (math.inf, (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")),
        (-math.inf, ("-.inf", "-.Inf", "-.INF")),
    )
    for word in words
}
"""The only words with a meaning: yes, no, on and off are text."""

INTEGER = re.compile(r"[-+]?(0x[0-9a-f]+|0o[0-7]+|0b[01]+|0[0-7]*|[1-9][0-9]*)", re.IGNORECASE)
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
POINT = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?")
TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt](\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9})\d*)?(Z|[-+]\d{2}:\d{2})|"
    r" (\d{1,2}):(\d{1,2}):(\d{1,2})(?:[.,](\d{1,9})\d*)?)?",
    re.ASCII,
)


MOST = 2**63
"""From here on the engine turns an integer into a float, and rounds it."""


class NotAText(ValueError):
    """The scalar is something that no stack file has use for; the message says what."""


def resolve(text: str) -> object:
    """What an unquoted scalar is: bool, None, int, float or text.

    Errors: NotAText for a timestamp, which the engine would rewrite, and for a number that it would not keep.
    """
    if text in WORDS:
        found = WORDS[text]
        if isinstance(found, float):
            raise NotAText(f"{text} is not a number that can be kept")
        return found
    if text[0] == ".":
        return _float(text) if POINT.fullmatch(text) else text
    if not (text[0] in "+-" or (text[0].isascii() and text[0].isdigit())):
        return text
    if _is_time(text):
        raise NotAText(f"{text} unquoted is a point in time, and the engine rewrites it")
    plain = text.replace("_", "")
    if INTEGER.fullmatch(plain):
        return _integer(plain)
    return _float(plain) if FLOAT.fullmatch(plain) else text


def _integer(plain: str) -> int:
    """An integer in Go's spellings. Errors: NotAText when it does not fit 64 bits."""
    body = plain.lstrip("+-").lower()
    base = {"0x": 16, "0o": 8, "0b": 2}.get(body[:2], 8 if len(body) > 1 and body[0] == "0" else 10)
    number = int(body, base) if len(body) <= 66 else MOST
    return _kept(number * (-1 if plain[0] == "-" else 1), plain)


def _float(plain: str) -> int | float:
    """A float as it survives the engine's JSON: a whole one comes back as an integer."""
    number = float(plain)
    if math.isinf(number):
        raise NotAText(f"{plain[:40]} is more than a number can be")
    return _kept(int(number), plain) if number.is_integer() else number


def _kept(number: int, plain: str) -> int:
    if -MOST <= number < MOST:
        return number
    raise NotAText(f"{plain[:40]} has more digits than the engine keeps")


def _is_time(text: str) -> bool:
    match = TIME.fullmatch(text)
    if not match:
        return False
    year, month, day, *rest = match.groups()
    hour, minute, second = (int(part or other or 0) for part, other in zip(rest[0:3], rest[5:8], strict=True))
    zone = rest[4]
    try:
        datetime(max(int(year), 1), int(month), int(day), hour, minute, second, tzinfo=_zone(zone))
    except ValueError:
        return False
    return True


def _zone(text: str | None) -> timezone:
    if text in (None, "Z"):
        return UTC
    sign = -1 if text[0] == "-" else 1
    return timezone(sign * timedelta(hours=int(text[1:3]), minutes=int(text[4:6])))
