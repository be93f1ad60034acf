"""A chain as a picture: a sequence diagram as Mermaid's text, and the same for Graphviz.

Owns the pictures' text. Refuses to draw it: Git's web pages draw Mermaid, `dot` draws the other.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from foresight.boot_chain import Chain, Step, brief

PARTIES = {"firmware": "machine", "iPXE": "machine", "kernel": "machine", "Talos": "machine", "disk": "machine"}
"""Actors that are parts of the machine itself."""

ORDER = ("machine", "router", "dnsmasq", "TFTP", "HTTP", "NFS", "pulumi up")
"""Left to right."""

WIDE, HIGH = 190, 34
"""Points between two parties, and between two messages."""


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
    party = PARTIES.get(step.actor, step.actor)
    text = short(step.says)
    if step.requested:
        server = step.requested.protocol.upper()
        yield Message(party, server, short(step.requested.name))
        if not step.requested.found:
            yield Message(server, party, "not there", answer=True)
    elif step.says.startswith("asks DHCP"):
        yield Message(party, "dnsmasq", f"{text.partition(',')[0]}")
    elif party in ("router", "dnsmasq"):
        yield Message(party, "machine", text.partition(";")[0], answer=True)
    elif party == "machine":
        yield Message(party, party, f"{step.actor}: {text}")
    else:
        yield Message(party, "machine", text)


def short(text: str) -> str:
    """A text without what nobody reads in a picture: the rest of a hash, of a kernel's arguments."""
    text = brief(text)
    words = text.split()
    return text if len(words) <= 14 else " ".join([*words[:3], "…"] if text.startswith("starts: ") else words)


def parties(chain: Chain) -> tuple[str, ...]:
    """Everyone who takes part, left to right."""
    involved = {name for one in messages(chain) for name in (one.sender, one.to)}
    return tuple(name for name in ORDER if name in involved)


def mermaid(chain: Chain) -> str:
    """The sequence diagram as Mermaid's text."""
    told = ["sequenceDiagram"]
    told += [f"    participant {_key(name)} as {_title(chain, name)}" for name in parties(chain)]
    for one in messages(chain):
        text = one.text.replace(";", ",").replace("#", "no. ")
        if one.sender == one.to:
            told.append(f"    Note over {_key(one.sender)}: {text}")
        else:
            told.append(f"    {_key(one.sender)}{'-->>' if one.answer else '->>'}{_key(one.to)}: {text}")
    return "\n".join([*told, ""])


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
    return f"source-{hashlib.sha256(body.encode()).hexdigest()[:16]}"


def _drawn(chain: Chain) -> Iterator[str]:
    told = messages(chain)
    across = {name: at * WIDE * 2 for at, name in enumerate(parties(chain))}
    yield '  node [fontname="Helvetica" fontsize=11 shape=plaintext]; edge [fontname="Helvetica" fontsize=10];'
    bottom = -(len(told) + 1) * HIGH
    for name, x in across.items():
        box = 'shape=box style="rounded,filled" fillcolor="#e8eef7"'
        yield f'  "{name}" [label="{_title(chain, name)}" {box} pos="{x},0"];'
        yield f'  "{name}.end" [label="" width=0.01 height=0.01 pos="{x},{bottom}"];'
        yield f'  "{name}" -> "{name}.end" [arrowhead=none color="#b0b8c4" style=dashed];'
    for at, one in enumerate(told, start=1):
        yield from _arrow(at, one, across, -at * HIGH)


def _arrow(at: int, one: Message, across: dict[str, int], y: int) -> Iterator[str]:
    text = one.text.replace('"', "'")
    if one.sender == one.to:
        yield f'  n{at} [label="{text}" shape=note style=filled fillcolor="#fff7d6" pos="{across[one.sender]},{y}"];'
        return
    left, right = across[one.sender], across[one.to]
    style = " style=dashed" if one.answer else ""
    yield f'  a{at} [label="" width=0.01 height=0.01 pos="{left},{y}"];'
    yield f'  b{at} [label="" width=0.01 height=0.01 pos="{right},{y}"];'
    yield f"  a{at} -> b{at} [arrowsize=0.7{style}];"
    yield f'  t{at} [label="{text}" pos="{(left + right) // 2},{y + 8}"];'
