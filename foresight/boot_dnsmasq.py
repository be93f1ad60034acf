"""dnsmasq.conf, read as dnsmasq reads it: the directives that decide what a machine is told to boot.

Owns the subset of dnsmasq.conf that our files use (dnsmasq 2.90: `option.c`, and its man page). Refuses a line that it
does not know rather than to pass over it: what it does not understand, it cannot prove.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from foresight.boot_chain import Line, Trouble, lines

WITHOUT_EFFECT = (
    "address auth-server auth-ttl auth-zone bind-dynamic bind-interfaces bogus-priv cache-size cname dhcp-authoritative"
    " dhcp-fqdn dhcp-lease-max dhcp-leasefile dhcp-rapid-commit dhcp-script dns-rr domain domain-needed domain-suffix"
    " except-interface expand-hosts filter-AAAA group host-record interface interface-name keep-in-foreground"
    " listen-address local local-service local-ttl localise-queries log-dhcp log-facility log-queries mx-host neg-ttl"
    " no-hosts no-ping no-poll no-resolv pid-file port ptr-record quiet-dhcp quiet-tftp rebind-domain-ok resolv-file"
    " rev-server server srv-host stop-dns-rebind strict-order synth-domain tftp-max tftp-mtu tftp-no-blocksize"
    " tftp-no-fail tftp-port-range tftp-secure tftp-single-port txt-record user"
)
"""Directives that are known, and decide nothing about what a machine boots."""

_SYSTEMS = (
    "x86pc pc98 ia64_efi alpha arc_x86 intel_lean_client ia32_efi x86-64_efi xscale_efi bc_efi arm32_efi arm64_efi"
)
SYSTEMS = {name: number for number, name in enumerate(_SYSTEMS.split())}
"""pxe-service's names for option 93, in any case (dnsmasq 2.76 and later)."""

OPTIONS = {"router": 3, "vendor-encapsulated": 43, "vendor-class": 60, "tftp-server": 66, "bootfile-name": 67}
"""Option names that matter to a boot, besides numbers; other names are known to be without effect."""


@dataclass(frozen=True)
class Rule:
    """One directive that holds where the tags do: `tag:x` must be set, `tag:!x` must not."""

    line: Line
    tags: tuple[str, ...]
    words: tuple[str, ...]
    """What follows the tags."""

    def fits(self, tags: frozenset[str]) -> bool:
        """Whether every tag is as wanted (`match_netid`)."""
        return all((tag[1:] not in tags) if tag[:1] in "!#" else tag in tags for tag in self.tags)

    def word(self, number: int) -> str:
        """One word, or nothing."""
        return self.words[number] if number < len(self.words) else ""


@dataclass(frozen=True)
class Setter:
    """One directive that sets tags where a discover matches."""

    line: Line
    kind: str
    sets: tuple[str, ...]
    rule: Rule


@dataclass(frozen=True)
class Range:
    """One dhcp-range."""

    line: Line
    rule: Rule
    network: IPv4Network
    proxy: bool
    sets: tuple[str, ...]
    first: str
    last: str


@dataclass
class Configuration:
    """What dnsmasq knows once it has read its file."""

    setters: list[Setter] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)
    hosts: list[Setter] = field(default_factory=list)
    boots: list[Rule] = field(default_factory=list)
    """dhcp-boot; the last one of the file is asked first, as dnsmasq does."""
    services: list[Rule] = field(default_factory=list)
    """pxe-service, in the file's order."""
    options: list[Rule] = field(default_factory=list)
    """dhcp-option in all its forms; the first word is the option's number, `43`."""
    ignored: list[Rule] = field(default_factory=list)
    pxe_vendors: list[str] = field(default_factory=lambda: ["PXEClient"])
    pxe_vendors_line: Line | None = None
    tftp: Line | None = None
    tftp_root: Line | None = None
    troubles: list[Trouble] = field(default_factory=list)


def words(value: str) -> list[str]:
    """A directive's value at its commas; quotes hold one together and are taken off."""
    return [part.replace('"', "") for part in re.findall(r'(?:^|(?<=,))((?:"[^"]*"|[^,"])*)', value)]


def read(file: str, text: str) -> Configuration:
    """A file as dnsmasq would understand it; lines that it would refuse, or that are not known here, are `troubles`."""
    found = Configuration()
    for line in lines(file, text):
        bare = _without_comment(line.text)
        name, _, value = (part.strip() for part in bare.partition("="))
        try:
            _directive(found, line, name, value)
        except (ValueError, IndexError):
            found.troubles.append(_not_understood(line))
    found.boots.reverse()
    return found


def _without_comment(text: str) -> str:
    return re.sub(r'^((?:"[^"]*"|[^"])*?)\s#.*$', r"\1", text)


