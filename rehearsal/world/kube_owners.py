"""Who owns which field of an object: server-side apply's conflicts.

Owns finding them and the API server's words (Kubernetes documentation, "Server-Side Apply"). It refuses to own what is
merged how (``kube_cluster``). A list counts as one field.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rehearsal.world.errors import Refusal

Body = dict[str, Any]
_IDENTITY = (("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace"))


def judge(managers: dict[str, Body], manager: str, body: Body) -> None:
    """``Refusal`` when ``body`` of ``manager`` says another value for a field that another manager has said."""
    wanted = dict(_leaves(body))
    found = [
        (other, path)
        for other, said in sorted(managers.items())
        if other != manager
        for path, value in _leaves(said)
        if path in wanted and wanted[path] != value
    ]
    if not found:
        return
    version = body["apiVersion"]
    listed = "; ".join(f'conflict with "{other}" using {version}: .{".".join(path)}' for other, path in found)
    count = f"{len(found)} conflict{'s' if len(found) > 1 else ''}"
    raise Refusal(f"Apply failed with {count}: {listed}")


def _leaves(body: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(body, dict) and body:
        for name, inner in body.items():
            yield from _leaves(inner, (*path, str(name)))
    elif path not in _IDENTITY and body is not None:
        yield path, body
