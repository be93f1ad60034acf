"""Ainur with the real engine: in which order it joins, and what becomes of an `up` that was cut or refused in between.

The lab is homelab without Arda, with three Valar: what is asked here ends where Ainur stands.
"""

import base64
import itertools
from pathlib import Path
from typing import Any

import pytest

from rehearsal.world import World
from rehearsal.world.ssh import public_line
from rehearsal.world.talos_secrets import certificate
from tests.rehearsal.lives import Life, touched

pytestmark = pytest.mark.slow

CUTS = (
    "command/Command/create/after/ainur-agent-token-vala-1",
    "command/Command/create/before/ainur-agents-vala-2",
    "command/Command/create/after/ainur-join-vala-2",
    "command/Command/create/before/ainur-kubeconfig-vala-1",
    "command/Command/create/after/ainur-join-maia-1",
)
"""The engine dies there, in this order: within the commands that carry the tokens, and beside them."""
ADMIN = "/var/lib/rancher/k3s/server/tls/client-admin.crt"
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
NEWER = "v1.33.7+k3s1"  # version: nobody's, a release after the shipped lab's
DAY = 24 * 3600.0


def three_valar(environment: dict[str, Any]) -> None:
    for realm in ("cluster", "edge", "storage"):
        del environment[realm]
    del environment["gitops"]["clusters"]["arda"]
    feeds = environment["network"]["racks"]["main"]["ups"]["rack-ups"]["feeds"]
    feeds[:] = [each for each in feeds if not each.startswith(("valinor", "istari"))]
    nodes = environment["bootstrap"]["nodes"]
    for number in (2, 3):
        nodes[f"vala-{number}"] = nodes["vala-1"] | {
            "address": f"192.168.1.{60 + number}",
            "mac": f"02:00:00:00:01:6{number}",
            "serial": f"10000000a1b2c36{number}",
            "port": f"usw-pro-24/{7 + number}",
            "host_key": public_line(f"vala-{number}"),
        }


def for_200_days(world: World) -> None:
    """k3s' administrator has a certificate for so long, by the World's clock, which begins with 2026."""
    host = world.hosts.records["vala-1"]
    record = world.kubernetes.records["ainur"]["k3s"]
    old = base64.b64encode(host["files"][ADMIN]["content"].encode()).decode()
    new = certificate(world.now(200 * DAY))
    record["kubeconfig"] = record["kubeconfig"].replace(old, new)
    world.hosts.write(host, ADMIN, base64.b64decode(new).decode(), mode="0600")
    world.hosts.write(host, KUBECONFIG, record["kubeconfig"], mode="0600")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Life:
    """Killed five times on its way up; its kubeconfig, read after the fourth time, ends in 200 days."""
    made = Life("homelab", tmp_path_factory.mktemp("homelab"), engine)
    made.edited(three_valar)
    for number, where in enumerate(CUTS):
        made.cut_at(where)
        assert not made.run("up", fresh=number == 0).well
        assert where in made.points()
        if "kubeconfig" in where:
            made.change(for_200_days)
    made.cut_at(None)
    run = made.run("up")
    assert run.well, run.errors()
    return made


def test_an_up_that_was_killed_within_the_joining_is_brought_to_its_end(life: Life) -> None:
    world = life.world()
    nodes = {node["metadata"]["name"] for node in world.kubernetes.clusters["ainur"].objects("Node")}
    assert nodes == {"vala-1", "vala-2", "vala-3", "maia-1", "maia-2"}
    tokens = {name: pi["k3s"]["agents"] for name, pi in world.hosts.records.items() if pi["k3s"]}
    assert len(tokens) == 3
    assert len(set(tokens.values())) == 1, "all servers take the same from agents"


def test_no_maia_keeps_what_a_server_joins_with(life: Life) -> None:
    world = life.world()
    servers = world.kubernetes.records["ainur"]["k3s"]["token"].rpartition(":")[2]
    for name, pi in world.hosts.records.items():
        held = [path for path, file in pi["files"].items() if servers in file["content"]]
        assert bool(held) is name.startswith("vala"), held


