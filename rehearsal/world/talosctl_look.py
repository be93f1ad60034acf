"""What talosctl shows of a node.

Owns the printed forms (Talos 1.12, ``cmd/talosctl/cmd/talos``). It refuses to change anything.
"""

from __future__ import annotations

from rehearsal.world.host_tools import Failed, Result
from rehearsal.world.talosctl import Asked, Command, program


def _version(asked: Asked) -> Result:
    release = program(asked.call)
    short = "short" in asked.options
    said = f"Client:\n{'' if short else chr(9)}{'Talos ' if short else 'Tag:         '}{release}\n"
    return Result(said)


def _kubeconfig(asked: Asked) -> Result:
    if asked.words != ["-"]:
        raise Failed("the rack's talosctl writes a kubeconfig to standard output only (kubeconfig -)")
    if len(asked.nodes) != 1:
        raise Failed("kubeconfig is not supported with multiple nodes")
    found = asked.call.world.talos.kubeconfig(asked.nodes[0], asked.endpoints[0], asked.client)
    return Result(str(found["raw"]))


COMMANDS: dict[str, Command] = {
    "version": Command(_version, {"client": False, "short": False}, offline=True),
    "kubeconfig": Command(_kubeconfig, {"merge": False}),
}
