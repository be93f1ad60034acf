"""A publisher on loopback, and the builder's script with the shell and programs that run it.

Owns how a transfer goes wrong. Refuses to judge what the script makes of it: that is `test_fetching`.
"""

import hashlib
import subprocess
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from tests.labs import ROOT

SCRIPT = ROOT / "gitops" / "homelab" / "ainur" / "netboot" / "pi-netboot" / "fetch.sh"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Publisher:
    """What is to be had, how a transfer goes wrong, and what was asked for."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None
    """Every transfer ends after so many bytes of those it promised."""
    stalls: threading.Event = field(default_factory=threading.Event)
    """Set once a transfer was cut short by `cut_after`."""
    hangs: bool = False
    """A transfer that is cut short does not end: nothing more comes."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and the range that was asked for, if any."""
    address: str = ""

    def at(self, path: str) -> str:
        return f"{self.address}{path}"


class Handler(BaseHTTPRequestHandler):
    def __init__(self, publisher: Publisher, *arguments: object) -> None:
        self.publisher = publisher
        super().__init__(*arguments)  # pyright: ignore[reportArgumentType] # the server hands over what its base wants

    def do_GET(self) -> None:
        ranged = self.headers.get("Range", "")
        self.publisher.asked.append((self.path, ranged))
        content = self.publisher.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(ranged.removeprefix("bytes=").rstrip("-")) if ranged else 0
        if ranged and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if ranged else 200)
        if ranged:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = len(content) if self.publisher.cut_after is None else start + self.publisher.cut_after
        self.wfile.write(content[start:end])
        if end < len(content):
            self.wfile.flush()
            self.publisher.stalls.set()
            while self.publisher.hangs:
                time.sleep(0.02)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class' name
        pass


@dataclass
class Builder:
    """The script, its list and its folder."""

    folder: Path
    shell: list[str]
    path: str
    """Where its programs are."""
    lines: list[str] = field(default_factory=list)

    def run(self) -> subprocess.CompletedProcess[str]:
        command, environment = self.command()
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def command(self) -> tuple[list[str], dict[str, str]]:
        """The list is written, and this runs the script: arguments and environment."""
        listed = self.folder.parent / "boot.list"
        listed.write_text("# path check url\n" + "".join(f"{line}\n" for line in self.lines))
        command = [*self.shell, str(SCRIPT), str(listed), str(self.folder)]
        return command, {"PATH": self.path, "FETCH_PROTOCOLS": "=http", "LC_ALL": "C"}

    def file(self, path: str) -> bytes | None:
        return (self.folder / path).read_bytes() if (self.folder / path).exists() else None
