"""A Pi boots from its seed, and what the seed says is what it becomes."""

from typing import Any

import pytest
import yaml

from rehearsal.world.errors import Refusal
from tests.rehearsal.lab_keys import HOST_KEY, KEY, OTHER_KEY
from tests.rehearsal.pis import a_lab, env, failed, reach, run, told
from tests.rehearsal.seeds import NVME, VIP, card, files


def test_a_card_brings_its_server_up_and_kube_vip_holds_the_api_s_address() -> None:
    world = a_lab()
    assert reach(world)["host_key"] == HOST_KEY
    assert run(world, "hostname; systemctl is-active k3s; sudo k3s --version").stdout == (
        "vala-1\nactive\nk3s version v1.33.6+k3s1\n"
    )
    assert world.kubernetes.clusters["boot"].record["server"] == f"https://{VIP}:6443"
    assert run(world, f"mountpoint -q {NVME}; cloud-init status").stdout == "status: done\n"
    assert world.hosts.records["vala-1"]["told"] == []


def test_without_a_card_there_is_nobody() -> None:
    with pytest.raises(Refusal, match=r"its card is blank .*`./lab render` writes one.* no boot server answers"):
        reach(a_lab({}))


def test_user_data_that_is_no_cloud_config_gives_no_user() -> None:
    written = card("vala-1")
    world = a_lab({"vala-1": written | {"user-data": written["user-data"].removeprefix("#cloud-config\n")}})
    with pytest.raises(Refusal, match="unable to authenticate"):
        reach(world)
    assert "Unhandled non-multipart (text/x-not-multipart) userdata" in told(world)


def test_user_data_that_is_no_yaml_is_passed_over() -> None:
    world = a_lab({"vala-1": card("vala-1") | {"user-data": "#cloud-config\nusers: [\n"}})
    with pytest.raises(Refusal, match="unable to authenticate"):
        reach(world)
    assert "Failed loading yaml blob. user-data:" in told(world)
    other = a_lab({"vala-1": card("vala-1") | {"user-data": "#cloud-config\n- a\n"}})
    with pytest.raises(Refusal, match="unable to authenticate"):
        reach(other)
    assert "expected a dict, got list" in told(other)


def test_an_unknown_key_is_told_and_cloud_init_ends_with_two() -> None:
    world = a_lab({"vala-1": card("vala-1", runcmds=[])})
    done = run(world, "cloud-init status --wait --long")
    assert done.code == 2
    assert "cloud-config failed schema validation! runcmds: no such key" in done.stdout
    assert "no such key" in told(world)


@pytest.mark.parametrize(
    ("users", "over"),
    [
        ([{"name": "op"}], {}),
        ([{"name": "somebody", "ssh_authorized_keys": [KEY.public]}], {}),
        ([{"name": "op", "ssh_authorized_keys": [OTHER_KEY.public]}], {}),
        (["default"], {"user": "root"}),
    ],
)
def test_who_may_log_in_is_whom_the_seed_names(users: Any, over: Any) -> None:
    with pytest.raises(Refusal, match="unable to authenticate"):
        reach(a_lab({"vala-1": card("vala-1", users=users)}), **over)


def test_files_have_their_owner_and_mode() -> None:
    more = [
        {"path": "/etc/secret", "content": "eA==", "encoding": "b64", "permissions": "0600", "owner": "root:root"},
        {"path": "/etc/hosts", "content": "1\n", "append": True},
        {"path": "/home/op/mine", "content": "", "owner": "op:op", "defer": True},
        {"path": "/etc/odd", "content": "", "permissions": "rw"},
        {"content": "nowhere"},
        {"path": "/etc/broken", "content": "%", "encoding": "b64"},
    ]
    written = yaml.safe_load(card("vala-1")["user-data"])["write_files"]
    world = a_lab({"vala-1": card("vala-1", write_files=[*written, *more])})
    assert "Permission denied" in run(world, "cat /etc/secret").stderr
    assert run(world, "sudo cat /etc/secret /etc/hosts").stdout == "x1\n"
    assert world.hosts.records["vala-1"]["files"]["/home/op/mine"]["owner"] == "op"
    for words in ("Undecodable permissions 'rw'", "No path provided to write for entry", "content is not b64"):
        assert words in told(world)


