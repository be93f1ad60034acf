"""kubectl on the machine that runs the local commands.

Owns the command line: which subcommands and options there are, and the kubeconfig. It refuses what nobody wrote
down. What a cluster holds is ``kube_cluster``'s, what the subcommands print ``kubectl_look``'s, what it
deletes by hand ``kubectl_delete``'s, what has to do with leaving ``leaving``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from rehearsal.world.errors import Refusal
from rehearsal.world.host_tools import Call, Failed, Result, Tool
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.talosctl import parsed, program

_EVERYWHERE = {"kubeconfig": True, "namespace": True, "request-timeout": True, "output": True, "selector": True}
_SHORT = {"n": "namespace", "o": "output", "l": "selector", "A": "all-namespaces"}


@dataclass
class Asked:
    """One call of a subcommand on ``cluster``: its ``options`` without dashes, its ``words``."""

    call: Call
    options: dict[str, str]
    words: list[str]
    cluster: Cluster

    @property
    def namespace(self) -> str:
        """Where it looks."""
        return self.options.get("namespace", "default")


@dataclass(frozen=True)
class Command:
    """A subcommand: what it does and its own options (whether each takes a value)."""

    run: Callable[[Asked], Result]
    options: Mapping[str, bool] = field(default_factory=dict)


def commands() -> dict[str, Command]:
    """Every subcommand there is, by its words."""
    from rehearsal.world import kubectl_delete, kubectl_look, leaving  # they need this module's names

    return kubectl_look.COMMANDS | kubectl_delete.COMMANDS | leaving.KUBECTL


def _kubectl(call: Call) -> Result:
    release = program(call)
    if release is None:
        return Result(stderr="kubectl: command not found\n", code=127)
    if call.argv[1:2] == ["version"]:
        return _version(call, release)
    known = commands()
    words = [word for word in call.argv[1:] if word in known]
    pairs = [f"{one} {two}" for one, two in zip(call.argv[1:], call.argv[2:], strict=False)]
    name = next((pair for pair in pairs if pair in known), words[0] if words else None)
    if name is None:
        raise Failed(
            f'error: unknown command "{" ".join(call.argv[1:3])}" for "kubectl" (the rack knows {sorted(known)})'
        )
    command = known[name]
    options, found = parsed("kubectl", call.argv[1:], _EVERYWHERE | dict(command.options), _SHORT)
    try:
        cluster = _reached(call, options)
        done = command.run(Asked(call, options, found[len(name.split()) :], cluster))
    except Refusal as refusal:
        raise Failed(f"error: {refusal.message}") from refusal
    return done if "raw" in options else replace(done, stderr=_discovery(cluster) + done.stderr)


def _discovery(cluster: Cluster) -> str:
    """What client-go says on standard error of each aggregated API whose server is away, and then goes on."""
    said = ""
    for service in cluster.objects("APIService"):
        conditions = (service.get("status") or {}).get("conditions") or ()
        if any(each["type"] == "Available" and each["status"] == "False" for each in conditions):
            api = "{group}/{version}".format_map(service["spec"])
            why = f"couldn't get resource list for {api}: the server is currently unable to handle the request"
            said += f'E0101 00:00:00.000000       1 memcache.go:287] "Unhandled Error" err="{why}"\n'
    return said


def _version(call: Call, release: str) -> Result:
    options, _ = parsed("kubectl", call.argv[1:], {"client": False}, {})
    if "client" not in options:
        raise Failed("the rack's kubectl only tells its own version (--client)")
    return Result(f"Client Version: {release}\n")


def _reached(call: Call, options: dict[str, str]) -> Cluster:
    path = options.get("kubeconfig")
    if not path:
        raise Failed(
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?"
        )
    return call.world.kubernetes.by_kubeconfig(call.read(path))


TOOLS: dict[str, Tool] = {"kubectl": _kubectl}
