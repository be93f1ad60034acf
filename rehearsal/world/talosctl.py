"""talosctl on the machine that runs the local commands.

Owns the command line: which subcommands and options there are, the talosconfig, which node is asked over which
endpoint. It refuses subcommands and options nobody wrote down. What a node answers is ``talos``', what the subcommands
print ``talosctl_look``'s and ``talosctl_act``'s, what has to do with leaving ``leaving``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from rehearsal.world.errors import Refusal
from rehearsal.world.host_tools import Call, Failed, Result, Tool
from rehearsal.world.talos_door import Client
from rehearsal.world.talos_node import Node

_EVERYWHERE = {"talosconfig": True, "nodes": True, "endpoints": True, "context": True}
"""Options of every subcommand: whether they take a value (Talos 1.12, ``cmd/talosctl/cmd/talos/root.go``)."""
_SHORT = {"n": "nodes", "e": "endpoints", "i": "image", "o": "output", "f": "force"}


@dataclass
class Asked:
    """One call of a subcommand: its ``options`` without dashes, its ``words``, the talosconfig's ``context``."""

    call: Call
    options: dict[str, str]
    words: list[str]
    context: dict[str, Any] = field(default_factory=dict)

    @property
    def client(self) -> Client:
        """Credentials out of the talosconfig."""
        names = {"caCertificate": "ca", "clientCertificate": "crt", "clientKey": "key"}
        return {name: str(self.context.get(key, "")) for name, key in names.items()}

    @property
    def endpoints(self) -> list[str]:
        """Who is dialled: the option, else the talosconfig's."""
        return _listed(self.options.get("endpoints")) or list(self.context.get("endpoints") or ())

    @property
    def nodes(self) -> list[str]:
        """Who is meant: the option, else the talosconfig's, else the endpoint itself."""
        found = _listed(self.options.get("nodes")) or list(self.context.get("nodes") or ())
        return found or self.endpoints[:1]

    def dial(self, node: str) -> Node:
        """``node``, reached over the first endpoint that answers. ``Failed`` in gRPC's words."""
        last = Failed("failed to determine endpoints")
        for endpoint in self.endpoints:
            try:
                return self.call.world.talos.dial(node, endpoint, self.client)
            except Refusal as refusal:
                last = Failed(refusal.message)
        raise last

    def each(self) -> Iterator[tuple[str, Node]]:
        """Every node that is meant, with its address; all must run, for maintenance mode knows no client."""
        for node in self.nodes:
            yield node, self.running(node)

    def running(self, node: str) -> Node:
        """``node``, which must be out of maintenance mode: there nobody signed its certificate."""
        found = self.dial(node)
        if not found.running:
            raise Failed(
                'rpc error: code = Unavailable desc = connection error: desc = "transport: authentication handshake '
                'failed: tls: failed to verify certificate: x509: certificate signed by unknown authority"'
            )
        return found

    def one(self) -> Node:
        """The only node that is meant. ``Failed`` in talosctl's words when there are several."""
        if len(self.nodes) != 1:
            raise Failed("command is not supported with multiple nodes")
        return self.running(self.nodes[0])


@dataclass(frozen=True)
class Command:
    """A subcommand: what it does, its own options (whether each takes a value), whether it asks nobody."""

    run: Callable[[Asked], Result]
    options: Mapping[str, bool] = field(default_factory=dict)
    offline: bool = False


def commands() -> dict[str, Command]:
    """Every subcommand there is, by its words."""
    from rehearsal.world import leaving, talosctl_act, talosctl_look  # they need this module's names

    return talosctl_look.COMMANDS | talosctl_act.COMMANDS | leaving.TALOSCTL


def _talosctl(call: Call) -> Result:
    if program(call) is None:
        return Result(stderr="talosctl: command not found\n", code=127)
    known = commands()
    name = _subcommand(call.argv[1:], known)
    if name is None:
        raise Failed(f'unknown command "{" ".join(call.argv[1:3])}" for "talosctl" (the rack knows {sorted(known)})')
    command = known[name]
    options, words = parsed("talosctl", call.argv[1:], _EVERYWHERE | dict(command.options), _SHORT)
    words = words[len(name.split()) :]
    if command.offline or "client" in options:
        return command.run(Asked(call, options, words))
    asked = Asked(call, options, words, _context(call, options))
    try:
        return command.run(asked)
    except Refusal as refusal:
        raise Failed(refusal.message) from refusal


def program(call: Call) -> str | None:
    """The release of a program on the workstation, ``None`` when it is not there.

    Its owner has those that go with what the lab is to run, until somebody says otherwise in ``programs``.
    """
    if call.host.get("role") != "workstation":
        return None
    wanted = call.world.environment.get("versions") or {}
    usual = {"talosctl": wanted.get("talos"), "kubectl": wanted.get("kubernetes")}
    found = (usual | (call.host.get("programs") or {}))[call.tool]
    return None if found is None else str(found)


def parsed(
    tool: str, argv: list[str], known: Mapping[str, bool], short: Mapping[str, str]
) -> tuple[dict[str, str], list[str]]:
    """``(options, words)`` as cobra reads them: options anywhere, short ones by their long name in ``short``."""
    options: dict[str, str] = {}
    words: list[str] = []
    rest = iter(argv)
    for word in rest:
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("--"):
            name, equals, value = _short_option(word, short)
        if name not in known:
            raise Failed(f"unknown flag: {word} (the rack's {tool} was not taught it)")
        if known[name]:
            value = value if equals else next(rest, "")
            options[name] = f"{options[name]},{value}" if name in ("nodes", "endpoints") and name in options else value
        else:
            options[name] = value if equals else "true"
    return options, words


def _short_option(word: str, short: Mapping[str, str]) -> tuple[str, str, str]:
    name, value = short.get(word[1], word), word[2:].removeprefix("=")
    return name, "=" if value else "", value


def _subcommand(argv: list[str], known: Mapping[str, Command]) -> str | None:
    """The longest name of a subcommand that the words begin with."""
    words: list[str] = []
    rest = iter(argv)
    for word in rest:
        if word.startswith("-"):
            name = _SHORT.get(word[1:2], "") if not word.startswith("--") else word[2:]
            if _EVERYWHERE.get(name):
                next(rest, None)
            continue
        words.append(word)
    return next((name for size in (3, 2, 1) if (name := " ".join(words[:size])) in known), None)


def _context(call: Call, options: dict[str, str]) -> dict[str, Any]:
    """The talosconfig's context in use."""
    path = options.get("talosconfig")
    if not path:
        raise Failed("failed to determine endpoints: no talosconfig (the rack's workstation has no ~/.talos/config)")
    try:
        document = yaml.safe_load(call.read(path)) or {}
        name = options.get("context") or document["context"]
        return dict(document["contexts"][name])
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise Failed("error reading talosconfig: no context is set") from error


def _listed(value: str | None) -> list[str]:
    return [each for each in (value or "").split(",") if each]


TOOLS: dict[str, Tool] = {"talosctl": _talosctl}