def test_a_file_of_a_user_who_is_not_made_yet_ends_the_module() -> None:
    written = [{"path": "/a", "content": "", "owner": "op"}, {"path": "/b", "content": ""}]
    world = a_lab({"vala-1": card("vala-1", write_files=written, ssh_genkeytypes=["ed25519"])})
    assert run(world, "test -e /b").code == 1
    assert "Unknown user or group: \"getpwnam(): name not found: 'op'\"" in told(world)


def test_bootcmd_runs_before_any_file_is_written() -> None:
    world = a_lab({"vala-1": card("vala-1", bootcmd=[["systemctl", "start", "ilmarin-nvme"]])})
    reach(world)
    assert "Unit ilmarin-nvme.service not found." in told(world)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["frobnicate", "x"], "the rack does not know frobnicate"),
        ("echo a | tee /b", "the rack runs no shell text"),
        (["systemctl", "start", "gone"], "Unit gone.service not found."),
    ],
)
def test_what_the_rack_does_not_know_is_told(command: Any, words: str) -> None:
    world = a_lab({"vala-1": card("vala-1", runcmd=[command], ssh_genkeytypes=["ed25519"])})
    reach(world)
    assert words in told(world)


def test_a_unit_s_unknown_program_is_told() -> None:
    service = "[Service]\nExecStart=/opt/odd\n[Install]\nWantedBy=ilmarin.target\n"
    placed = {"/opt/odd": "", "ilmarin-nvme.service": service}
    entries = [{"path": p, "content": c, "permissions": "0755"} for p, c in files("vala-1", **placed).items()]
    world = a_lab({"vala-1": card("vala-1", write_files=entries)})
    reach(world)
    assert "ilmarin-nvme: the rack does not know what /opt/odd does" in told(world)


def test_a_unit_without_its_program_fails_in_systemd_s_words() -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"nvme.sh": None})})
    reach(world)
    assert "Failed at step EXEC spawning /usr/local/lib/ilmarin/nvme.sh: No such file" in failed(world, "ilmarin-nvme")


def test_a_program_that_may_not_be_executed_fails_in_systemd_s_words() -> None:
    entries = [{"path": path, "content": content} for path, content in files("vala-1").items()]
    world = a_lab({"vala-1": card("vala-1", write_files=entries, ssh_genkeytypes=["ed25519"])})
    reach(world)
    assert "nvme.sh: Permission denied (status=203/EXEC)" in failed(world, "ilmarin-nvme")


@pytest.mark.parametrize(
    ("env", "unit", "words"),
    [
        (None, "ilmarin-nvme", "/etc/ilmarin/node.env is missing"),
        (env("vala-1", K3S_VERSION=""), "ilmarin-k3s", "K3S_VERSION is missing in /etc/ilmarin/node.env"),
    ],
)
def test_a_script_without_its_settings_fails(env: str | None, unit: str, words: str) -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"node.env": env}, ssh_genkeytypes=["ed25519"])})
    reach(world)
    assert words in failed(world, unit)


def test_k3s_is_the_release_that_the_seed_installs() -> None:
    """The environment says +k3s1."""
    placed = {"node.env": env("vala-1", K3S_VERSION="v1.33.6+k3s2")}
    world = a_lab({"vala-1": card("vala-1", placed=placed)})
    assert run(world, "sudo k3s --version").stdout == "k3s version v1.33.6+k3s2\n"
    assert world.kubernetes.clusters["boot"].version == "v1.33.6+k3s2"


def test_what_lies_in_a_folder_of_root_s_is_found_by_nobody_else() -> None:
    """k3s itself lies there: ``/usr/local/bin/k3s`` is a link into it."""
    world, crt = a_lab(), "/var/lib/ilmarin/pki/root.crt"
    without = run(world, "k3s --version")
    assert (without.code, without.stderr) == (127, "k3s: command not found\n")
    assert run(world, f"test -s {crt}").code == 1
    assert "Permission denied" in run(world, f"cat {crt}").stderr
    assert run(world, f"sudo test -s {crt}; sudo cat {crt}").stdout.startswith("-----BEGIN CERTIFICATE-----")


def test_without_any_host_key_ssh_answers_nobody() -> None:
    world = a_lab({"vala-1": card("vala-1", runcmd=[])})
    with pytest.raises(Refusal, match="connect: connection refused"):
        reach(world)


def test_a_host_key_that_cloud_init_makes_is_not_the_one_that_was_pinned() -> None:
    world = a_lab({"vala-1": card("vala-1", ssh_genkeytypes=["ed25519"])})
    with pytest.raises(Refusal, match="host key mismatch"):
        reach(world, hostKey=HOST_KEY)


# k3s' configuration decides
