"""What talosctl and kubectl do to a node that leaves, and what they refuse, in the rack's real shell."""

import re
from typing import Any

import pytest

from rehearsal.world.kube_cluster import Body, Cluster
from tests.rehearsal.clusters import body
from tests.rehearsal.test_world_programs import Bench, bench

__all__ = ["bench"]
RESET = "reset --graceful --reboot=false --system-labels-to-wipe STATE,EPHEMERAL"


def voters(at: Bench) -> list[str]:
    at.at.world.talos.settle()
    return sorted(next(iter(at.at.world.talos.clusters.values()))["members"])


def kubernetes(at: Bench) -> Cluster:
    return next(cluster for name, cluster in at.at.world.kubernetes.clusters.items() if name == "main")


def node(at: Bench, name: str) -> Body:
    found = kubernetes(at).get("Node", None, name)
    assert found
    return found


def member_id(at: Bench, name: str) -> str:
    rows = at.t("cp-1", "etcd members").stdout.splitlines()
    return next(row.split()[1] for row in rows if row.split()[2] == name)


def test_a_control_plane_that_left_etcd_joins_again_at_its_next_boot(bench: Bench) -> None:
    assert bench.t("cp-3", "etcd leave").code == 0
    assert voters(bench) == ["cp-1", "cp-2"]
    assert "etcd is not running" in bench.t("cp-3", "etcd leave").stderr
    with bench.at.world.change():
        bench.at.world.talos.reboot("cp-3")
    assert voters(bench) == ["cp-1", "cp-2", "cp-3"]


def test_a_worker_the_last_member_and_a_minority_leave_no_etcd(bench: Bench) -> None:
    assert "etcd is only available on control plane nodes" in bench.t("worker-1", "etcd leave").stderr
    assert bench.t("cp-2", "etcd leave").code == 0
    assert bench.t("cp-3", "etcd leave").code == 0
    assert "not enough members" in bench.t("cp-1", "etcd leave").stderr
    for name in ("cp-2", "cp-3"):
        bench.at.world.talos.reboot(name)
    assert voters(bench) == ["cp-1", "cp-2", "cp-3"]
    for name in ("cp-2", "cp-3"):
        bench.at.world.machines.switch(name, on=False)
    assert "etcdserver: request timed out" in bench.t("cp-1", "etcd leave").stderr


def test_a_member_that_was_removed_cannot_join_with_its_old_data(bench: Bench) -> None:
    known = member_id(bench, "cp-3")
    bench.at.world.machines.switch("cp-3", on=False)
    assert re.search(r"accepts 1 arg\(s\), received 0", bench.t("cp-1", "etcd remove-member").stderr)
    assert "member not found" in bench.t("cp-1", "etcd remove-member 0123456789abcdef").stderr
    assert bench.t("cp-1", f"etcd remove-member {known}").code == 0
    bench.at.world.machines.switch("cp-3", on=True)
    assert voters(bench) == ["cp-1", "cp-2"]
    bench.at.world.machines.wipe("cp-3")
    bench.at.world.machines.switch("cp-3", on=True)
    bench.at.apply("cp-3")
    assert voters(bench) == ["cp-1", "cp-2", "cp-3"]


def test_a_reset_wipes_halts_and_leaves_the_node_object_to_its_owner(bench: Bench) -> None:
    assert "together, and nothing else" in bench.t("cp-3", "reset --system-labels-to-wipe STATE").stderr
    assert bench.t("cp-3", RESET).code == 0
    record = bench.at.world.machines.records["cp-3"]
    assert (record["stage"], record["config"]) == ("off", None)
    assert voters(bench) == ["cp-1", "cp-2"]
    assert node(bench, "cp-3")
    assert bench.k("delete node cp-3").code == 0
    assert 'nodes "cp-3" not found' in bench.k("delete node cp-3").stderr
    assert bench.k("delete node cp-3 --ignore-not-found").code == 0


def pod(at: Bench, name: str, owner: str | None, **labels: str) -> None:
    made = body("Pod", name, "apps", spec={"nodeName": "worker-1", "containers": []})
    owners = [{"kind": owner, "uid": "x", "name": "it"}] if owner else []
    made["metadata"] |= {"labels": labels, "ownerReferences": owners}
    kubernetes(at).place(made, "test")


def pods(at: Bench) -> list[str]:
    return [each["metadata"]["name"] for each in kubernetes(at).objects("Pod", "apps")]


DRAIN = "drain worker-1 --ignore-daemonsets --delete-emptydir-data --timeout=10m"


def test_a_drain_moves_what_somebody_starts_again_and_leaves_daemons(bench: Bench) -> None:
    pod(bench, "agent", "DaemonSet")
    pod(bench, "web", "ReplicaSet")
    assert bench.k(DRAIN).code == 0
    assert pods(bench) == ["agent"]
    assert node(bench, "worker-1")["spec"]["unschedulable"] is True
    assert bench.k("uncordon worker-1").code == 0
    assert not node(bench, "worker-1")["spec"].get("unschedulable")
    assert bench.k("cordon worker-1").code == 0
    columns = "custom-columns=U:.spec.unschedulable,M:.metadata.annotations.it"
    assert bench.k(f"get node worker-1 --no-headers -o {columns}").stdout == "true   <none>\n"
    assert node(bench, "worker-1")["spec"]["unschedulable"] is True


@pytest.mark.parametrize(
    ("owner", "budget", "said"),
    [
        (None, None, "Pods that declare no controller"),
        ("StatefulSet", 0, "violate the pod's disruption budget"),
    ],
)
def test_a_drain_stops_at_a_pod_that_may_not_go(owner: str | None, budget: Any, said: str, bench: Bench) -> None:
    pod(bench, "db", owner, app="db")
    if budget is not None:
        spec = {"selector": {"matchLabels": {"app": "db"}}}
        made = body("PodDisruptionBudget", "db", "apps", api="policy/v1", spec=spec)
        kubernetes(bench).place(made | {"status": {"disruptionsAllowed": budget}}, "test")
    outcome = bench.k(DRAIN)
    assert outcome.code == 1
    assert said in outcome.stderr
    assert 'error: unable to drain node "worker-1"' in outcome.stderr
    assert pods(bench) == ["db"]


def test_an_annotation_is_not_overwritten_by_accident(bench: Bench) -> None:
    assert bench.k("annotate node cp-1 it=one").code == 0
    assert "--overwrite is false" in bench.k("annotate node cp-1 it=two").stderr
    assert bench.k("annotate node cp-1 it=two --overwrite").code == 0
    assert node(bench, "cp-1")["metadata"]["annotations"] == {"it": "two"}
    assert bench.k("annotate node cp-1 it-").code == 0
    assert bench.k("annotate node cp-1 it-").code == 0
    assert node(bench, "cp-1")["metadata"]["annotations"] == {}
    assert "annotates nodes only" in bench.k("annotate pod cp-1 it=two").stderr
