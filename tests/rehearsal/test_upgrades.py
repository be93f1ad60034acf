"""Upgrades of Talos and Kubernetes with the real engine, refused ones, and ones that were cut off."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.rack import Run
from rehearsal.world import World, talos_upgrade
from rehearsal.world.talos_upgrade import runs
from render.upgrades import MARK
from tests.foresight import changes
from tests.rehearsal.lives import Life, touched

pytestmark = pytest.mark.slow

NODES = ("valinor-1", "valinor-2", "valinor-3", "istari-1", "istari-2", "istari-3")
"""Homelab's machines in the order in which they are touched."""
TALOS, NEWER, NEXT = "v1.12.4", "v1.12.5", "v1.13.0"  # version: the World's, any will do
KUBERNETES, LATER = "v1.34.2", "v1.35.1"  # version: the World's, any will do


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Life:
    """Homelab after its first `up`, never changed."""
    life = Life("homelab", tmp_path_factory.mktemp("homelab"), engine)
    life.edited(lambda _: None)
    run = life.run("up", fresh=True)
    assert run.well, run.errors()
    return life


@pytest.fixture
def living(stood: Life, tmp_path: Path) -> Life:
    """A copy of it, to be changed freely."""
    return stood.copied(tmp_path / "homelab")


def to(life: Life, **versions: str) -> None:
    life.edited(lambda environment: environment["versions"].update(versions))


def talos(life: Life) -> dict[str, str]:
    return {name: runs(record).version for name, record in life.world().machines.records.items()}


def happened(life: Life, operation: str) -> list[str]:
    return [entry["subject"] for entry in life.world().entries() if entry["operation"] == operation]


def refused(run: Run) -> str:
    assert not run.well
    assert not run.broken
    return "\n".join(error.message for error in run.errors())


@pytest.mark.parametrize("wanted", [NEWER, NEXT])
def test_talos_is_upgraded_node_by_node_after_a_snapshot(living: Life, wanted: str) -> None:
    before = len(living.world().entries())
    to(living, talos=wanted)
    done = touched(living.run("up"))
    assert set(talos(living).values()) == {wanted}
    assert happened(living, "upgrade") == list(NODES)
    operations = [entry["operation"] for entry in living.world().entries()[before:]]
    assert operations.index("snapshot etcd") < operations.index("upgrade")
    assert set(done.values()) <= {"update", "create"}, "an upgrade replaces nothing"
    assert touched(living.run("up")) == {}


def test_the_first_up_upgrades_nothing_and_neither_does_the_next(stood: Life) -> None:
    assert happened(stood, "upgrade") == []
    assert set(talos(stood).values()) == {TALOS}


def test_a_control_plane_that_is_slow_to_come_back_is_waited_for(living: Life) -> None:
    to(living, talos=NEWER)
    living.staged({"kind": "slow", "where": "machine/valinor-*", "seconds": 300.0})
    run = living.run("up")
    assert run.well, run.errors()
    assert happened(living, "upgrade") == list(NODES)


def test_configurations_that_reboot_take_one_control_plane_at_a_time(living: Life) -> None:
    def rebooting(environment: dict[str, Any]) -> None:
        environment["cluster"].setdefault("talos", {})["control_planes"] = {"machine": changes.UDEV}

    living.edited(rebooting)
    living.staged({"kind": "slow", "where": "machine/valinor-*", "seconds": 300.0})
    run = living.run("up")
    assert run.well, run.errors()
    assert happened(living, "reboot") == list(NODES[:3])


def test_a_patch_is_taken_back_like_any_upgrade(living: Life) -> None:
    """The way back of docs/day-2/upgrade-talos.md: node by node, the gates between, nothing done twice."""
    to(living, talos=NEWER, kubernetes="v1.34.3")  # version: the World's, any will do
    assert living.run("up").well
    to(living, talos=TALOS, kubernetes=KUBERNETES)
    run = living.run("up")
    assert run.well, run.errors()
    assert happened(living, "upgrade") == [*NODES, *NODES]
    assert set(talos(living).values()) == {TALOS}
    assert {living.world().talos.node(name).kubernetes_version for name in NODES} == {KUBERNETES}
    assert touched(living.run("up")) == {}


