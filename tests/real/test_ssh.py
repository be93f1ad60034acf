"""The program's own command texts against a real OpenSSH server: who is believed, and what a secret leaves behind.

Refuses the provider that carries the texts: it is no program of ours, and how it dials is its own.
"""

import os
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from render import k3s, k3s_config
from tests.real.ssh_site import HOME, HOST_KEY, PASSWORD, Site, ssh_site

pytestmark = pytest.mark.real

OLD, NEW = (f"K10{digit * 64}::node:{digit * 32}" for digit in "ab")


@pytest.fixture
def site(tmp_path: Path, require_tool: Callable[[str], str]) -> Iterator[Site]:
    with ssh_site(tmp_path, require_tool) as made:
        yield made


# Who is believed


def test_the_key_that_is_shown_first_is_pinned_and_known_again(site: Site) -> None:
    site.listen()
    pinned = site.here(k3s.pin(site.maia))
    assert (pinned.returncode, pinned.stdout, pinned.stderr) == (0, f"{site.shown()}\n", "")
    again = site.here(k3s.reach(site.maia, pinned.stdout.strip(), "what is asked next"))
    assert (again.returncode, again.stdout, again.stderr) == (0, f"{site.maia.name} is the one that it was\n", "")
    assert site.there("echo $USER; sudo id -u", key=pinned.stdout.strip()).stdout == f"{site.plan.user}\n0\n"


def test_what_was_pinned_stays_when_the_resource_is_updated(site: Site) -> None:
    """`update` runs with what `create` printed; nobody is asked, for nobody listens."""
    text = f"PULUMI_COMMAND_STDOUT={shlex.quote(site.shown())}; {k3s.KEEP_PINNED}"
    assert site.here(text).stdout == f"{site.shown()}\n"


def test_another_key_is_refused_with_what_to_type(site: Site) -> None:
    before = site.shown()
    after = site.new_key()
    site.listen()
    refused = site.here(k3s.reach(site.maia, before, "x"))
    name, address = site.maia.name, site.maia.address
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"{name} ({address}) shows another SSH host key than before: {after}\n"
        f"  you replaced the board or its disk: pulumi up --replace '**::ainur-hostkey-{name}'\n"
        "  you did not: somebody else answers at its address; find out who before you go on\n"
    )
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in site.there("sudo touch /run/never", key=before).stderr
    assert not site.lan.path("/run/never").exists()


def test_another_card_is_refused_with_the_line_to_write(site: Site) -> None:
    """Its key is the owner's data, so that no state has to be replaced."""
    site.listen()
    first = site.plan.first
    assert first.host_key
    refused = site.here(k3s.reach(first, first.host_key, "x"))
    assert refused.returncode == 1
    assert f"write the new card's line at bootstrap.nodes.{first.name}.host_key" in refused.stderr


def test_where_nobody_listens_is_asked_for_half_an_hour_and_then_told(site: Site) -> None:
    name, address = site.maia.name, site.maia.address
    for text in (k3s.pin(site.maia), k3s.reach(site.maia, site.shown(), "x")):
        given_up = site.here(text)
        assert (given_up.returncode, given_up.stdout) == (1, "")
        assert given_up.stderr == (
            f"{name} does not answer over SSH at {address}, for half an hour: nothing listens there\n"
            "  is it switched on, is its cable in? ./lab boot shows what it does from power-on\n"
        )


def test_a_password_is_refused_even_where_it_is_right(site: Site) -> None:
    """The second server has no drop-in: it is the proof that the password is one."""
    site.listen()
    site.lan.write("/run/plain.conf", f"HostKey {HOST_KEY}\nUsePAM no\nPort 2222\nPidFile none\n")
    site.listen("-f", "/run/plain.conf")
    ask = site.folder / "ask"
    ask.write_text(f"#!/bin/sh\necho asked >>{site.folder}/asked\necho '{PASSWORD}'\n")
    ask.chmod(0o755)
    tried = {}
    for port in ("22", "2222"):
        options = ["-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1", "-p", port]
        words = site.ssh("echo in", site.shown(), *options)
        words[words.index("-o") + 1] = "StrictHostKeyChecking=no"  # the pinned line names port 22 only
        asked = ["env", f"SSH_ASKPASS={ask}", "SSH_ASKPASS_REQUIRE=force", *words]
        tried[port] = site.lan.attempt("owner", *asked)
    assert tried["2222"].stdout == "in\n", tried["2222"].stderr
    assert (tried["22"].returncode, tried["22"].stdout) == (255, "")
    assert "Permission denied (publickey)." in tried["22"].stderr
    assert (site.folder / "asked").read_text() == "asked\n", "the Pi did not even ask"


