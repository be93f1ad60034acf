"""The Command provider's stand-in (pulumi-command 1.2.1): ``remote.Command``.

Owns what the provider itself decides: when a command runs, its previews, what it prints when one fails. Who gets in
over SSH is ``rehearsal.world.ssh``', running the text ``rehearsal.standins.shell``'s.
"""

from __future__ import annotations

import secrets
from importlib.metadata import version
from typing import ClassVar

from rehearsal.standins.base import UNKNOWN, Context, Kind, Properties, Refusal, Secret, StandIn
from rehearsal.standins.shell import execute

_DECIDES_SECRECY = frozenset({"create", "update", "stdin", "environment"})


class Command(Kind):
    """``remote.Command``: any change runs it again, ``triggers`` replace it (create first, then the old delete)."""

    token = "command:remote:Command"
    replace_on: ClassVar[frozenset[str]] = frozenset({"triggers"})
    holds_world: ClassVar[bool] = False

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            return "", news | {"stdout": UNKNOWN, "stderr": UNKNOWN}
        return f"{ctx.name}{secrets.token_hex(4)}", self._run(ctx, news, "create")

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        if preview:
            return news | {"stdout": UNKNOWN, "stderr": UNKNOWN}
        return self._run(ctx, news, "update" if news.get("update") else "create")

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        if state.get("delete"):
            self._run(ctx, state, "delete")

    def _run(self, ctx: Context, news: Properties, which: str) -> Properties:
        text = news.get(which)
        if not text:
            return news | {"stdout": "", "stderr": ""}
        with ctx.world.change():
            host = ctx.world.hosts.log_in(news["connection"])
        # `environment` is not passed on: sshd drops every variable that AcceptEnv does not name, and says nothing.
        outcome = execute(ctx.world, host, news["connection"].get("user", "root"), text, news.get("stdin") or "")
        if outcome.code:
            printed = outcome.stdout + outcome.stderr
            raise Refusal(f'Process exited with status {outcome.code}: running "{text}":\n{printed}')
        with ctx.world.change():
            ctx.journal(f"run {which}", host["name"])
        hidden = any(path[0] in _DECIDES_SECRECY for path in ctx.secrets)
        printed_values = {"stdout": outcome.stdout.rstrip("\n"), "stderr": outcome.stderr.rstrip("\n")}
        return news | {name: Secret(value) if hidden else value for name, value in printed_values.items()}


class CommandPackage(StandIn):
    """The package ``command``."""

    package = "command"


def stand_in() -> CommandPackage:
    """What the engine talks to instead of the Command provider."""
    return CommandPackage(version("pulumi-command"), [Command()])
