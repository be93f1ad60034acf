"""What talosctl changes on a node."""

from rehearsal.world.talosctl import Command

COMMANDS: dict[str, Command] = {}