def test_nobody_but_the_one_user_comes_in_and_root_does_not(site: Site) -> None:
    """Not even with a key that sshd would admit."""
    words = site.ssh("echo in", site.shown(), "-i", str(site.folder / "mine"), "-o", "BatchMode=yes")
    site.lan.write(
        "/etc/ssh/sshd_config.d/98-test.conf", f"StrictModes no\nAuthorizedKeysFile {HOME}/.ssh/authorized_keys\n"
    )
    site.listen()
    for user, said in (("root", "denied (publickey)"), ("nobody", "denied (publickey)"), (site.plan.user, "in\n")):
        words[-2] = f"{user}@{site.maia.address}"
        tried = site.lan.attempt("owner", *words)
        assert said in tried.stdout + tried.stderr


# What a secret leaves behind


def _processes() -> Iterator[tuple[str, str]]:
    """Command line and environment of every process of this machine, namespaces included."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                found = [
                    Path(entry.path, file).read_bytes().decode(errors="replace") for file in ("cmdline", "environ")
                ]
            except OSError:  # ended meanwhile
                continue
            yield found[0], found[1]


def test_a_token_on_stdin_is_in_no_process_of_either_side_and_kept_for_root_alone(site: Site) -> None:
    site.listen()
    site.lan.write("/run/hold", "")
    text, seen, done = k3s.join(site.plan, site.maia), set[str](), list[subprocess.CompletedProcess[str]]()
    running = threading.Thread(target=lambda: done.append(site.there(text, NEW)))
    running.start()
    while site.kept() is None or len(seen) < 2:  # from its beginning until it is held, in systemctl
        for cmdline, environ in _processes():
            assert NEW[10:60] not in cmdline + environ
            if "sudo install -D -m 0600" in cmdline and not cmdline.startswith("nsenter"):
                seen.add(cmdline.split("\0")[0])
        assert running.is_alive(), done
    site.lan.path("/run/hold").unlink()
    running.join(timeout=60)
    assert seen >= {"ssh", "sh"}, "the owner's side and the Pi's were looked at"
    (ran,) = done
    assert ran.returncode == 0, ran.stderr
    assert NEW not in ran.stdout + ran.stderr + "".join(site.lan.log(name) for name in site.lan.started), (
        "nobody printed it"
    )
    kept = site.lan.path(k3s_config.TOKEN)
    status = kept.stat()
    assert (status.st_mode & 0o7777, status.st_uid, kept.read_text()) == (0o600, 0, NEW)
    assert [each.name for each in kept.parent.iterdir()] == ["k3s-token"], "nothing lies beside it"
    assert site.asked() == ["restart ilmarin-token", f"is-active {site.maia.unit}"]


def test_half_a_token_is_told_and_what_was_kept_stays(site: Site) -> None:
    site.listen()
    text = k3s.join(site.plan, site.maia)
    assert site.there(text, OLD).returncode == 0
    for half in ("", NEW[:50], NEW[:-1], NEW.replace("::node:", "::server:")):  # the last is none for a Maia
        refused = site.there(text, half)
        assert refused.returncode == 1
        assert refused.stderr == f"the join token did not arrive whole on {site.maia.name}: run it again\n"
        assert site.kept() == OLD
    assert len(site.asked()) == 2, "nobody joined with it"


@pytest.mark.parametrize("tool", ["install", "grep", "mv", "systemctl"])
def test_a_join_that_is_killed_leaves_a_whole_token_and_is_done_again(site: Site, tool: str) -> None:
    """Before each program that changes something, and with it all that the Pi runs for the owner."""
    site.listen()
    text = k3s.join(site.plan, site.maia)
    assert site.there(text, OLD).returncode == 0
    site.lan.write(f"/run/cut/{tool}", "#!/bin/sh\nkill -KILL 0\n")
    site.lan.run("", "chmod", "755", f"/run/cut/{tool}")
    assert site.there(text, NEW).returncode != 0
    assert site.kept() == (NEW if tool == "systemctl" else OLD)
    site.lan.path(f"/run/cut/{tool}").unlink()
    assert site.there(text, NEW).returncode == 0
    assert site.kept() == NEW


@pytest.mark.parametrize(("days", "restarts"), [(k3s.RENEWED_BEFORE - 1, True), (k3s.RENEWED_BEFORE + 1, False)])
def test_k3s_is_started_anew_for_a_kubeconfig_that_nears_its_end(site: Site, days: int, restarts: bool) -> None:
    """By OpenSSL's own word; without need the API is left alone."""
    site.listen()
    folder = "/var/lib/rancher/k3s/server/tls"
    made = ["-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-days", str(days), "-keyout", "/run/key"]
    site.lan.run("", "mkdir", "-p", folder)
    site.lan.run("", "openssl", "req", *made, "-out", f"{folder}/client-admin.crt")
    site.lan.run("", "mkdir", "-p", "/etc/rancher/k3s")
    site.lan.write("/etc/rancher/k3s/k3s.yaml", "server: https://127.0.0.1:6443\n")
    read = site.there(k3s.kubeconfig(site.plan, "first"))
    assert (read.returncode, read.stdout) == (0, "server: https://127.0.0.1:6443\n"), read.stderr
    assert site.asked() == (["restart k3s"] if restarts else [])
