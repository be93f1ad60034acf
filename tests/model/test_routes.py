"""The proof of a request's way: each shape of edge that works arrives, and the rules of matching are the standards'."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from model.edge_plan import GatewayPlan, plan_edge
from model.environment import Environment
from model.laws import LAWS
from model.routes import gateways, matching
from model.routes.proof import Proof, prove
from model.routes.things import Chain
from render.manifests import gateway
from tests.labs import SHIPPED, raw, tree
from tests.model import cases

APP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:v1.2.3", ports: [{name: http, containerPort: 80}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, labels: {"external-dns.alpha.kubernetes.io/enabled": "true"}}
spec:
  parentRefs: [{name: GATEWAY, namespace: envoy-gateway, sectionName: LISTENER}]
  hostnames: [HOST]
  rules: [{backendRefs: [{name: web, port: 80}]}]
"""
DIRECT = {"address": "203.0.113.7", "gateway": "envoy-external"}
WILDCARD = {"name": "*.example.com", "target": "envoy-external"}
K8S_GATEWAY = {"by": "k8s-gateway", "address": "192.168.1.236"}
OWN = [{"name": "web.example.com", "target": "envoy-internal"}]


def _folders(host: str, gateway_name: str, listener: str = "https") -> dict[str, str]:
    found = cases.small_tree("homelab")
    found["arda/networking/web/kustomization.yaml"] = "namespace: networking\nresources: [web.yaml]\n"
    written = APP.replace("GATEWAY", gateway_name).replace("LISTENER", listener).replace("HOST", host)
    found["arda/networking/web/web.yaml"] = written
    chart = "{name: external-dns, repo: https://charts.example.com/dns, version: 1.2.3, namespace: networking,"
    found["arda/networking/external-dns/kustomization.yaml"] = f"helmCharts: [{chart} valuesFile: values.yaml}}]\n"
    found["arda/networking/external-dns/values.yaml"] = "sources: [gateway-httproute]\n"
    return found


def _proof(host: str, gateway_name: str, listener: str = "https", **edge: Any) -> Proof:
    data = raw("homelab")
    data["edge"] |= edge
    data["edge"] = {key: value for key, value in data["edge"].items() if value is not None}
    found = prove(Environment.model_validate(data), _folders(host, gateway_name, listener))
    assert found, "an edge that makes sense by itself has a proof"
    return found


def _chain(found: Proof, host: str) -> Chain:
    chain = found.chain(host)
    assert chain, f"{host} is known"
    return chain


PUBLIC = ("web.example.com", "envoy-external")
LAN = ("web.example.com", "envoy-internal")


@pytest.mark.parametrize(
    ("route", "edge"),
    [
        pytest.param(PUBLIC, {}, id="tunnel-wildcard"),
        pytest.param(PUBLIC, {"records": [], "dns": {"outside": "external-dns"}}, id="tunnel-external-dns"),
        pytest.param(PUBLIC, {"tunnel": None, "direct": DIRECT}, id="router-proxied"),
        pytest.param(PUBLIC, {"tunnel": None, "direct": DIRECT | {"proxied": False}}, id="router-bare"),
        pytest.param(PUBLIC, {"dns": {"inside": K8S_GATEWAY}}, id="k8s-gateway"),
        pytest.param(PUBLIC, {"dns": {"inside": {"by": "router"}}}, id="by-hand"),
        pytest.param(
            PUBLIC, {"dns": {"inside": {"by": "ainur", "gateway": "envoy-external"}}}, id="dnsmasq-to-one-gateway"
        ),
        pytest.param(("example.com", "envoy-external", "https"), {}, id="the-domain-itself"),
    ],
)
def test_a_public_app_is_reached_from_both_sides(route: tuple[str, ...], edge: dict[str, Any]) -> None:
    found = _proof(*route, **edge)
    chain = _chain(found, route[0])
    assert chain.audience == "public"
    assert not found.gaps
    assert [way.arrives for way in chain.ways] == [True, True]
    assert all([link.step for link in way.links][-3:] == ["service", "pods", "policy"] for way in chain.ways)


@pytest.mark.parametrize(
    "edge",
    [
        pytest.param({"dns": {"inside": K8S_GATEWAY}}, id="k8s-gateway-beside-a-wildcard"),
        pytest.param({"dns": {"inside": {"by": "router"}}}, id="by-hand"),
        pytest.param({"dns": {}, "records": OWN}, id="own-record"),
        pytest.param({"dns": {}, "records": [WILDCARD, *OWN]}, id="own-record-beside-a-wildcard"),
        pytest.param({"dns": {"inside": {"by": "ainur", "gateway": "envoy-internal"}}}, id="dnsmasq"),
        pytest.param({"cloudflare": None, "tunnel": None, "records": []}, id="no-public-zone"),
    ],
)
def test_an_app_of_the_lan_is_reached_from_there_alone(edge: dict[str, Any]) -> None:
    if "cloudflare" in edge:
        edge = edge | {"gateways": {"envoy-internal": raw("homelab")["edge"]["gateways"]["envoy-internal"]}}
    found = _proof(*LAN, **edge)
    chain = _chain(found, LAN[0])
    assert chain.audience == "lan"
    assert not found.gaps
    assert [way.arrives for way in chain.ways] == [False, True]


def test_a_route_on_two_gateways_is_followed_by_whichever_answers() -> None:
    folders = _folders(*PUBLIC)
    file = "arda/networking/web/web.yaml"
    second = "[{name: envoy-internal, namespace: envoy-gateway, sectionName: https}, {"
    folders[file] = folders[file].replace("[{name: envoy-external", f"{second}name: envoy-external")
    found = prove(Environment.model_validate(raw("homelab")), folders)
    assert found
    assert not found.gaps
    assert [way.arrives for way in _chain(found, "web.example.com").ways] == [True, True]


