"""How layers of settings become one: all nodes, then the role, then the hardware class, then the node itself.

The rules, which are ours and not Talos' (Talos appends lists of several patches, so it is only ever given one):

- A mapping is merged key by key, however deep: a later layer changes what it names and keeps the rest.
- A list replaces the earlier list whole, unless its place is in `APPENDABLE`: there the later entries follow the
  earlier ones, and an entry that is there already is not added again.
- Any other value replaces the earlier one, a mapping or list too.
- A key set to null takes away what earlier layers said; nothing is left of the key.

Owns these rules. Refuses to know what the keys mean, but for the names of the lists that grow.
"""

from collections.abc import Iterable, Mapping
from typing import Any

Layer = Mapping[str, Any]

APPENDABLE = frozenset(
    {
        "cert_sans",
        "machine.files",
        "machine.kubelet.extraMounts",
        "machine.udev.rules",
        "machine.seccompProfiles",
        "cluster.apiServer.extraVolumes",
    }
)
"""Dotted places of the lists that grow from layer to layer: each entry stands for itself there."""


def merged(layers: Iterable[Layer], appendable: frozenset[str] = APPENDABLE) -> dict[str, Any]:
    """One mapping out of several, the most general first. Holds no null; the layers stay as they were."""
    result: dict[str, Any] = {}
    for layer in layers:
        result = _mappings(result, layer, "", appendable)
    return result


def _mappings(
    lower: Mapping[str, Any], upper: Mapping[str, Any], at: str, appendable: frozenset[str]
) -> dict[str, Any]:
    result = dict(lower)
    for key, value in upper.items():
        place = f"{at}.{key}" if at else str(key)
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _values(result.get(key), value, place, appendable)
    return result


def _values(lower: Any, upper: Any, at: str, appendable: frozenset[str]) -> Any:
    if isinstance(upper, Mapping):
        # Into nothing as well: a null inside a new mapping takes away nothing, and must not stay
        return _mappings(lower if isinstance(lower, Mapping) else {}, upper, at, appendable)
    if isinstance(upper, list | tuple):
        first = list(lower) if at in appendable and isinstance(lower, list | tuple) else []
        return first + [entry for entry in upper if entry not in first]
    return upper
