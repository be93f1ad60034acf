"""What to type after an interrupted `pulumi up` or `pulumi destroy` on real machines, in the names of one's own stack.

    pulumi stack export | .venv/bin/python -m cli.resuming

Owns the page. Refuses to run anything, and to know the commands (`stacks.resuming`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from stacks.resuming import CLEAR, all_advice, cut_off


def page(state: Mapping[str, Any]) -> str:
    """The page for a deployment as `pulumi stack export` gives it."""
    made, changed = cut_off(state), cut_off(state, "changing")
    if not made and not changed:
        return "Nothing was cut off: `pulumi up` goes on by itself."
    told = [advice for resource in made for advice in all_advice(resource)]
    told += [advice for resource in changed for advice in all_advice(resource, "changing")]
    lines = [
        "First the same again: what can be done again is. Only what then fails with these words needs its commands:"
    ]
    for one in told:
        lines += ["", f"{one.name}: {one.sign}", f"    {one.why}", *(f"    {command}" for command in one.commands)]
    if not told:
        lines = ["The same again goes on by itself: everything that was cut off can be done again."]
    if made:
        lines += ["", "When all is well, end the engine's warning:", f"    {CLEAR}"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(page(json.load(sys.stdin)["deployment"]))
