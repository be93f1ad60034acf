"""The repository that the folders lie in: who is let in, and whose host key is believed.

Owns what its address says, lines of known_hosts, and the names under which this program seeds what opens it. Refuses
the values, which are stack secrets, and artefacts: those are Flux' (`model.flux`).
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

REPOSITORY_SECRET = "gitops-repository"
"""The Secret beside Argo CD that it finds by its label and by the repository's address."""
MIRROR_SECRET = "git-mirror-key"
"""The Secret beside the Git mirror, whose pod mounts it when it is there."""

_SSH = re.compile(r"ssh://(?:[^/@\s]+@)?(?P<host>[A-Za-z0-9.-]+)(?::(?P<port>\d{1,5}))?/\S+")
_SCP = re.compile(r"[a-z0-9_-]+@(?P<host>[A-Za-z0-9.-]+):[^\s/]\S*")
_LINE = re.compile(r"(?P<hosts>[^\s|@#!*?]+) (?P<type>[a-z0-9@.-]+) (?P<key>[A-Za-z0-9+/]+=*)( [^\r\n]*)?")


@dataclass(frozen=True)
class Login:
    """How a private repository lets somebody in. Its secret is none of these."""

    kind: Literal["deploy-key", "token"]
    url: str
    username: str
    """What goes with a token; a key needs none."""
    known_hosts: tuple[str, ...]
    """Lines of known_hosts: the server is one of them, or is not believed."""


def ssh_host(url: str) -> str | None:
    """The server of an address over SSH, as known_hosts names it: `host`, or `[host]:port`; None for any other."""
    found = _SSH.fullmatch(url) or _SCP.fullmatch(url)
    if found is None:
        return None
    port = found.groupdict().get("port")
    return found["host"] if port in (None, "22") else f"[{found['host']}]:{port}"


def hosts_of(line: str) -> tuple[str, ...]:
    """The servers that a line of known_hosts is about; none where it is no line that says so in clear, or its key is
    none. Hashed names, patterns and marks are refused: nobody could read what is believed."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        return ()
    try:
        blob = base64.b64decode(match["key"], validate=True)
    except binascii.Error:
        return ()
    length = int.from_bytes(blob[:4], "big")
    whole = blob[4 : 4 + length] == match["type"].encode() and len(blob) > 4 + length
    return tuple(match["hosts"].split(",")) if whole else ()


def about(host: str, lines: Iterable[str]) -> set[str]:
    """Of lines of known_hosts those about a server, each as `type key`."""
    return {" ".join(line.split()[1:3]) for line in lines if host in hosts_of(line)}
