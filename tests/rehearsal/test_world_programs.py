"""talosctl and kubectl of the rack: called in its real shell, judged like the real ones."""

import pytest

from rehearsal.world.talos_upgrade import runs
from tests.rehearsal.talos_labs import Bench
from tests.rehearsal.worlds import PLAIN

NAMES = ("cp-1", "cp-2", "cp-3", "worker-1")
IMAGE = f"factory.talos.dev/metal-installer/{PLAIN}"
NEWER, OLDER, FAR = "v1.12.9", "v1.10.3", "v1.15.0"  # version: the World's, any will do


@pytest.fixture
def bench() -> Bench:
    return Bench.of_four()


def test_a_subcommand_or_option_nobody_wrote_down_is_refused(bench: Bench):
    assert "unknown command" in bench.t("cp-1", "dashboard").stderr
    assert "unknown flag: --preserve" in bench.t("cp-1", f"upgrade --preserve --image {IMAGE}:{NEWER}").stderr


def test_a_stranger_s_talosconfig_is_not_let_in(bench: Bench):
    said = bench.t("cp-1", "version", caCertificate="c3RyYW5nZXI=")
    assert said.code == 1
    assert "x509: certificate signed by unknown authority" in said.stderr


def test_etcd_s_members_are_listed_with_addresses_and_learners(bench: Bench):
    bench.at.world.talos.clusters[bench.at.client["caCertificate"]]["learners"] = ["cp-3"]
    rows = [line.split() for line in bench.t("cp-1", "etcd members").stdout.splitlines()]
    assert rows[0] == ["NODE", "ID", "HOSTNAME", "PEER", "URLS", "CLIENT", "URLS", "LEARNER"]
    assert [(row[2], row[4], row[5]) for row in rows[1:]] == [
        ("cp-1", "https://10.0.0.101:2379", "false"),
        ("cp-2", "https://10.0.0.102:2379", "false"),
        ("cp-3", "https://10.0.0.103:2379", "true"),
    ]
    assert "control plane nodes" in bench.t("worker-1", "etcd members").stderr


def test_a_snapshot_is_its_owner_s_and_needs_its_folder(bench: Bench):
    assert "no such file or directory" in bench.t("cp-1", "etcd snapshot /home/operator/kept/a.etcd").stderr
    assert bench.run("mkdir -p /home/operator/kept").code == 0
    assert bench.t("cp-1", "etcd snapshot /home/operator/kept/a.etcd").code == 0
    assert bench.at.world.hosts.workstation["files"]["/home/operator/kept/a.etcd"]["mode"] == "0600"


def test_an_upgrade_writes_another_image_and_is_no_change_of_the_configuration(bench: Bench):
    before = bench.at.world.machines.records["cp-2"]["config"]
    assert bench.t("cp-2", f"upgrade --image {IMAGE}:{NEWER} --timeout 30m").code == 0
    record = bench.at.world.machines.records["cp-2"]
    assert (runs(record).version, record["config"]) == (NEWER, before)
    assert f"Tag:         {NEWER}" in bench.t("cp-2", "version").stdout
    assert PLAIN in bench.t("cp-2", "get extensionstatus").stdout


def test_a_newer_talosctl_warns_of_an_older_node_on_standard_error(bench: Bench):
    """Read together with the rows, the warning was taken for an extension."""
    bench.at.world.hosts.workstation["programs"] = {"talosctl": NEWER}
    said = bench.t("cp-1", "get extensionstatus")
    assert "WARNING: 10.0.0.101: server version v1.12.4 is older than client version" in said.stderr
    assert "WARNING" not in said.stdout


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (f"factory.talos.dev/metal-installer/{'0' * 64}:{NEWER}", "error validating installer image"),
        (f"{IMAGE}:{FAR}", "is not supported to upgrade to"),
        (f"{IMAGE}:{OLDER}", "is not supported to upgrade to"),
    ],
)
def test_an_upgrade_to_what_the_installer_would_not_write_is_refused(bench: Bench, image: str, why: str):
    said = bench.t("cp-2", f"upgrade --image {image}")
    assert said.code == 1
    assert why in said.stderr
    assert runs(bench.at.world.machines.records["cp-2"]).version == "v1.12.4"


def test_talos_upgrades_no_control_plane_while_another_is_down(bench: Bench):
    bench.at.world.machines.switch("cp-3", on=False)
    assert (
        "error validating etcd for upgrade: etcd member cp-3 is not healthy; all members must be healthy"
        in bench.t("cp-1", f"upgrade --image {IMAGE}:{NEWER}").stderr
    )


def test_kubernetes_goes_up_one_minor_at_a_time_and_with_its_talos(bench: Bench):
    assert "unsupported upgrade path" in bench.t("cp-1", "upgrade-k8s --to 1.36.0").stderr
    assert "unsupported upgrade path" in bench.t("cp-1", "upgrade-k8s --to 1.33.0").stderr
    assert bench.t("cp-1", "upgrade-k8s --to 1.35.1").code == 0
    columns = "custom-columns=N:.metadata.name,V:.status.nodeInfo.kubeletVersion"
    seen = bench.k(f"get nodes --no-headers -o {columns}").stdout.splitlines()
    assert [line.split() for line in seen] == [[name, "v1.35.1"] for name in NAMES]
    bench.at.world.machines.records["cp-1"]["runs"]["version"] = NEWER
    assert "is not supported by Talos" in bench.t("cp-1", "upgrade-k8s --to 1.36.0").stderr


def test_waiting_for_a_node_that_is_off_takes_its_time_and_fails(bench: Bench):
    began = bench.at.world.clock.now
    bench.at.world.machines.switch("worker-1", on=False)
    said = bench.k("wait --for=condition=Ready node/worker-1 --timeout=10s")
    assert "timed out waiting for the condition on nodes/worker-1" in said.stderr
    assert bench.at.world.clock.now >= began + 10
    assert "not found" in bench.k("wait --for=condition=Ready node/nobody --timeout=1s").stderr


def test_a_program_that_is_not_there_is_not_found(bench: Bench):
    bench.at.world.hosts.workstation["programs"] = {"talosctl": None}
    assert bench.run("talosctl version --client").code == 127
    assert "Client Version: v1.34.2" in bench.run("kubectl version --client").stdout
