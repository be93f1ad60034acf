"""The Command provider's stand-in (pulumi-command 1.2.1): ``remote.Command`` and ``local.Command``.

Owns what the provider itself decides: when a command runs, its previews, what it prints when one fails. Who gets in
over SSH is ``rehearsal.world.ssh``', running the text ``rehearsal.standins.shell``'s.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from importlib.metadata import version
from typing import Any, ClassVar

from rehearsal.standins.base import UNKNOWN, Context, Kind, Properties, Refusal, Secret, StandIn
from rehearsal.standins.shell import execute

_DECIDES_SECRECY = frozenset({"create", "update", "stdin", "environment"})
_NOT_ON_THE_RACK = frozenset({"archivePaths", "assetPaths", "dir", "environment", "interpreter"})
"""What a local command may say of the machine it runs on. The rack's workstation has nothing of it."""


class _Command(Kind, ABC):
    """Any change runs it again, ``triggers`` replace it (create first, then the old delete)."""

    replace_on: ClassVar[frozenset[str]] = frozenset({"triggers"})
    holds_world: ClassVar[bool] = False

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        if preview:
            return "", news | {"stdout": UNKNOWN, "stderr": UNKNOWN}
        return f"{ctx.name}{secrets.token_hex(4)}", self._run(ctx, news, "create")

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        if preview:
            return news | {"stdout": UNKNOWN, "stderr": UNKNOWN}
        return self._run(ctx, news, "update" if news.get("update") else "create", self._before(olds, news))

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        if state.get("delete"):
            self._run(ctx, state, "delete")

    @abstractmethod
    def host(self, ctx: Context, news: Properties) -> tuple[dict[str, Any], str]:
        """Where it runs, and as whom; ``Refusal`` when nobody gets in there."""

    @abstractmethod
    def ended(self, code: int) -> str:
        """The provider's words for a command that did not end well."""

    def _before(self, olds: Properties, news: Properties) -> dict[str, str]:
        """What the run before printed, in variables, unless the program wants none of it."""
        return {}

    def _run(self, ctx: Context, news: Properties, which: str, given: dict[str, str] | None = None) -> Properties:
        text = news.get(which)
        if not text:
            return news | {"stdout": "", "stderr": ""}
        with ctx.world.change():
            host, user = self.host(ctx, news)
        outcome = execute(ctx.world, host, user, text, news.get("stdin") or "", given)
        if outcome.code:
            printed = outcome.stdout + outcome.stderr
            raise Refusal(f'{self.ended(outcome.code)}: running "{text}":\n{printed}')
        with ctx.world.change():
            ctx.journal(f"run {which}", host["name"])
        hidden = any(path[0] in _DECIDES_SECRECY for path in ctx.secrets)
        printed_values = {"stdout": outcome.stdout.rstrip("\n"), "stderr": outcome.stderr.rstrip("\n")}
        return news | {name: Secret(value) if hidden else value for name, value in printed_values.items()}


class Remote(_Command):
    """``remote.Command``: on a host, over SSH."""

    token = "command:remote:Command"

    def host(self, ctx: Context, news: Properties) -> tuple[dict[str, Any], str]:
        # `environment` is not passed on: sshd drops every variable that AcceptEnv does not name, and says nothing.
        return ctx.world.hosts.log_in(news["connection"]), news["connection"].get("user", "root")

    def ended(self, code: int) -> str:
        return f"Process exited with status {code}"


class Local(_Command):
    """``local.Command``: on the workstation the program runs on."""

    token = "command:local:Command"

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        for name in sorted(set(news) & _NOT_ON_THE_RACK):
            raise Refusal("the rack's local commands do not know this", property=name)
        return news

    def host(self, ctx: Context, news: Properties) -> tuple[dict[str, Any], str]:
        return ctx.world.hosts.workstation, "operator"

    def ended(self, code: int) -> str:
        return f"exit status {code}"

    def _before(self, olds: Properties, news: Properties) -> dict[str, str]:
        if news.get("addPreviousOutputInEnv") is False:
            return {}
        return {f"PULUMI_COMMAND_{name.upper()}": str(olds.get(name) or "") for name in ("stdout", "stderr")}


class CommandPackage(StandIn):
    """The package ``command``."""

    package = "command"


def stand_in() -> CommandPackage:
    """What the engine talks to instead of the Command provider."""
    return CommandPackage(version("pulumi-command"), [Local(), Remote()])
