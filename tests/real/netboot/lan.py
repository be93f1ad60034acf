"""A network of a test's own: machines in namespaces, joined by bridges, from which no packet leaves.

Owns the namespaces, their files and their programs, which all end with the test, however it ends. Refuses to know what
is tried in them. Needs no root: an ordinary user gets a user namespace around it, where only TAP devices are missing.
"""

import ipaddress
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRATCH = ("/run", "/srv", "/var/cache", "/var/lib", "/var/log")
"""Directories that are empty and the test's own inside, so that what is tested has its files at its real paths."""

OUTSIDE_ROOT = os.geteuid() != 0


def missing(what: str) -> None:
    """Skips the test with a plain word; in CI fails it."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}; in CI that is a failure", pytrace=False)
    pytest.skip(what)


@dataclass
class Lan:
    """Running namespaces. `run` and `start` name the machine they run in; `""` is the one that holds the bridges."""

    holder: subprocess.Popen[str]
    pid: int
    """Of the process that keeps the namespaces, as the outside counts."""
    logs: Path
    started: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def path(self, inside: str) -> Path:
        """Where the test finds the file that the machines know as `inside`; only what is the test's own is given."""
        assert f"{inside}/".startswith(tuple(f"{own}/" for own in (*SCRATCH, "/etc"))), f"{inside} is the machine's own"
        return Path(f"/proc/{self.pid}/root") / inside.lstrip("/")

    def write(self, inside: str, content: str | bytes) -> None:
        """Puts a file, readable for daemons that dropped their privileges."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def _inside(self, machine: str, command: tuple[str, ...]) -> list[str]:
        user = ["--user", "--preserve-credentials"] if OUTSIDE_ROOT else []
        enter = ["nsenter", f"--target={self.pid}", *user, "--mount", "--pid", "--net", "--"]
        return [*enter, *(["nsenter", f"--net=/run/netns/{machine}", "--"] if machine else []), *command]

    def run(self, machine: str, *command: str, stdin: str = "", timeout: float = 60) -> str:
        """What a command says; one that fails is an AssertionError with all it said."""
        done = self.attempt(machine, *command, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"{shlex.join(command)} on {machine}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def attempt(
        self, machine: str, *command: str, stdin: str = "", timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command that may fail."""
        return subprocess.run(
            self._inside(machine, command), input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )

    def start(self, name: str, machine: str, *command: str) -> None:
        """Starts a program that stays; what it says is `log(name)`."""
        with (self.logs / f"{name}.log").open("ab") as log:
            self.started[name] = subprocess.Popen(
                self._inside(machine, command), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def log(self, name: str) -> str:
        """Everything a started program has said so far."""
        return (self.logs / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait(self, what: str, seen: Callable[[], bool], seconds: float = 10) -> None:
        """Waits until `seen`; where it does not come, or a program ends meanwhile, fails with every log there is."""
        deadline = time.monotonic() + seconds
        while not seen():
            ended = [name for name, program in self.started.items() if program.poll() is not None]
            if ended or time.monotonic() > deadline:
                why = f"{', '.join(ended)} ended" if ended else f"not within {seconds:.0f} s"
                pytest.fail(f"{what}: {why}\n{self.told()}", pytrace=False)
            time.sleep(0.05)

    def told(self, lines: int = 60) -> str:
        """The end of every log, for a person who reads a failure."""
        ends = {name: self.log(name).splitlines()[-lines:] for name in self.started}
        return "\n".join(f"--- {name}\n" + "\n".join(end) for name, end in ends.items())


def _setup(machines: Mapping[str, Mapping[str, list[str]]]) -> Iterator[str]:
    """The shell lines that make the namespaces; the first address of an interface is its primary one."""
    yield from (f"mount -t tmpfs -o mode=755 scratch {directory}" for directory in SCRATCH)
    # /etc is a copy of the test's own; what an ordinary user may not read there is nothing that is needed
    yield "mkdir -p /run/etc /run/netns"
    yield "cp -a /etc/. /run/etc 2>/dev/null || true"
    yield "mount --bind /run/etc /etc"
    for segment in sorted({segment for segments in machines.values() for segment in segments}):
        yield f"ip link add name br-{segment} type bridge forward_delay 0 mcast_snooping 0"
        yield f"ip link set br-{segment} up"
    for name, segments in machines.items():
        yield f"ip netns add {name}"
        yield f"ip -n {name} link set lo up"
        for number, (segment, addresses) in enumerate(segments.items()):
            port = f"{name}{number}"
            yield f"ip link add name {port} type veth peer name eth{number} netns {name}"
            yield f"ip link set {port} master br-{segment} up"
            yield f"ip -n {name} link set eth{number} up"
            for address in addresses:
                device = f"eth{number}" if ipaddress.ip_interface(address).ip.is_private else "lo"
                yield f"ip -n {name} addr add {address} dev {device}"


@contextmanager
def lan(
    machines: Mapping[str, Mapping[str, list[str]]], logs: Path, require_tool: Callable[[str], str]
) -> Iterator[Lan]:
    """Machine → segment → addresses, as namespaces that end with the `with`. Public addresses stand on `lo`."""
    for tool in ("ip", "nsenter", "unshare"):
        require_tool(tool)
    user = ["--user", "--map-root-user"] if OUTSIDE_ROOT else []
    # The shell's own pid as the outside counts: /proc is still the outside's
    setup = "\n".join(["set -e", *_setup(machines), "read -r pid rest </proc/self/stat", "echo $pid", "exec cat"])
    command = ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--", "sh", "-c", setup]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stderr
        pid = holder.stdout.readline().strip()
        if not pid:
            missing(f"no network namespaces here: {holder.stderr.read().strip()}")
        made = Lan(holder, int(pid), logs)
        try:
            yield made
        finally:
            # `cat` ends, it is the first process of its namespace, and so every other one ends too
            holder.stdin.close()
            for program in made.started.values():
                program.wait(timeout=10)
