"""A node that leaves, step by step: what refuses, what is kept, and that every cut is mended by running it again."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.standins import shell
from rehearsal.world.host_tools import run
from render.leaving import MARK
from tests.rehearsal.clusters import body
from tests.rehearsal.leavers import Standing, dying_after, uncordon
from tests.rehearsal.lives import Life

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Callable[[str], Path]:
    """The file of a lab's World after its first `up`."""

    @functools.cache
    def stand(lab: str) -> Path:
        life = Life(lab, tmp_path_factory.mktemp(lab), engine)
        life.edited(lambda _: None)
        return life.risen().rack() / "world.json"

    return stand


@pytest.fixture
def standing(stood: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Standing]:
    """A copy of it."""

    def copied(lab: str) -> Standing:
        return Standing(lab, Path(shutil.copy(stood(lab), tmp_path / f"{lab}.json")))

    return copied


@pytest.mark.parametrize(("state", "steps"), [("leaving", 5), ("lost", 2)])
def test_a_control_plane_goes_however_often_it_is_cut_off(
    state: str, steps: int, standing: Callable[[str], Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {"voters": ["talos-1", "talos-3"], "node": None, "machine": (False, state == "lost")}
    for step in range(1, steps + 1):
        at = standing("turing")
        at.switch("talos-2", on=state == "leaving")
        monkeypatch.setattr(shell, "run", dying_after(step))
        cut = at.take_out("talos-2", state)
        assert cut.code or step == steps, "it is cut off in the middle"
        assert (at.portrait("talos-2") == gone) == (step == steps), f"{step}: {at.portrait('talos-2')}"
        monkeypatch.setattr(shell, "run", run)
        again = at.take_out("talos-2", state)
        assert again.code == 0, again.stderr
        assert at.portrait("talos-2") == gone
        assert at.world.invariants.broken() == []


def test_who_is_gone_already_is_left_alone(standing: Callable[[str], Standing]) -> None:
    at = standing("turing")
    assert at.take_out("talos-4").code == 0
    before = len(at.world.entries())
    again = at.take_out("talos-4")
    assert (again.code, again.stdout) == (0, "talos-4 is gone\n")
    assert len(at.world.entries()) == before


def cut(at: Standing, node: str, step: int, patch: pytest.MonkeyPatch) -> None:
    """A run for `node` is killed after its `step`-th change; the next is whole again."""
    patch.setattr(shell, "run", dying_after(step))
    assert at.take_out(node).code
    patch.setattr(shell, "run", run)


def test_a_drained_node_that_takes_pods_again_is_looked_at_and_drained_again(
    standing: Callable[[str], Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run was cut off after the drain, and the node was uncordoned and a member for months. When it was to leave
    again, a mark of that drain let it go straight to the reset, while Ceph was at HEALTH_ERR and pods ran on it."""
    for step in (1, 2):
        at = standing("turing")
        cut(at, "talos-4", step, monkeypatch)
        uncordon(at, "talos-4")
        pod = body("Pod", "web", "storage", spec={"nodeName": "talos-4", "containers": []})
        pod["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "uid": "x", "name": "web"}]
        at.cluster.place(pod, "test")
        at.place("CephCluster", "rook-ceph", "ceph.rook.io/v1", status={"ceph": {"health": "HEALTH_ERR"}})
        outcome = at.take_out("talos-4")
        assert outcome.code == 1
        assert "rook-ceph says HEALTH_ERR" in outcome.stderr
        assert at.portrait("talos-4")["machine"] == (True, True), "it is not reset"
        found = at.cluster.get("CephCluster", "storage", "rook-ceph")
        assert found
        at.cluster.set_status(found, {"ceph": {"health": "HEALTH_OK"}})
        before = len(at.world.entries())
        assert at.take_out("talos-4").code == 0
        assert [entry["operation"] for entry in at.world.entries()[before:]] == ["drain", "reset", "delete node"]


@pytest.mark.parametrize("node", ["talos-2", "talos-4"])
def test_a_machine_that_was_drained_and_then_fell_silent_was_not_reset(
    node: str, standing: Callable[[str], Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run was cut off between the drain and the reset, and the machine lost its power. The next run called it gone,
    though its disk held the configuration with the cluster's secrets."""
    at = standing("turing")
    cut(at, node, 1, monkeypatch)
    at.switch(node, on=False)
    stays(at, node, "does not answer. Switch it on")
    at.switch(node, on=True)
    assert at.take_out(node).code == 0
    assert at.portrait(node)["machine"] == (False, False)


def test_silence_is_no_reset_once_the_node_takes_pods_again(
    standing: Callable[[str], Standing], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run was cut off just before the reset and the node stayed a member after all. Its mark outlived that, so when
    the machine was off for another reason, it was taken for one that was reset."""
    at = standing("turing")
    cut(at, "talos-4", 2, monkeypatch)
    uncordon(at, "talos-4")
    at.switch("talos-4", on=False)
    assert "does not answer" in at.take_out("talos-4").stderr
    found = at.cluster.get("Node", None, "talos-4")
    assert found
    assert MARK not in found["metadata"]["annotations"], "what says nothing any more is taken away"
    assert at.portrait("talos-4")["machine"] == (False, True)


def test_a_machine_that_took_its_configuration_and_never_joined_is_wiped(standing: Callable[[str], Standing]) -> None:
    """An `up` was cut off while a worker joined, and its entry was to go. Kubernetes did not know it yet, so it was
    called gone; it joined afterwards, with the cluster's secrets and no entry."""
    at = standing("turing")
    with at.world.change():
        at.world.kubernetes.remove_node(at.cluster.name, "talos-4")
        at.record["nodes"].pop("talos-4")
    assert at.take_out("talos-4").code == 0
    assert at.portrait("talos-4") == {
        "voters": ["talos-1", "talos-2", "talos-3"],
        "node": None,
        "machine": (False, False),
    }


def stays(at: Standing, node: str, why: str, state: str = "leaving") -> None:
    """It refuses, says why, and has changed nothing."""
    before = at.portrait(node)
    outcome = at.take_out(node, state)
    assert outcome.code == 1
    assert f"{node} does not go yet: " in outcome.stderr
    assert why in outcome.stderr
    after = at.portrait(node)
    assert after == before, "nothing is lost"


def test_a_control_plane_stays_while_another_is_down(standing: Callable[[str], Standing]) -> None:
    at = standing("turing")
    at.switch("talos-3", on=False)
    stays(at, "talos-1", "too few members of etcd would be left: etcd is not healthy on talos-3.")


def test_one_that_is_no_voter_of_etcd_does_not_count(standing: Callable[[str], Standing]) -> None:
    at = standing("turing")
    at.record["members"].remove("talos-3")
    at.world.machines.records["talos-3"]["etcd"] = "removed"
    stays(at, "talos-1", "talos-3 is no member of etcd: too few would be left")


@pytest.mark.parametrize("node", ["talos-1", "talos-4"])
def test_a_machine_that_does_not_answer_is_not_taken_for_one_that_left(
    node: str, standing: Callable[[str], Standing]
) -> None:
    at = standing("turing")
    at.switch(node, on=False)
    stays(at, node, "if the machine is dead, its entry says state: lost")


def test_a_machine_that_answers_is_not_lost(standing: Callable[[str], Standing]) -> None:
    stays(standing("turing"), "talos-1", "answers, so it is not lost", "lost")


def test_a_disruption_budget_that_never_yields_is_named_and_nothing_is_lost(
    standing: Callable[[str], Standing],
) -> None:
    at = standing("turing")
    labels = {"app": "postgres"}
    budget = {"spec": {"selector": {"matchLabels": labels}}, "status": {"disruptionsAllowed": 0}}
    at.place("PodDisruptionBudget", "only-one", "policy/v1", **budget)
    pod = body("Pod", "postgres-0", "storage", spec={"nodeName": "talos-4", "containers": []})
    pod["metadata"] |= {"labels": labels, "ownerReferences": [{"kind": "StatefulSet", "uid": "x", "name": "postgres"}]}
    at.cluster.place(pod, "test")
    before = at.cluster.get("Pod", "storage", "postgres-0")
    outcome = at.take_out("talos-4")
    assert outcome.code == 1
    assert "storage/only-one" in outcome.stderr
    assert "postgres-0" in outcome.stderr
    assert at.cluster.get("Pod", "storage", "postgres-0") == before
    found = at.cluster.get("Node", None, "talos-4")
    assert found
    assert not found["spec"].get("unschedulable"), "it takes pods again"
    at.cluster.delete("PodDisruptionBudget", "storage", "only-one")
    assert at.take_out("talos-4").code == 0


def replica(at: Standing, name: str, node: str, *, whole: str = "2026-01-01T00:00:00Z", failed: str = "") -> None:
    spec = {"volumeName": "pvc-1", "nodeID": node, "healthyAt": whole, "failedAt": failed}
    at.place("Replica", name, "longhorn.io/v1beta2", spec=spec, status={"currentState": "running"})


@pytest.mark.parametrize("other", [{"whole": ""}, {"failed": "2026-01-02T00:00:00Z"}])
def test_the_last_whole_copy_of_a_volume_keeps_its_node(
    other: dict[str, str], standing: Callable[[str], Standing]
) -> None:
    """In homelab the holders are named, and a law takes a leaver's name out: no copy was then looked for, and the only
    whole one of a volume was wiped. The test had planned from a file that `./lab check` refuses."""
    at = standing("homelab")
    replica(at, "r-1", "istari-3")
    stays(at, "istari-3", "the only whole copy of Longhorn's volume pvc-1 is on it")
    replica(at, "r-2", "istari-1", **other)
    stays(at, "istari-3", "the only whole copy of Longhorn's volume pvc-1 is on it")
    replica(at, "r-3", "istari-2")
    assert at.take_out("istari-3").code == 0


def test_ceph_must_be_whole_before_a_machine_with_its_disks_goes(standing: Callable[[str], Standing]) -> None:
    at = standing("turing")
    at.place("CephCluster", "rook-ceph", "ceph.rook.io/v1", status={"ceph": {"health": "HEALTH_WARN"}})
    stays(at, "talos-4", "rook-ceph says HEALTH_WARN")
    found = at.cluster.get("CephCluster", "storage", "rook-ceph")
    assert found
    at.cluster.set_status(found, {"ceph": {"health": "HEALTH_OK"}})
    assert at.take_out("talos-4").code == 0
