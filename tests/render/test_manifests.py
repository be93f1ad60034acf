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
    spec = manifests.gateway(plan.gateways[0], plan.domain, "networking")["spec"]
    assert spec["infrastructure"]["annotations"] == {"lbipam.cilium.io/ips": plan.gateways[0].address}
    hosts = {listener.get("hostname") for listener in spec["listeners"] if listener["protocol"] == "HTTPS"}
    assert hosts == {"example.com", "*.example.com"}
