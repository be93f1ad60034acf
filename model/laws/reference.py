"""The reference of findings: every code, how grave it is, and what must hold.

Owns docs/findings.md's text. Refuses to write it anywhere: it is committed, and a test holds it fresh.
"""

from itertools import groupby

from model.laws.foreseen import FORESEEN
from model.laws.registry import LAWS

GRADES = {"error": "**error**", "warning": "warning", "note": "note"}

SHAPES = {
    "shape-missing": "What is required is there.",
    "shape-unknown-key": "A key is one that its part of the file knows; the nearest known one is proposed.",
    "shape-type": "A value is of the kind its key wants: text, a whole number, true or false, a mapping, a list.",
    "shape-choice": "A value is one of the words its key knows.",
    "shape-value": "A number is within its bounds, a text within its length.",
    "shape-text": "A text is one line of letters that can be seen.",
    "shape-empty": "What needs at least one entry has one.",
    "name-rfc1123": "A name is one label of RFC 1123: lower-case letters, digits and hyphens, at most 63 characters.",
    "name-dns": "A host name is a full DNS name in lower case, without the trailing dot.",
    "address-syntax": "An address is an IPv4 address in dotted form.",
    "subnet-syntax": "A subnet is an IPv4 subnet with its prefix length.",
    "subnet-host-bits": "A subnet is written with its network address.",
    "range-syntax": "A range of addresses is written `first-last`.",
    "range-backwards": "A range does not end before it begins.",
    "mac-syntax": "A MAC address has six pairs of hex digits.",
    "mac-multicast": "A MAC address is a card's own, not a group's.",
    "version-contract-syntax": "A contract is a minor of Talos.",
    "version-unpinned": "A release is pinned: one release, no range, no branch, not `latest`.",
}
"""What a field checks by itself."""

DOCUMENTS = {
    "document-yaml": "The file is YAML, in UTF-8.",
    "document-size": "The file, with every alias written out, stays within what a lab could need.",
    "document-depth": "Nesting stays within what a lab could need.",
    "document-many": "The file holds one document: the engine skips a second one in silence.",
    "document-duplicate-key": "A key stands in its mapping once.",
    "document-key": "A key is text: the engine refuses any other.",
    "document-tag": "No value carries a YAML tag: readers differ about them.",
    "document-scalar": "No unquoted value is one that the engine rewrites: a point in time, a number beyond 64 bits.",
    "document-alias": "An alias stands for something that is whole by then.",
    "document-merge": "A merge key merges mappings.",
    "document-empty": "The file holds a stack's configuration.",
    "document-no-environment": "The configuration holds `iluvatar:environment`, a mapping.",
    "document-unknown-key": "A key at the top is one that Pulumi knows.",
    "document-config-key": "A key of `iluvatar:` is one that this program reads.",
    "document-foreign-key": "A key of the configuration is somebody's (a warning, unless `iluvatar` is misspelt).",
    "document-secret-inside": "No secret stands inside the environment, where it would lose its secrecy.",
    "name-stack": "An environment is named as its stack: two of one name would be one cluster to the engine.",
    "secret-in-clear": "A secret does not stand in the file in clear.",
    "secret-missing": "Every secret the lab needs is set: a note in a preview, an error in an `up`.",
}
"""What is checked about the file and the stack's own keys."""

PROGRAMS = {
    "tool-missing": "`talosctl` and `kubectl` are on the machine that runs `pulumi`: without, an `up` stops at once."
}
"""What is looked for on the machine."""


def markdown() -> str:
    """The whole page."""
    lines = [
        "# What `./lab check` finds",
        "",
        "Generated from the laws' own docstrings (`model/laws/`); do not edit. Codes are stable. An **error** stops",
        "everything before anything is touched; a warning is legal but unwise. Every finding of a file is reported in",
        "one run, and a finding that another one explains is left out.",
        "",
    ]
    lines += _table("The file", [(code, "error", holds) for code, holds in DOCUMENTS.items()])
    lines += _table("The machine", [(code, "note", holds) for code, holds in PROGRAMS.items()])
    lines += _table("One value", [(code, "error", holds) for code, holds in SHAPES.items()])
    ordered = sorted(LAWS.values(), key=lambda law: law.code)
    for room, laws in groupby(ordered, key=lambda law: law.code.partition("-")[0]):
        lines += _table(room.capitalize(), [(law.code, law.grade, law.holds) for law in laws])
    foreseen = [(code, one.grade, one.holds) for code, one in sorted(FORESEEN.items())]
    lines += _table("What is rendered", foreseen)
    return "\n".join(lines)


def _table(title: str, rows: list[tuple[str, str, str]]) -> list[str]:
    head = [f"## {title}", "", "| code | grade | what holds |", "|---|---|---|"]
    return [
        *head,
        *(f"| `{code}` | {GRADES[grade]} | {holds.replace('|', chr(92) + '|')} |" for code, grade, holds in rows),
        "",
    ]
