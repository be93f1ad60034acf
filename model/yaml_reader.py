"""YAML as the engine reads it (Go's yaml.v3), or not at all.

Owns building the object: keys, anchors, merges, limits. Refuses what the two readers would understand otherwise, or the
engine would drop in silence: duplicate keys, tags, points in time, keys that are no text, a second document.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml import events

from model.findings import Finding
from model.yaml_scalars import NotAText, resolve

DEEPEST = 64
"""Levels of nesting; the deepest lab has ten."""
LARGEST = 4_000_000
"""Characters of a stack file; a lab of 1,000 nodes has 150,000."""
MOST = 400_000
"""Values in a document, each alias counted as what it stands for."""
STR = "tag:yaml.org,2002:str"


class Unreadable(Exception):
    """The text is no document that can be used; carries the finding that says so."""

    def __init__(self, code: str, message: str, hint: str, line: int | None = None) -> None:
        super().__init__(message)
        where = f"line {line}" if line else "the file"
        self.finding = Finding(code, "error", where, message, hint)


class _Merge(str):
    """The key `<<` when it is not quoted."""

    __slots__ = ()


_MERGE = _Merge("<<")


@dataclass
class _Open:
    """A collection whose end has not been read yet."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    line: int
    key: str | None = None
    has_key: bool = False
    size: int = 1
    merges: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)


class Reader:
    """Builds the object out of YAML events, by hand: no recursion, no tags, every key checked."""

    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("\ufeff")
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: list[_Open] = []
        self._repeated: list[Finding] = []
        self._size = 0
        self._root: Any = None

    def document(self) -> tuple[Any, list[Finding]]:
        """(the object, a finding for each repeated key). Errors: Unreadable."""
        if len(self._text) > LARGEST:
            raise Unreadable("document-size", f"the file has {len(self._text)} characters", f"{LARGEST} are the most")
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = 0
        try:
            for event in yaml.parse(self._text, Loader=loader):
                documents += isinstance(event, events.DocumentStartEvent)
                if documents > 1:
                    raise Unreadable(
                        "document-many",
                        "the file holds a second document, which the engine skips",
                        "remove the --- line",
                        _line(event),
                    )
                self._event(event)
        except yaml.MarkedYAMLError as error:
            raise Unreadable(
                "document-yaml", error.problem or "this is no YAML", "mend the YAML", _line_of(error)
            ) from None
        except (yaml.YAMLError, UnicodeError) as error:
            raise Unreadable(
                "document-yaml", f"the file is no YAML: {str(error).splitlines()[0]}", "save it as UTF-8 text"
            ) from None
        return self._root, self._repeated

    def _event(self, event: events.Event) -> None:
        if isinstance(event, events.ScalarEvent):
            self._add(self._scalar(event), 1, event.anchor, _line(event))
        elif isinstance(event, (events.MappingStartEvent, events.SequenceStartEvent)):
            self._begin(event)
        elif isinstance(event, (events.MappingEndEvent, events.SequenceEndEvent)):
            self._end()
        elif isinstance(event, events.AliasEvent):
            anchor = event.anchor or ""
            known = self._anchors.get(anchor)
            if known is None:
                message = f"*{anchor[:40]} stands for something that is not finished yet, or nowhere"
                raise Unreadable("document-alias", message, "write it out", _line(event))
            self._add(*known, None, _line(event), fresh=False)

    def _begin(self, event: events.CollectionStartEvent) -> None:
        mapping = isinstance(event, events.MappingStartEvent)
        if event.tag is not None:
            raise Unreadable(
                "document-tag",
                f"the tag {event.tag[:60]} is not understood alike everywhere",
                "leave it out",
                _line(event),
            )
        if len(self._open) >= DEEPEST:
            raise Unreadable(
                "document-depth", f"more than {DEEPEST} levels of nesting", "no lab needs so many", _line(event)
            )
        if self._open and isinstance(self._open[-1].value, dict) and not self._open[-1].has_key:
            raise Unreadable("document-key", "a mapping or list is used as a key", "keys are text", _line(event))
        self._anchors.pop(event.anchor or "", None)
        self._open.append(_Open({} if mapping else [], event.anchor, _line(event)))

    def _end(self) -> None:
        done = self._open.pop()
        if isinstance(done.value, dict):
            for merged in done.merges:
                done.value |= {key: value for key, value in merged.items() if key not in done.value}
        self._add(done.value, done.size, done.anchor, done.line)

    def _add(self, value: Any, size: int, anchor: str | None, line: int, *, fresh: bool = True) -> None:
        """Put a value of `size` values into what is open. Those of a fresh one were counted as they were read."""
        keyed = bool(self._open) and isinstance(self._open[-1].value, dict) and not self._open[-1].has_key
        if value is _MERGE and not keyed:
            value = str(value)
        self._size += 1 if fresh else size
        if self._size > MOST:
            raise Unreadable(
                "document-size", f"more than {MOST} values, aliases counted in full", "no lab needs so many", line
            )
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._open:
            self._root = value
            return
        holder = self._open[-1]
        holder.size += size
        if keyed:
            self._key(holder, value, line)
        elif isinstance(holder.value, list):
            holder.value.append(value)
        else:
            self._pair(holder, value, line)

    def _key(self, holder: _Open, key: Any, line: int) -> None:
        if not isinstance(key, str):
            shown = "nothing" if key is None else str(key)[:60]
            raise Unreadable(
                "document-key", f"the key {shown} is no text, and the engine refuses it", "put it in quotes", line
            )
        if key == _MERGE and key is not _MERGE:
            raise Unreadable("document-key", "the quoted key << is refused by the engine", "name it otherwise", line)
        if key in holder.seen:
            path = ".".join([*(one.key for one in self._open[:-1] if one.key is not None), key])
            message = f"'{key[:80]}' stands here twice, in lines {holder.seen[key]} and {line}"
            self._repeated.append(Finding("document-duplicate-key", "error", path, message, "leave one out"))
        holder.seen[key] = line
        holder.key, holder.has_key = key, True

    def _pair(self, holder: _Open, value: Any, line: int) -> None:
        key, holder.has_key = holder.key, False
        if key is _MERGE:
            several = value if isinstance(value, list) else [value]
            if not all(isinstance(one, dict) for one in several):
                raise Unreadable("document-merge", "<< merges mappings only", "name an anchor of a mapping", line)
            holder.merges += several
        elif isinstance(holder.value, dict) and key is not None:
            holder.value.setdefault(key, value)

    def _scalar(self, event: events.ScalarEvent) -> Any:
        if event.tag is not None and event.tag != STR:
            raise Unreadable(
                "document-tag",
                f"the tag {event.tag[:60]} is not understood alike everywhere",
                "leave it out",
                _line(event),
            )
        if event.tag == STR or event.style:
            return str(event.value)
        if event.value == "<<":
            return _MERGE
        try:
            return resolve(event.value)
        except NotAText as problem:
            raise Unreadable("document-scalar", str(problem), "put it in quotes", _line(event)) from None


def _line(event: events.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _line_of(error: yaml.MarkedYAMLError) -> int | None:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else None
