"""A chain as a picture: a sequence diagram as Mermaid's text, and the same for Graphviz.

Owns the pictures' text. Refuses to draw it: Git's web pages draw Mermaid, `dot` draws the other.
"""

import hashlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from foresight.boot_chain import Chain, Step, brief

PARTIES = ("firmware", "iPXE", "kernel", "Talos", "disk", "cloud-init", "ilmarin-stamp")
"""Actors that are parts of the machine itself."""

ORDER = ("machine", "router", "dnsmasq", "TFTP", "HTTP", "pulumi up")
"""Left to right."""

WIDE, HIGH, LINE = 290, 30, 14
"""Points between two parties, between two messages, and for every further line of a note."""

LETTERS = 52
"""How wide a note is."""


@dataclass(frozen=True)
class Message:
    """One arrow, or a note at one party where `to` is the same."""

    sender: str
    to: str
    text: str
    answer: bool = False


def messages(chain: Chain) -> tuple[Message, ...]:
    """What goes from whom to whom, in order."""
    return tuple(one for step in chain.steps for one in _messages(step))


def _messages(step: Step) -> Iterator[Message]:
    party = "machine" if step.actor in PARTIES else step.actor
    says = brief(step.says)
    if step.requested:
        server = step.requested.protocol.upper()
        name, query, _ = brief(step.requested.name).partition("?")
        yield Message(party, server, f"{name}?…" if query else name)
        if not step.requested.found:
            yield Message(server, party, "not there", answer=True)
    elif says.startswith("asks DHCP"):
        yield Message(party, "dnsmasq", says.rpartition(", ")[0])
    elif party in ("router", "dnsmasq"):
        yield Message(party, "machine", says.partition(";")[0], answer=True)
    elif party == "machine":
        yield Message(party, party, f"{step.actor}: {says}")
    else:
        yield Message(party, "machine", says)


def parties(chain: Chain) -> tuple[str, ...]:
    """Everyone who takes part, left to right."""
    involved = {name for one in messages(chain) for name in (one.sender, one.to)}
    return tuple(name for name in ORDER if name in involved)


def mermaid(chain: Chain) -> str:
    """The sequence diagram as Mermaid's text."""
    told = ["sequenceDiagram"]
    told += [f"    participant {_key(name)} as {_title(chain, name)}" for name in parties(chain)]
    for one in messages(chain):
        # Mermaid ends a statement at a semicolon, and an entity begins with a number sign
        text = "<br/>".join(_wrapped(one)).replace(";", ",").replace("#", "no. ")
        if one.sender == one.to:
            told.append(f"    Note over {_key(one.sender)}: {text}")
        else:
            told.append(f"    {_key(one.sender)}{'-->>' if one.answer else '->>'}{_key(one.to)}: {text}")
    return "\n".join([*told, ""])


def _wrapped(one: Message) -> list[str]:
    """The lines of a message: an arrow has one, unless its text is as long as a note's."""
    return textwrap.wrap(one.text, LETTERS, break_long_words=False, break_on_hyphens=False)


def _key(name: str) -> str:
    return name.replace(" ", "-")


def _title(chain: Chain, name: str) -> str:
    return chain.machine if name == "machine" else name


def graphviz(chain: Chain) -> str:
    """The same for `neato -n`: every point has its place, so the picture is a sequence and no knot."""
    body = "\n".join(_drawn(chain))
    graph = f'graph [class="{_mark(body)}" bgcolor=white pad=0.3 splines=line];'
    return f'digraph "{chain.machine}" {{\n  {graph}\n{body}\n}}\n'


def drawn_from(chain: Chain) -> str:
    """The mark by which a drawn picture says from which text it was drawn."""
    return _mark("\n".join(_drawn(chain)))


def _mark(body: str) -> str:
    return f"source{hashlib.sha256(body.encode()).hexdigest()[:16]}"


def _drawn(chain: Chain) -> Iterator[str]:
    across = {name: at * WIDE for at, name in enumerate(parties(chain))}
    yield '  node [fontname="Helvetica" fontsize=11 shape=plaintext]; edge [fontname="Helvetica" fontsize=10];'
    down = HIGH // 2
    body: list[str] = []
    for at, one in enumerate(messages(chain), start=1):
        lines = _wrapped(one)
        down += HIGH + LINE * (len(lines) - 1)
        # A note hangs around its middle, an arrow's text stands above it
        body += _arrow(at, one, lines, across, -down + LINE * (len(lines) - 1) // 2 if one.sender == one.to else -down)
    for name, x in across.items():
        box = 'shape=box style="rounded,filled" fillcolor="#e8eef7"'
        yield f'  "{name}" [label="{_title(chain, name)}" {box} pos="{x},0"];'
        yield f'  "{name}.end" [label="" width=0.01 height=0.01 pos="{x},{-down - HIGH}"];'
        yield f'  "{name}" -> "{name}.end" [arrowhead=none color="#b0b8c4" style=dashed];'
    yield from body


def _arrow(at: int, one: Message, lines: list[str], across: dict[str, int], y: int) -> Iterator[str]:
    text = "".join(f"{line}\\l" for line in lines).replace('"', "'")
    if one.sender == one.to:
        note = 'shape=note style=filled fillcolor="#fff7d6"'
        yield f'  n{at} [label="{text}" {note} pos="{across[one.sender]},{y}"];'
        return
    left, right = across[one.sender], across[one.to]
    style = " style=dashed" if one.answer else ""
    yield f'  a{at} [label="" width=0.01 height=0.01 pos="{left},{y}"];'
    yield f'  b{at} [label="" width=0.01 height=0.01 pos="{right},{y}"];'
    yield f"  a{at} -> b{at} [arrowsize=0.7{style}];"
    near = (left + WIDE // 2) if right > left else (left - WIDE // 2)
    yield f'  t{at} [label="{text}" height=0.1 margin=0 pos="{near},{y + 7 + LINE * (len(lines) - 1) // 2}"];'
