"""What is wrong with an environment's shape, in words, and the largest part of it that is still well-shaped.

Owns turning pydantic's errors into findings, and pruning. Refuses to know what values mean to each other.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from model.environment import Environment
from model.fields import Parsed
from model.findings import Finding, one_line

Location = tuple[int | str, ...]

NO_NAME = "a-name-that-nobody-could-read"
"""Stands in for an environment's name. Whoever judges a name outside the laws is silent about this one."""

STAND_INS: Mapping[Location, Any] = {
    ("name",): NO_NAME,
    ("domain",): "unnamed.example",
    ("versions",): {},
    ("network", "router"): {"address": "0.0.0.0"},
}
"""What takes the place of a required part that is broken, so that the rest can still be examined. Findings about a
stand-in are held back like those about any pruned part."""

KINDS = {
    "string_type": "text",
    "string_unicode": "readable text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "tuple_type": "a list",
}
_GONE = object()
ROUNDS = 12
"""No shape is nested deeper; each round prunes at least one level of what is broken."""


def dotted(location: Location) -> str:
    """`cluster.nodes.valinor-1.address`; a part that holds a dot itself is quoted. The root is an empty path."""
    parts = (one_line(str(part)) for part in location)
    return ".".join(f'"{part}"' if "." in part else part for part in parts)


def shape(raw: object) -> tuple[Environment | None, list[Finding], tuple[str, ...]]:
    """(what could be built, every finding about the shape, the paths of the parts that were left out of it).

    A misspelt key leaves out the key that was meant, too, which is then not said to be missing.
    """
    try:
        return Environment.model_validate(raw), [], ()
    except ValidationError as errors:
        found = errors.errors(include_url=False)
    meant = {_meant(error["loc"]) for error in found if error["type"] == "extra_forbidden"}
    said = (_finding(error, raw) for error in found if error["type"] != "missing" or error["loc"] not in meant)
    findings = {(f.code, f.path): f for f in said}
    pruned: set[Location] = set()
    for _ in range(ROUNDS):
        gone = {_removable(error, raw) for error in found}
        if () in gone or not isinstance(raw, dict):
            return None, list(findings.values()), ()
        raw = _without(raw, gone, pruned)
        pruned |= gone
        try:
            left_out = tuple(sorted(dotted(location) for location in pruned | meant))
            return Environment.model_validate(raw), list(findings.values()), left_out
        except ValidationError as errors:
            found = errors.errors(include_url=False)
    return None, list(findings.values()), ()


def _removable(error: ErrorDetails, raw: object) -> Location:
    """The part to leave out for one error: the value itself, or what cannot be without it."""
    location = _real(error["loc"], raw)
    if error["type"] == "missing" and location not in STAND_INS:
        return location[:-1]
    return location


def _real(location: Location, raw: Any) -> Location:
    """The location as far as the YAML goes: pydantic adds `[key]` for a bad key, and the member's name in a union."""
    real: list[int | str] = []
    here = raw
    for part in location:
        inside = _inside(here, part)
        if inside is _GONE:
            named = isinstance(here, dict) and part == location[-1] and part != "[key]"
            return (*real, part) if named else tuple(real)
        real.append(part)
        here = inside
    return tuple(real)


def _inside(holder: Any, part: int | str) -> Any:
    """What stands at one key or index, or `_GONE`."""
    if isinstance(holder, dict):
        return holder.get(part, _GONE)
    return holder[part] if isinstance(holder, (list, tuple)) and isinstance(part, int) else _GONE


def _without(raw: dict[Any, Any], gone: set[Location], before: set[Location]) -> dict[Any, Any]:
    """A copy of `raw` without some parts. Only what changes is copied, so that depth and size do not matter."""
    result = dict(raw)
    copied: dict[Location, Any] = {(): result}
    for location in sorted(gone, key=lambda where: (len(where), [str(p) for p in where]), reverse=False):
        if any(location[:n] in gone for n in range(1, len(location))):
            continue
        holder = _own(copied, location[:-1])
        if location in STAND_INS and location not in before:
            holder[location[-1]] = STAND_INS[location]
        elif isinstance(holder, dict):
            holder.pop(location[-1], None)
        elif isinstance(holder, list) and isinstance(location[-1], int):
            holder[location[-1]] = _GONE
    for holder in copied.values():
        if isinstance(holder, list):
            holder[:] = [item for item in holder if item is not _GONE]
    return result


def _own(copied: dict[Location, Any], location: Location) -> Any:
    """The container at a location, copied on the way down so that the caller's object stays as it was."""
    for length in range(1, len(location) + 1):
        here = location[:length]
        if here not in copied:
            holder, inside = copied[here[:-1]], copied[here[:-1]][here[-1]]
            copied[here] = dict(inside) if isinstance(inside, dict) else list(inside)
            holder[here[-1]] = copied[here]
    return copied[location]


