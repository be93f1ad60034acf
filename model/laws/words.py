"""What several laws say alike: the nearest known name, a list in a sentence.

Owns phrases of hints. Refuses to judge.
"""

from collections.abc import Iterable
from difflib import get_close_matches

NEAR = 0.7
"""How alike two names are, 0 to 1, before one is taken for a slip of the other: `usw-24` and `usw-pro-24` are, `vala-1`
and `valinor-1` are two machines."""


def nearest(given: str, known: Iterable[str]) -> str:
    """The hint for a name that is not known."""
    names = sorted(known)
    near = get_close_matches(given, names, 1, NEAR)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {listed(names)}" if names else "there is none yet: add it"


def listed(names: Iterable[str], most: int = 6) -> str:
    """`a, b and c`; a long list is cut, with how many were left out."""
    every = list(names)
    if len(every) > most:
        return f"{', '.join(every[:most])} and {len(every) - most} more"
    return " and ".join(filter(None, [", ".join(every[:-1]), *every[-1:]]))
