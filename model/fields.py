"""The small types that every realm's data is made of: names, addresses, ranges, MACs, versions.

Owns parsing one value and saying how to mend it. Refuses to know any other value: what two fields mean to each
other is a law (`model.laws`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from model.findings import one_line

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
VERSION = re.compile(r"v\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?")
CONTRACT = re.compile(r"v\d+\.\d+")
MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)*")
SHA256 = re.compile(r"[0-9a-f]{64}")
HTTPS = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?/[A-Za-z0-9._~/+%=:@-]+")
MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")


class Shape(BaseModel):
    """Base of every shape: unknown keys are errors, nothing is coerced, nothing changes after the door."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def refuse(code: str, message: str, hint: str) -> PydanticCustomError:
    """An error of one value; `code` is the finding's stable code, `hint` says how to mend it."""
    return PydanticCustomError(code, "{text}", {"text": one_line(message), "hint": one_line(hint)})  # pyright: ignore[reportArgumentType] # pydantic wants literal strings for its own translations; ours are data


def _text(value: Any, what: str, example: str) -> str:
    if not isinstance(value, str):
        shown = type(value).__name__ if isinstance(value, (dict, list)) else repr(value)
        raise refuse("shape-type", f"{what} is text, not {shown}", f'write it in quotes, for example "{example}"')
    return value


@dataclass(frozen=True, order=True)
class AddressRange:
    """An inclusive run of IPv4 addresses, written `first-last`."""

    first: IPv4Address
    last: IPv4Address

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last

    def __len__(self) -> int:
        return int(self.last) - int(self.first) + 1

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    def overlaps(self, other: "AddressRange") -> bool:
        """Whether the two runs share an address."""
        return self.first <= other.last and other.first <= self.last


def parse_name(value: Any) -> str:
    """One RFC 1123 label: what Kubernetes, DNS and host names all accept."""
    text = _text(value, "a name", "valinor-1")
    if not LABEL.fullmatch(text):
        near = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or "node-1"
        raise refuse("name-rfc1123", f"'{text[:80]}' is not a host name (RFC 1123)", f"did you mean '{near}'?")
    return text


def parse_hostname(value: Any) -> str:
    """A full DNS name in lower case, without the trailing dot; a leading `*.` is allowed for a wildcard."""
    text = _text(value, "a host name", "external.example.com")
    bare = text.removeprefix("*.")
    if len(bare) > 253 or "." not in bare or not all(LABEL.fullmatch(label) for label in bare.split(".")):
        near = ".".join(re.sub(r"[^a-z0-9-]+", "-", part).strip("-") for part in text.lower().strip(".").split("."))
        hint = f"did you mean '{near[:80]}'?" if "." in near else f"write it whole, such as {near[:60]}.example.com"
        raise refuse("name-dns", f"'{text[:80]}' is not a full DNS name", hint)
    return text


def parse_address(value: Any) -> IPv4Address:
    """An IPv4 address in dotted form."""
    text = _text(value, "an address", "192.168.1.10")
    try:
        return IPv4Address(text)
    except AddressValueError:
        near = text.split("/")[0]
        hint = f"did you mean {near}?" if "/" in text and _is_address(near) else "write it as 192.168.1.10"
        raise refuse("address-syntax", f"'{text[:80]}' is not an IPv4 address", hint) from None


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except AddressValueError:
        return False
    return True


