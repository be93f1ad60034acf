"""What follows from the edge: another gateway is data alone, and each way in has its own records."""

import pytest

from model.edge_plan import RecordPlan
from model.laws import examine
from render import dnsmasq, router
from tests.labs import planned, raw, tree

CAMERAS = {"address": "192.168.1.235", "hostname": "cameras.example.com", "audience": "lan"}


def test_a_third_gateway_of_the_lan_needs_no_more_than_its_line() -> None:
    lab = raw("homelab")
    lab["edge"]["gateways"]["envoy-cameras"] = CAMERAS
    assert not examine(lab, tree("homelab")).errors
    edge = planned(lab).edge
    assert "envoy-cameras" in [gateway.name for gateway in edge.gateways]
    assert RecordPlan("cameras.example.com", "A", "192.168.1.235", False, False) in edge.records
    assert edge.tunnel
    assert all("192.168.1.235" not in service for _, service, _ in edge.tunnel.ingress)


@pytest.mark.parametrize("proxied", [True, False])
def test_ports_opened_on_the_router_are_published_as_its_address(proxied: bool) -> None:
    lab = raw("homelab")
    del lab["edge"]["tunnel"]
    lab["edge"]["direct"] = {"address": "203.0.113.7", "gateway": "envoy-external", "proxied": proxied}
    edge = planned(lab).edge
    found = {record.name: record for record in edge.records}
    assert edge.tunnel is None
    assert found["external.example.com"] == RecordPlan("external.example.com", "A", "203.0.113.7", False, proxied)
    assert found["*.example.com"].proxied is proxied
    assert found["internal.example.com"] == RecordPlan("internal.example.com", "A", "192.168.1.238", False, False)


def test_without_a_way_in_a_lab_publishes_what_is_the_lans_alone() -> None:
    edge = planned(raw("turing")).edge
    assert (edge.tunnel, edge.records) == (None, ())


def test_dnsmasq_forwards_the_domain_to_who_knows_every_route() -> None:
    network = planned(raw("homelab")).network
    assert "server=/example.com/192.168.1.236\n" in dnsmasq.configuration(network)
    assert f"DNS: forward example.com to {network.dns}" in router.checklist(network)


def test_where_no_dnsmasq_of_ours_runs_the_router_forwards_the_domain_itself() -> None:
    assert "DNS: forward example.com to 192.168.0.237" in router.checklist(planned(raw("pitower")).network)


def test_dnsmasq_alone_leads_every_name_to_one_gateway_and_gateways_to_themselves() -> None:
    lab = raw("homelab")
    lab["edge"]["dns"]["inside"] = {"by": "ainur", "gateway": "envoy-internal"}
    text = dnsmasq.configuration(planned(lab).network)
    assert "192.168.1.239" in next(line for line in text.splitlines() if "external.example.com" in line)
    assert "address=/example.com/192.168.1.238\n" in text