def _finding(error: ErrorDetails, raw: object) -> Finding:
    location, kind = _real(error["loc"], raw), error["type"]
    context = error.get("ctx", {})
    if "hint" in context:
        return Finding(kind, "error", dotted(location), error["msg"], str(context["hint"]))
    if kind == "missing":
        return _missing(location)
    if kind == "extra_forbidden":
        return _unknown_key(location)
    if kind == "literal_error":
        return _choice(location, error["input"], str(context["expected"]))
    if kind in ("too_short", "string_too_short"):
        what = "is empty" if not error["input"] else "is too short"
        return Finding(
            "shape-empty", "error", dotted(location), f"{_last(location)} {what}", "give at least one, or leave it out"
        )
    if kind in KINDS:
        wanted = f"{_last(location)} is {KINDS[kind]}, not {shown(error['input'])}"
        return Finding("shape-type", "error", dotted(location), wanted, _type_hint(kind, error["input"]))
    bound = _bound(context)
    said = bound or f"something else ({error['msg'][:1].lower()}{error['msg'][1:]})"
    message = f"{_last(location)} is {said}, not {shown(error['input'])}"
    return Finding("shape-value", "error", dotted(location), message, f"write {bound or 'what docs/findings.md says'}")


def _missing(location: Location) -> Finding:
    where = dotted(location[:-1]) or "the environment"
    message = f"{where} has no {location[-1]}, and it is required"
    _, meaning = field_at(location)
    return Finding("shape-missing", "error", dotted(location), message, f"add {location[-1]}: {meaning}".rstrip(": "))


def _meant(location: Location) -> Location:
    """Where the key stands that an unknown one was meant to be; the unknown one itself where none is near."""
    model, _ = field_at(location[:-1])
    near = get_close_matches(str(location[-1]), keys_of(model), 1, 0.6)
    return (*location[:-1], *(near or location[-1:]))


def _unknown_key(location: Location) -> Finding:
    model, _ = field_at(location[:-1])
    known, near = keys_of(model), _meant(location)[-1]
    hint = f"did you mean '{near}'?" if near in known else f"known here: {', '.join(known)}"
    where = dotted(location[:-1]) or "the environment"
    return Finding(
        "shape-unknown-key", "error", dotted(location), f"{where} has no key '{shown_key(location[-1])}'", hint
    )


def _choice(location: Location, given: object, expected: str) -> Finding:
    words = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    near = get_close_matches(given.lower(), words, 1, 0.5) if isinstance(given, str) else []
    hint = f"did you mean '{near[0]}'?" if near else f"one of: {', '.join(words)}"
    message = f"{_last(location)} is one of {', '.join(words)}, not {shown(given)}"
    return Finding("shape-choice", "error", dotted(location), message, hint)


def _last(location: Location) -> str:
    if not location:
        return "the environment"
    return f"item {location[-1]} of {location[-2]}" if isinstance(location[-1], int) else shown_key(location[-1])


def shown_key(key: object) -> str:
    """A key as it can stand in a message: one line, not endless."""
    text = one_line(str(key))
    return text if len(text) <= 60 else f"{text[:57]}…"


def shown(value: object) -> str:
    """A value as it can stand in a message: one line, not endless."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return "a list" if isinstance(value, (list, tuple)) else "a mapping"
    if isinstance(value, int) and abs(value) >= 10**18:
        return "a number that long"
    return f"'{shown_key(value)}'"


def _type_hint(kind: str, given: object) -> str:
    if kind in ("string_type", "string_unicode") and isinstance(given, (int, float, bool)):
        return (
            f'write it in quotes: "{given}"'
            if not isinstance(given, int) or abs(given) < 10**18
            else "write it in quotes"
        )
    if kind.startswith("int") and isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 10:
        return f"write it without quotes: {int(given)}"
    if kind == "tuple_type" and isinstance(given, str):
        return f"put it in brackets: [{shown_key(given)}]"
    if kind in ("dict_type", "model_type") and isinstance(given, (list, tuple)):
        return "write `key: value` lines instead of a list"
    return f"write {KINDS[kind]}"


def _bound(context: Mapping[str, Any]) -> str:
    """The bound that a value broke, in words."""
    bounds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    found = [f"{words} {context[bound]}" for bound, words in bounds.items() if bound in context]
    found += [f"at most {context['max_length']} characters"] if "max_length" in context else []
    return found[0] if found else ""


def keys_of(model: type[BaseModel] | None) -> list[str]:
    """The keys a shape knows, as they are written in the YAML."""
    if model is None:
        return []
    return [info.alias or name for name, info in model.model_fields.items()]


def field_at(location: Location) -> tuple[type[BaseModel] | None, str]:
    """(the shape at a location, or None when no mapping with fixed keys stands there; the field's first sentence)."""
    annotation: Any = Environment
    text = ""
    for part in location:
        model = _model(annotation)
        if model is None:
            annotation, text = _item(annotation), ""
            continue
        info = next((i for name, i in model.model_fields.items() if (i.alias or name) == part), None)
        if info is None:
            return None, ""
        annotation, text = info.annotation, _meaning(info)
    return _model(annotation), text


def _meaning(info: FieldInfo) -> str:
    """A field's first sentence, and what it looks like."""
    first = " ".join((info.description or "").split()).split(". ")[0].rstrip(".")
    example = next((one.example for one in info.metadata if isinstance(one, Parsed)), None)
    return f"{first} (such as {example})" if example else first


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType):
        return next((m for m in map(_model, get_args(annotation)) if m), None)
    return None


def _item(annotation: Any) -> Any:
    """What a mapping's or list's items are."""
    if get_origin(annotation) in (Union, UnionType):
        return next((i for i in map(_item, get_args(annotation)) if i is not None), None)
    arguments = [a for a in get_args(annotation) if a is not ...]
    return arguments[-1] if arguments else None
