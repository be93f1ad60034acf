"""What to type after an interrupted `pulumi up` on real machines, in the names of one's own stack.

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
    cut = cut_off(state)
    if not cut:
        return "No create was cut off: `pulumi up` goes on by itself."
    told = [advice for resource in cut for advice in all_advice(resource)]
    lines = ["First `pulumi up`: what can be made again is. Only what then fails with these words needs its commands:"]
    for one in told:
        lines += ["", f"{one.name}: {one.sign}", f"    {one.why}", *(f"    {command}" for command in one.commands)]
    if not told:
        lines = ["`pulumi up` goes on by itself: everything that was cut off can be made again."]
    return "\n".join([*lines, "", "When all is well, end the engine's warning:", f"    {CLEAR}"])


if __name__ == "__main__":
    print(page(json.load(sys.stdin)["deployment"]))
