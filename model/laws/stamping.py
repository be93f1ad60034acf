"""Laws of cards that nobody wrote: which Pi may write its own from the network.

Owns `stamp`. Refuses what is served for it (`downloads`), and which Pi may do without a card (`bootstrap`).
"""

from collections.abc import Iterator

from model.environment import Environment
from model.laws.bootstrap import pis
from model.laws.registry import Breach, law


@law("bootstrap-stamp-server")
def servers_are_written_by_hand(env: Environment) -> Iterator[Breach]:
    """A server's card is written by its owner: what would write it is served by the servers themselves, once all of
    them stand; and the first one, back with an empty card, is let join by hand."""
    for name, pi in pis(env):
        if pi.stamp and pi.role == "server":
            message = f"{name} is a server, and what would write its card is served by the servers"
            hint = "leave stamp out, and write its card with what `./lab render` makes (docs/first-light.md)"
            yield Breach(f"bootstrap.nodes.{name}.stamp", message, hint, f"bootstrap.nodes.{name}.role")


@law("bootstrap-stamp-card")
def there_is_a_card_to_write(env: Environment) -> Iterator[Breach]:
    """A Pi that is to write its card has one."""
    for name, pi in pis(env):
        if pi.stamp and "sd" not in pi.boot:
            message = f"{name} is to write a card, and has none"
            hint = "add sd to its boot; or leave stamp out: without a card it boots from the network each time"
            yield Breach(f"bootstrap.nodes.{name}.stamp", message, hint, f"bootstrap.nodes.{name}.boot")


@law("bootstrap-stamp-host-key")
def nobody_serves_a_private_key(env: Environment) -> Iterator[Breach]:
    """A host key that was written down belongs to a card made by hand: its private half is served to nobody, so a card
    that comes over the network gets one that the Pi makes itself, pinned at first contact."""
    for name, pi in pis(env):
        if pi.stamp and pi.host_key is not None:
            message = (
                f"{name} must show the host key written here, and a card that comes over the network cannot have it"
            )
            hint = "leave host_key out, or leave stamp out and write the card with what `./lab render` makes"
            yield Breach(f"bootstrap.nodes.{name}.stamp", message, hint, f"bootstrap.nodes.{name}.host_key")
