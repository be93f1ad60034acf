"""How objects end: finalizers, and what goes along.

Owns which of the objects that are to be deleted go now, and what hangs on them. It refuses to own who holds an object:
whoever put a finalizer there takes it away, or it stays for ever (Kubernetes documentation, "Finalizers").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Entry = dict[str, Any]
"""An object as a cluster stores it: ``object``, ``managers`` and, where a controller holds it, ``holds``."""


def finalizers(entry: Entry) -> list[str]:
    """Who holds an object: what each of its managers said, and its controllers."""
    said = [each for body in entry["managers"].values() for each in body["metadata"].get("finalizers") or ()]
    return list(dict.fromkeys([*said, *entry.get("holds", ())]))


def ended(stored: dict[str, Entry], now: str) -> Iterator[str]:
    """Keys of the objects to remove, one after the other, each gone before the next is asked for.

    What hangs on an object that is to be deleted is to be deleted, too: a namespace's content, a definition's objects,
    what an object owns.
    """
    while True:
        for entry in stored.values():
            if "deletionTimestamp" in entry["object"]["metadata"]:
                _mark(_content(stored, entry["object"]), now)
        key = next((key for key, entry in stored.items() if _may_go(stored, entry)), None)
        if key is None:
            return
        _mark(_owned(stored, stored[key]["object"]), now)
        yield key


def _mark(entries: list[Entry], now: str) -> None:
    for entry in entries:
        entry["object"]["metadata"].setdefault("deletionTimestamp", now)


def _may_go(stored: dict[str, Entry], entry: Entry) -> bool:
    going = "deletionTimestamp" in entry["object"]["metadata"]
    return going and not finalizers(entry) and not _content(stored, entry["object"])


def _content(stored: dict[str, Entry], body: Entry) -> list[Entry]:
    if body["kind"] == "Namespace":
        name = body["metadata"]["name"]
        return [each for each in stored.values() if each["object"]["metadata"].get("namespace") == name]
    if body["kind"] == "CustomResourceDefinition":
        defined = body["spec"]["names"]["kind"]
        return [each for each in stored.values() if each["object"]["kind"] == defined]
    return []


def _owned(stored: dict[str, Entry], body: Entry) -> list[Entry]:
    uid = body["metadata"]["uid"]
    return [
        each
        for each in stored.values()
        if any(owner["uid"] == uid for owner in each["object"]["metadata"].get("ownerReferences") or ())
    ]