def test_valar_join_one_at_a_time_then_the_boot_services_answer_and_only_then_maiar_are_asked(life: Life) -> None:
    points = life.points()

    def done(name: str) -> int:
        return max(at for at, point in enumerate(points) if point.endswith(f"/create/after/{name}"))

    def begun(name: str) -> int:
        return min(at for at, point in enumerate(points) if point.endswith(f"/create/before/{name}"))

    in_order = ("ainur-server-vala-1", "ainur-join-vala-2", "ainur-join-vala-3", "ainur-valar-vala-1")
    for earlier, later in itertools.pairwise(in_order):
        assert done(earlier) < begun(later), (earlier, later)
    assert done("ainur-valar-vala-1") < begun("ea-netboot-answers")
    for maia in ("maia-1", "maia-2"):
        assert done("ea-netboot-answers") < begun(f"ainur-hostkey-{maia}") < begun(f"ainur-join-{maia}")


def test_a_kubeconfig_that_nears_its_end_is_read_again_and_then_no_more(life: Life, tmp_path: Path) -> None:
    lived = life.copied(tmp_path / "lived")
    lived.change(lambda world: world.clock.let_pass(150 * DAY))
    assert touched(lived.run("up"))["ainur-kubeconfig-vala-1"] == "update"
    assert touched(lived.run("up")) == {}


def other_key(world: World) -> None:
    """Somebody else's NVMe, or a board in its place: another host key at its address."""
    pi = world.hosts.records["maia-1"]
    for path in [path for path in pi["files"] if "/ssh/" in path]:
        del pi["files"][path]
    world.hosts.reboot(pi)


def test_another_host_key_of_a_netbooted_pi_is_refused_and_the_command_that_is_named_mends_it(
    life: Life, tmp_path: Path
) -> None:
    lived = life.copied(tmp_path / "lived")
    pinned = lived.world().hosts.records["maia-1"]["host_key"]
    lived.change(other_key)
    refused = lived.run("up", replacing=("**::ainur-reach-maia-1",))
    assert not refused.well
    said = "\n".join(error.message for error in refused.errors())
    assert "maia-1 (192.168.1.51) shows another SSH host key than before" in said
    assert "pulumi up --replace '**::ainur-hostkey-maia-1'" in said
    mended = lived.run("up", replacing=("**::ainur-hostkey-maia-1",))
    assert mended.well, mended.errors()
    assert lived.world().hosts.records["maia-1"]["host_key"] != pinned
    assert touched(lived.run("up", "up")) == {}


def older_cards(world: World) -> None:
    """As it was before agents had a token: k3s takes the servers' from them, too."""
    _told_of_agents(world, "vala-1 vala-2 vala-3", told=False)


def told_of_one_by_hand(world: World) -> None:
    """What k3s does not survive: a token for agents, beside the data of a cluster that was made without."""
    world.hosts.write(world.hosts.records["vala-1"], "/var/lib/ilmarin/k3s-agent-token", "ab" * 16, mode="0600")
    _told_of_agents(world, "vala-1", told=True, fails="cred/passwd newer than datastore")


def _told_of_agents(world: World, names: str, *, told: bool, fails: str = "") -> None:
    key = "agent-token-file"
    for name in names.split():
        pi = world.hosts.records[name]
        config = pi["files"]["/etc/rancher/k3s/config.yaml"]
        kept = "".join(line for line in config["content"].splitlines(keepends=True) if not line.startswith(key))
        config["content"] = f"{kept}{key}: /var/lib/ilmarin/k3s-agent-token\n" if told else kept
        world.hosts.stop(pi, "k3s")
        assert fails in (world.hosts.start(pi, "k3s") or "")


def test_a_cluster_that_was_made_without_a_token_for_agents_is_refused_and_gets_none(
    life: Life, tmp_path: Path
) -> None:
    lived = life.copied(tmp_path / "lived")
    lived.change(older_cards)
    refused = lived.run("up", replacing=("**::ainur-agent-token-vala-1",))
    said = "\n".join(error.message for error in refused.errors())
    assert "vala-1 has no token for agents alone" in said
    assert "k3s takes\n  none later" in said
    lived.change(told_of_one_by_hand)


def newer(environment: dict[str, Any]) -> None:
    three_valar(environment)
    environment["versions"]["k3s"] = NEWER


