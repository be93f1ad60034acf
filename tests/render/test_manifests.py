"""What the program makes on a cluster follows from the inventory."""

from typing import Any

from render import manifests
from tests.labs import planned, raw, shipped_plan


def announced(**cni: Any) -> dict[str, Any]:
    edited = raw("homelab")
    edited["cluster"]["cni"] = cni
    cluster = planned(edited).cluster
    assert cluster
    return manifests.announced(cluster)


def test_addresses_are_announced_on_the_links_that_nodes_really_have() -> None:
    cluster = shipped_plan("pitower").cluster
    assert cluster
    policy = manifests.announced(cluster)["announcement"]
    assert policy["spec"]["interfaces"] == ["^end0$", "^enp0s25$", "^enp1s0$"]


def test_without_l2_announcements_nothing_answers_arp() -> None:
    assert set(announced(l2_announcements=False)) == {"pool"}


def test_bgp_reaches_its_neighbours_with_what_is_announced() -> None:
    found = announced(l2_announcements=False, bgp={"asn": 64512, "peers": [{"address": "192.168.1.1", "asn": 64513}]})
    assert set(found) == {"pool", "bgp-cluster", "bgp-peers", "bgp-advertisement"}
    instance = found["bgp-cluster"]["spec"]["bgpInstances"][0]
    assert instance["localASN"] == 64512
    peer = instance["peers"][0]
    assert (peer["peerAddress"], peer["peerASN"]) == ("192.168.1.1", 64513)
    assert peer["peerConfigRef"]["name"] == found["bgp-peers"]["metadata"]["name"]
    chosen = found["bgp-peers"]["spec"]["families"][0]["advertisements"]["matchLabels"]
    assert chosen == found["bgp-advertisement"]["metadata"]["labels"]


def test_a_gateway_serves_its_domain_and_every_name_below_it() -> None:
    plan = shipped_plan("homelab").edge
    spec = manifests.gateway(plan.gateways[0], "networking")["spec"]
    first = plan.gateways[0]
    named = {"lbipam.cilium.io/ips": first.address, "coredns.io/hostname": first.hostname}
    assert spec["infrastructure"]["annotations"] == named
    secure = [listener for listener in spec["listeners"] if listener["protocol"] == "HTTPS"]
    assert [listener.get("hostname") for listener in secure] == [None], "its certificate has the names"


def test_only_public_gateways_are_external_dns() -> None:
    """external-dns publishes what comes in by a gateway with its label: what is the LAN's alone is never among it."""
    plan = shipped_plan("pitower").edge
    bodies = [manifests.gateway(gateway, "networking")["metadata"] for gateway in plan.gateways]
    labels = {body["name"]: body.get("labels") for body in bodies}
    assert labels == {"envoy-external": {"external-dns.alpha.kubernetes.io/enabled": "true"}, "envoy-internal": None}
    assert bodies[0]["annotations"] == {"external-dns.alpha.kubernetes.io/target": "external.example.com"}


def test_an_address_announced_by_one_node_is_passed_on_to_the_pods() -> None:
    for announced, policy in ((True, "Cluster"), (False, "Local")):
        body = manifests.envoy_proxy("networking", announced=announced)
        assert body["spec"]["provider"]["kubernetes"]["envoyService"] == {"externalTrafficPolicy": policy}
    reference = manifests.gateway_class("networking")["spec"]["parametersRef"]
    assert (reference["kind"], reference["name"]) == (body["kind"], body["metadata"]["name"])


def test_behind_a_vpn_gateways_of_a_cluster_that_answers_directly_do_not() -> None:
    mode = "service.cilium.io/forwarding-mode"
    for lab, wanted in (("pitower", "snat"), ("homelab", None)):
        plan = shipped_plan(lab).edge
        specs = [manifests.gateway(gateway, "networking")["spec"] for gateway in plan.gateways]
        assert {spec["infrastructure"]["annotations"].get(mode) for spec in specs} == {wanted}