def parse_subnet(value: Any) -> IPv4Network:
    """An IPv4 subnet in CIDR form, its host bits zero."""
    text = _text(value, "a subnet", "192.168.1.0/24")
    try:
        network = IPv4Network(text, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise refuse("subnet-syntax", f"'{text[:80]}' is not an IPv4 subnet", "write it as 192.168.1.0/24") from None
    if "/" not in text:
        raise refuse("subnet-syntax", f"'{text}' has no prefix length", f"did you mean {network.network_address}/24?")
    if str(network) != text:
        raise refuse("subnet-host-bits", f"{text} has host bits set", f"did you mean {network}?")
    return network


def parse_range(value: Any) -> AddressRange:
    """An inclusive range of addresses, `first-last`."""
    text = _text(value, "a range", "192.168.1.150-192.168.1.199")
    first, dash, last = (part.strip() for part in text.partition("-"))
    if not (dash and _is_address(first) and _is_address(last)):
        raise refuse(
            "range-syntax", f"'{text[:80]}' is not an address range", "write it as 192.168.1.150-192.168.1.199"
        )
    found = AddressRange(IPv4Address(first), IPv4Address(last))
    if found.first > found.last:
        raise refuse("range-backwards", f"{text} ends before it begins", f"did you mean {last}-{first}?")
    return found


def parse_mac(value: Any) -> str:
    """A MAC address, lower case, colons; dashes and capitals are accepted and put right."""
    text = _text(value, "a MAC address", "02:00:00:00:02:01").lower().replace("-", ":")
    if not MAC.fullmatch(text):
        raise refuse("mac-syntax", f"'{value[:80]}' is not a MAC address", 'write it in quotes, as "02:00:00:00:02:01"')
    if int(text[:2], 16) & 1:
        near = f"{int(text[:2], 16) & 0xFE:02x}{text[2:]}"
        raise refuse("mac-multicast", f"{text} is a multicast address: no network card has it", f"did you mean {near}?")
    return text


def parse_contract(value: Any) -> str:
    """A Talos minor, `v1.2`."""
    text = _text(value, "a Talos minor", "v1.2")
    if not CONTRACT.fullmatch(text):
        near = re.match(r"v?(\d+\.\d+)", text)
        hint = f'did you mean "v{near[1]}"?' if near else 'write it as "v1.2"'
        raise refuse("version-contract-syntax", f"'{text[:80]}' is not a minor of Talos", hint)
    return text


def parse_version(value: Any) -> str:
    """A pinned release, `v1.2.3`; never a range, a branch or `latest`."""
    text = _text(value, "a version", "v1.2.3")
    if not VERSION.fullmatch(text):
        bare = re.fullmatch(r"\d+\.\d+\.\d+\S*", text)
        hint = f'did you mean "v{text}"?' if bare else 'pin one release, as "v1.2.3"'
        raise refuse("version-unpinned", f"'{text[:80]}' is not one pinned release", hint)
    return text


def check_line(text: str) -> str:
    """Text that stays what it is in a file, a command or a terminal: one line, nothing invisible."""
    if not text.isprintable():
        raise refuse(
            "shape-text", "it holds a line break or an invisible letter", "write it on one line, in plain letters"
        )
    return text


def parse_sha256(value: Any) -> str:
    """A SHA-256 in hexadecimal, lower case."""
    text = _text(value, "a SHA-256", "e3b0c442" + "0" * 56).lower()
    if not SHA256.fullmatch(text):
        hint = "64 digits from 0 to f, as `sha256sum` prints them; without one, leave the line out"
        raise refuse("sha256-syntax", f"'{text[:80]}' is not a SHA-256", hint)
    return text


def parse_https(value: Any) -> str:
    """The address of a file, over TLS, without a query: it stands in a list whose words are divided by blanks."""
    text = _text(value, "an address", "https://downloads.example.com/file.deb")
    if not HTTPS.fullmatch(text):
        near = "https://" + text.removeprefix("http://")
        hint = f"did you mean {near}?" if HTTPS.fullmatch(near) else "write it as https://host/folder/file"
        raise refuse("url-syntax", f"'{text[:80]}' is not the https address of a file", hint)
    return text


def parse_member(value: Any) -> str:
    """The path of a file inside an archive."""
    text = _text(value, "a path in an archive", "usr/lib/ipxe/undionly.kpxe")
    if not MEMBER.fullmatch(text):
        near = text.removeprefix("./").lstrip("/")
        hint = f"did you mean '{near}'?" if MEMBER.fullmatch(near) else "write it as the archive lists it, without ./"
        raise refuse("member-syntax", f"'{text[:80]}' is not a file's path in an archive", hint)
    return text


def check_lines(text: str) -> str:
    """Text of several lines, nothing else invisible in it."""
    for line in text.split("\n"):
        check_line(line.replace("\t", " "))
    return text


@dataclass(frozen=True)
class Parsed:
    """Annotation: `parse` turns the written text into the value; `pattern` and `example` go to the JSON Schema."""

    parse: Callable[[Any], Any]
    pattern: str
    example: str

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate with `parse` alone; dump as text."""
        text = core_schema.to_string_ser_schema()
        return core_schema.no_info_plain_validator_function(self.parse, serialization=text)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """What an editor is told."""
        return {"type": "string", "pattern": self.pattern, "examples": [self.example]}


QUAD = r"(\d{1,3}\.){3}\d{1,3}"
Name = Annotated[str, Parsed(parse_name, f"^{LABEL.pattern}$", "valinor-1")]
Hostname = Annotated[str, Parsed(parse_hostname, r"^(\*\.)?[a-z0-9.-]+\.[a-z0-9-]+$", "external.example.com")]
Address = Annotated[IPv4Address, Parsed(parse_address, f"^{QUAD}$", "192.168.1.10")]
Subnet = Annotated[IPv4Network, Parsed(parse_subnet, rf"^{QUAD}/\d{{1,2}}$", "192.168.1.0/24")]
Range = Annotated[AddressRange, Parsed(parse_range, f"^{QUAD}-{QUAD}$", "192.168.1.150-192.168.1.199")]
Mac = Annotated[str, Parsed(parse_mac, "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$", "02:00:00:00:02:01")]
Contract = Annotated[str, Parsed(parse_contract, f"^{CONTRACT.pattern}$", "v1.2")]
Version = Annotated[str, Parsed(parse_version, f"^{VERSION.pattern}$", "v1.2.3")]
Sha256 = Annotated[str, Parsed(parse_sha256, f"^{SHA256.pattern}$", "0" * 64)]
HttpsFile = Annotated[str, Parsed(parse_https, f"^{HTTPS.pattern}$", "https://downloads.example.com/file.deb")]
Member = Annotated[str, Parsed(parse_member, f"^{MEMBER.pattern}$", "usr/lib/ipxe/undionly.kpxe")]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Positive = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Flag = Annotated[bool, Field(strict=True)]
Asn = Annotated[int, Field(strict=True, ge=1, le=2**32 - 1)]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=500), AfterValidator(check_line)]
Lines = Annotated[str, Field(strict=True, max_length=10_000), AfterValidator(check_lines)]
