"""A Talos cluster from its bootstrap to its last member: etcd, the API it serves, its VIP, who joins and who leaves."""

import pytest
import yaml

from rehearsal.world.errors import Refusal, Retried
from tests.rehearsal.talos_labs import ADDRESSES, Lab
from tests.rehearsal.worlds import patch


@pytest.fixture
def at() -> Lab:
    return Lab()


def test_bootstrap_is_for_a_running_control_plane_and_once(at: Lab):
    bootstrap = at.world.talos.bootstrap
    with pytest.raises(Refusal, match=r"Unimplemented.*maintenance mode"):
        bootstrap("10.0.0.101", None, at.client)
    for name in ("cp-1", "cp-2", "worker-1"):
        at.apply(name)
    with pytest.raises(
        Retried, match="FailedPrecondition desc = bootstrap can only be performed on a control plane node"
    ):
        bootstrap("10.0.0.104", None, at.client)
    bootstrap("10.0.0.101", None, at.client)
    for node in ("10.0.0.101", "10.0.0.102"):
        with pytest.raises(Retried, match="AlreadyExists desc = etcd data directory is not empty"):
            bootstrap(node, None, at.client)


def test_after_bootstrap_the_api_stands_at_the_endpoint_and_every_node_joins(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.apply("worker-1")
    at.apply("cp-2")
    cluster = at.world.kubernetes.clusters["main"]
    assert cluster.record["server"] == "https://10.0.0.100:6443"
    assert cluster.record["version"] == "v1.34.2"
    assert {node["metadata"]["name"] for node in cluster.objects("Node")} == {"cp-1", "cp-2", "worker-1"}
    taints = {node["metadata"]["name"]: node["spec"].get("taints") for node in cluster.objects("Node")}
    tainted = "node-role.kubernetes.io/control-plane"
    assert any(taint["key"] == tainted for taint in taints["cp-1"])
    assert not any(taint["key"] == tainted for taint in taints["worker-1"] or ())


def test_an_endpoint_no_control_plane_holds_is_not_where_the_api_stands(at: Lab):
    at.apply("cp-1", at.config("cp-1", [patch("cp-1", ADDRESSES["cp-1"], vip=None)]))
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    assert at.world.kubernetes.clusters["main"].record["server"] == "https://10.0.0.101:6443"


def test_the_vip_answers_no_talos_call_before_bootstrap(at: Lab):
    at.apply("cp-1")
    with pytest.raises(Refusal, match="no route to host"):
        at.apply("cp-1", endpoint="10.0.0.100")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.apply("cp-1", endpoint="10.0.0.100")


def test_a_worker_passes_nothing_on(at: Lab):
    at.apply("cp-1")
    at.apply("worker-1")
    at.apply("worker-1", endpoint="10.0.0.101")
    with pytest.raises(Refusal, match="passes nothing on"):
        at.apply("cp-1", endpoint="10.0.0.104")


def test_a_kubeconfig_needs_a_bootstrapped_cluster_and_names_its_endpoint(at: Lab):
    at.apply("cp-1")
    with pytest.raises(Refusal, match="not bootstrapped"):
        at.world.talos.kubeconfig("10.0.0.101", None, at.client)
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    found = at.world.talos.kubeconfig("10.0.0.101", None, at.client)
    document = yaml.safe_load(found["raw"])
    assert document["clusters"][0]["cluster"]["server"] == "https://10.0.0.100:6443"
    assert document["users"][0]["user"]["client-key-data"] in at.world.issued_secrets()


def test_talos_hands_out_a_kubeconfig_before_the_api_it_names_answers(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    raw = at.world.talos.kubeconfig("10.0.0.101", None, at.client)["raw"]
    with pytest.raises(Refusal, match="connection refused"):
        at.world.kubernetes.by_kubeconfig(raw)
    assert at.world.kubernetes.answers("https://10.0.0.100:6443/readyz", patience=600.0)
    assert at.world.kubernetes.by_kubeconfig(raw).name == "main"


def test_a_reset_node_leaves_etcd_and_is_as_it_was_racked(at: Lab):
    for name in ("cp-1", "cp-2", "worker-1"):
        at.apply(name)
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.world.talos.reset("10.0.0.102", None, at.client, graceful=True, reboot=True)
    assert at.stage("cp-2") == "maintenance"
    assert at.world.talos.clusters[at.bundle["certs"]["os"]["cert"]]["members"] == ["cp-1"]
    with pytest.raises(Refusal, match="etcd has no other member"):
        at.world.talos.reset("10.0.0.101", None, at.client, graceful=True, reboot=True)


def test_a_reset_without_reboot_halts_and_the_last_member_takes_the_cluster_along(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.world.talos.reset("10.0.0.101", None, at.client, graceful=False, reboot=False)
    assert at.stage("cp-1") == "off"
    assert "main" not in at.world.kubernetes.clusters


def test_nobody_joins_a_cluster_whose_every_member_is_off(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.world.machines.switch("cp-1", on=False)
    at.apply("cp-2")
    assert at.world.kubernetes.clusters["main"].get("Node", None, "cp-2") is None
    at.world.machines.switch("cp-1", on=True)
    at.apply("cp-2")
    assert at.world.kubernetes.clusters["main"].get("Node", None, "cp-2") is not None
