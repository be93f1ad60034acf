"""``./lab artefact`` on the workstation: the real program, with the World's registry in place of the one outside.

Owns starting it and what it is shown of this machine: nothing but Python and the checkout. It refuses every other verb:
none belongs into an ``up``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rehearsal.world.host_tools import Call, Result

_ROOT = Path(__file__).resolve().parents[2]
_TIME_LIMIT = 100.0


def lab(call: Call) -> Result:
    """``sh ./lab artefact STACK [--if-absent]``. The stack is the rehearsed one, wherever its file lies."""
    words = call.argv[2:]
    world = call.world
    if call.host is not world.hosts.workstation:
        return Result(stderr=f"{call.tool}: 0: cannot open ./lab: No such file\n", code=2)
    if words[:1] != ["artefact"] or len(words) < 2 or world.stack_file is None:
        return Result(stderr=f"the rack runs ./lab artefact STACK, and not ./lab {' '.join(words)}\n", code=2)
    repository = str((world.environment.get("gitops") or {}).get("repository", "")).removeprefix("oci://")
    before = len(world.registry.repositories.get(repository, {"tags": {}})["tags"])
    environment = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    with (
        tempfile.TemporaryDirectory(prefix="rack-home-") as home,  # the person's own logins are none of ours
        world.registry.serving(repository.partition("/")[0]) as address,
    ):
        environment |= {"HOME": home, "DOCKER_CONFIG": home, "ILUVATAR_SIMULATED": "yes"}
        done = subprocess.run(
            [sys.executable, "-m", "cli", "artefact", str(world.stack_file), *words[2:]],
            cwd=_ROOT,
            env={**environment, "ILUVATAR_REGISTRY": address},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIME_LIMIT,
            check=False,
        )
    if len(world.registry.repositories.get(repository, {"tags": {}})["tags"]) > before:
        world.journal("push", kind="registry", subject=repository)
    return Result(done.stdout, done.stderr, done.returncode)