def test_the_domain_and_the_names_below_it_come_to_one_listener() -> None:
    """Incident: two listeners showed one certificate. A browser asks for either name over the connection that it has
    (HTTP/2), and so does the tunnel, which names one server: what hung on the other listener was answered with 404."""
    for host in ("example.com", "web.example.com"):
        way = _chain(_proof(host, "envoy-external", "https"), host).ways[0]
        assert any("listener https (every name, port 443)" in link.says for link in way.links), host


def test_k8s_gateway_answers_for_no_kind_that_it_is_not_told_to_read() -> None:
    folders = _folders(*LAN)
    folders["arda/networking/web/web.yaml"] = folders["arda/networking/web/web.yaml"].replace("HTTPRoute", "GRPCRoute")
    folders["arda/networking/k8s-gateway/kustomization.yaml"] = "resources: []\n"
    for kinds, codes in (("HTTPRoute GRPCRoute Service", set()), ("HTTPRoute Service", {"route-astray"})):
        corefile = f".:53 {{\n  k8s_gateway example.com {{\n    resources {kinds}\n  }}\n}}\n"
        folders["arda/networking/k8s-gateway/Corefile"] = corefile
        found = prove(Environment.model_validate(raw("homelab")), folders)
        assert found
        assert {gap.code for gap in found.gaps} == codes


def test_k8s_gateway_answers_for_no_kind_that_it_may_not_read() -> None:
    """Incident: its role lacked the definitions, where it looks whether there is a Gateway API, and it went on without:
    no route's name was answered on the LAN, and nothing said so."""
    environment, folders = Environment.model_validate(raw("homelab")), dict(tree("homelab"))
    file = next(path for path in folders if path.endswith("shared/k8s-gateway/access.yaml"))
    whole = prove(environment, folders)
    folders[file] = folders[file].replace("[customresourcedefinitions]", "[]")
    blind = prove(environment, folders)
    assert whole
    assert blind
    assert "route-astray" not in {gap.code for gap in whole.gaps}
    assert "route-astray" in {gap.code for gap in blind.gaps}


@pytest.mark.parametrize("stack", SHIPPED)
def test_a_shipped_lab_has_no_broken_link(stack: str) -> None:
    found = prove(Environment.model_validate(raw(stack)), tree(stack))
    assert found
    errors = [gap for gap in found.gaps if gap.code not in LAWS or LAWS[gap.code].grade == "error"]
    assert not errors


def test_a_name_that_only_a_wildcard_answers_has_a_chain_and_one_of_elsewhere_none() -> None:
    found = _proof(*PUBLIC)
    assert not any(way.arrives for way in _chain(found, "nobody.example.com").ways)
    assert found.chain("www.example.net") is None
    assert found.near("wbe.example.com")[0] == "web.example.com"


@pytest.mark.parametrize("stack", SHIPPED)
def test_the_listeners_that_are_proved_are_those_that_are_rendered(stack: str) -> None:
    environment = Environment.model_validate(raw(stack))
    for plan in plan_edge(environment.edge, environment.domain).gateways:
        assert _rendered(plan) == gateways.listeners("networking")


def _rendered(plan: GatewayPlan) -> tuple[gateways.Listener, ...]:
    body = gateway(plan, "networking")
    return tuple(gateways.listener(one, "networking") for one in body["spec"]["listeners"])


@pytest.mark.parametrize(
    ("names", "asked", "answer"),
    [
        (("*.a.test",), "b.a.test", "*.a.test"),
        (("*.a.test",), "c.b.a.test", "*.a.test"),
        (("*.a.test", "b.a.test"), "b.a.test", "b.a.test"),
        (("*.a.test", "b.a.test"), "c.b.a.test", None),
        (("*.a.test", "c.b.a.test"), "d.b.a.test", None),
        (("*.a.test", "c.b.a.test"), "e.a.test", "*.a.test"),
        (("*.a.test",), "a.test", None),
    ],
)
def test_a_wildcard_answers_as_in_rfc_4592(names: tuple[str, ...], asked: str, answer: str | None) -> None:
    assert matching.answered(names, asked) == answer


def test_a_certificates_wildcard_is_one_label_and_a_listeners_is_any() -> None:
    assert matching.covers(["*.a.test"], "b.a.test")
    assert not matching.covers(["*.a.test"], "c.b.a.test")
    assert not matching.covers(["*.a.test"], "a.test")
    assert matching.takes("*.a.test", "c.b.a.test")
    assert not matching.takes("*.a.test", "a.test")
    assert matching.meet("*.a.test", "*.b.a.test") == "*.b.a.test"
    assert matching.meet("a.test", "*.a.test") is None
    assert matching.meet(None, "a.test") == "a.test"


def _places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield (*way, key)
        yield from _places(value[key], (*way, key))


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [None], {"name": None}])
def test_whatever_a_folder_holds_the_proof_stands(odd: object) -> None:
    environment = Environment.model_validate(raw("homelab"))
    folders = _folders(*PUBLIC)
    documents = list(yaml.safe_load_all(folders["arda/networking/web/web.yaml"]))
    tried = 0
    for way in _places(documents):
        broken = copy.deepcopy(documents)
        *holders, last = way
        holder: Any = broken
        for key in holders:
            holder = holder[key]
        holder[last] = odd
        folders["arda/networking/web/web.yaml"] = yaml.safe_dump_all(broken)
        assert prove(environment, folders) is not None
        tried += 1
    assert tried > 40
