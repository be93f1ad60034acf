"""A Pi boots from its seed, and what the seed says is what it becomes."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.standins.shell import Outcome
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from rehearsal.world.hosts import NODE_TOKEN
from tests.rehearsal.lab_keys import HOST_KEY, KEY, OTHER_KEY
from tests.rehearsal.pis import JOIN, PI_BOOT, a_lab, join, reach, run, serve
from tests.rehearsal.seeds import NVME, VIP, card, config, files, kube_vip, seed, settings
from tests.rehearsal.worlds import BOOT_TREE


def _told(world: World, name: str = "vala-1") -> str:
    return "\n".join(world.hosts.records[name]["told"])


def _failed(world: World, unit: str, name: str = "vala-1") -> str:
    return str(world.hosts.records[name]["services"].get(unit, {}).get("failed"))


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
    assert "Unhandled non-multipart (text/x-not-multipart) userdata" in _told(world)


def test_user_data_that_is_no_yaml_is_passed_over() -> None:
    world = a_lab({"vala-1": card("vala-1") | {"user-data": "#cloud-config\nusers: [\n"}})
    with pytest.raises(Refusal, match="unable to authenticate"):
        reach(world)
    assert "Failed loading yaml blob. user-data:" in _told(world)
    other = a_lab({"vala-1": card("vala-1") | {"user-data": "#cloud-config\n- a\n"}})
    with pytest.raises(Refusal, match="unable to authenticate"):
        reach(other)
    assert "expected a dict, got list" in _told(other)


def test_an_unknown_key_is_told_and_cloud_init_ends_with_two() -> None:
    world = a_lab({"vala-1": card("vala-1", runcmds=[])})
    done = run(world, "cloud-init status --wait --long")
    assert done.code == 2
    assert "cloud-config failed schema validation! runcmds: no such key" in done.stdout
    assert "no such key" in _told(world)


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
        assert words in _told(world)


def test_a_file_of_a_user_who_is_not_made_yet_ends_the_module() -> None:
    written = [{"path": "/a", "content": "", "owner": "op"}, {"path": "/b", "content": ""}]
    world = a_lab({"vala-1": card("vala-1", write_files=written, ssh_genkeytypes=["ed25519"])})
    assert run(world, "test -e /b").code == 1
    assert "Unknown user or group: \"getpwnam(): name not found: 'op'\"" in _told(world)


def test_bootcmd_runs_before_any_file_is_written() -> None:
    world = a_lab({"vala-1": card("vala-1", bootcmd=[["systemctl", "start", "ilmarin-nvme"]])})
    reach(world)
    assert "Unit ilmarin-nvme.service not found." in _told(world)


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
    assert words in _told(world)


def test_a_unit_s_unknown_program_is_told() -> None:
    service = "[Service]\nExecStart=/opt/odd\n[Install]\nWantedBy=ilmarin.target\n"
    placed = {"/opt/odd": "", "ilmarin-nvme.service": service}
    entries = [{"path": p, "content": c, "permissions": "0755"} for p, c in files("vala-1", **placed).items()]
    world = a_lab({"vala-1": card("vala-1", write_files=entries)})
    reach(world)
    assert "ilmarin-nvme: the rack does not know what /opt/odd does" in _told(world)


def test_a_unit_without_its_program_fails_in_systemd_s_words() -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"nvme.sh": None})})
    reach(world)
    assert "Failed at step EXEC spawning /usr/local/lib/ilmarin/nvme.sh: No such file" in _failed(world, "ilmarin-nvme")


def test_a_program_that_may_not_be_executed_fails_in_systemd_s_words() -> None:
    entries = [{"path": path, "content": content} for path, content in files("vala-1").items()]
    world = a_lab({"vala-1": card("vala-1", write_files=entries, ssh_genkeytypes=["ed25519"])})
    reach(world)
    assert "nvme.sh: Permission denied (status=203/EXEC)" in _failed(world, "ilmarin-nvme")


def _env(name: str, **over: str) -> str:
    return "".join(f"{key}={value}\n" for key, value in settings(name, **over).items() if value)


@pytest.mark.parametrize(
    ("env", "unit", "words"),
    [
        (None, "ilmarin-nvme", "/etc/ilmarin/node.env is missing"),
        (_env("vala-1", K3S_VERSION=""), "ilmarin-k3s", "K3S_VERSION is missing in /etc/ilmarin/node.env"),
    ],
)
def test_a_script_without_its_settings_fails(env: str | None, unit: str, words: str) -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"node.env": env}, ssh_genkeytypes=["ed25519"])})
    reach(world)
    assert words in _failed(world, unit)


def test_k3s_is_the_release_that_the_seed_installs() -> None:
    """The environment says +k3s1."""
    placed = {"node.env": _env("vala-1", K3S_VERSION="v1.33.6+k3s2")}
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


def _server(**over: Any) -> World:
    told = {key: value for key, value in (config("vala-1") | over).items() if value is not None}
    return a_lab({"vala-1": card("vala-1", placed={"config.yaml": yaml.safe_dump(told)})})


@pytest.mark.parametrize(
    ("over", "words"),
    [
        (
            {"kube-apiserver-arg": ["oidc-ca-file=/nope"]},
            "kube-apiserver exited: --oidc-ca-file: open /nope: no such file",
        ),
        ({"node-label": ["node-role.kubernetes.io/x=y"]}, "unknown 'kubernetes.io' or 'k8s.io' labels specified"),
        ({"cluster-init": None, "server": "https://10.0.0.99:6443", "token": "x"}, "dial tcp 10.0.0.99:6443"),
    ],
)
def test_a_server_that_cannot_start_says_why(over: Any, words: str) -> None:
    world = _server(**over)
    reach(world)
    assert words in _failed(world, "ilmarin-k3s")
    assert "boot" not in world.kubernetes.clusters


@pytest.mark.parametrize("text", ["a: [", "- a"])
def test_a_configuration_that_is_none_ends_k3s(text: str) -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"config.yaml": text})})
    reach(world)
    assert "fatal: /etc/rancher/k3s/config.yaml:" in _failed(world, "ilmarin-k3s")


def test_a_flag_that_k3s_does_not_know_is_passed_over_and_told() -> None:
    world = _server(tls_san=["x"])
    reach(world)
    assert "Unknown flag --tls_san found in config.yaml, skipping" in _told(world)


def test_what_the_api_server_is_told_is_kept_with_the_cluster() -> None:
    world = _server(**{"kube-apiserver-arg": ["oidc-issuer-url=https://dex.lab.example.com"]})
    reach(world)
    assert world.kubernetes.records["boot"]["k3s"]["apiserver"] == ["oidc-issuer-url=https://dex.lab.example.com"]


def test_without_kube_vip_nobody_holds_the_address() -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"kube-vip.yaml": None})})
    reach(world)
    assert world.kubernetes.clusters["boot"].record["server"] == "https://10.0.0.50:6443"


# Maiar


def test_a_maia_boots_only_once_the_boot_services_answer_and_joins_with_the_token() -> None:
    world = a_lab()
    with pytest.raises(Refusal, match="maia-1 stands at 'firmware': no boot server answers"):
        reach(world, "maia-1")
    serve(world)
    assert join(world) == Outcome("", "", 0)
    assert run(world, "sudo k3s kubectl wait --for=condition=Ready --timeout=1s node/maia-1").code == 0
    assert f"{NVME}/ilmarin/k3s-token" in world.hosts.records["maia-1"]["files"]


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ({"server": "https://10.0.0.99:6443"}, "dial tcp 10.0.0.99:6443: connect: no route to host"),
        ({"server": "https://10.0.0.58:9345"}, "dial tcp 10.0.0.58:9345: connect: no route to host"),
        ({"server": None}, "--server is required"),
        ({"token-file": None}, "--token is required"),
        ({"token-file": "/nope"}, "Waiting for /nope to be available"),
    ],
)
def test_an_agent_goes_where_its_configuration_says(over: Any, words: str) -> None:
    told = {key: value for key, value in (config("maia-1") | over).items() if value is not None}
    world = a_lab()
    serve(world, seed("maia-1", placed={"config.yaml": yaml.safe_dump(told)}))
    done = join(world)
    assert (done.code, words in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(
    ("token", "words"),
    [("K10wrong::server:x", "token CA hash does not match"), ("wrong", "401 Unauthorized")],
)
def test_a_wrong_token_is_refused(token: str, words: str) -> None:
    world = a_lab()
    serve(world)
    assert words in run(world, JOIN, "maia-1", token).stderr


def test_a_certificate_without_the_api_s_address_lets_nobody_join() -> None:
    world = _server(**{"tls-san": []})
    serve(world)
    assert "x509: certificate is valid for 10.0.0.50, 127.0.0.1, localhost, not 10.0.0.58" in join(world).stderr


@pytest.mark.parametrize(
    ("served", "over", "words"),
    [
        ({}, {}, "pi-seed has no a1b2c351_user-data"),
        (None, {"pi_boot": {}}, "TFTP has no a1b2c351/config.txt"),
    ],
)
def test_a_maia_without_its_seed_or_its_boot_files_stays_where_it_is(served: Any, over: Any, words: str) -> None:
    world = a_lab()
    serve(world, served, **over)
    with pytest.raises(Refusal, match=words):
        reach(world, "maia-1")


@pytest.mark.parametrize(
    ("before", "after"), [("10.0.0.59 }", "10.0.0.60 }"), ("kube-vip.io/loadbalancerIPs", "example.org/other")]
)
def test_the_netboot_address_is_held_only_where_a_service_asks_for_it(tmp_path: Path, before: str, after: str) -> None:
    shutil.copytree(BOOT_TREE, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "gitops/lab/boot/pi-netboot/workload.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    world = a_lab()
    serve(world, repository=tmp_path)
    with pytest.raises(Refusal, match=r"nobody holds 10\.0\.0\.59: no Service of pi-netboot asks kube-vip for it"):
        reach(world, "maia-1")


def test_without_kube_vip_nobody_holds_the_netboot_address() -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"kube-vip.yaml": None})})
    serve(world)
    with pytest.raises(Refusal, match=r"nobody holds 10\.0\.0\.59: kube-vip does not run on boot"):
        reach(world, "maia-1")


def test_a_maia_sent_elsewhere_for_its_seed_is_told() -> None:
    world = a_lab()
    cmdline = PI_BOOT["a1b2c351_cmdline.txt"].replace("/pi/a1b2c351/", "/seeds/")
    serve(world, pi_boot=PI_BOOT | {"a1b2c351_cmdline.txt": cmdline})
    with pytest.raises(Refusal, match=r"its cloud-init asks for http://10.0.0.59/seeds/, and 10.0.0.59 serves"):
        reach(world, "maia-1")


# Further Valar


def test_two_valar_that_boot_together_make_one_cluster() -> None:
    """Cold, at once: the second waits for the token, whatever the order in which somebody looks."""
    world = a_lab(servers=2)
    reach(world, "vala-2")
    assert "boot" not in world.kubernetes.clusters
    token = run(world, f"sudo cat {NODE_TOKEN}").stdout
    ca = "sudo install -D -m 0644 /dev/stdin /etc/ilmarin/ca.crt"
    refused = run(world, JOIN, "vala-2", token)
    assert "/etc/ilmarin/ca.crt is missing, and the API server of vala-2 needs it" in refused.stderr
    assert run(world, ca, "vala-2", "-----").code == 0
    assert run(world, JOIN, "vala-2", token) == Outcome("", "", 0)
    assert len(world.kubernetes.clusters["boot"].objects("Node")) == 2


def test_a_second_server_that_makes_a_cluster_of_its_own_is_told() -> None:
    own = {key: value for key, value in config("vala-1").items() if key != "server"} | {"node-name": "vala-2"}
    placed = {"config.yaml": yaml.safe_dump(own), "node.env": _env("vala-2", FIRST="yes")}
    world = a_lab({"vala-1": card("vala-1"), "vala-2": card("vala-2", placed=placed)}, servers=2)
    reach(world)
    reach(world, "vala-2")
    assert "it makes a cluster of its own" in _told(world, "vala-2")
    assert [node["metadata"]["name"] for node in world.kubernetes.clusters["boot"].objects("Node")] == ["vala-1"]


def test_a_server_without_etcd_cannot_be_joined_by_another() -> None:
    told = {key: value for key, value in config("vala-1").items() if key != "cluster-init"}
    cards = {"vala-1": card("vala-1", placed={"config.yaml": yaml.safe_dump(told)}), "vala-2": card("vala-2")}
    world = a_lab(cards, servers=2)
    run(world, "true")
    run(world, "sudo install -D -m 0644 /dev/stdin /etc/ilmarin/ca.crt", "vala-2", "-----")
    token = run(world, f"sudo cat {NODE_TOKEN}").stdout
    assert "keeps its data in SQLite" in run(world, JOIN, "vala-2", token).stderr


def test_kube_vip_holds_what_its_manifest_says_and_nothing_else() -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"kube-vip.yaml": kube_vip("10.0.0.60")})})
    reach(world)
    assert world.kubernetes.clusters["boot"].record["server"] == "https://10.0.0.60:6443"
