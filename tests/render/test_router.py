"""The router's checklist says what its owner must set for this lab to work, and nothing that we do ourselves."""

from typing import Any

from render.router import checklist
from tests.labs import SHIPPED, planned, raw, shipped_plan


def _lines(edited: dict[str, Any]) -> str:
    return "\n".join(checklist(planned(edited).network))


def test_where_the_router_leases_it_reserves_every_machine_s_address_and_tells_pis_where_to_boot() -> None:
    plan = shipped_plan("homelab")
    lines = checklist(plan.network)
    assert plan.cluster
    for node in plan.cluster.nodes:
        assert f"VLAN lab: reserve {node.address} for {node.mac} ({node.name})" in lines
    assert "VLAN lab: DHCP option 66 (TFTP server) 192.168.1.59, for the Raspberry Pis" in lines


def test_where_we_lease_the_router_neither_leases_nor_relays_nor_reserves() -> None:
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = "server"
    text = _lines(edited)
    assert "VLAN lab: no DHCP server and no relay, ours owns the leases" in text
    assert "VLAN lab: reserve" not in text
    assert "option 66" not in text


def test_a_vlan_that_we_lease_on_and_do_not_stand_in_is_relayed_to_us() -> None:
    edited = raw("homelab")
    edited["network"]["vlans"]["iot"]["dhcp"] = {"mode": "server", "range": "192.168.20.100-192.168.20.200"}
    assert "VLAN iot: no DHCP server of its own; relay DHCP to 192.168.1.59" in _lines(edited)


def test_the_internal_zone_and_its_reverse_zones_are_forwarded_to_who_answers_them() -> None:
    text = "\n".join(checklist(shipped_plan("homelab").network))
    assert "DNS: forward homelab.example.com to 192.168.1.59" in text
    assert text.count(".in-addr.arpa to 192.168.1.59") == 4
    assert "nobody of ours answers turing.example.com" in "\n".join(checklist(shipped_plan("turing").network))


def test_with_bgp_the_router_peers_with_every_node() -> None:
    edited = raw("homelab")
    edited["network"]["router"]["asn"] = 64512
    edited["cluster"]["cni"] = {"bgp": {"asn": 64513, "peers": [{"address": "192.168.1.1", "asn": 64512}]}}
    assert _lines(edited).count("BGP: AS 64512, neighbour 192.168.1.10") == 6


def test_every_line_is_whole() -> None:
    for lab in SHIPPED:
        for line in checklist(shipped_plan(lab).network):
            assert "None" not in line
            assert len(line) < 120
