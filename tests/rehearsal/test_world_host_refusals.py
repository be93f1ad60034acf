"""What a host's programs refuse, in their own words or, where the rack was not taught something, by its name."""

from typing import Any

import pytest

from rehearsal.standins import command, shell
from rehearsal.standins.shell import Outcome, execute
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from tests.rehearsal.worlds import KEY, Aborted, Engine, a_world, lab

REFUSED = {
    "curl: (2) no URL specified": "curl --silent --show-error",
    "cmp: missing operand": "cmp -s /etc/hostname",
    ": missing file operand": "cp /etc/hostname",
    "install: missing destination file operand after ": "install -D /dev/stdin",
    ": the rack's hosts know absolute paths only": "install -D -m 0600 /dev/stdin notes",
    "mkdir: cannot create directory ": "mkdir /etc/hostname",
    "rm: cannot remove '": "rm /nowhere",
    "chmod: the rack's chmod knows octal modes only, not ": "sudo chmod u+x /etc/hostname",
    "chown: changing ownership of ": "chown root /etc/hostname",
    ": cannot create directory '": "install -D /dev/stdin /etc/hostname/x",
    "[: missing ']'": "[ -f /etc/hostname",
    ": the rack's test does not know ": "test -u /etc/hostname",
    "cloud-init: the rack's cloud-init does not know ": "cloud-init clean",
    "systemctl: the rack's systemctl lists no units": "systemctl --quiet",
    "systemctl: the rack's systemctl does not know ": "systemctl mask k3s",
    "Failed to start nothing.service: Unit nothing.service not found.": "sudo systemctl start nothing",
    "Failed to stop k3s.service: Interactive authentication required.": "systemctl stop k3s",
    'See "journalctl -xeu k3s-agent.service"': "sudo systemctl start k3s-agent",
    "k3s: the rack's k3s does not know ": "sudo k3s etcd-snapshot",
    "k3s: command not found": "k3s kubectl get nodes",
    "kubectl: the rack's kubectl does not know ": "sudo k3s kubectl drain vala-1",
    "tr: the rack's tr only deletes (tr -d SET)": "echo a | tr a b",
    ": cannot create regular file '": "echo a | tee /etc/x",
    "the rack's curl does not know option --proxy": "curl --proxy x http://10.0.0.59/",
    "usage: ssh-keyscan [-t type] [-T timeout] host": "ssh-keyscan -t dsa 10.0.0.50",
    "openssl: the rack's openssl knows 'x509 -noout -checkend SECONDS -in FILE' only": "openssl rand 8",
    "the rack's curl does not know option -Z": "curl -Z http://10.0.0.59/",
}
"""Words → the command that is answered with them."""


def run(world: World, text: str) -> Outcome:
    reached = world.hosts.log_in({"host": "10.0.0.50", "user": "op", "privateKey": KEY.private})
    return execute(world, reached, "op", text, "")


@pytest.mark.parametrize("words", REFUSED)
def test_a_program_of_a_host_says_what_it_refuses(words: str):
    done = run(a_world(), REFUSED[words])
    assert done.code != 0
    assert words in done.stderr


def test_an_api_that_does_not_run_answers_nobody():
    done = run(a_world(), "sudo systemctl stop k3s; sudo k3s kubectl get nodes")
    assert "The connection to the server 127.0.0.1:6443 was refused" in done.stderr


def test_a_node_that_is_not_ready_is_waited_for_in_vain():
    world = a_world()
    run(world, "hostname")
    (node,) = world.kubernetes.clusters["boot"].objects("Node")
    node["status"]["conditions"] = []
    done = run(world, "sudo k3s kubectl wait --for=condition=Ready node/vala-1")
    assert "error: timed out waiting for the condition on nodes/vala-1" in done.stderr


def test_a_command_without_end_is_ended(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shell, "_TIME_LIMIT", 0.5)
    with pytest.raises(Refusal, match="the command ran for more than 0 s, and on the rack nothing waits"):
        run(a_world(), "while :; do :; done")


def test_without_a_shell_no_command_is_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("shutil.which", lambda *_args, **_more: None)
    with pytest.raises(Refusal, match="the rack runs commands with bash, and there is none on PATH"):
        run(a_world(), "hostname")


@pytest.mark.parametrize("name", ["dir", "interpreter", "environment"])
def test_a_local_command_is_told_nothing_of_its_machine(name: str):
    engine = Engine(command.stand_in(), a_world())
    given: dict[str, Any] = {"dir": "/tmp", "interpreter": ["/bin/sh"], "environment": {"A": "b"}}
    (failure,) = engine.check("command:local:Command", create="true", **{name: given[name]})
    assert failure == (name, "the rack's local commands do not know this")


def test_a_failing_command_says_what_it_ran():
    engine = Engine(command.stand_in(), a_world())
    with pytest.raises(Aborted, match=r'exit status 3: running "exit 3"'):
        engine.create("command:local:Command", create="exit 3")


def test_two_disks_with_one_serial_number_are_no_machine():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"]["disks"] = {"nvme": {"serial": "S1"}, "sata": {"serial": "S1"}}
    with pytest.raises(Refusal, match="cp-1: two of its disks have one serial number"):
        a_world(environment)
