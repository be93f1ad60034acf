"""What dnsmasq answers one discover: which tags it sets, which address, which file from which server.

Owns the answer as dnsmasq 2.90 makes it (`rfc2131.c`: tags, `find_boot`, `pxe_opts`, `pxe_uefi_workaround`, the proxy's
branch). Refuses to fetch anything, and to know the router's own answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from foresight.boot_chain import Line
from foresight.boot_dnsmasq import Configuration, Range, Rule, Setter
from foresight.boot_firmware import Client

MATCHED = {
    "60": lambda client: client.vendor_class.encode(),
    "77": lambda client: client.user_class.encode(),
    "93": lambda client: client.architecture.to_bytes(2, "big"),
    "97": lambda client: client.guid,
    "175": lambda client: b"\x01" if client.user_class == "iPXE" else b"",
}
"""Options that a firmware sends and dhcp-match can ask for. iPXE alone sends 175, its own."""


@dataclass(frozen=True)
class File:
    """A file that an answer names."""

    name: str
    """Empty: the answer says to boot from the local disk."""
    server: str
    """Empty: whoever answered."""
    line: Line


@dataclass(frozen=True)
class Offer:
    """dnsmasq's whole answer."""

    tags: frozenset[str]
    range: Range
    address: str | None
    """Leased by dnsmasq; None where the router leases (proxy)."""
    reserved: Line | None
    files: tuple[File, ...]
    """What the client may take: one, or it is told two things."""
    next_server: File | None
    """Where TFTP is, as far as the answer says so; its name may be empty."""
    menu: tuple[str, ...]
    """Texts of the PXE menu: a Pi wants to read its own."""
    menu_line: Line | None
    http_class: Line | None
    """The line that tells an HTTP client that it is meant (option 60)."""


@dataclass(frozen=True)
class Silence:
    """No answer, and why."""

    why: str
    line: Line | None = None


def answer(conf: Configuration, client: Client, network: IPv4Network) -> Offer | Silence:
    """What dnsmasq answers on the segment `network`."""
    ranges = [one for one in conf.ranges if one.network.overlaps(network)]
    if not ranges:
        return Silence(f"dnsmasq has no dhcp-range in {network}")
    tags, host = _tags(conf, client)
    ranges = [one for one in ranges if one.rule.fits(tags)] or ranges
    ignored = next((rule for rule in conf.ignored if rule.fits(tags)), None)
    if ignored:
        return Silence("dnsmasq is told to ignore it", ignored.line)
    here = next((one for one in ranges if one.proxy), ranges[0])
    pxe = next((name for name in conf.pxe_vendors if client.vendor_class.startswith(name)), None)
    pxe = pxe if conf.services else None
    if here.proxy and pxe is None:
        why = f"as proxy, dnsmasq answers {' or '.join(conf.pxe_vendors)} only"
        return Silence(
            why if conf.services else "as proxy, dnsmasq answers nobody without a pxe-service line", here.line
        )
    tags |= set(here.sets)
    tags = _tag_if(conf, tags)
    return _offer(conf, client, tags, here, host, pxe)


def _offer(
    conf: Configuration, client: Client, tags: frozenset[str], here: Range, host: Setter | None, pxe: str | None
) -> Offer:
    services = [one for one in conf.services if int(one.words[0]) == client.architecture and one.fits(tags)]
    services = services if pxe else []
    boot = _boot(conf, tags)
    address = reserved = None
    if not here.proxy:
        address = next((word for word in host.rule.words if word.count(".") == 3), None) if host else None
        reserved = host.line if host and address else None
        address = address or f"one of {here.first}-{here.last}"
    return Offer(
        tags=tags,
        range=here,
        address=address,
        reserved=reserved,
        files=tuple(_files(client, here, services, boot)),
        next_server=_next_server(conf, boot, tags),
        menu=tuple(one.word(1) for one in services) + tuple(_encapsulated(conf, tags)),
        menu_line=services[0].line if services else None,
        http_class=_http_class(conf, tags, here, pxe),
    )


def _http_class(conf: Configuration, tags: frozenset[str], here: Range, pxe: str | None) -> Line | None:
    """A client known as PXE gets its own vendor class back; another one what dhcp-option says, which no proxy sends."""
    if pxe or here.proxy:
        return conf.pxe_vendors_line if pxe and "HTTPClient".startswith(pxe) else None
    told = (one for one in conf.options if one.words[0] == "60" and "HTTPClient" in one.words and one.fits(tags))
    return next((one.line for one in told), None)