def test_a_minor_that_was_rolled_back_by_hand_is_found_as_the_data_says(
    living: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other way back of docs/day-2/upgrade-talos.md: `talosctl rollback` on each machine, then the edit."""
    to(living, talos=NEXT)
    assert living.run("up").well
    for name in NODES[1:]:
        living.change(lambda world, name=name: world.machines.records[name]["runs"].update(version=TALOS))
    to(living, talos=TALOS)
    assert "change-version-down" in refused(living.run("up"))
    monkeypatch.setattr(
        "stacks.change.codes", lambda _: {"change-version-down"}
    )  # a rehearsal sees no variable of ours
    assert "valinor-1 runs Talos v1.13.0: v1.12.4 is a minor back" in refused(living.run("up"))  # version: the World's
    living.change(lambda world: world.machines.records["valinor-1"]["runs"].update(version=TALOS))
    run = living.run("up")
    assert run.well, run.errors()
    assert happened(living, "upgrade") == list(NODES), "nothing is upgraded again"
    assert touched(living.run("up")) == {}


@pytest.mark.parametrize(("moment", "done"), [("before", 2), ("after", 3)])
def test_an_upgrade_that_was_cut_off_goes_on_where_it_was(living: Life, moment: str, done: int) -> None:
    to(living, talos=NEWER)
    living.cut_at(f"command/*/update/{moment}/arda-upgrade-valinor-3")
    assert not living.run("up").well
    assert happened(living, "upgrade") == list(NODES[:done])
    living.cut_at(None)
    assert living.run("up").well
    assert happened(living, "upgrade") == list(NODES), "what runs the new version already is not upgraded again"


def test_kubernetes_is_upgraded_once_by_talosctl_and_not_by_a_configuration(living: Life) -> None:
    to(living, kubernetes=LATER)
    touched(living.run("up"))
    world = living.world()
    assert {world.talos.node(name).kubernetes_version for name in NODES} == {LATER}
    assert world.kubernetes.clusters["arda"].version == LATER
    planes, kubelets = happened(living, "upgrade control plane"), happened(living, "upgrade kubelet")
    assert (len(planes), len(kubelets)) == (3, 6)
    assert touched(living.run("up")) == {}


def dead_metrics(world: World) -> None:
    """The server of one aggregated API is away, and client-go says so before everything it does."""
    body = {
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io", "uid": "1"},
        "spec": {"group": "metrics.k8s.io", "version": "v1beta1"},
        "status": {"conditions": [{"type": "Available", "status": "False"}]},
    }
    stored = {"object": body, "managers": {}, "created_by": "metrics-server"}
    world.kubernetes.records["arda"]["objects"]["APIService//v1beta1.metrics.k8s.io"] = stored


def test_a_warning_of_kubectl_s_is_no_version_and_no_trouble_of_the_network(living: Life) -> None:
    living.change(dead_metrics)
    to(living, kubernetes=LATER)
    run = living.run("up")
    assert run.well, run.errors()
    assert happened(living, "sync manifests") == ["arda"]


def test_an_upgrade_of_kubernetes_cut_off_after_the_kubelets_still_syncs_its_manifests(living: Life) -> None:
    """Every kubelet runs the version, and only the mark on a Node tells that the end never came."""

    def cut_off(world: World) -> None:
        talos_upgrade.upgrade_kubernetes(world, world.talos.node("valinor-1"), LATER)
        node = world.kubernetes.records["arda"]["objects"]["Node//valinor-1"]["object"]
        node["metadata"].setdefault("annotations", {})[MARK] = LATER

    living.change(cut_off)
    to(living, kubernetes=LATER)
    touched(living.run("up"))
    assert happened(living, "sync manifests") == ["arda", "arda"]
    assert len(happened(living, "upgrade kubelet")) == len(NODES), "none is touched again"
    node = living.world().kubernetes.records["arda"]["objects"]["Node//valinor-1"]["object"]
    assert MARK not in node["metadata"]["annotations"]


def runs_already(life: Life, version: str) -> None:
    life.change(lambda world: world.machines.records["valinor-1"]["runs"].update(version=version))


@pytest.mark.parametrize(
    ("found", "why"),
    [("v1.9.5", "more than 2 minors away"), ("v1.13.1", "is a minor back")],  # version: the World's
)
def test_a_step_that_talos_does_not_take_is_refused_before_the_node_is_touched(
    living: Life, found: str, why: str
) -> None:
    runs_already(living, found)
    to(living, talos=NEWER)
    said = refused(living.run("up"))
    assert why in said
    assert f"valinor-1 runs Talos {found}" in said
    assert happened(living, "upgrade") == []


def test_an_image_without_a_running_extension_is_refused_until_the_data_says_so(living: Life) -> None:
    """Somebody put it there by hand: no edit tells of it, only the machine does."""

    def by_hand(world: World) -> None:
        text = "customization:\n  systemExtensions:\n    officialExtensions: [siderolabs/nut-client]\n"
        world.machines.records["valinor-1"]["runs"]["schematic"] = world.factory.register(text)

    living.change(by_hand)
    to(living, talos=NEWER)
    said = refused(living.run("up"))
    assert "valinor-1 runs extensions that its new image lacks: nut-client" in said
    assert "cluster.upgrades.may_drop" in said

    def allow(environment: dict[str, Any]) -> None:
        environment["versions"]["talos"] = NEWER
        environment["cluster"]["upgrades"] = {"may_drop": ["nut-client"]}

    living.edited(allow)
    assert living.run("up").well
    assert happened(living, "upgrade") == list(NODES), "and then it goes on as ever"


def test_no_control_plane_is_upgraded_while_another_is_down(living: Life) -> None:
    living.change(lambda world: world.machines.switch("valinor-3", on=False))
    to(living, talos=NEWER)
    said = refused(living.run("up"))
    assert "valinor-1 is not upgraded while another control plane is down" in said
    assert "valinor-3" in said
    assert happened(living, "upgrade") == []
    living.change(lambda world: world.machines.switch("valinor-3", on=True))
    assert living.run("up").well
    assert happened(living, "upgrade") == list(NODES)


def longhorn(robustness: str) -> Callable[[World], None]:
    """One volume of Longhorn's, attached, in this state."""
    objects = {
        "CustomResourceDefinition//volumes.longhorn.io": {
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "volumes.longhorn.io", "uid": "1"},
            "spec": {"names": {"kind": "Volume"}},
        },
        "Volume/longhorn-system/pvc-1": {
            "kind": "Volume",
            "metadata": {"name": "pvc-1", "namespace": "longhorn-system", "uid": "2"},
            "status": {"robustness": robustness},
        },
    }

    def happens(world: World) -> None:
        stored = world.kubernetes.records["arda"]["objects"]
        for key, body in objects.items():
            stored[key] = {"object": body, "managers": {}, "created_by": "longhorn"}

    return happens


