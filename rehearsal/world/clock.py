"""The World's own time.

Owns how time passes: by the operations that are journaled, and by waiting, which jumps to the next moment at which
something heals by itself. It refuses to sleep, and to own what happens at that moment: whoever is asked then looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearsal.world import World


class Clock:
    """Seconds since the World began, kept in its data."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def now(self) -> float:
        """Seconds."""
        return float(self._world.data["clock"])

    def let_pass(self, seconds: float) -> None:
        """Time passes; machines and hosts boot, and join their cluster, as far as they can by then."""
        self._world.data["clock"] = self.now + seconds
        self._world.talos.settle()
        self._world.hosts.settle()

    def wait_for(self, holds: Callable[[], bool], patience: float) -> bool:
        """Whether ``holds`` within ``patience`` seconds, asked now and whenever something may have changed.

        Only time heals here: what another operation of the same run would bring meanwhile is not waited for.
        """
        deadline = self.now + patience
        while not holds():
            if self.now >= deadline:
                return False
            self.let_pass(min([deadline, *self._changes()]) - self.now)
        return True

    def _changes(self) -> list[float]:
        """The moments still to come at which something changes by itself."""
        moments = [*self._world.machines.ready_at(), *self._world.faults.edges()]
        moments += self._world.cloudflare.door.edges()
        return [moment for moment in moments if moment > self.now]
