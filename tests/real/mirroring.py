"""An upstream repository on loopback, and the mirror's two programs with the Git that runs them.

Owns how upstream behaves. Refuses to judge what the mirror makes of it: that is `test_git_mirror`.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from tests.labs import ROOT

FOLDER = ROOT / "gitops" / "homelab" / "ainur" / "source" / "git-mirror"
OWNER = ("-c", "user.name=Owner", "-c", "user.email=owner@example.com", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str) -> str:
    """What Git says, in a folder; an error is the test's."""
    ran = subprocess.run(
        ["git", "-C", str(folder), *OWNER, *arguments], check=True, capture_output=True, text=True, timeout=60
    )
    return ran.stdout.strip()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@dataclass
class Upstream:
    """A working copy, and the bare repository that is fetched from, served by the mirror's own server."""

    folder: Path
    port: int = field(default_factory=free_port)
    server: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.work, self.bare = self.folder / "work", self.folder / "iluvatar.git"
        self.work.mkdir(parents=True)
        git(self.work, "init", "--quiet")
        git(self.folder, "init", "--quiet", "--bare", str(self.bare))
        git(self.work, "remote", "add", "origin", str(self.bare))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/iluvatar.git"

    def commit(self, text: str, branch: str = "main", size: int = 0) -> str:
        """A new commit on a branch, pushed; its id."""
        git(self.work, "checkout", "--quiet", "-B", branch)
        (self.work / "file").write_text(text)
        if size:
            (self.work / "large").write_bytes(os.urandom(size))
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--message", text)
        git(self.work, "push", "--quiet", "--force", "origin", branch)
        return git(self.work, "rev-parse", "HEAD")

    def up(self) -> None:
        self.server = serve(self.bare, self.port)

    def down(self) -> None:
        if self.server:
            self.server.kill()
            self.server.wait()
            self.server = None


def serve(repository: Path, port: int) -> subprocess.Popen[bytes]:
    """The mirror's server, once it listens."""
    log = repository.parent / f"serve-{port}.log"
    with log.open("wb") as words:
        server = subprocess.Popen(
            [sys.executable, str(FOLDER / "serve.py"), str(port), str(repository)], stdout=words, stderr=words
        )
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.05)
    raise AssertionError(f"nothing listens: {log.read_text()}")


def asked(url: str, body: bytes | None = None) -> int:
    """The status of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        with refused:  # it holds its connection
            return refused.code


@dataclass
class Mirror:
    """The mirror's folder."""

    folder: Path
    url: str

    @property
    def repository(self) -> Path:
        return self.folder / "srv" / "iluvatar.git"

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "MIRROR_URL": self.url,
            "MIRROR_REPOSITORY": str(self.repository),
            "MIRROR_KEY_FOLDER": str(self.folder / "key"),
        }

    def fetch(self, *revision: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(FOLDER / "fetch.sh"), *revision],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )

    def start(self, *revision: str) -> subprocess.Popen[bytes]:
        """A run that can be killed with everything it started."""
        return subprocess.Popen(
            ["sh", str(FOLDER / "fetch.sh"), *revision],
            env=self.environment(),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def has(self, name: str) -> str | None:
        ran = subprocess.run(
            ["git", "-C", str(self.repository), "rev-parse", "--quiet", "--verify", name],
            capture_output=True,
            text=True,
        )
        return ran.stdout.strip() or None


def kill(run: subprocess.Popen[bytes]) -> None:
    """As a node that loses its power does."""
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
