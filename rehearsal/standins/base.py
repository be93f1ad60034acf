"""What every stand-in is made of.

Owns the idea of a stand-in: a package's ``Kind`` per resource token, its ``Function`` per invoke token, the context in
which they act, and the checks a schema can decide. It refuses to own gRPC (``servicer``), the engine's encoding
(``wire``) and every judgement about values: those belong to the World.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from rehearsal.standins.diffing import Diff, compare
from rehearsal.standins.schema import OPEN, Schema, Shape
from rehearsal.standins.wire import UNKNOWN, Path, Secret, contains_unknown
from rehearsal.world import World
from rehearsal.world.errors import InitFailed, Refusal

__all__ = [
    "UNKNOWN",
    "Context",
    "Diff",
    "Function",
    "InitFailed",
    "Kind",
    "Properties",
    "Refusal",
    "Secret",
    "Session",
    "StandIn",
    "contains_unknown",
]

Properties = dict[str, Any]


@dataclass
class Session:
    """One configured provider: what Configure was told by one connection. ``facts`` is the stand-in's own room."""

    peer: str
    config: Properties
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """The circumstances of one operation.

    ``secrets`` holds the paths of inputs that came as secrets; ``name`` is the resource's logical name, ``""`` in an
    invoke. ``timeout`` is the resource's custom timeout in seconds, 0 when none is set.
    """

    world: World
    session: Session
    package: str
    kind: str
    operation: str
    name: str = ""
    urn: str = ""
    secrets: frozenset[Path] = frozenset()
    preview: bool = False
    timeout: float = 0.0

    def journal(self, operation: str, subject: str, duration_of: str = "") -> None:
        """Write down what happened in the outside world: ``operation`` on ``subject``, never a secret.

        ``duration_of`` names a row of ``rehearsal.durations``; default is ``<package>.<Kind>.<operation>``.
        """
        key = duration_of or f"{self.package}.{self.kind}.{self.operation}"
        self.world.journal(operation, kind=f"{self.package}.{self.kind}", subject=subject, duration_of=key)

    def fault(self, moment: str) -> None:
        """Let a fault strike here when one is due; ``moment`` is ``before``, ``after`` or the Kind's own word."""
        self.world.faults.strike(f"{self.package}/{self.kind}/{self.operation}/{moment}/{self.name}")


class Kind:
    """One resource type. A subclass sets ``token`` and what differs from these defaults.

    Properties come and go as plain dicts in the engine's names. Only ``create``, ``update`` and ``delete`` without
    ``preview`` may change the World.
    """

    token: ClassVar[str]
    replace_on: ClassVar[frozenset[str]] = frozenset()
    delete_before_replace: ClassVar[bool] = False
    holds_world: ClassVar[bool] = True
    """Whether a change is made with the World held; a Kind that waits for others to act on it takes the lock itself."""

    def check(self, ctx: Context, olds: Properties, news: Properties) -> Properties:
        """Inputs with defaults filled in. Raises ``Refusal`` (with ``property``) for what is wrong already."""
        return news

    def diff(self, ctx: Context, id: str, olds_inputs: Properties, olds_state: Properties, news: Properties) -> Diff:
        """What changes from ``olds_inputs`` to ``news``: property-wise, replacing below ``replace_on``."""
        return compare(olds_inputs, news, set(self.replace_on), delete_before_replace=self.delete_before_replace)

    def create(self, ctx: Context, news: Properties, preview: bool) -> tuple[str, Properties]:
        """The new thing's id and state. In preview computed outputs are ``UNKNOWN`` and the id is ``""``."""
        raise Refusal(f"{self.token} cannot be created")

    def read(
        self, ctx: Context, id: str, state: Properties
    ) -> tuple[str, Properties] | tuple[str, Properties, Properties] | None:
        """``(id, state)`` or ``(id, state, inputs)`` as it stands now, ``None`` when it is gone.

        An empty ``state`` means an import: only ``id`` is known. The default believes what is remembered.
        """
        return (id, state)

    def update(self, ctx: Context, id: str, olds: Properties, news: Properties, preview: bool) -> Properties:
        """The state after the change; ``olds`` is the state before it."""
        raise Refusal(f"{self.token} cannot be updated")

    def delete(self, ctx: Context, id: str, state: Properties) -> None:
        """Take it out of the World; gone already is no error."""


class Function:
    """One invoke. A subclass sets ``token``."""

    token: ClassVar[str]

    def invoke(self, ctx: Context, args: Properties) -> Properties:
        """The result; raises ``Refusal`` for what the real function refuses."""
        raise Refusal(f"{self.token} is not known here")


class StandIn:
    """A package's stand-in: what the real provider plugin would be. Subclasses may hook the provider's own life."""

    package: ClassVar[str]

    def __init__(
        self, version: str, kinds: Iterable[Kind], functions: Iterable[Function] = (), schema: Schema | None = None
    ) -> None:
        self.version = version
        self.kinds = {kind.token: kind for kind in kinds}
        self.functions = {function.token: function for function in functions}
        self.schema = schema or Schema.load(self.package)

    def check_config(self, world: World, olds: Properties, news: Properties) -> Properties:
        """The provider's own inputs, checked. Raises ``Refusal`` (with ``property``)."""
        return news

    def diff_config(self, world: World, olds: Properties, news: Properties) -> Diff:
        """What a change of the provider's inputs means; replacing it replaces everything made with it."""
        return compare(olds, news, set())

    def configure(self, world: World, session: Session) -> None:
        """A provider was configured over one connection; keep what is needed in ``session.facts``."""

    def resource(self, token: str) -> tuple[Kind, Shape]:
        """The Kind and shape of a resource token; ``Refusal`` for a type this package does not have."""
        kind = self.kinds.get(token)
        if kind is None:
            raise Refusal(f"unrecognized resource type (Check): {token}")
        return kind, self.schema.resources.get(token, OPEN)

    def function(self, token: str) -> tuple[Function, Shape]:
        """The Function and shape of an invoke token; ``Refusal`` for one this package does not have."""
        function = self.functions.get(token)
        if function is None:
            raise Refusal(f"unrecognized data function (Invoke): {token}")
        return function, self.schema.functions.get(token, OPEN)