def test_a_worker_with_data_waits_until_every_copy_is_whole(living: Life) -> None:
    living.change(longhorn("degraded"))
    to(living, talos=NEWER)
    said = refused(living.run("up"))
    assert "istari-1 is not upgraded while longhorn is not healthy: pvc-1 is degraded" in said
    assert happened(living, "upgrade") == [name for name in NODES if name.startswith("valinor")]
    living.change(longhorn("healthy"))
    assert living.run("up").well
    assert happened(living, "upgrade") == list(NODES)


@pytest.mark.parametrize(
    ("programs", "why"),
    [
        ({"talosctl": None}, "talosctl is not on this machine's PATH"),
        ({"talosctl": "v1.11.6"}, "talosctl here is v1.11.6"),  # version: the World's
        ({"kubectl": None}, "kubectl is not on this machine's PATH"),
        ({"kubectl": "v1.32.4-dispatcher"}, "a wrapper that reads the kubeconfig itself"),  # version: the World's
        ({"kubectl": "v1.29.1"}, "kubectl here is v1.29.1, more than one minor"),  # version: the World's
    ],
)
def test_a_missing_program_is_said_before_any_machine_is_touched(
    tmp_path: Path, engine: Path, programs: dict[str, str | None], why: str
) -> None:
    life = Life("homelab", tmp_path, engine)
    life.edited(lambda _: None)
    life.run("preview", fresh=True)
    life.change(lambda world: world.hosts.workstation.update(programs=programs))
    said = refused(life.run("up"))
    assert why in said
    assert [name for name, record in life.world().machines.records.items() if record["config"]] == []
