"""What kubectl shows of a cluster.

Owns the printed forms. It refuses to change anything.
"""

from __future__ import annotations

from rehearsal.world.host_tools import Failed, Result
from rehearsal.world.kubectl import Asked, Command


def _get(asked: Asked) -> Result:
    if asked.options.get("raw") == "/readyz":
        return Result("ok")
    raise Failed("the rack's kubectl was not taught this get")


COMMANDS: dict[str, Command] = {"get": Command(_get, {"raw": True})}
