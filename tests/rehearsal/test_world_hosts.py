"""A Raspberry Pi lets in who may come in, and runs what it is told with a real shell."""

import hashlib
import stat
from typing import Any

import pytest

from rehearsal.keys import ssh_key
from rehearsal.standins.shell import Outcome, execute, prepared
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from rehearsal.world.hosts import NODE_TOKEN
from tests.rehearsal.lab_keys import HOST_KEY, KEY, OTHER_KEY
from tests.rehearsal.seeds import card
from tests.rehearsal.worlds import a_world, lab, with_boot_services


def _connection(**more: Any) -> dict[str, Any]:
    return {"host": "10.0.0.50", "user": "op", "privateKey": KEY.private, "hostKey": HOST_KEY, **more}


def _run(world: World, text: str, stdin: str = "", host: str = "vala-1") -> Outcome:
    reached = world.hosts.log_in(_connection(host=world.hosts.records[host]["address"], hostKey=None))
    return execute(world, reached, "op", text, stdin)


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"host": "10.0.0.99"}, r"dial tcp 10\.0\.0\.99:22: connect: no route to host"),
        ({"port": 2222}, r"10\.0\.0\.50:2222: connect: connection refused"),
        ({"user": "root"}, "unable to authenticate"),
        ({"privateKey": OTHER_KEY.private}, r"unable to authenticate, attempted methods \[none publickey\]"),
        ({"privateKey": None}, r"unable to authenticate, attempted methods \[none\]"),
        ({"privateKey": "nonsense"}, "ssh: no key found"),
        ({"hostKey": OTHER_KEY.public}, "host key mismatch"),
    ],
)
def test_who_may_not_come_in_is_told_in_ssh_s_words(over: dict[str, Any], words: str):
    with pytest.raises(Refusal, match=words) as refused:
        a_world().hosts.log_in(_connection(**over))
    if "no key found" not in words:
        assert refused.value.message.startswith("unable to dial: ")
        assert "the provider keeps dialling: 10 times, or until the create timeout" in refused.value.message


def test_no_host_key_is_not_checked_and_its_comment_never():
    world = a_world()
    assert world.hosts.log_in(_connection(hostKey=None))["name"] == "vala-1"
    assert world.hosts.log_in(_connection(hostKey=HOST_KEY + " as written on the card"))["name"] == "vala-1"


def test_the_rack_s_own_key_is_admitted_beside_the_owner_s():
    mine = ssh_key("rack")
    world = World(lab(), authorized_keys=(mine.public,), cards={"vala-1": card("vala-1")})
    assert world.hosts.log_in(_connection(privateKey=mine.private))["name"] == "vala-1"


def test_a_host_that_is_off_does_not_answer():
    world = a_world()
    world.hosts.records["vala-1"]["power"] = False
    with pytest.raises(Refusal, match="no route to host"):
        world.hosts.log_in(_connection())


def test_the_first_server_has_started_its_cluster_when_its_cloud_init_is_done():
    world = a_world()
    assert _run(world, "set -eu\ncloud-init status --wait\nsystemctl is-active k3s") == Outcome(
        "status: done\nactive\n", "", 0
    )
    assert world.kubernetes.clusters["boot"].record["server"] == "https://10.0.0.58:6443"
    assert world.kubernetes.clusters["boot"].record["version"] == "v1.33.6+k3s1"


def test_the_token_and_the_kubeconfig_are_root_s_and_remembered_as_secrets():
    world = a_world()
    refused = _run(world, f"cat {NODE_TOKEN}")
    assert (refused.code, refused.stderr) == (1, f"cat: {NODE_TOKEN}: Permission denied\n")
    assert _run(world, f"sudo cat {NODE_TOKEN}").stdout.strip() in world.issued_secrets()
    assert "https://127.0.0.1:6443" in _run(world, "sudo cat /etc/rancher/k3s/k3s.yaml").stdout


def test_waiting_for_a_node_that_never_joined_fails():
    waited = _run(a_world(), "sudo k3s kubectl wait --for=condition=Ready node/maia-1")
    assert (waited.code, waited.stderr) == (1, 'Error from server (NotFound): nodes "maia-1" not found\n')


