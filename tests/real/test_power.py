"""The mains fail: real NUT on the watcher, with the files as rendered, and real OpenSSH on the Pis.

Only the UPS is made up: NUT's own `dummy-ups` plays its script. Talos' nodes are a shim that writes down who was asked.
"""

import dataclasses
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.environment import Environment
from model.power import plan_power
from render import nut
from tests.labs import raw
from tests.real.netboot.lan import OUTSIDE_ROOT, Lan, lan, missing

pytestmark = [pytest.mark.real, pytest.mark.slow]

MODEL = 'Smart "rack" \\ 1000'
SHIMS = {
    "talosctl": 'echo "$*" | sed "s/.*--nodes /talos /" >> /run/asked',
    "systemctl": 'echo "systemctl $*" >> /run/asked',
    "sleep": ":",
    "logger": 'echo "$*" >> /run/said',
    "shutdown": 'echo "watcher $*" >> /run/asked',
}
SSHD = """\
HostKey /run/host-key
PidFile none
UsePAM no
StrictModes no
PermitRootLogin forced-commands-only
AuthorizedKeysFile /run/admitted
"""
ASKED = 'set -- $SSH_CONNECTION; echo "ssh $3 $SSH_ORIGINAL_COMMAND" >> /run/asked'


def _key(path: Path) -> str:
    """A new key pair at `path`; its public half."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True, timeout=30)
    return path.with_suffix(".pub").read_text().strip()


@pytest.fixture
def watched(tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Lan]:
    """homelab with its UPS watched from `watcher`; vala-1 answers with a key that the data does not name."""
    for tool in ("ssh-keygen", "sshd", "upsd", "upsmon"):
        require_tool(tool)
    if OUTSIDE_ROOT:
        missing("sshd and NUT's files need root to give away what is theirs")
    mine, host, other = _key(tmp_path / "mine"), _key(tmp_path / "host"), _key(tmp_path / "other")
    edited = raw("homelab")
    edited["network"]["racks"]["main"]["ups"]["rack-ups"] |= {"watcher": "jetkvm", "model": MODEL}
    pis = edited["bootstrap"]["nodes"]
    for name, pi in pis.items():
        pi["host_key"] = other if name == "vala-1" else host
    (plan,) = plan_power(Environment.model_validate(edited)).shutdowns
    addresses = [f"{pi['address']}/24" for pi in pis.values()]
    machines = {"watcher": {"lab": ["192.168.1.9/24"]}, "pis": {"lab": addresses}}
    with lan(machines, tmp_path, require_tool) as made:
        _machines(made, tmp_path, mine)
        files = nut.files(dataclasses.replace(plan, driver="dummy-ups"))
        files["ups.conf"] = files["ups.conf"].replace("port = auto", "port = /run/battery.seq")
        files["shutdown-lab.sh"] = files["shutdown-lab.sh"].replace("/sbin/shutdown", "shutdown")
        for name, text in files.items():
            made.write(f"/run/ups/{name}", text)
        made.write("/run/battery.seq", "ups.status: OL\nTIMER 5\nups.status: OB LB\nTIMER 600\n")
        made.start("sshd", "pis", require_tool("sshd"), "-D", "-e", "-f", "/run/sshd.conf")
        made.wait("sshd", lambda: "Server listening" in made.log("sshd"))
        yield made


def _machines(made: Lan, folder: Path, mine: str) -> None:
    """Who logs in where, and the programs that a test must not run."""
    for name, body in SHIMS.items():
        made.write(f"/run/bin/{name}", f"#!/bin/sh\n{body}\n")
    made.run("", "sh", "-c", "chmod 755 /run/bin/*; mkdir -p /run/sshd /run/nut")
    made.write("/etc/passwd", made.path("/etc/passwd").read_text() + "ilmarin:*:0:0::/root:/bin/sh\n")
    made.write("/run/sshd.conf", SSHD)
    made.write("/run/host-key", (folder / "host").read_text())
    forced = ASKED.replace('"', '\\"')
    made.write("/run/admitted", f'command="{forced}" {mine}\n')
    made.write("/run/mine", (folder / "mine").read_text())
    made.run("", "chmod", "600", "/run/host-key", "/run/mine")


def _on_watcher(made: Lan, *command: str) -> str:
    return made.run("watcher", "env", "PATH=/run/bin:/usr/sbin:/usr/bin:/sbin:/bin", *command)


def _install(made: Lan) -> str:
    return _on_watcher(made, "sh", "/run/ups/install.sh")


def test_it_is_not_installed_without_what_the_shutdown_needs(watched: Lan) -> None:
    with pytest.raises(AssertionError, match="/etc/nut/talosconfig is missing"):
        _install(watched)
    watched.write("/etc/nut/talosconfig", "context: lab\n")
    with pytest.raises(AssertionError, match="/etc/nut/id_ed25519 is missing"):
        _install(watched)
    watched.run("", "install", "-m", "600", str(_stranger(watched)), "/etc/nut/id_ed25519")
    with pytest.raises(AssertionError, match="no Pi admitted /etc/nut/id_ed25519"):
        _install(watched)
    assert not watched.path("/etc/nut/shutdown-lab").exists()


def _stranger(made: Lan) -> Path:
    """A key that no Pi admits, as the machines know it."""
    made.run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/stranger")
    return Path("/run/stranger")


def test_a_low_battery_ends_the_lab_in_its_order_and_tells_no_pi_that_cannot_prove_itself(watched: Lan) -> None:
    watched.write("/etc/nut/talosconfig", "context: lab\n")
    watched.run("", "install", "-m", "600", "/run/mine", "/etc/nut/id_ed25519")
    _install(watched)
    asked = watched.path("/run/asked")
    assert "talos 192.168.1.104 version --short\nssh 192.168.1.51 sudo -n true\n" in asked.read_text()
    asked.write_text("")
    path = "PATH=/run/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    watched.start("driver", "watcher", "/lib/nut/dummy-ups", "-a", "rack-ups", "-u", "root", "-D")
    watched.wait("the driver", lambda: watched.path("/run/nut/dummy-ups-rack-ups").exists())
    watched.start("upsd", "watcher", "upsd", "-u", "root", "-D")
    watched.wait("upsd", lambda: f"rack-ups: {MODEL}\n" in _listed(watched))
    watched.start("upsmon", "watcher", "env", path, "upsmon", "-u", "root", "-D")
    watched.wait("the shutdown", lambda: "watcher -h +0\n" in asked.read_text(), seconds=90)
    told = asked.read_text().splitlines()
    off = "shutdown --force --wait=false"
    assert sorted(told[:3]) == [f"talos 192.168.1.{n} {off}" for n in (104, 105, 106)]
    assert sorted(told[3:6]) == [f"talos 192.168.1.{n} {off}" for n in (101, 102, 103)]
    assert sorted(told[6:8]) == [f"ssh 192.168.1.{n} sudo systemctl poweroff" for n in (51, 52)]
    assert told[8:] == ["watcher -h +0"], "vala-1 answers with another key than the data's"
    assert "vala-1 did not answer" in watched.path("/run/said").read_text()


def _listed(made: Lan) -> str:
    """The UPS that upsd knows, with their descriptions; nothing while it does not answer."""
    try:
        return made.run("watcher", "upsc", "-L", "127.0.0.1")
    except AssertionError:
        return ""
