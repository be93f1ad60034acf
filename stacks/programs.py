"""The programs that an `up` needs on the machine that runs it, beside the engine.

Owns saying beforehand that one is missing. Refuses to stop anything: whether it fits is asked by the first command of
the graph, on the machine where that runs.
"""

import os
import shutil

from model.environment import Environment
from model.findings import Finding

SIMULATED = "ILUVATAR_SIMULATED"
"""Set where commands run in a simulated world: what is on this machine's PATH then says nothing."""
_PURPOSE = {
    "talosctl": ("talos", "asks Talos, and upgrades it"),
    "kubectl": ("kubernetes", "asks Kubernetes whether it is ready"),
}
"""Program → whose version it has, and what it does."""


def missing(environment: Environment) -> list[Finding]:
    """A note for each program that is not on PATH and that this environment's `up` will call."""
    if environment.cluster is None or os.environ.get(SIMULATED):
        return []
    return [
        Finding(
            "tool-missing",
            "note",
            f"versions.{of}",
            f"{program} is not on this machine's PATH: it {does}; an up stops before it touches a machine",
            f"install {program} {getattr(environment.versions, of)} where you run pulumi",
        )
        for program, (of, does) in _PURPOSE.items()
        if shutil.which(program) is None
    ]
