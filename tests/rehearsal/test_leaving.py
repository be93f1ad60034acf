"""Nodes that leave, are lost and are replaced, with the real engine; and runs that do what none may."""

import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.arda import Cluster
from rehearsal.rack import Run
from rehearsal.world import World
from rehearsal.world_process import Staging
from stacks import deployed
from tests.rehearsal.lives import Life, touched

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Callable[[str], Life]:
    """A lab after its first `up`; made once, never changed."""

    @functools.cache
    def stand(name: str) -> Life:
        life = Life(name, tmp_path_factory.mktemp(name), engine)
        life.edited(lambda _: None)
        return life.risen()

    return stand


@pytest.fixture
def living(stood: Callable[[str], Life], tmp_path: Path) -> Callable[[str], Life]:
    """A copy of it, to be changed freely."""
    return lambda name: stood(name).copied(tmp_path / name)


def says(life: Life, node: str, **entry: Any) -> None:
    """The entry of one node is edited, the rest is as shipped."""
    life.edited(lambda environment: environment["cluster"]["nodes"][node].update(entry))


def without(life: Life, node: str) -> None:
    """The entry of one node is deleted, and so is its cable."""

    def edit(environment: dict[str, Any]) -> None:
        del environment["cluster"]["nodes"][node]
        for rack in environment["network"]["racks"].values():
            for supply in (*rack.get("supplies", {}).values(), *rack.get("ups", {}).values()):
                supply["feeds"] = [one for one in supply["feeds"] if one != node]

    life.edited(edit)
    if life.name == "turing":  # Ceph's list is the folders'
        file = life.folders() / "turing/rk1/configs/ceph/release.yaml"
        disk = rf" +- name: {node}\n +devices:\n +- .*\n"
        text, times = re.subn(disk, "", file.read_text())
        assert times == 1
        file.write_text(text)


def cluster(life: Life) -> tuple[list[str], set[str]]:
    """The voters of etcd, and the Nodes of Kubernetes."""
    world = life.world()
    found = next(iter(world.talos.clusters.values()))
    nodes = world.kubernetes.clusters[found["name"]].objects("Node")
    return sorted(found["members"]), {node["metadata"]["name"] for node in nodes}


def happened(life: Life, since: int, subject: str) -> list[str]:
    entries = life.world().entries()[since:]
    return [entry["operation"] for entry in entries if entry["subject"] == subject]


def refused(run: Run) -> str:
    assert not run.well
    assert not run.broken
    return "\n".join(error.message for error in run.errors())


@pytest.mark.parametrize(("lab", "node"), [("pitower", "thinkpad-02"), ("turing", "talos-4")])
def test_a_worker_leaves_in_two_edits(lab: str, node: str, living: Callable[[str], Life]) -> None:
    life = living(lab)
    before = len(life.world().entries())
    says(life, node, state="leaving")
    assert touched(life.run("up")) == {
        f"arda-apply-{node}": "delete",
        f"arda-upgrade-{node}": "delete",
        "arda-gate-nodes": "update",
        f"arda-leave-{node}": "create",
    }
    assert happened(life, before, node) == ["drain", "reset", "delete node"]
    record = life.world().machines.records[node]
    assert (record["stage"], record["config"]) == ("off", None), "it is wiped, and switched off"
    assert node not in cluster(life)[1]
    assert touched(life.run("up")) == {}
    without(life, node)
    assert touched(life.run("up")) == {f"arda-leave-{node}": "delete", f"arda-node-{node}": "delete"}
    assert touched(life.run("up")) == {}


@pytest.mark.parametrize("node", ["talos-1", "talos-3"])
def test_a_control_plane_leaves_the_first_one_too(node: str, living: Callable[[str], Life]) -> None:
    life = living("turing")
    before = len(life.world().entries())
    says(life, node, state="leaving")
    done = touched(life.run("up"))
    assert done[f"arda-leave-{node}"] == "create"
    assert "replace" not in done.values()
    assert happened(life, before, node) == ["drain", "leave etcd", "reset", "delete node"]
    voters, nodes = cluster(life)
    assert len(voters) == 2
    assert node not in nodes | set(voters)
    bootstraps = [entry for entry in life.world().entries() if entry["operation"] == "bootstrap etcd"]
    assert len(bootstraps) == 1, "it is bootstrapped once, ever"
    assert touched(life.run("up")) == {}
    without(life, node)
    assert touched(life.run("up")) == {f"arda-leave-{node}": "delete", f"arda-node-{node}": "delete"}


def test_who_left_and_is_a_member_again_joins_again(living: Callable[[str], Life]) -> None:
    life = living("turing")
    says(life, "talos-3", state="leaving")
    assert life.run("up").well
    life.change(lambda world: world.machines.switch("talos-3", on=True))
    life.edited(lambda _: None)
    done = touched(life.run("up"))
    assert (done["arda-apply-talos-3"], done["arda-leave-talos-3"]) == ("create", "delete")
    assert cluster(life) == (["talos-1", "talos-2", "talos-3"], {"talos-1", "talos-2", "talos-3", "talos-4"})
    assert touched(life.run("up")) == {}


@pytest.mark.parametrize("where", ["before", "after"])
def test_an_up_that_was_cut_off_around_a_leave_is_ended_by_the_next(where: str, living: Callable[[str], Life]) -> None:
    life = living("turing")
    says(life, "talos-2", state="leaving")
    life.cut_at(f"command/*/create/{where}/arda-leave-talos-2")
    assert not life.run("up").well
    life.cut_at(None)
    run = life.run("up")
    assert run.well, run.errors()
    assert cluster(life) == (["talos-1", "talos-3"], {"talos-1", "talos-3", "talos-4"})


