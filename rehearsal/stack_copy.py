"""The rack's copy of a stack file: the person's data word for word, the rack's secrets in place of theirs.

Owns the copy's text. It is edited as text, not loaded and dumped: the engine reads stack files with Go's YAML, and a
rewritten file would hide from a rehearsal what the engine makes of the person's own spelling. Refuses to judge data.
"""

from __future__ import annotations

from dataclasses import dataclass

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_ENCRYPTION_KEYS = frozenset({"encryptionsalt", "encryptedkey", "secretsprovider"})


class NotAStackFile(ValueError):
    """The text cannot be copied as a stack file; the message ends a sentence that began with the file's name."""


@dataclass(frozen=True)
class Sealed:
    """Secrets as the engine encrypted them for this rack: configuration key to ciphertext, and the salt they need."""

    secrets: dict[str, str]
    salt: str


def sealed_in(text: str) -> Sealed:
    """What a stack file holds after `pulumi config set --secret`; KeyError when it holds nothing of the kind."""
    document = yaml.safe_load(text)
    secrets = {key: value["secure"] for key, value in document.get("config", {}).items()}
    return Sealed(secrets=secrets, salt=document["encryptionsalt"])


def rack_copy(text: str, sealed: Sealed) -> str:
    """`text` of a stack file with every encrypted value taken out and the `sealed` ones put in.

    The person's own secrets cannot be read without their passphrase, and a rehearsal has no business with them.
    NotAStackFile when the text is none, or writes `config` in braces.
    """
    document = _document(text)
    config = next((value for key, value in document.value if key.value == "config"), None)
    if not isinstance(config, MappingNode) or config.flow_style or not config.value:
        raise NotAStackFile("writes `config` in braces: the rack needs its keys on lines of their own")
    gone: set[int] = set()
    for key, value in document.value:
        if key.value in _ENCRYPTION_KEYS:
            gone |= _lines(key, value)
    for key, value in config.value:
        if _is_secure(value) or key.value in sealed.secrets:
            gone |= _lines(key, value)
    first = config.value[0][0].start_mark
    lines = text.splitlines(keepends=True)
    kept = [line for number, line in enumerate(lines) if number >= first.line and number not in gone]
    head = [line for number, line in enumerate(lines[: first.line]) if number not in gone]
    indent = " " * first.column
    secure = [f"{indent}{key}:\n{indent}  secure: {value}\n" for key, value in sorted(sealed.secrets.items())]
    if kept and not kept[-1].endswith("\n"):
        kept[-1] += "\n"
    return "".join([*head, *secure, *kept, f"encryptionsalt: {sealed.salt}\n"])


def _document(text: str) -> MappingNode:
    try:
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise NotAStackFile(f"is not YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(document, MappingNode):
        raise NotAStackFile("is no stack file: it is not a mapping")
    return document


def _is_secure(value: Node) -> bool:
    if not isinstance(value, MappingNode):
        return False
    return any(isinstance(key, ScalarNode) and key.value == "secure" for key, _ in value.value)


def _lines(key: Node, value: Node) -> set[int]:
    """The numbers of the lines an entry takes."""
    return set(range(key.start_mark.line, _last_line(value) + 1))


def _last_line(node: Node) -> int:
    """The last line `node` stands on. A block's own end mark is where the next token starts, comments skipped."""
    if isinstance(node, MappingNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1][1])
    if isinstance(node, SequenceNode) and node.value and not node.flow_style:
        return _last_line(node.value[-1])
    end = node.end_mark
    return end.line - 1 if end.column == 0 and end.line > node.start_mark.line else end.line
