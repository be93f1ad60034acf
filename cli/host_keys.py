"""The SSH host keys of the Pis' cards: made when a card's files are rendered, so that `up` knows the machine at once.

Owns each pair's private half, beside that card's other files and nowhere else, and the line for the stack file. Refuses
to replace one that is there: a card may be made of it already.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import NamedTuple

from model.ainur import BootstrapNodePlan, BootstrapPlan
from render.files import overlay
from render.pi_card import HOST_KEY


class CardKey(NamedTuple):
    """The host key that lies with a card's files."""

    node: str
    file: Path
    public: str
    """Type and key, as `host_key` has them."""
    known: bool
    """Whether the stack file has it."""
    instead_of: str | None
    """What the stack file has in its place."""


class NoKey(Exception):
    """A pair can be neither made nor read; the message says what to do."""


def of_cards(folder: Path, cluster: BootstrapPlan) -> list[CardKey]:
    """The key of every card that was rendered below `folder`; made where there is none. Errors: NoKey, OSError.

    A card that its Pi writes itself gets the key that the Pi makes.
    """
    cards = [node for node in cluster.nodes if node.persistent and not node.stamped]
    return [_of_card(folder / overlay(cluster.name, node), node) for node in cards]


def _of_card(card: Path, node: BootstrapNodePlan) -> CardKey:
    card.chmod(0o700)
    file = card / HOST_KEY
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise NoKey(f"{file} is not a file. Move it away: {node.name}'s host key lies there.")
    if file.exists():
        file.chmod(0o600)
    else:
        _make(file, node.name)
    public = " ".join(_said("ssh-keygen", "-y", "-P", "", "-f", str(file)).split()[:2])
    told = " ".join(node.host_key.split()[:2]) if node.host_key else None
    return CardKey(node.name, file, public, public == told, told)


def _make(file: Path, name: str) -> None:
    """Under another name first: a run that is cut off leaves no half of a pair."""
    beside = file.with_name(f".{file.name}.new")
    for left in (beside, beside.with_name(f"{beside.name}.pub")):
        left.unlink(missing_ok=True)
    _said("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"root@{name}", "-f", str(beside))
    beside.with_name(f"{beside.name}.pub").unlink()
    beside.replace(file)


def _said(*command: str) -> str:
    """Nothing that a command of these prints is secret, nor is an argument: a private half stays in its file."""
    try:
        run = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise NoKey("ssh-keygen is not here, and makes the cards' host keys. Install OpenSSH's client.") from None
    if run.returncode:
        why = (run.stderr or run.stdout).strip() or f"it ended with {run.returncode}"
        raise NoKey(f"{shlex.join(command)} failed: {why}")
    return run.stdout
