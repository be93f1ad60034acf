"""An owner's machine and the homelab's Pis, for tests that log in with real OpenSSH.

Owner and Pis are machines of a network of the test's own, so that the program's texts run word for word: their
addresses, port 22, Debian's sshd with cloud-init's drop-in. Made up are k3s, systemd and cloud-init behind it
(`tests.real.pi` tries their scripts), `sleep`, which does not wait here, and `sudo`. Refuses to judge: the tests do.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from model.ainur import NVME_MOUNT, BootstrapNodePlan, BootstrapPlan
from render import k3s_config
from render.cloud_init_files import SSHD
from tests.labs import shipped_plan
from tests.real.netboot.lan import OUTSIDE_ROOT, Lan, lan, missing

HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
HOME = "/srv/ilmarin"
PASSWORD = "a-password-that-is-right"  # of a machine that ends with the test
SHIMS = {
    "cloud-init": "echo 'status: done'\n",
    "k3s": "echo 'k3s version {k3s} (a1b2c3d)'\n",
    "systemctl": 'echo "$*" >>/run/asked\nwhile [ -e /run/hold ]; do command -p sleep 0.1; done\n',
    "sleep": ":\n",
}
PATH = "/run/cut:/run/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Site:
    """An owner's machine and the homelab's Pis, of which every one is the same sshd."""

    lan: Lan
    folder: Path
    sshd: str
    plan: BootstrapPlan

    @property
    def maia(self) -> BootstrapNodePlan:
        return self.plan.maiar[0]

    def listen(self, *options: str) -> None:
        """Start sshd as Debian configures it, with the drop-in unless `options` name another configuration."""
        name = f"sshd{len(self.lan.started)}"
        self.lan.start(name, "pis", self.sshd, "-D", "-e", *options)
        self.lan.wait("sshd", lambda: "Server listening" in self.lan.log(name))

    def new_key(self) -> str:
        """Give the Pis another host key; its public half."""
        for half in ("", ".pub"):
            self.lan.path(f"{HOST_KEY}{half}").unlink(missing_ok=True)
        self.lan.run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", HOST_KEY)
        return self.lan.path(f"{HOST_KEY}.pub").read_text().strip()

    def here(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a text as a local command runs it, on the owner's machine."""
        return self.lan.attempt("owner", "env", f"PATH={PATH}", "/bin/sh", "-c", text)

    def ssh(self, text: str, key: str, *options: str) -> list[str]:
        """What runs a text on the Maia over SSH, believing only `key`."""
        known = self.folder / "known_hosts"
        known.write_text(f"{self.maia.address} {key}\n")
        told = ["StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}", "GlobalKnownHostsFile=/dev/null"]
        words = [word for each in told for word in ("-o", each)]
        return ["ssh", "-F", "/dev/null", *words, *options, f"{self.plan.user}@{self.maia.address}", text]

    def there(self, text: str, stdin: str = "", key: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a text on the Maia as a remote command runs it: by the owner's key, its secret on stdin."""
        asked = self.ssh(text, key or self.shown(), "-i", str(self.folder / "mine"), "-o", "BatchMode=yes")
        return self.lan.attempt("owner", *asked, stdin=stdin)

    def shown(self) -> str:
        return self.lan.path(f"{HOST_KEY}.pub").read_text().strip()

    def kept(self) -> str | None:
        """The token that the Maia holds."""
        path = self.lan.path(k3s_config.TOKEN)
        return path.read_text() if path.exists() else None

    def asked(self) -> list[str]:
        """What systemctl was asked on the Maia."""
        return self.lan.path("/run/asked").read_text().splitlines()


def _key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True, timeout=30)
    return path.with_suffix(".pub").read_text().strip()


@contextmanager
def ssh_site(folder: Path, require_tool: Callable[[str], str]) -> Iterator[Site]:
    """The Pis are there, and nothing listens on them yet."""
    for tool in ("openssl", "ssh", "ssh-keygen", "ssh-keyscan"):
        require_tool(tool)
    if OUTSIDE_ROOT:
        missing("sshd needs root to become another user")
    plan = shipped_plan("homelab").bootstrap
    assert plan
    pis = [f"{node.address}/24" for node in plan.nodes]
    machines = {"owner": {"lab": ["192.168.1.9/24"]}, "pis": {"lab": pis}}
    mine = _key(folder / "mine")
    with lan(machines, folder, require_tool) as made:
        found = Site(made, folder, require_tool("sshd"), plan)
        _user(made, plan.user, mine)
        for name, body in SHIMS.items():
            made.write(f"/run/bin/{name}", f"#!/bin/sh\n{body.format(k3s=plan.k3s) if name == 'k3s' else body}")
        # `env` that is root's does what is asked of sudo here: run the words behind it as root
        made.run("", "sh", "-c", "cp /usr/bin/env /run/bin/sudo; chmod 755 /run/bin/*; chmod 4755 /run/bin/sudo")
        made.run("", "sh", "-c", ": >/run/asked; chmod 666 /run/asked")  # dash gives up what such a `sudo` gave it
        made.run("", "sh", "-c", f"mkdir -p /run/sshd /run/cut {NVME_MOUNT}; mount -t tmpfs nvme {NVME_MOUNT}")
        made.write("/etc/ilmarin/node.env", f"NODE={plan.nodes[0].name}\nK3S_VERSION={plan.k3s}\n")  # as cloud-init did
        made.write("/etc/ssh/sshd_config.d/00-ilmarin.conf", SSHD.format(user=plan.user))
        made.write("/etc/ssh/sshd_config.d/99-test.conf", f"SetEnv PATH={PATH}\nPidFile none\n")
        found.new_key()
        yield found


def _user(made: Lan, name: str, public: str) -> None:
    """A user who is not root, with a key and a password of his own."""
    hashed = made.run("", "openssl", "passwd", "-6", "-stdin", stdin=PASSWORD).strip()
    for file, line in (("passwd", f"{name}:x:4242:4242::{HOME}:/bin/sh"), ("shadow", f"{name}:{hashed}:19000:::::: ")):
        kept = made.path(f"/etc/{file}").read_text()
        made.write(f"/etc/{file}", f"{kept}{line.strip()}\n")
    made.write(f"{HOME}/.ssh/authorized_keys", f"{public}\n")
    made.run("", "chown", "-R", "4242:4242", HOME)