def _encapsulated(conf: Configuration, tags: frozenset[str]) -> Iterator[str]:
    """Texts that dhcp-option puts into option 43."""
    for one in conf.options:
        if one.words[0] == "43" and one.fits(tags):
            yield ",".join(one.words[2:])


def _files(client: Client, here: Range, services: list[Rule], boot: File | None) -> Iterator[File]:
    """The files that the answer names, without repeating one.

    A UEFI client with exactly one service is not shown a menu: as proxy it is told that service's file on port 4011,
    and where dnsmasq leases it is told dhcp-boot's. Others are shown the menu, and the file of dhcp-boot beside it.
    """
    named = [one for one in services if _basename(one)]
    boot = boot if boot and boot.name else None
    if client.architecture >= 6 and len(named) == 1:
        chosen = [_served(named[0])] if here.proxy else [boot] if boot else []
    elif services:
        chosen = [_served(one) for one in services] + ([boot] if boot else [])
    else:
        chosen = [boot] if boot else []
    seen: set[tuple[str, str]] = set()
    for one in chosen:
        if (one.name, one.server) not in seen:
            seen.add((one.name, one.server))
            yield one


def _next_server(conf: Configuration, boot: File | None, tags: frozenset[str]) -> File | None:
    """dhcp-boot's server, else option 66."""
    if boot and boot.server:
        return boot
    told = (one for one in conf.options if one.words[0] == "66" and one.fits(tags))
    return next((File("", one.word(2), one.line) for one in told), None)


def _basename(service: Rule) -> str:
    name = service.word(2)
    return "" if re.fullmatch(r"\d*", name) else name if "." in name else f"{name}.0"


def _served(service: Rule) -> File:
    return File(_basename(service), service.word(3), service.line)


def _boot(conf: Configuration, tags: frozenset[str]) -> File | None:
    """dhcp-boot: the last tagged line of the file that fits, else the last one without tags (`find_boot`)."""
    tagged = (one for one in conf.boots if one.tags and one.fits(tags))
    rule = next(tagged, None) or next((one for one in conf.boots if not one.tags), None)
    if rule is None:
        return None
    return File(rule.word(0), rule.word(2), rule.line)


def _tags(conf: Configuration, client: Client) -> tuple[frozenset[str], Setter | None]:
    """(every tag that the discover gets, the dhcp-host that is this machine)."""
    tags = {tag for one in conf.setters if one.kind != "tag-if" and _matches(one, client) for tag in one.sets}
    host = next((one for one in conf.hosts if _is_host(one, client)), None)
    if host:
        tags |= {"known", *host.sets}
    return _tag_if(conf, frozenset(tags)), host


def _is_host(host: Setter, client: Client) -> bool:
    return any(_same_mac(word, client.mac) for word in host.rule.words)


def _tag_if(conf: Configuration, tags: frozenset[str]) -> frozenset[str]:
    for one in conf.setters:
        if one.kind == "tag-if" and one.rule.fits(tags):
            tags |= set(one.sets)
    return tags


def _matches(one: Setter, client: Client) -> bool:
    if one.kind == "dhcp-vendorclass":
        return one.rule.words[-1] in client.vendor_class
    if one.kind == "dhcp-userclass":
        return bool(client.user_class) and one.rule.words[-1] in client.user_class
    if one.kind == "dhcp-mac":
        return _same_mac(one.rule.words[-1], client.mac)
    sent = MATCHED.get(one.rule.words[0], lambda _: b"")(client)
    return bool(sent) and (not one.rule.word(1) or _value(one.rule.words[0], one.rule.word(1), sent))


def _value(option: str, wanted: str, sent: bytes) -> bool:
    """`match_bytes`: hex with wildcards is matched from the left, a number as an element of the list, text anywhere."""
    if re.fullmatch(r"(?:[0-9a-fA-F]{2}|\*)(?::(?:[0-9a-fA-F]{2}|\*))+", wanted):
        given = wanted.split(":")
        return len(given) <= len(sent) and all(
            one == "*" or int(one, 16) == byte for one, byte in zip(given, sent, strict=False)
        )
    if option == "93" and wanted.isdigit():
        return int(wanted).to_bytes(2, "big") == sent
    return wanted.encode() in sent


def _same_mac(pattern: str, mac: str) -> bool:
    told, sent = pattern.lower().split(":"), mac.lower().split(":")
    return len(told) == 6 and all(one in ("*", byte) for one, byte in zip(told, sent, strict=True))