def _not_understood(line: Line) -> Trouble:
    return Trouble(
        "boot-unknown-line",
        f"nobody here knows what dnsmasq makes of `{line.text}`, so nothing is proven of what comes up",
        "teach foresight/boot_dnsmasq.py the directive, or leave the line out",
        line,
    )


def _directive(found: Configuration, line: Line, name: str, value: str) -> None:
    if name in WITHOUT_EFFECT.split():
        return
    if name == "enable-tftp":
        found.tftp = line
    elif name == "tftp-root":
        found.tftp_root = line
    elif name == "dhcp-range":
        found.ranges.append(_range(line, value))
    elif name in ("dhcp-match", "dhcp-vendorclass", "dhcp-userclass", "dhcp-mac", "tag-if"):
        found.setters.append(_setter(line, name, value))
    elif name == "dhcp-host":
        found.hosts.append(_setter(line, name, value))
    elif name == "dhcp-pxe-vendor":
        found.pxe_vendors, found.pxe_vendors_line = words(value), line
    else:
        _ruled(found, line, name, value)


def _ruled(found: Configuration, line: Line, name: str, value: str) -> None:
    _, rule = _tagged(line, value)
    if name == "dhcp-boot":
        found.boots.append(rule)
    elif name == "pxe-service":
        system = rule.words[0].lower()
        number = SYSTEMS.get(system) if system in SYSTEMS else int(system)
        found.services.append(Rule(line, rule.tags, (str(number), *rule.words[1:])))
    elif name == "dhcp-ignore":
        found.ignored.append(rule)
    elif name in ("dhcp-option", "dhcp-option-force", "dhcp-option-pxe"):
        found.options += _option(rule, name)
    elif name != "pxe-prompt":
        raise ValueError(name)


def _option(rule: Rule, name: str) -> Iterator[Rule]:
    """The option by its number; one encapsulated for PXE clients (`vendor:PXEClient,…`) is part of option 43."""
    told = list(rule.words)
    if told[0].startswith("vendor:"):
        told[:2] = ["43", told[1]]
    elif told[0].startswith("option:"):
        told[0] = str(OPTIONS.get(told[0].removeprefix("option:"), 0))
    elif told[0].startswith("encap:"):
        told[:2] = [told[0].removeprefix("encap:"), told[1]]
    yield Rule(rule.line, rule.tags, (str(int(told[0])), name, *told[1:]))


def _tagged(line: Line, value: str) -> tuple[tuple[str, ...], Rule]:
    """(what it sets, its tags and words); both may stand anywhere before the words."""
    sets: list[str] = []
    tags: list[str] = []
    rest: list[str] = []
    for word in words(value):
        if word.startswith("set:"):
            sets.append(word[4:])
        elif word.startswith("tag:"):
            tags.append(word[4:])
        else:
            rest.append(word)
    return tuple(sets), Rule(line, tuple(tags), tuple(rest))


def _setter(line: Line, kind: str, value: str) -> Setter:
    sets, rule = _tagged(line, value)
    if kind in ("dhcp-vendorclass", "dhcp-userclass", "dhcp-mac", "dhcp-match") and not sets:
        # The older spelling: the first word is the tag
        sets, rule = (rule.words[0],), Rule(line, rule.tags, rule.words[1:])
    if kind != "tag-if" and not (rule.words and rule.words[-1]):
        raise ValueError(kind)
    if kind == "dhcp-match" and rule.words[0].startswith(("option:", "vi-encap:")):
        name = rule.words[0].removeprefix("option:")
        number = {"client-arch": "93", "user-class": "77", "vendor-class": "60", "client-machine-id": "97"}[name]
        rule = Rule(line, rule.tags, (number, *rule.words[1:]))
    elif kind == "dhcp-match":
        int(rule.words[0])
    return Setter(line, kind, sets, rule)


def _range(line: Line, value: str) -> Range:
    sets, rule = _tagged(line, value)
    told = [word for word in rule.words if not word.startswith("interface:")]
    addresses = [word for word in told if _address(word)]
    masks = [word for word in addresses[1:] if _mask(word)]
    mask = masks[0] if masks else "255.255.255.0"
    network = IPv4Network(f"{addresses[0]}/{mask}", strict=False)
    proxy = "proxy" in told
    last = addresses[0] if proxy or "static" in told else addresses[1]
    return Range(line, Rule(line, rule.tags, ()), network, proxy, sets, addresses[0], last)


def _address(word: str) -> bool:
    try:
        IPv4Address(word)
    except AddressValueError:
        return False
    return True


def _mask(word: str) -> bool:
    try:
        return IPv4Network(f"0.0.0.0/{word}").prefixlen > 0 and word.startswith("255.")
    except (NetmaskValueError, AddressValueError):
        return False