def test_another_release_of_k3s_comes_to_one_vala_after_the_other_and_then_to_the_maiar(
    life: Life, tmp_path: Path
) -> None:
    lived = life.copied(tmp_path / "lived")
    lived.edited(newer)
    lived.cut_at("command/Command/update/after/ainur-join-vala-2")
    assert not lived.run("up").well
    world = lived.world()
    run = {node["metadata"]["name"]: running(node) for node in world.kubernetes.clusters["ainur"].objects("Node")}
    assert (run["vala-1"], run["vala-2"]) == (NEWER, NEWER)
    assert NEWER not in (run["vala-3"], run["maia-1"], run["maia-2"])
    lived.cut_at(None)
    assert lived.run("up").well
    world = lived.world()
    assert {running(node) for node in world.kubernetes.clusters["ainur"].objects("Node")} == {NEWER}
    kept = {name: pi.get("snapshots") for name, pi in world.hosts.records.items() if pi.get("snapshots")}
    assert kept == {"vala-1": [f"before-{NEWER.replace('+', '-')}"]}, "etcd is kept as it was, once"
    assert touched(lived.run("up", "up")) == {}


def the_third_is_silent(world: World) -> None:
    pi = world.hosts.records["vala-3"]
    world.hosts.stop(pi, "k3s")
    node = world.kubernetes.clusters["ainur"].get("Node", "", "vala-3")
    assert node
    ready = next(each for each in node["status"]["conditions"] if each["type"] == "Ready")
    ready["status"] = "Unknown"


def test_while_a_vala_is_away_no_other_one_is_upgraded(life: Life, tmp_path: Path) -> None:
    lived = life.copied(tmp_path / "lived")
    lived.edited(newer)
    lived.change(the_third_is_silent)
    run = lived.run("up")
    assert "so vala-1 is not upgraded: error: timed out waiting for the condition on nodes/vala-3" in "\n".join(
        each.message for each in run.errors()
    )
    world = lived.world()
    assert not world.hosts.records["vala-1"].get("snapshots")
    assert f"K3S_VERSION={NEWER}" not in world.hosts.records["vala-1"]["files"]["/etc/ilmarin/node.env"]["content"]


def running(node: dict[str, Any]) -> str:
    return str(node["status"]["nodeInfo"]["kubeletVersion"])


def test_a_release_that_does_not_come_leaves_the_vala_as_it_was_and_a_later_up_goes_on(
    life: Life, tmp_path: Path
) -> None:
    lived = life.copied(tmp_path / "lived")
    lived.edited(newer)
    lived.staged({"kind": "outage", "where": "download/github.com", "seconds": 10**9, "message": "no route to host"})
    run = lived.run("up")
    assert f"vala-1 does not get {NEWER}, and stays with k3s version" in "\n".join(
        each.message for each in run.errors()
    )
    pi = lived.world().hosts.records["vala-1"]
    assert f"K3S_VERSION={NEWER}" not in pi["files"]["/etc/ilmarin/node.env"]["content"]
    lived.staged()
    assert lived.run("up").well


def test_while_upstream_is_away_the_mirror_s_gate_says_so_and_a_later_up_fills_it(tmp_path: Path, engine: Path) -> None:
    """The whole lab: Arda reads the mirror. Upstream goes when Ainur has its own applications."""
    lived = Life("homelab", tmp_path, engine)
    lived.edited(lambda _: None)
    gate = "command/Command/create/before/ainur-mirror-arda-vala-1"
    lived.cut_at(gate)
    assert not lived.run("up", fresh=True).well
    away = {"where": "download/git.example.com", "message": "Could not resolve host: git.example.com"}
    lived.staged({"kind": "outage", "seconds": 10.0**9, **away})
    refused = lived.run("up")
    said = "\n".join(error.message for error in refused.errors())
    assert "after half an hour the Git mirror has no main of https://git.example.com/owner/iluvatar.git" in said
    assert "fatal: unable to access 'https://git.example.com/owner/iluvatar.git/': Could not resolve host" in said
    assert "until then gitops.clusters.<name>.source: upstream" in said
    assert not lived.world().section("git_mirror").get("fetched")
    lived.staged()
    mended = lived.run("up")
    assert mended.well, mended.errors()
    assert touched(lived.run("up")) == {}
