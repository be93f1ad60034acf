"""Nothing secret in a file that anyone on the network may fetch.

Owns the marks by which a secret is known in text. Refuses to know the secrets themselves.
"""

import re
from collections.abc import Iterator

from foresight.boot_chain import Trouble, lines
from foresight.boot_manifest import Served

MARKS = (
    ("a private key", re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|AGE-SECRET-KEY-")),
    ("a password", re.compile(r"(?i)\b(?:passw(?:or)?d|passphrase|hashed_passwd)\b\s*[:=]\s*\S")),
    ("a password's hash", re.compile(r"\$(?:1|2[aby]?|5|6|y)\$[./A-Za-z0-9$,=]{8,}")),
    ("a k3s join token", re.compile(r"\bK10[0-9a-f]{16,}")),
    ("a bootstrap token", re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")),
    # A path, a shell's variable or a format is where one is kept, not one
    ("a token", re.compile(r"(?i)\b(?:token|secret|api_?key)\b\s*[:=]\s*(?![\"']?[/$%])\S")),
    ("a web token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.")),
    ("a Talos configuration", re.compile(r"\btalos\.config=")),
)
"""What a secret looks like. A Talos configuration carries the cluster's keys, so its address is never told here."""


def leaks(served: Served) -> Iterator[Trouble]:
    """Every line of a served text that looks like a secret."""
    for name, content in [*served.http.items(), *served.tftp.items()]:
        for line in lines(name.lstrip("/"), content.text):
            kind = next((kind for kind, mark in MARKS if mark.search(line.text)), None)
            if kind:
                yield Trouble(
                    "boot-secret-served",
                    f"what looks like {kind} is served to anyone who asks",
                    "hand it over by a way that knows who asks: SSH, or the Talos API",
                    line,
                )
