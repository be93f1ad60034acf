"""A gateway serves when somebody runs it, gives it its address and answers for that address."""

import re
from typing import Any

import pytest

from rehearsal.world.kube_helm import upgrade
from rehearsal.world.kubernetes import trouble_of
from tests.rehearsal.clusters import (
    CILIUM,
    GATEWAY,
    POLICY,
    POOL,
    gateway,
    make,
    no_interruption,
    wanted,
    with_gateways,
)


def test_a_gateway_gets_the_address_it_is_pinned_to():
    cluster = with_gateways()
    made = make(cluster, "Gateway", "one", "net", api=GATEWAY, spec=gateway("10.0.0.239"))
    assert trouble_of(cluster, made) is None
    assert made["status"]["addresses"] == [{"type": "IPAddress", "value": "10.0.0.239"}]
    free = make(cluster, "Gateway", "two", "net", api=GATEWAY, spec=gateway(None))
    assert free["status"]["addresses"][0]["value"] == "10.0.0.220"


@pytest.mark.parametrize(
    ("over", "spec", "trouble"),
    [
        ({}, gateway("10.0.0.9"), "10.0.0.9 lies in no CiliumLoadBalancerIPPool"),
        ({}, gateway("10.0.0.300"), "lies in no CiliumLoadBalancerIPPool"),
        ({"pool": POOL | {"disabled": True}}, gateway(), "lies in no CiliumLoadBalancerIPPool"),
        ({"pool": {"blocks": []}}, gateway(None), "no address is left"),
        ({"policy": POLICY | {"interfaces": ["^eno1$"]}}, gateway(), "no announcing node has a link .*eth0"),
        (
            {"policy": POLICY | {"loadBalancerIPs": False}},
            gateway(),
            "no CiliumL2AnnouncementPolicy has loadBalancerIPs",
        ),
        ({"policy": POLICY | {"nodeSelector": {"matchLabels": {"a": "b"}}}}, gateway(), "chooses a node"),
        ({"class_": {"controllerName": "example.com/other"}}, gateway(), "Waiting for controller example.com/other"),
        ({"class_": {"controllerName": "io.cilium/gateway-controller"}}, gateway(), "Waiting for controller io.cilium"),
        ({}, gateway(gatewayClassName="nginx"), "GatewayClass nginx does not exist"),
    ],
)
def test_a_gateway_nobody_can_reach_stays_pending_and_says_why(over: Any, spec: Any, trouble: str):
    cluster = with_gateways(**over)
    made = make(cluster, "Gateway", "one", "net", api=GATEWAY, spec=spec)
    assert re.search(trouble, trouble_of(cluster, made) or "")
    assert "addresses" not in made["status"]


def test_an_address_is_given_once():
    cluster = with_gateways()
    make(cluster, "Gateway", "one", "net", api=GATEWAY, spec=gateway("10.0.0.239"))
    second = make(cluster, "Gateway", "another", "net", api=GATEWAY, spec=gateway("10.0.0.239"))
    assert "already given to net/one" in (trouble_of(cluster, second) or "")


def test_announcements_need_cilium_to_make_them():
    cluster = with_gateways()
    upgrade(cluster, wanted("cilium", values=CILIUM | {"l2announcements": {"enabled": False}}), no_interruption)
    made = make(cluster, "Gateway", "one", "net", api=GATEWAY, spec=gateway())
    assert "l2announcements.enabled is false" in (trouble_of(cluster, made) or "")


@pytest.mark.parametrize(
    ("parent", "namespace", "trouble"),
    [
        ({"name": "one", "sectionName": "http"}, "net", None),
        ({"name": "gone"}, "net", "Gateway net/gone does not exist"),
        ({"name": "one", "sectionName": "https"}, "net", "has no listener https"),
        ({"name": "one", "namespace": "net"}, "default", "NotAllowedByListeners"),
    ],
)
def test_a_route_attaches_to_a_listener_that_is_there_and_allows_it(parent: Any, namespace: str, trouble: str | None):
    cluster = with_gateways()
    make(cluster, "Gateway", "one", "net", api=GATEWAY, spec=gateway())
    route = make(cluster, "HTTPRoute", "r", namespace, api=GATEWAY, spec={"parentRefs": [parent]})
    found = trouble_of(cluster, route)
    assert found is None if trouble is None else trouble in (found or "")
