"""What is left in a subnet: its free addresses, run by run.

Owns counting them. Refuses to know who has the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from model.fields import AddressRange


@dataclass(frozen=True)
class Space:
    """A subnet's addresses, counted."""

    used: int
    """Addresses spoken for: hosts, the DHCP range and LoadBalancer pools."""
    free: int
    runs: tuple[tuple[str, str], ...]
    """(first, last) of every run of free addresses, in order."""

    @property
    def longest(self) -> tuple[str, str, int] | None:
        """(first, last, how many) of the longest run: the room to grow in one piece."""
        sizes = [(int(IPv4Address(last)) - int(IPv4Address(first)) + 1, first, last) for first, last in self.runs]
        if not sizes:
            return None
        size, first, last = max(sizes, key=lambda one: (one[0], -int(IPv4Address(one[1]))))
        return first, last, size

    def after(self, address: IPv4Address) -> str | None:
        """The first free address after another one; else the first at all."""
        for first, last in self.runs:
            if IPv4Address(last) > address:
                return str(max(IPv4Address(first), address + 1))
        return self.runs[0][0] if self.runs else None


def space(subnet: IPv4Network, single: Iterable[IPv4Address], ranges: Iterable[AddressRange]) -> Space:
    """Count a subnet's addresses; a subnet's network and broadcast address are nobody's."""
    edge = 1 if subnet.prefixlen < 31 else 0
    first, last = int(subnet.network_address) + edge, int(subnet.broadcast_address) - edge
    taken = [(int(one), int(one)) for one in single] + [(int(run.first), int(run.last)) for run in ranges]
    runs: list[tuple[str, str]] = []
    free, start = 0, first
    for low, high in [*sorted(taken), (last + 1, last + 1)]:
        end = min(low - 1, last)
        if start <= end:
            runs.append((str(IPv4Address(start)), str(IPv4Address(end))))
            free += end - start + 1
        start = max(start, high + 1)
    return Space(used=last - first + 1 - free, free=free, runs=tuple(runs))
