"""Credentials that end, clusters that stood before, machines that never come: with the real engine."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.world import World
from rehearsal.world.talos_config import main_document
from rehearsal.world.talos_upgrade import runs
from tests.rehearsal.lives import Life, touched

pytestmark = pytest.mark.slow
DAY = 24 * 3600.0


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


@pytest.mark.parametrize("days", [300, 340, 400])
def test_credentials_that_end_are_renewed_and_nothing_is_replaced(living: Life, days: int) -> None:
    """The kubeconfig three months before its end, the talosconfig a month before; both also when it is too late."""
    living.change(lambda world: world.clock.let_pass(days * DAY))
    foreseen = living.run("preview")
    assert foreseen.well, foreseen.errors()
    done = touched(living.run("up"))
    assert set(done.values()) == {"update"}
    assert "arda-kubeconfig" in done
    assert ("arda-secrets" in done) is (days > 334)
    assert touched(living.run("up")) == {}


def test_a_worker_that_never_comes_up_holds_nobody_back(tmp_path: Path, engine: Path) -> None:
    life = Life("homelab", tmp_path, engine)
    life.edited(lambda _: None)
    life.run("preview", fresh=True)
    life.change(lambda world: world.machines.switch("istari-2", on=False))
    run = life.run("up", keep_going=True)
    assert not run.well
    assert any("istari-2" in error.message + error.subject for error in run.errors())
    arda = life.world().kubernetes.clusters["arda"]
    assert {node["metadata"]["name"] for node in arda.objects("Node")} >= {"valinor-1", "istari-1", "istari-3"}
    assert {release["chart"] for release in arda.releases.values()} >= {"cilium", "gateway-helm", "argo-cd"}
    life.change(lambda world: world.machines.switch("istari-2", on=True))
    assert set(touched(life.run("up"))) <= {"arda-apply-istari-2", "arda-gate-nodes"}
    assert touched(life.run("up")) == {}


def bundle_of(life: Life) -> dict[str, Any]:
    """The secrets bundle of a lab that stands, as `talosctl gen secrets --from-controlplane-config` finds it."""
    main = main_document(life.world().talos.node("valinor-1").documents)
    machine, cluster = main["machine"], main["cluster"]
    return {
        "cluster": {"id": cluster["id"], "secret": cluster["secret"]},
        "secrets": {
            "bootstraptoken": cluster["token"],
            "secretboxencryptionsecret": cluster["secretboxEncryptionSecret"],
        },
        "trustdinfo": {"token": machine["token"]},
        "certs": {
            "etcd": cluster["etcd"]["ca"],
            "k8s": cluster["ca"],
            "k8saggregator": cluster["aggregatorCA"],
            "k8sserviceaccount": cluster["serviceAccount"],
            "os": machine["ca"],
        },
    }


def taken_over(stood: Life, tmp_path: Path, engine: Path, **versions: str) -> Life:
    """A stack that knows nothing yet of a cluster that runs: machines, etcd, nodes; `versions` as its file has it."""
    file = tmp_path / "secrets.yaml"
    file.write_text(yaml.safe_dump(bundle_of(stood)))
    old = stood.world()
    nodes = {key: each for key, each in old.kubernetes.records["arda"]["objects"].items() if key.startswith("N")}
    running = old.kubernetes.records["arda"] | {"objects": nodes, "releases": {}}

    def already(world: World) -> None:
        world.data["clock"] = old.clock.now  # or its machines would still be booting
        world.machines.records.update(old.machines.records)
        world.talos.clusters.update(old.talos.clusters)
        world.factory.register(old.factory.text(runs(old.machines.records["valinor-1"]).schematic or ""))
        world.kubernetes.records["arda"] = running

    life = Life("homelab", tmp_path / "adopted", engine)
    life.folder.mkdir()

    def adopt(environment: dict[str, Any]) -> None:
        environment["cluster"]["adopt_secrets"] = str(file)
        environment["versions"].update(versions)

    life.edited(adopt)
    life.run("preview", fresh=True)
    life.change(already)
    return life


def test_a_cluster_that_stood_before_is_taken_over_as_it_runs(stood: Life, tmp_path: Path, engine: Path) -> None:
    """Its machines, its etcd and its nodes; what somebody installed in it is another matter."""
    old, life = stood.world(), taken_over(stood, tmp_path, engine)
    done = touched(life.run("up"))
    assert done["arda-secrets"] == "import"
    assert "arda-bootstrap" not in done
    now = life.world()
    assert {name: record["config"] for name, record in now.machines.records.items()} == {
        name: record["config"] for name, record in old.machines.records.items()
    }
    done_to_machines = {entry["operation"] for entry in now.entries() if entry["kind"] == "talos"}
    assert not done_to_machines & {"install", "upgrade", "bootstrap etcd", "reboot"}
    (tmp_path / "secrets.yaml").unlink()
    assert touched(life.run("up")) == {}, "the bundle is read once"


def test_a_node_that_is_off_when_its_cluster_is_taken_over_is_not_passed_by(
    stood: Life, tmp_path: Path, engine: Path
) -> None:
    """Taken for a machine that is not of the cluster yet, it would keep the old Talos and never be upgraded."""
    life = taken_over(stood, tmp_path, engine, talos="v1.12.5")  # version: the World's, any will do
    life.change(lambda world: world.machines.switch("istari-2", on=False))
    run = life.run("up")
    assert not run.well
    assert any("istari-2" in each.message and "is upgraded only when it does" in each.message for each in run.errors())
    snapshots = [entry for entry in life.world().entries() if entry["operation"] == "snapshot etcd"]
    assert len(snapshots) == 1, "etcd is kept before the first of them"