@pytest.mark.parametrize(
    ("text", "stdout", "code"),
    [
        ("hostname", "vala-1\n", 0),
        ("whoami; sudo whoami; pwd", "op\nroot\n/home/op\n", 0),
        ("test -f /etc/hostname && echo yes", "yes\n", 0),
        ("if [ ! -e /nope ]; then printf '%s' no; fi", "no", 0),
        ("[ 1 -lt 2 ] && test a = a && test -n x && ! test -z x && echo all", "all\n", 0),
        (
            "cat /etc/hostname | tr -d '\\n' | sha256sum",
            f"{hashlib.sha256(b'vala-1').hexdigest()}  -\n",
            0,
        ),
        ("echo a | sudo tee /etc/x | wc -l; cmp -s /etc/x /etc/hostname || echo differ", "1\ndiffer\n", 0),
        ("printf 'one\\ntwo\\n' | grep -q two && echo found", "found\n", 0),
        ("sudo sh -c 'whoami; cat /etc/hostname'", "root\nvala-1\n", 0),
        ("cat <<EOF | tail -n 1\na\nb\nEOF", "b\n", 0),
        ('x=$(hostname); echo "$x" >/dev/null 2>&1; echo "<$x>"', "<vala-1>\n", 0),
        ("set -e; false; echo never", "", 1),
        ("systemctl is-active --quiet nothing", "", 3),
        ("exit 7", "", 7),
    ],
)
def test_a_command_is_run_by_a_real_shell(text: str, stdout: str, code: int):
    done = _run(a_world(), text)
    assert (done.stdout, done.code) == (stdout, code)


ESCAPES = {
    "a program of this machine": "/bin/ls /",
    "its files by cat": "cat /etc/passwd",
    "its files by name": "echo /*",
    "leaving the folder": "cd /",
    "another PATH": "PATH=/bin:/usr/bin; ls /",
    "the default PATH": "command -p ls /",
    "writing a file": "echo x > escaped",
    "appending to a file": "echo x >> escaped",
    "a shell without limits": "exec /bin/sh",
    "a builtin given back": "enable test; builtin test -f /etc/passwd && echo root:x",
    "limits off": "set +r; ls /",
    "killing": "kill -9 1",
    "sourcing": ". /etc/profile",
    "a program unknown to the rack": "python3 -c 'print(1)'",
}


@pytest.mark.parametrize("case", ESCAPES)
def test_a_command_never_touches_the_machine_under_the_rack(case: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    done = _run(a_world(), ESCAPES[case])
    assert "root:x" not in done.stdout
    assert "bin" not in done.stdout
    assert done.code != 0 or done.stdout == "/*\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["cat < /etc/passwd", 'echo "$(< /etc/passwd)"', "[[ -f /etc/passwd ]]", "cat <(hostname)", "read x </etc/passwd"],
)
def test_what_a_restricted_shell_would_let_through_is_refused_before(text: str):
    with pytest.raises(Refusal, match="the rack cannot run"):
        prepared(text)


@pytest.mark.parametrize("text", ["echo 'a < b'", 'echo "a < b" <<< x', "cat </dev/null", "echo a 2>/dev/null"])
def test_quoted_text_and_dev_null_are_no_redirection(text: str):
    assert "/etc" not in prepared(text)
    assert _run(a_world(), text).code == 0


def test_nothing_of_this_machine_s_environment_reaches_a_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    assert _run(a_world(), 'echo "${AWS_SECRET_ACCESS_KEY:-none} $HOME $USER"').stdout == "none /home/op op\n"


def test_a_program_says_which_option_it_was_not_taught():
    done = _run(a_world(), "curl --proxy x http://10.0.0.59/")
    assert (done.code, "does not know option --proxy" in done.stderr) == (2, True)


def test_curl_reaches_the_boot_services_when_they_stand():
    ask = "curl --fail --silent --show-error --retry 9 --retry-all-errors --output /dev/null "
    ask += "--write-out '%{http_code}\\n' "
    world = a_world()
    nobody = _run(world, ask + "http://10.0.0.59/boot.ipxe")
    assert (nobody.code, "Failed to connect to 10.0.0.59 port 80" in nobody.stderr) == (7, True)
    with_boot_services(world)
    assert _run(world, ask + "http://10.0.0.59/boot.ipxe") == Outcome("200\n", "", 0)
    assert _run(world, ask + "http://10.0.0.59/nope").code == 22


def test_files_of_others_are_changed_by_root_only():
    world = a_world()
    assert "Permission denied" in _run(world, "echo x | tee /etc/hostname").stderr
    assert "Permission denied" in _run(world, "sudo chmod 0600 /etc/hostname; cat /etc/hostname").stderr
    assert _run(world, "sudo rm /etc/hostname; test -e /etc/hostname").code == 1


def test_a_command_leaves_nothing_behind_on_this_machine(tmp_path: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _run(a_world(), "cat <<EOF >/dev/null\nx\nEOF\nhostname")
    assert list(tmp_path.iterdir()) == []
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
