"""The text that takes a node out: whom it asks, in which order, and never a secret."""

import re
import subprocess

import pytest

from model.talos import ClusterNodePlan, ClusterPlan
from render.leaving import MARK, leave
from tests.labs import SHIPPED, planned, raw

NODES = [(lab, node) for lab in SHIPPED for node in raw(lab)["cluster"]["nodes"]]


def going(lab: str, node: str, state: str) -> tuple[ClusterPlan, ClusterNodePlan]:
    environment = raw(lab)
    environment["cluster"]["nodes"][node]["state"] = state
    cluster = planned(environment).cluster
    assert cluster
    (gone,) = cluster.going
    return cluster, gone


@pytest.mark.parametrize("state", ["leaving", "lost"])
@pytest.mark.parametrize(("lab", "node"), NODES)
def test_only_who_stays_is_asked_about_who_goes(lab: str, node: str, state: str) -> None:
    cluster, gone = going(lab, node, state)
    text = leave(cluster, gone)
    endpoints = re.findall(r" -e (\S+) ", text)
    assert endpoints == [",".join(each.address for each in cluster.control_planes)]
    assert gone.address not in endpoints[0].split(",")
    assert subprocess.run(["sh", "-n", "-c", text], check=False).returncode == 0
    assert all(name not in text for name in ("etcd leave", "remove-member")) == (gone.role == "worker")


@pytest.mark.parametrize(("lab", "node"), NODES)
def test_checks_come_before_the_drain_and_the_reset_last_but_one(lab: str, node: str) -> None:
    text = leave(*going(lab, node, "leaving"))
    order = [
        "service etcd",
        "replicas.longhorn.io",
        "cephclusters",
        "k drain",
        "etcd leave",
        f"{MARK}=resetting",
        " reset --graceful",
        "k delete node",
    ]
    places = [text.index(each) for each in order if each in text]
    assert places == sorted(places)
    assert len(places) >= 6


@pytest.mark.parametrize(("lab", "node"), NODES)
def test_nothing_of_a_lost_machine_s_own_is_asked_but_whether_it_lives(lab: str, node: str) -> None:
    cluster, gone = going(lab, node, "lost")
    text = leave(cluster, gone)
    assert re.findall(rf"t -n {re.escape(gone.address)} (\w+)", text) == ["version"]
    assert "drain" not in text


def test_who_goes_is_no_control_plane_no_worker_and_keeps_its_place_in_the_table() -> None:
    cluster, gone = going("homelab", "valinor-1", "leaving")
    assert gone not in (*cluster.control_planes, *cluster.workers, *cluster.members)
    assert gone in cluster.nodes
    environment = raw("homelab")
    environment["cluster"]["nodes"]["valinor-1"]["state"] = "leaving"
    plan = planned(environment)
    assert gone.address in {host.address for host in plan.network.hosts}
    assert plan.network.netboot
    assert gone.mac in {entry.mac for entry in plan.network.netboot.entries}


def test_a_member_has_no_such_text() -> None:
    cluster = planned(raw("turing")).cluster
    assert cluster
    with pytest.raises(ValueError, match="talos-1 stays"):
        leave(cluster, cluster.nodes[0])
