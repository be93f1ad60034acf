"""Which keys of a cluster's store belong to a kind.

Owns an index, for every controller asks for kinds whenever anything was written. It refuses to own the store: whoever
takes a key out of it says so by ``forget``.
"""

from __future__ import annotations

from collections.abc import Collection


class Index:
    """Keys ``<kind>/<namespace>/<name>`` by kind, each kind's sorted."""

    def __init__(self) -> None:
        self._by_kind: dict[str, list[str]] = {}
        self._known = 0

    def forget(self) -> None:
        """A key is gone."""
        self._known = -1

    def of(self, kind: str, stored: Collection[str]) -> list[str]:
        """The keys of ``kind`` among those ``stored``."""
        if len(stored) != self._known:
            self._by_kind, self._known = {}, len(stored)
            for key in sorted(stored):
                self._by_kind.setdefault(key.partition("/")[0], []).append(key)
        return self._by_kind.get(kind, [])
