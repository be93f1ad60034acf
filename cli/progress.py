"""What a person sees while the engine runs: how far each realm is.

Owns the showing of a run under way: a live table on a terminal, one line for each realm that is done elsewhere. Refuses
to judge the run, and to show any value: only names and counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rehearsal.engine_events import Step, Transcript
from rehearsal.report import SHARED, realm_of, realms_in

_NAMES_SHOWN = 3


class RunProgress:
    """Follows one run. Use as a context; give the instance to the rack as its `notice`."""

    def __init__(self, console: Console, expected: Mapping[str, int]) -> None:
        """`expected` says how many resources each realm will have, where a preview has told; else it is counted up."""
        self._console = console
        self._expected = dict(expected)
        self._told: set[str] = set()
        self._live = Live(console=console, transient=True, refresh_per_second=8) if console.is_terminal else None

    def __enter__(self) -> RunProgress:
        """Start showing."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take the live table away; what remains is the caller's to say."""
        if self._live:
            self._live.stop()

    def __call__(self, transcript: Transcript) -> None:
        """Show how far `transcript` is. Called on the engine's threads, one at a time."""
        steps = by_realm(transcript)
        if self._live:
            self._live.update(self._table(steps, transcript))
            return
        for realm, members in steps.items():
            done = sum(step.urn in transcript.finished for step in members)
            changes = any(step.changes for step in members)
            if changes and realm not in self._told and done == self._expected.get(realm):
                self._told.add(realm)
                self._console.print(f"  {realm:<10} {done} of {done}")

    def _table(self, steps: Mapping[str, list[Step]], transcript: Transcript) -> Table:
        table = Table.grid(padding=(0, 2))
        for realm in sorted({*steps, *self._expected}, key=lambda name: (name == SHARED, name)):
            members = steps.get(realm, [])
            done = [step for step in members if step.urn in transcript.finished]
            total = max(self._expected.get(realm, 0), len(members))
            under_way = [step.name for step in members if step not in done and step.changes]
            names = ", ".join(under_way[:_NAMES_SHOWN]) + (" …" if len(under_way) > _NAMES_SHOWN else "")
            table.add_row(
                f"  {realm}",
                ProgressBar(total=total or 1, completed=len(done), width=20),
                f"{len(done)} of {total}",
                Text(names, style="dim", no_wrap=True, overflow="ellipsis"),
            )
        return table


def by_realm(transcript: Transcript) -> dict[str, list[Step]]:
    """The steps of a run by realm, in the order in which the realms were first touched."""
    steps = list(transcript.steps.values())
    realms = realms_in([step.urn for step in steps])
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(realm_of(step.urn, realms), []).append(step)
    return found
