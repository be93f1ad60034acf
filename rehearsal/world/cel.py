"""Talos' expressions about disks: the part of CEL that they are written in.

Owns reading and evaluating one expression in Talos' `DiskLocator` environment (machinery 1.12, `cel/celenv`), with its
types: an integer is not a `uint`, an unknown field is an error. It refuses every other part of CEL, by name: macros,
maps, durations, `?:`, regular expressions. No library does this: those on the package index check no types, and bring
a native module or a terminal's toolkit along.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from typing import Any

_UNITS = {f"{letter}{kind}": (1000 if kind == "B" else 1024) ** power
          for power, letter in enumerate("kMGTPE", 1) for kind in ("B", "iB")}  # fmt: skip
_UNITS["KiB"] = _UNITS.pop("kiB")
_TOKEN = re.compile(
    r"\s*(?:(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')|(?P<number>\d+u?)(?![\w.])|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>&&|\|\||==|!=|<=|>=|[-!<>+*/%().,\[\]?:{}]))"
)
_PLAIN: dict[type, str] = {str: "string", bool: "bool", int: "int", list: "list"}


class NoCel(Exception):
    """The expression is none, or not one of those that the rack knows; the message says which and where."""


class Uint(int):
    """An unsigned integer, which CEL does not mix with signed ones."""


_PLAIN[Uint] = "uint"
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
_COUNTED: dict[str, Callable[[Any, Any], int]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
}
_ON_TEXT: dict[str, Callable[[str, str], bool]] = {
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "contains": lambda text, part: part in text,
}


def holds(expression: str, disk: Mapping[str, Any], *, system_disk: bool) -> bool:
    """Whether ``expression`` holds for ``disk``, whose values are ``str``, ``bool``, ``Uint`` or ``list[str]``.

    Both sides of ``&&`` and ``||`` are looked at, as a compiler would: ``NoCel`` for a wrong one on either.
    """
    reader = _Reader(expression, disk, system_disk)
    value = reader.either()
    reader.end()
    if not isinstance(value, bool):
        raise NoCel(f"expression output type is {_PLAIN[type(value)]}, expected bool")
    return value


class _Reader:
    """Reads from left to right and computes on the way."""

    def __init__(self, expression: str, disk: Mapping[str, Any], system_disk: bool) -> None:
        self._text, self._disk, self._system_disk = expression, disk, system_disk
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while expression[at:].strip():
            found = _TOKEN.match(expression, at)
            if found is None:
                raise NoCel(f"Syntax error at column {at + 1} of `{expression}`: {expression[at:].strip()[:12]}")
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        self._at = 0

    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end")

    def _take(self, *wanted: str) -> str:
        """The next token when it is one of ``wanted``, ``""`` when not."""
        kind, text = self._next()
        if kind == "string" or text not in wanted:
            return ""
        self._at += 1
        return text

    def _need(self, wanted: str) -> None:
        if not self._take(wanted):
            raise NoCel(f"Syntax error in `{self._text}`: expected {wanted}, found {self._next()[1]}")

    def end(self) -> None:
        """Nothing may follow."""
        if self._next()[0] != "end":
            raise NoCel(f"`{self._next()[1]}` in `{self._text}` is no part of CEL that this rack knows")

    def either(self) -> Any:
        """``a || b``"""
        left = self._both()
        while self._take("||"):
            right = self._both()
            left = self._bool("||", left) | self._bool("||", right)
        return left

    def _both(self) -> Any:
        left = self._relation()
        while self._take("&&"):
            right = self._relation()
            left = self._bool("&&", left) & self._bool("&&", right)
        return left

    def _bool(self, sign: str, value: Any) -> bool:
        if not isinstance(value, bool):
            self._no_overload(sign, value)
        return bool(value)

    def _relation(self) -> Any:
        left = self._sum()
        sign = self._take(*_COMPARED, "in")
        if not sign:
            return left
        right = self._sum()
        if sign == "in":
            if not isinstance(right, list) or not isinstance(left, str):
                self._no_overload("in", left, right)
            return left in right
        if type(left) is not type(right) or (sign not in ("==", "!=") and isinstance(left, list)):
            self._no_overload(sign, left, right)
        return _COMPARED[sign](left, right)

    def _sum(self) -> Any:
        left = self._product()
        while sign := self._take("+", "-"):
            left = self._counted(sign, left, self._product())
        return left

    def _product(self) -> Any:
        left = self._unary()
        while sign := self._take("*"):
            left = self._counted(sign, left, self._unary())
        return left

    def _counted(self, sign: str, left: Any, right: Any) -> Any:
        if type(left) is not type(right) or type(left) not in (int, Uint):
            self._no_overload(sign, left, right)
        return type(left)(_COUNTED[sign](left, right))

    def _unary(self) -> Any:
        if self._take("!"):
            return not self._bool("!", self._unary())
        value = self._primary()
        while self._take("."):
            value = self._method(value)
        return value

    def _primary(self) -> Any:
        kind, text = self._next()
        self._at += 1
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            return Uint(text[:-1]) if text.endswith("u") else int(text)
        if text == "(":
            value = self.either()
            self._need(")")
            return value
        if text == "[":
            return self._list()
        if kind == "name":
            return self._named(text)
        raise NoCel(f"Syntax error in `{self._text}` at {text}")

    def _list(self) -> list[Any]:
        found: list[Any] = []
        while not self._take("]"):
            found.append(self.either())
            if not self._take(","):
                self._need("]")
                break
        return found

    def _named(self, name: str) -> Any:
        known: dict[str, Any] = {"true": True, "false": False, "system_disk": self._system_disk}
        if name in known:
            return known[name]
        if name in _UNITS:
            return Uint(_UNITS[name])
        if name == "disk":
            self._need(".")
            field = self._next()[1]
            self._at += 1
            if field not in self._disk:
                raise NoCel(f"undefined field '{field}' of disk in `{self._text}`; there are {', '.join(self._disk)}")
            return self._disk[field]
        if name == "glob":
            pattern, text = self._arguments("glob", 2)
            return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]").replace("?", "[?]"))
        raise NoCel(f"undeclared reference to '{name}' in `{self._text}`, or no part of CEL that this rack knows")

    def _method(self, value: Any) -> bool:
        name = self._next()[1]
        self._at += 1
        if name not in _ON_TEXT:
            raise NoCel(f"`.{name}` in `{self._text}` is no part of CEL that this rack knows")
        (part,) = self._arguments(name, 1)
        if not isinstance(value, str):
            self._no_overload(name, value, part)
        return _ON_TEXT[name](value, part)

    def _arguments(self, name: str, number: int) -> list[str]:
        self._need("(")
        found = [self.either()]
        while self._take(","):
            found.append(self.either())
        self._need(")")
        if len(found) != number or not all(isinstance(each, str) for each in found):
            self._no_overload(name, *found)
        return found

    def _no_overload(self, sign: str, *values: Any) -> None:
        types = ", ".join(_PLAIN[type(value)] for value in values)
        raise NoCel(f"found no matching overload for '{sign}' applied to '({types})' in `{self._text}`")
