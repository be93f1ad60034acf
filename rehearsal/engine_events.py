"""What the engine says while it runs, kept as facts: steps, changed properties, diagnostics.

Owns the reading of the engine's event stream. Refuses to own how any of it is shown, and to keep values: a step
remembers the names of the properties that changed, never what they hold.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pulumi import automation as auto

UNCHANGED = frozenset({auto.OpType.SAME, auto.OpType.READ, auto.OpType.REFRESH})
"""Operations after which a resource is as it was, and nobody had to do anything."""

_COLOUR = re.compile(r"<\{%.*?%\}>")
_INLINE_PREFIX = "python inline source runtime error: "
_ECHO_PREFIX = "an unhandled error occurred: "
_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in')


@dataclass(frozen=True)
class Step:
    """One resource's part in a run. `properties` are the changed ones' paths, where the engine knows them."""

    urn: str
    operation: auto.OpType
    properties: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return name_of(self.urn)

    @property
    def changes(self) -> bool:
        """Whether this step does anything to the world or the state."""
        return self.operation not in UNCHANGED


@dataclass(frozen=True)
class Diagnostic:
    """A message of grade `error`, `warning` or `info`; `subject` is the logical name it is about, empty for the whole
    run. Of grade `info` there are those of the program alone, which are about the run."""

    grade: str
    subject: str
    message: str


@dataclass
class Transcript:
    """Everything one run of the engine said. Filled from the engine's threads; read it when the run is over."""

    steps: dict[str, Step] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def changed(self) -> list[Step]:
        """The steps that change something, in the order of their names."""
        return sorted((step for step in self.steps.values() if step.changes), key=lambda step: step.name)

    def created(self) -> set[str]:
        """URNs of what is created, a replacement's new half included."""
        making = {auto.OpType.CREATE, auto.OpType.CREATE_REPLACEMENT, auto.OpType.REPLACE}
        return {urn for urn, step in self.steps.items() if step.operation in making}

    def counts(self) -> dict[str, int]:
        """How many resources met which operation, by the engine's name for it."""
        return dict(Counter(step.operation.value for step in self.steps.values()))


class Listener:
    """Turns engine events into a `Transcript`, and tells `notice` after each one that changed it."""

    def __init__(self, notice: Callable[[Transcript], None] | None = None) -> None:
        """`notice` is called on the engine's threads, one call at a time, and must not raise."""
        self.transcript = Transcript()
        self._notice = notice
        self._lock = threading.Lock()

    def __call__(self, event: auto.EngineEvent) -> None:
        """Take one event in; this is the Automation API's `on_event`."""
        with self._lock:
            if self._take(event) and self._notice:
                self._notice(self.transcript)

    def _take(self, event: auto.EngineEvent) -> bool:
        said = self.transcript
        if event.resource_pre_event:
            step = _step(event.resource_pre_event.metadata)
            known = said.steps.get(step.urn)
            if known is None or _outranks(step, known):
                said.steps[step.urn] = step
        elif event.res_outputs_event:
            metadata = event.res_outputs_event.metadata
            said.steps.setdefault(metadata.urn, _step(metadata))
            if metadata.op is auto.OpType.REFRESH:
                said.steps[metadata.urn] = _step(metadata)
            said.finished.add(metadata.urn)
        elif event.res_op_failed_event:
            said.failed.add(event.res_op_failed_event.metadata.urn)
        elif event.diagnostic_event:
            return self._hear(event.diagnostic_event)
        else:
            return False
        return True

    def _hear(self, event: auto.DiagnosticEvent) -> bool:
        whole = not event.urn or kind_of(event.urn) == "pulumi:pulumi:Stack"
        kept = ("error", "warning", "info") if whole else ("error", "warning")
        if event.severity not in kept or event.ephemeral:
            return False
        subject = name_of(event.urn) if event.urn and not whole else ""
        diagnostic = Diagnostic(event.severity, subject, readable(event.message))
        if not diagnostic.message or diagnostic in self.transcript.diagnostics:
            return False
        self.transcript.diagnostics.append(diagnostic)
        return True


def _step(metadata: auto.StepEventMetadata) -> Step:
    detailed = metadata.detailed_diff or {}
    properties = sorted(detailed) or sorted(metadata.diffs or ())
    return Step(urn=metadata.urn, operation=metadata.op, properties=tuple(properties))


def _somebody_elses(file: str) -> bool:
    return file.startswith(("<", sys.base_prefix)) or "site-packages" in file


def _outranks(step: Step, known: Step) -> bool:
    """Whether `step` says more than `known` of one resource: a replacement is told in up to three steps."""
    return known.operation is not auto.OpType.REPLACE and step.operation is not auto.OpType.SAME


def name_of(urn: str) -> str:
    """The logical name in a URN: what follows the third `::`."""
    return urn.split("::", 3)[-1]


def kinds_of(urn: str) -> list[str]:
    """The type tokens in a URN, outermost parent first and the resource's own last."""
    return urn.split("::", 3)[2].split("$")


def kind_of(urn: str) -> str:
    """The resource's own type token."""
    return kinds_of(urn)[-1]


def readable(message: str) -> str:
    """A diagnostic's text for a person: no colour marks, and a program's exception as what it says and where.

    The Automation API reports an exception of the program with its whole traceback, mostly its own frames; what helps
    is the message and the last line of our own code.
    """
    text = _COLOUR.sub("", message).strip().removeprefix(_ECHO_PREFIX)
    if not text.startswith(_INLINE_PREFIX):
        return text
    said, _, traceback = text.removeprefix(_INLINE_PREFIX).partition("\nTraceback (most recent call last):")
    frames = _FRAME.findall(traceback)
    own = [(file, line) for file, line in frames if not _somebody_elses(file)]
    where = f"\n(raised at {Path(*Path(own[-1][0]).parts[-2:])}:{own[-1][1]})" if own else ""
    kind = traceback.strip().splitlines()[-1].split(":")[0].rsplit(".", 1)[-1] if traceback.strip() else ""
    return f"{said.strip() or kind}{where}"
