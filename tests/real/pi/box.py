"""A Pi for a test: this machine's root under an overlay, where the Pis' scripts run word for word at their real paths.

Owns the overlay, its stand-ins for systemd's commands, and how a script is cut. What a script asks of disks, keys and
archives are the real tools. Refuses to know what a script is to do. What is written goes with the test: mounts and host
name are a namespace's own, `/etc` and `/var/lib` the overlay's. Nothing here needs root but loop devices (`disks`).
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.netboot.lan import OUTSIDE_ROOT, missing

SCRIPTS = Path(__file__).parents[3] / "render" / "pi" / "scripts"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

VALA = {
    "NODE": "vala-1",
    "LAB": "homelab",
    "ZONE": "homelab.example.com",
    "CARD": "yes",
    "NVME": "yes",
    "KEEP": "/var/lib/ilmarin",
    "ROLE": "server",
    "FIRST": "yes",
    "API": "https://192.168.1.58:6443",
    "K3S_VERSION": "v1.2.3+k3s1",
    "PACKAGES": "curl,xfsprogs",
}
MAIA = {
    **VALA,
    "NODE": "maia-1",
    "CARD": "no",
    "KEEP": "/var/lib/longhorn/disks/nvme1/ilmarin",
    "ROLE": "agent",
    "FIRST": "no",
}

_SETUP = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/up" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" overlay "$1/root"
cd "$1/root"
rm -rf etc/ilmarin etc/rancher etc/ssh usr/local/bin usr/local/lib/ilmarin
rm -rf var/lib/ilmarin var/lib/longhorn var/lib/rancher
mkdir -p etc/ilmarin etc/ssh usr/local/bin usr/local/lib host-dev
printf '127.0.0.1 localhost\\n10.0.0.9 elsewhere\\n' >etc/hosts
: >etc/fstab
for at in run tmp dev; do mount -t tmpfs tmpfs "$at"; done
mount --rbind /proc proc
mount --rbind /sys sys
mount --rbind /dev host-dev
for one in null zero full random urandom; do : >"dev/$one"; mount --bind "/dev/$one" "dev/$one"; done
ln -s /proc/self/fd dev/fd
hostname fresh
read -r pid rest </proc/self/stat
echo "$pid"
exec cat
"""
"""`/` is one filesystem in the overlay; other mounts of this machine are not seen, so what a test needs is brought."""

_STUBS = {
    # Units are files in /run/units: their text is what `is-active` says
    "systemctl": r"""
echo "$@" >>/run/systemctl
mkdir -p /run/units
verb=
for word in "$@"; do
    case $word in
        -*) ;;
        *) if [ -z "$verb" ]; then verb=$word; else unit=$word; fi ;;
    esac
done
case $verb in
    start | restart)
        [ -e "/run/units/$unit.stubborn" ] || echo active >"/run/units/$unit"
        [ "$unit" != k3s ] || mkdir -p /var/lib/rancher/k3s/server/db/etcd
        ;;
    try-restart) ;;
    stop) rm -f "/run/units/$unit" ;;
    is-active) grep -qx active "/run/units/$unit" 2>/dev/null ;;
    is-failed) grep -qx failed "/run/units/$unit" 2>/dev/null ;;
esac
""",
    # The first look is for a cursor; what comes after it is in /run/journal
    "journalctl": r"""
case "$*" in
    *--show-cursor*) printf 'a line\n-- cursor: s=1\n' ;;
    *) cat /run/journal 2>/dev/null || : ;;
esac
""",
    # What is installed is a file each; a mirror that is away, or a clock that it does not like, is /run/apt-refuses
    "dpkg-query": "for last; do :; done; [ -e /run/missing/$last ] || printf installed\n",
    "dpkg": "echo dpkg $* >>/run/apt\n",
    "apt-get": r"""
echo "apt-get $*" >>/run/apt
[ ! -e /run/apt-refuses ] || { cat /run/apt-refuses; exit 100; }
all=$*
case $all in *" install "*) cd /run/missing && rm -f ${all##*Timeout=120 install } ;; esac
""",
    "timedatectl": "cat /run/synchronised 2>/dev/null || echo no\n",
    "update-ca-certificates": "echo run >>/run/update-ca-certificates\n",
}

_CUT = """#!/bin/sh
read -r n </run/cut/n
n=$((n + 1))
echo "$n" >/run/cut/n
read -r at </run/cut/at
[ "$n" -lt "$at" ] || kill -KILL 0
exec {tool} "$@"
"""
CUT_BEFORE = [
    *("chmod", "cp", "curl", "dd", "install", "ln", "mcopy", "mkdir", "mkfifo", "mkfs.xfs", "mount", "mv", "openssl"),
    *("partx", "rm", "sgdisk", "ssh-keygen", "sync", "tee", "touch", "truncate"),
]
"""What a script may be killed before: everything that changes something."""


