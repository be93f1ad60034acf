"""The definitions that judge the folders are of the versions that the folders install, and cover the edge's kinds."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from model.tree import apps, chart
from tests.labs import SHIPPED, tree
from tests.real import custom_resources

pytestmark = pytest.mark.real
CHARTS = {
    "github.com/cilium/cilium": "cilium",
    "github.com/cert-manager/cert-manager": "cert-manager",
    "github.com/envoyproxy/gateway": "gateway-helm",
    "github.com/external-secrets/external-secrets": "external-secrets",
}
"""Module → the chart that brings its definitions, where both have one version. trust-manager's is a newer one: the
module of the version that is installed is not to be had."""

GATEWAY = {"apiVersion": "gateway.networking.k8s.io/v1", "metadata": {"name": "x", "namespace": "x"}}
ENVOY = {"apiVersion": "gateway.envoyproxy.io/v1alpha1", "metadata": {"name": "x", "namespace": "x"}}
CILIUM = {"apiVersion": "cilium.io/v2", "metadata": {"name": "x"}}
TARGET = [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "x"}]
OBJECTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({**CILIUM, "kind": "CiliumNetworkPolicy", "spec": {"endpointSelector": {}, "ingress": [{}]}}, "ingres"),
    ({**CILIUM, "kind": "CiliumClusterwideNetworkPolicy", "spec": {"endpointSelector": {}, "egress": [{}]}}, "egres"),
    ({**CILIUM, "kind": "CiliumLoadBalancerIPPool", "spec": {"blocks": [{"cidr": "192.0.2.0/24"}]}}, "block"),
    ({**GATEWAY, "kind": "HTTPRoute", "spec": {"parentRefs": [{"name": "x"}]}}, "parentRef"),
    ({**GATEWAY, "kind": "GRPCRoute", "spec": {"parentRefs": [{"name": "x"}]}}, "parentRef"),
    ({**ENVOY, "kind": "EnvoyProxy", "spec": {"provider": {"type": "Kubernetes"}}}, "povider"),
    ({**ENVOY, "kind": "ClientTrafficPolicy", "spec": {"targetRefs": TARGET, "tls": {"minVersion": "1.2"}}}, "tsl"),
    ({**ENVOY, "kind": "SecurityPolicy", "spec": {"targetRefs": TARGET}}, "targetsRef"),
    (
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": "x"},
            "spec": {"secretName": "x", "issuerRef": {"name": "x"}},
        },
        "dnsName",
    ),
    (
        {
            "apiVersion": "externaldns.k8s.io/v1alpha1",
            "kind": "DNSEndpoint",
            "metadata": {"name": "x"},
            "spec": {"endpoints": [{"dnsName": "x.example.com", "recordType": "A", "targets": ["192.0.2.1"]}]},
        },
        "endpoint",
    ),
)
"""(an object that is right, a key that its kind does not have) of every kind of the edge."""


def installed() -> Iterator[tuple[str, str]]:
    """(chart, version without its v) of every app."""
    for lab in SHIPPED:
        folders = tree(lab)
        for cluster in sorted({path.split("/")[0] for path in folders if not path.startswith("..")}):
            for category, app in apps(folders, cluster):
                if found := chart(folders, cluster, category, app):
                    yield found.name, found.version.removeprefix("v")


def test_the_definitions_are_of_the_versions_that_are_installed() -> None:
    pins = yaml.safe_load(custom_resources.PINS.read_text(encoding="utf-8"))["modules"]
    versions = {CHARTS[pin["module"]]: pin["version"].removeprefix("v") for pin in pins if pin["module"] in CHARTS}
    assert set(versions) == set(CHARTS.values())
    there = set(installed())
    wrong = {name: version for name, version in versions.items() if (name, version) not in there}
    assert not wrong, f"tools/crds.yaml pins what no lab installs: {wrong}; installed: {sorted(there)}"


@pytest.mark.parametrize(("body", "stranger"), OBJECTS, ids=lambda one: one["kind"] if isinstance(one, dict) else one)
def test_a_kind_of_the_edge_is_judged(body: dict[str, Any], stranger: str) -> None:
    assert not custom_resources.faults(body)
    wrong = {**body, "spec": {**body["spec"], stranger: []}}
    assert any(stranger in fault for fault in custom_resources.faults(wrong))
