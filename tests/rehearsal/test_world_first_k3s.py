"""What a Pi's k3s makes of its seed: servers, agents, tokens, and the addresses that kube-vip holds."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.standins.shell import Outcome
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from rehearsal.world.hosts import AGENT_TOKEN, NODE_TOKEN
from tests.rehearsal.pis import (
    JOIN,
    PI_BOOT,
    a_lab,
    env,
    failed,
    join,
    join_server,
    prepare,
    reach,
    run,
    serve,
    told,
)
from tests.rehearsal.seeds import AGENTS_TOKEN, NVME, card, config, kube_vip, seed
from tests.rehearsal.worlds import BOOT_TREE


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
    assert words in failed(world, "ilmarin-k3s")
    assert "boot" not in world.kubernetes.clusters


@pytest.mark.parametrize("text", ["a: [", "- a"])
def test_a_configuration_that_is_none_ends_k3s(text: str) -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"config.yaml": text})})
    reach(world)
    assert "fatal: /etc/rancher/k3s/config.yaml:" in failed(world, "ilmarin-k3s")


def test_a_flag_that_k3s_does_not_know_is_passed_over_and_told() -> None:
    world = _server(tls_san=["x"])
    reach(world)
    assert "Unknown flag --tls_san found in config.yaml, skipping" in told(world)


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


def test_an_agent_with_the_servers_token_is_refused_and_a_server_with_the_agents_too() -> None:
    """Whoever holds a Maia's disk makes no server of it."""
    world = a_lab(servers=2)
    serve(world)
    servers, agents = (run(world, f"sudo cat {path}").stdout for path in (NODE_TOKEN, AGENT_TOKEN))
    assert "v1-k3s/config: 401 Unauthorized" in run(world, JOIN, "maia-1", servers).stderr
    prepare(world, "vala-2")
    assert "v1-k3s/server-bootstrap: 401 Unauthorized" in run(world, JOIN, "vala-2", agents).stderr
    assert len(world.kubernetes.clusters["boot"].objects("Node")) == 1


def test_without_a_token_of_their_own_agents_join_with_the_servers() -> None:
    world = _server(**{"agent-token-file": None})
    serve(world)
    assert run(world, f"sudo cat {AGENT_TOKEN}").stdout == run(world, f"sudo cat {NODE_TOKEN}").stdout
    assert join(world).code == 0


def test_servers_that_take_different_tokens_refuse_every_agent_now_and_then() -> None:
    world = a_lab(servers=2)
    serve(world)
    prepare(world, "vala-2")
    run(world, f"sudo install -m 0600 /dev/stdin {AGENTS_TOKEN}", "vala-2", "f" * 32)
    assert join_server(world, "vala-2").code == 0
    assert "401 Unauthorized" in join(world).stderr


def test_a_server_waits_for_the_file_of_the_agents_token() -> None:
    world = _server(**{"agent-token-file": "/nope"})
    reach(world)
    assert "Waiting for /nope to be available" in failed(world, "ilmarin-k3s")


def test_a_server_that_has_its_data_learns_no_other_token_for_agents() -> None:
    world = a_lab()
    reach(world)
    vala = world.hosts.records["vala-1"]
    world.hosts.write(vala, AGENTS_TOKEN, "ab" * 16, mode="0600")
    world.hosts.stop(vala, "k3s")
    assert "cred/passwd newer than datastore" in str(world.hosts.start(vala, "k3s"))


def test_a_first_vala_that_has_its_data_makes_no_token_for_agents() -> None:
    world = a_lab()
    reach(world)
    vala = world.hosts.records["vala-1"]
    del vala["files"][AGENTS_TOKEN]
    world.hosts.reboot(vala)
    reach(world)
    assert f"{AGENTS_TOKEN} is missing, and vala-1 has its cluster's data" in failed(world, "ilmarin-k3s")


def test_a_further_server_without_the_agents_token_joins_nobody() -> None:
    world = a_lab(servers=2)
    run(world, "sudo install -D -m 0644 /dev/stdin /etc/ilmarin/ca.crt", "vala-2", "-----")
    assert f"{AGENTS_TOKEN} is missing" in join_server(world, "vala-2").stderr


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
    refused = join_server(world, "vala-2")
    assert "/etc/ilmarin/ca.crt is missing, and the API server of vala-2 needs it" in refused.stderr
    prepare(world, "vala-2")
    assert join_server(world, "vala-2") == Outcome("", "", 0)
    assert len(world.kubernetes.clusters["boot"].objects("Node")) == 2


def test_a_second_server_that_makes_a_cluster_of_its_own_is_told() -> None:
    own = {key: value for key, value in config("vala-1").items() if key != "server"} | {"node-name": "vala-2"}
    placed = {"config.yaml": yaml.safe_dump(own), "node.env": env("vala-2", FIRST="yes", API="https://10.0.0.99:6443")}
    world = a_lab({"vala-1": card("vala-1"), "vala-2": card("vala-2", placed=placed)}, servers=2)
    reach(world)
    reach(world, "vala-2")
    assert "it makes a cluster of its own" in told(world, "vala-2")
    assert [node["metadata"]["name"] for node in world.kubernetes.clusters["boot"].objects("Node")] == ["vala-1"]


def _new_card(world: World, name: str) -> None:
    """Its card died; the one in its place is as `./lab render` writes it."""
    world.hosts.records[name].update(instance=None, stage="off")
    for state in world.hosts.records[name]["services"].values():
        state["active"] = False
    world.hosts.records[name]["k3s"] = None


def test_a_first_vala_with_an_empty_card_starts_no_second_cluster_beside_the_living_one() -> None:
    others = env("vala-1", SERVERS="10.0.0.56")
    world = a_lab({"vala-1": card("vala-1", placed={"node.env": others}), "vala-2": card("vala-2")}, servers=2)
    reach(world)
    prepare(world, "vala-2")
    assert join_server(world, "vala-2").code == 0
    _new_card(world, "vala-1")
    reach(world)
    assert "a cluster answers at https://10.0.0.58:6443, and vala-1 has none of its data" in failed(
        world, "ilmarin-k3s"
    )
    assert not world.hosts.records["vala-1"]["k3s"]


def test_a_lone_vala_that_remembers_a_cluster_and_has_none_of_its_data_starts_no_other() -> None:
    world = a_lab()
    reach(world)
    del world.hosts.records["vala-1"]["files"]["/var/lib/rancher/k3s/server/db"]
    world.hosts.reboot(world.hosts.records["vala-1"])
    reach(world)
    assert "vala-1 made a cluster before (/var/lib/ilmarin/k3s-made)" in failed(world, "ilmarin-k3s")


def test_a_server_without_etcd_cannot_be_joined_by_another() -> None:
    told = {key: value for key, value in config("vala-1").items() if key != "cluster-init"}
    cards = {"vala-1": card("vala-1", placed={"config.yaml": yaml.safe_dump(told)}), "vala-2": card("vala-2")}
    world = a_lab(cards, servers=2)
    run(world, "true")
    prepare(world, "vala-2")
    assert "keeps its data in SQLite" in join_server(world, "vala-2").stderr


def test_kube_vip_holds_what_its_manifest_says_and_nothing_else() -> None:
    world = a_lab({"vala-1": card("vala-1", placed={"kube-vip.yaml": kube_vip("10.0.0.60")})})
    reach(world)
    assert world.kubernetes.clusters["boot"].record["server"] == "https://10.0.0.60:6443"
