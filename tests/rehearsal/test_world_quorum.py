"""Control planes that lose their majority: Kubernetes falls silent, each node's Talos API does not."""

import pytest

from rehearsal.world.errors import Refusal, Retried
from tests.rehearsal.talos_labs import ADDRESSES, Lab
from tests.rehearsal.worlds import a_world, lab

VIP = "10.0.0.100"
API = f"https://{VIP}:6443"


@pytest.fixture
def three() -> Lab:
    """Three control planes, all members."""
    environment = lab()
    nodes = environment["cluster"]["nodes"]
    nodes["cp-3"] = {**nodes["cp-2"], "address": "10.0.0.103", "mac": "02:00:00:00:00:03"}
    at = Lab(a_world(environment))
    for name in ("cp-1", "cp-2", "cp-3"):
        at.apply(name)
    at.world.talos.bootstrap(ADDRESSES["cp-1"], None, at.client)
    at.world.kubernetes.answers(API, patience=600.0)
    return at


def cut(at: Lab, *names: str) -> None:
    for name in names:
        at.world.machines.switch(name, on=False)


def asked(at: Lab, server: str = API) -> str:
    """What the Kubernetes API says to an administrator who asks it at ``server``."""
    raw = at.world.talos.kubeconfig(ADDRESSES["cp-1"], None, at.client)["raw"].replace(API, server)
    try:
        return at.world.kubernetes.by_kubeconfig(raw).name
    except Refusal as refusal:
        return refusal.message


def test_one_of_three_may_go(three: Lab):
    cut(three, "cp-3")
    assert asked(three) == "main"


def test_without_a_majority_the_vip_is_held_by_nobody_and_no_request_ends(three: Lab):
    cut(three, "cp-2", "cp-3")
    assert "dial tcp 10.0.0.100:6443: connect: no route to host" in asked(three)
    assert "context deadline exceeded (etcdserver: request timed out)" in asked(three, "https://10.0.0.101:6443")
    assert not three.world.kubernetes.answers(API, patience=600.0)


def test_the_talos_api_of_each_node_answers_on_but_not_at_the_vip(three: Lab):
    cut(three, "cp-2", "cp-3")
    assert three.world.talos.dial(ADDRESSES["cp-1"], None, three.client).hostname == "cp-1"
    with pytest.raises(Retried, match="no route to host"):
        three.world.talos.dial(ADDRESSES["cp-1"], VIP, three.client)


def test_it_all_comes_back_with_the_majority(three: Lab):
    cut(three, "cp-2", "cp-3")
    three.world.machines.switch("cp-2", on=True)
    assert asked(three) == "main"
    assert three.world.talos.dial(ADDRESSES["cp-1"], VIP, three.client).hostname == "cp-1"


def test_nobody_joins_or_leaves_in_good_order_without_a_majority(three: Lab):
    cut(three, "cp-2", "cp-3")
    three.apply("worker-1")
    assert three.world.kubernetes.clusters["main"].get("Node", None, "worker-1") is None
    with pytest.raises(Retried, match="failed to leave cluster: etcdserver: request timed out"):
        three.world.talos.reset(ADDRESSES["cp-1"], None, three.client, graceful=True, reboot=True)
    three.world.machines.switch("cp-3", on=True)
    three.world.talos.settle()
    assert three.world.kubernetes.clusters["main"].get("Node", None, "worker-1") is not None


def test_two_of_two_are_needed(three: Lab):
    three.world.talos.reset("10.0.0.103", None, three.client, graceful=True, reboot=False)
    cut(three, "cp-2")
    assert "no route to host" in asked(three)