@dataclass
class Box:
    """A running Pi. Paths are as the Pi knows them."""

    pid: int
    root: str

    def path(self, inside: str) -> Path:
        """Where this process finds the Pi's file; a link is not followed over the Pi's root."""
        return Path(f"/proc/{self.pid}/root{self.root}") / inside.lstrip("/")

    def write(self, inside: str, content: str | bytes, mode: int = 0o644) -> None:
        """Put a file there."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)

    def read(self, inside: str) -> str:
        """A file's text."""
        return self.path(inside).read_text()

    def mode(self, inside: str) -> str:
        """A file's permissions, as in `0600`."""
        return f"{self.path(inside).stat().st_mode & 0o7777:04o}"

    def is_there(self, inside: str) -> bool:
        """Whether anything is at that path, a dangling link included."""
        return os.path.lexists(self.path(inside))

    def settings(self, values: Mapping[str, str]) -> None:
        """Write node.env."""
        self.write("/etc/ilmarin/node.env", "".join(f"{key}={value}\n" for key, value in values.items()))

    def command(self, *command: str, path: str = PATH, **more: str) -> list[str]:
        """What runs a command on the Pi."""
        user = ["--user", "--preserve-credentials"] if OUTSIDE_ROOT else []
        enter = ["nsenter", f"--target={self.pid}", *user, "--mount", "--uts", "--", "chroot", self.root]
        environment = {"PATH": path, "LC_ALL": "C", "HOME": "/root", **more}
        return [*enter, "env", "-i", *(f"{key}={value}" for key, value in environment.items()), *command]

    def tell(self, *command: str) -> str:
        """Run a command that has to work; what it says."""
        done = subprocess.run(self.command(*command), capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{shlex.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self, script: str, **environment: str) -> subprocess.Popen[str]:
        """Begin a script; it is the leader of its process group, so that it can be killed with all it began."""
        command = self.command("sh", f"/usr/local/lib/ilmarin/{script}.sh", **environment)
        return subprocess.Popen(
            command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        with self.start(script, **environment) as running:
            stdout, stderr = running.communicate(timeout=120)
            return subprocess.CompletedProcess(script, running.returncode, stdout, stderr)

    def works(self, script: str, **environment: str) -> str:
        """Run a script that has to work; what it says."""
        done = self.run(script, **environment)
        assert done.returncode == 0, done.stderr
        assert not done.stderr, done.stderr
        return done.stdout

    def refuses(self, script: str, *, code: int = 1, **environment: str) -> str:
        """Run a script that has to refuse; the one line with which it does."""
        done = self.run(script, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        assert done.stderr.startswith(f"ilmarin-{script}: "), done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    def kill(self, running: subprocess.Popen[str]) -> None:
        """SIGKILL for a script and all it began."""
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate(timeout=60)

    def cut(self, script: str, at: int, tools: Sequence[str] = CUT_BEFORE) -> bool:
        """Run a script and kill it before its command number `at` of these; False if it came to its end before that."""
        for tool in tools if not self.is_there("/run/cut/bin") else ():
            if real := next((f"{place}/{tool}" for place in PATH.split(":") if self.is_there(f"{place}/{tool}")), None):
                self.write(f"/run/cut/bin/{tool}", _CUT.format(tool=real), 0o755)
        self.write("/run/cut/n", "0\n")
        self.write("/run/cut/at", f"{at}\n")
        done = self.run(script, path=f"/run/cut/bin:{PATH}")
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode != 0


@contextmanager
def box(folder: Path, require_tool: Callable[[str], str]) -> Iterator[Box]:
    """A Pi whose scripts are in their place, and which has no settings yet."""
    for tool in ("nsenter", "unshare"):
        require_tool(tool)
    user = ["--user", "--map-root-user"] if OUTSIDE_ROOT else []
    command = [
        "unshare",
        *user,
        "--mount",
        "--uts",
        "--propagation=private",
        "--",
        "sh",
        "-c",
        _SETUP,
        "sh",
        str(folder),
    ]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        assert holder.stderr
        pid = holder.stdout.readline().strip()
        if not pid:
            missing(f"no overlay in a mount namespace here: {holder.stderr.read().strip()}")
        try:
            made = Box(int(pid), f"{folder}/root")
            for script in sorted(SCRIPTS.glob("*.sh")):
                made.write(f"/usr/local/lib/ilmarin/{script.name}", script.read_bytes(), 0o755)
            for name, text in _STUBS.items():
                made.write(f"/usr/local/sbin/{name}", f"#!/bin/sh\n{text}", 0o755)
            yield made
        finally:
            holder.stdin.close()