@pytest.mark.parametrize("where", ["before", "after"])
def test_who_was_cut_off_while_joining_goes_the_usual_way(where: str, living: Callable[[str], Life]) -> None:
    """An `up` was cut off while istari-4 joined. The page said to delete its entry; the engine refused that, for the
    entry is protected from its first moment."""
    life = living("homelab")

    def edit(state: str) -> None:
        def add(environment: dict[str, Any]) -> None:
            one = environment["cluster"]["nodes"]["istari-3"] | {"address": "192.168.1.107", "state": state}
            one |= {"mac": "02:00:00:00:02:07", "port": "usw-pro-24/17"}
            environment["cluster"]["nodes"]["istari-4"] = one

        life.edited(add)

    life.approves("istari-3", "istari-4")
    edit("member")
    life.cut_at(f"talos/*/create/{where}/arda-apply-istari-4")
    assert not life.run("up").well
    life.cut_at(None)
    life.edited(lambda _: None)
    assert "istari-4" in refused(life.run("up"))
    edit("leaving")
    assert touched(life.run("up"))["arda-leave-istari-4"] == "create"
    record = life.world().machines.records["istari-4"]
    assert record["config"] is None, "what it took is wiped"
    assert "istari-4" not in cluster(life)[1]
    life.edited(lambda _: None)
    assert touched(life.run("up")).items() >= {"arda-leave-istari-4": "delete", "arda-node-istari-4": "delete"}.items()
    assert touched(life.run("up")) == {}


def test_an_entry_that_vanishes_is_refused_before_anything_is_touched(living: Callable[[str], Life]) -> None:
    life = living("turing")
    without(life, "talos-4")
    for verb in ("preview", "up"):
        said = refused(life.run(verb))
        assert "talos-4 is a member of the cluster" in said
        assert "state: leaving" in said


def test_the_engine_itself_refuses_it_when_nothing_is_remembered(
    living: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = living("turing")
    without(life, "talos-4")
    monkeypatch.setattr(deployed, "last", lambda: None)
    said = refused(life.run("preview"))
    assert "arda-node-talos-4" in said
    assert "protected" in said


def test_a_dead_control_plane_is_forgotten_and_its_successor_joins_under_its_name(
    living: Callable[[str], Life],
) -> None:
    life = living("homelab")
    life.change(lambda world: world.machines.switch("valinor-1", on=False))
    says(life, "valinor-1", state="lost")
    done = touched(life.run("up"))
    assert done["arda-leave-valinor-1"] == "create"
    assert cluster(life)[0] == ["valinor-2", "valinor-3"]
    assert "valinor-1" not in cluster(life)[1]

    def put_another_in_its_place(world: World) -> None:
        world.machines.wipe("valinor-1")
        world.machines.switch("valinor-1", on=True)

    life.change(put_another_in_its_place)
    says(life, "valinor-1", mac="02:00:00:00:09:01")
    done = touched(life.run("up"))
    assert (done["arda-apply-valinor-1"], done["arda-leave-valinor-1"]) == ("create", "delete")
    voters, nodes = cluster(life)
    assert voters == ["valinor-1", "valinor-2", "valinor-3"]
    assert "valinor-1" in nodes
    assert touched(life.run("up")) == {}


def test_a_machine_with_a_new_system_disk_joins_again(living: Callable[[str], Life]) -> None:
    life = living("pitower")
    life.change(lambda world: world.machines.switch("pi-04", on=False))
    says(life, "pi-04", state="lost")
    assert touched(life.run("up"))["arda-leave-pi-04"] == "create"
    assert "pi-04" not in cluster(life)[1]
    life.change(lambda world: (world.machines.wipe("pi-04"), world.machines.switch("pi-04", on=True)))
    life.edited(lambda _: None)
    assert touched(life.run("up"))["arda-apply-pi-04"] == "create"
    assert "pi-04" in cluster(life)[1]
    assert touched(life.run("up")) == {}


def test_a_lost_machine_that_answers_stays(living: Callable[[str], Life]) -> None:
    life = living("turing")
    says(life, "talos-4", state="lost")
    assert "answers, so it is not lost" in refused(life.run("up"))
    assert "talos-4" in cluster(life)[1]


REBOOTS = {"control_planes": {"machine": {"udev": {"rules": ['SUBSYSTEM=="drm", MODE="0666"']}}}}
"""A setting that a running Talos takes in by a reboot only."""


def slow_and_edited(life: Life) -> None:
    """Machines take five minutes more to boot, and every control plane is to reboot."""
    faults = life.folder / "slow.json"
    faults.write_text(json.dumps({"faults": [{"kind": "slow", "where": "machine/*", "seconds": 300}]}))
    life._staging = Staging(faults)
    life.edited(lambda environment: environment["cluster"]["talos"].update(REBOOTS))


def test_an_edit_that_reboots_every_control_plane_breaks_nothing(living: Callable[[str], Life]) -> None:
    life = living("homelab")
    slow_and_edited(life)
    run = life.run("up")
    assert run.well, run.errors()
    reboots = [entry["subject"] for entry in life.world().entries() if entry["operation"] == "reboot"]
    assert {"valinor-1", "valinor-2", "valinor-3"} <= set(reboots)


def test_a_program_that_waits_for_no_control_plane_to_come_back_fails_its_run(
    living: Callable[[str], Life], monkeypatch: pytest.MonkeyPatch
) -> None:
    life = living("homelab")
    slow_and_edited(life)
    monkeypatch.setattr(Cluster, "_back", lambda _self, _node, applied: applied)
    run = life.run("up")
    assert not run.well
    said = "\n".join(error.message for error in run.errors())
    assert "control planes valinor-1 and valinor-2 of arda are down at once" in said
    assert "on the way it was: arda-" in said, "it says what ran at that moment"
