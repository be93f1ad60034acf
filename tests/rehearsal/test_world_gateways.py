"""A gateway serves when somebody runs it, gives it its address and answers for that address."""

import re
from typing import Any

import pytest

from rehearsal.standing import standing
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import PROGRAM
from rehearsal.world.kube_gateway import waits_for
from rehearsal.world.kube_helm import upgrade
from rehearsal.world.kubernetes import trouble_of
from tests.rehearsal.clusters import (
    CILIUM,
    CILIUM_IO,
    CLASS,
    GATEWAY,
    POLICY,
    POOL,
    body,
    gateway,
    make,
    no_interruption,
    seed,
    talos_cluster,
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


# Certificates


HTTPS = {"name": "https", "protocol": "HTTPS", "port": 443, "tls": {"certificateRefs": [{"name": "wildcard-tls"}]}}


def test_a_gateway_without_its_certificate_serves_http_and_says_what_https_waits_for():
    cluster = with_gateways()
    spec = gateway(
        listeners=[
            {"name": "http", "protocol": "HTTP", "port": 80},
            HTTPS,
            HTTPS | {"name": "apex", "hostname": "a.example"},
        ]
    )
    made = make(cluster, "Gateway", "one", "net", api=GATEWAY, spec=spec)
    assert trouble_of(cluster, made) is None
    assert waits_for(made) == ["HTTPS waits for Secret net/wildcard-tls"]
    said = dict(standing(cluster.world))["main"][-1]
    assert said == "1 gateway one: Programmed; HTTPS waits for Secret net/wildcard-tls"
    make(cluster, "Secret", "wildcard-tls", "net", type="kubernetes.io/tls", stringData={"tls.crt": "", "tls.key": ""})
    assert waits_for(cluster.get("Gateway", "net", "one") or {}) == []


# BGP


BY_BGP = CILIUM | {"l2announcements": {"enabled": False}, "bgpControlPlane": {"enabled": True}}
PEER = {"name": "router", "peerASN": 65000, "peerAddress": "10.0.0.1", "peerConfigRef": {"name": "lan"}}
CHOSEN = {"announce": "load-balancer"}
EVERY = {"matchExpressions": [{"key": "silent", "operator": "DoesNotExist"}]}
SERVICE = {"advertisementType": "Service", "service": {"addresses": ["LoadBalancerIP"]}, "selector": EVERY}


def _announced_by_bgp(values: Any = BY_BGP, **over: Any) -> str | None:
    """Why a gateway does not serve in a cluster that speaks BGP; ``over`` replaces parts of what it is told."""
    cluster = talos_cluster()
    seed(cluster, "cilium", values=values)
    seed(cluster, "gateway-helm")
    make(cluster, "CiliumLoadBalancerIPPool", "lan", api=CILIUM_IO, spec=POOL)
    make(cluster, "GatewayClass", "envoy", api=GATEWAY, spec=CLASS)
    instance = {"name": "main", "localASN": 65001, "peers": [over.get("peer", PEER)]} | over.get("instance", {})
    told = {"bgpInstances": [instance]} | over.get("cluster", {})
    make(cluster, "CiliumBGPClusterConfig", "lan", api="cilium.io/v2", spec=told)
    family = {"afi": "ipv4", "safi": "unicast", "advertisements": {"matchLabels": over.get("labels", CHOSEN)}}
    make(cluster, "CiliumBGPPeerConfig", "lan", api="cilium.io/v2", spec={"families": [family]})
    advertisement = body("CiliumBGPAdvertisement", "lan", api="cilium.io/v2")
    advertisement["metadata"]["labels"] = CHOSEN
    advertisement["spec"] = {"advertisements": [over.get("service", SERVICE)]}
    cluster.create(advertisement, PROGRAM)
    return trouble_of(cluster, make(cluster, "Gateway", "one", "net", api=GATEWAY, spec=gateway()))


def test_an_address_may_be_announced_by_bgp_instead_of_arp():
    assert _announced_by_bgp() is None


@pytest.mark.parametrize(
    ("over", "trouble"),
    [
        ({"values": CILIUM | {"l2announcements": {"enabled": False}}}, "bgpControlPlane.enabled is false"),
        ({"service": SERVICE | {"service": {"addresses": ["ClusterIP"]}}}, "no CiliumBGPAdvertisement chooses"),
        ({"service": {key: SERVICE[key] for key in ("advertisementType", "service")}}, "no CiliumBGPAdvertisement"),
        ({"labels": {"announce": "other"}}, "no family of a CiliumBGPPeerConfig"),
        ({"peer": PEER | {"peerConfigRef": {"name": "gone"}}}, "a neighbour with that CiliumBGPPeerConfig"),
        ({"peer": {key: PEER[key] for key in ("name", "peerASN", "peerConfigRef")}}, "has an AS of its own and a"),
        ({"cluster": {"nodeSelector": {"matchLabels": {"a": "b"}}}}, "chooses a node that is Ready"),
    ],
)
def test_bgp_that_reaches_no_neighbour_is_told(over: Any, trouble: str):
    assert trouble in (_announced_by_bgp(**over) or "")


def test_a_misspelt_field_of_bgp_is_refused():
    with pytest.raises(Refusal, match="peerAsn: field not declared"):
        _announced_by_bgp(peer=PEER | {"peerAsn": 1})


@pytest.mark.parametrize(
    ("asked", "given", "trouble"),
    [
        ("10.0.0.231", "10.0.0.231", None),
        (None, "10.0.0.220", None),
        ("10.0.0.99", None, "10.0.0.99 lies in no CiliumLoadBalancerIPPool"),
        ("10.0.0.239", None, "10.0.0.239 is already given to gateway g"),
    ],
)
def test_a_service_of_ones_own_gets_an_announced_address_too(asked: str | None, given: str | None, trouble: str | None):
    cluster = with_gateways()
    make(cluster, "Gateway", "g", "net", api=GATEWAY, spec=gateway())
    wanted = body("Service", "s", "net", spec={"type": "LoadBalancer", "ports": [{"port": 80}]})
    wanted["metadata"]["annotations"] = {"lbipam.cilium.io/ips": asked} if asked else {}
    made = cluster.create(wanted, PROGRAM)
    assert (made["status"]["loadBalancer"].get("ingress") or [{"ip": None}])[0]["ip"] == given
    assert (trouble is None) == (trouble_of(cluster, made) is None)
    assert (trouble or "") in (trouble_of(cluster, made) or "")


def test_a_service_whose_address_nobody_announces_has_none():
    cluster = with_gateways(policy={"loadBalancerIPs": False})
    made = make(cluster, "Service", "s", "net", spec={"type": "LoadBalancer", "ports": [{"port": 80}]})
    assert "nobody announces it" in (trouble_of(cluster, made) or "")
