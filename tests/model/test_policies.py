"""What network policies let through, policy by policy and all together."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.closure.clusters import closure
from model.closure.policies import Ground, Peer, Pods, Port, Verdict, verdict
from model.closure.policy_rules import read
from model.closure.workloads import DNS, ENVOY_LABELS, Traffic
from model.laws import examine
from model.tree import documents
from tests.model import cases

WEB = Pods("Deployment media/web", "media", {"app": "web"}, {"http": 8096, "metrics": 9090})
DB = Pods("StatefulSet media/db", "media", {"app": "db"}, {"postgres": 5432})
ENVOY = Pods("Envoy", "networking", ENVOY_LABELS, {})
FAR = Pods("Deployment other/x", "other", {"app": "web"}, {})
HOST = Pods("DaemonSet media/agent", "media", {"app": "web"}, {}, host=True)
UNSEEN = Pods("a chart's pods", "media", None, None)
HTTP = Port(8096)
PEERS: tuple[Peer, ...] = (WEB, DB, ENVOY, FAR, UNSEEN, "kube-apiserver", "nodes", "world")


def ground(*specs: dict[str, Any], kind: str = "NetworkPolicy", namespace: str = "media") -> Ground:
    bodies = ({"metadata": {"name": f"p{index}"}, "spec": spec} for index, spec in enumerate(specs))
    found = [one for body in bodies for one in read(kind, namespace, "x.yaml", body)]
    return Ground(tuple(found), {"networking": {"tier": "edge"}})


def cilium(*specs: dict[str, Any], namespace: str = "media") -> Ground:
    return ground(*specs, kind="CiliumNetworkPolicy", namespace=namespace)


def into(there: Ground, source: Peer, target: Peer = WEB, port: Port = HTTP) -> bool | None:
    return verdict(there, source, target, port).passes


def named(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


CLOSED = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
FROM_ENVOY = {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": [named("networking")]}]}


def test_without_policies_everything_passes() -> None:
    assert all(into(ground(), one) is True for one in PEERS)


def test_a_closed_namespace_lets_nobody_in_and_nobody_out() -> None:
    assert [into(ground(CLOSED), one) for one in PEERS] == [False] * len(PEERS)
    assert into(ground(CLOSED), WEB, FAR) is False
    assert into(ground(CLOSED), WEB, DNS, Port(53, "UDP")) is False


def test_a_namespace_is_named_by_the_label_that_kubernetes_gives_it() -> None:
    there = ground(CLOSED, FROM_ENVOY)
    assert into(there, ENVOY) is True
    assert into(there, FAR) is False
    assert into(there, ENVOY, DB) is False


def test_a_pod_selector_alone_means_the_policy_s_own_namespace() -> None:
    there = ground({"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]})
    assert into(there, WEB, DB) is True
    assert into(there, FAR, DB) is False


def test_both_selectors_of_one_peer_must_match_and_two_peers_are_alternatives() -> None:
    both = [named("networking") | {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "other"}}}]
    apart = [named("networking"), {"podSelector": {"matchLabels": {"app": "db"}}}]
    assert into(ground({"podSelector": {}, "ingress": [{"from": both}]}), ENVOY) is False
    assert into(ground({"podSelector": {}, "ingress": [{"from": apart}]}), ENVOY) is True
    assert into(ground({"podSelector": {}, "ingress": [{"from": apart}]}), DB) is True


def test_a_policy_without_types_closes_the_way_out_only_when_it_has_rules_for_it() -> None:
    assert into(ground({"podSelector": {}}), WEB, FAR) is True
    assert into(ground({"podSelector": {}, "egress": []}), WEB, FAR) is False


def test_the_policies_of_both_sides_must_let_it_pass() -> None:
    out = Ground((*ground(FROM_ENVOY).policies, *ground(CLOSED, namespace="networking").policies), {})
    found = verdict(out, ENVOY, WEB, HTTP)
    assert found == Verdict(False, found.why, "egress")
    assert "NetworkPolicy networking/p0 closes the way out of Envoy" in found.why


@pytest.mark.parametrize(
    ("port", "passes"),
    [
        ({"port": 8096}, True),
        ({"port": 80}, False),
        ({"port": "http"}, True),
        ({"port": "metrics"}, False),
        ({"port": 8000, "endPort": 8100}, True),
        ({"port": 8096, "protocol": "UDP"}, False),
        ({"protocol": "TCP"}, True),
    ],
)
def test_a_port_is_the_pods_own_by_number_range_or_name(port: dict[str, Any], passes: bool) -> None:
    assert into(ground({"podSelector": {}, "ingress": [{"ports": [port]}]}), ENVOY) is passes


def test_addresses_are_neither_pods_nor_nodes() -> None:
    there = ground({"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]})
    assert [into(there, one) for one in (ENVOY, "nodes", "kube-apiserver", "world")] == [False, False, False, True]


def test_pods_in_the_machines_network_are_held_by_no_policy() -> None:
    assert into(ground(CLOSED), ENVOY, HOST) is True
    assert into(cilium({"endpointSelector": {}, "ingress": [{"fromEntities": ["host"]}]}), HOST, WEB) is True


def test_what_a_chart_makes_is_known_only_to_a_policy_for_everybody() -> None:
    assert into(ground(CLOSED), ENVOY, UNSEEN) is False
    assert into(ground(FROM_ENVOY), ENVOY, UNSEEN) is True
    assert into(ground(FROM_ENVOY), FAR, UNSEEN) is None
    assert into(ground({"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]}), ENVOY, UNSEEN) is None


def test_cilium_knows_the_api_server_where_kubernetes_policies_do_not() -> None:
    asks = {"endpointSelector": {}, "egress": [{"toEntities": ["kube-apiserver"]}]}
    assert into(cilium(asks), WEB, "kube-apiserver", Port(6443)) is True
    assert into(cilium(asks), WEB, "world") is False
    everywhere = {"podSelector": {}, "egress": [{"to": [{"namespaceSelector": {}}]}]}
    assert into(ground(CLOSED, everywhere), WEB, "kube-apiserver") is False


def test_an_empty_rule_of_cilium_closes_and_opens_nothing() -> None:
    assert into(cilium({"endpointSelector": {}, "ingress": [{}]}), ENVOY) is False
    assert into(ground({"podSelector": {}, "ingress": [{}]}), ENVOY) is True, "and Kubernetes' opens everything"


def test_cilium_s_endpoints_are_the_policy_s_own_namespace_unless_they_name_another() -> None:
    own = {"endpointSelector": {}, "ingress": [{"fromEndpoints": [{}]}]}
    named_one = {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "networking"}}
    labelled = {"matchLabels": {"io.cilium.k8s.namespace.labels.tier": "edge"}}
    assert [into(cilium(own), one) for one in (DB, FAR)] == [True, False]
    for selector in (named_one, labelled):
        there = cilium({"endpointSelector": {}, "ingress": [{"fromEndpoints": [selector]}]})
        assert [into(there, one) for one in (ENVOY, DB)] == [True, False]


def test_a_denial_goes_before_every_opening() -> None:
    there = cilium({"endpointSelector": {}, "ingress": [{"fromEntities": ["all"]}]})
    deny = cilium({"endpointSelector": {}, "ingressDeny": [{"fromEntities": ["all"]}]})
    assert into(Ground((*there.policies, *deny.policies), {}), ENVOY) is False


def test_an_opening_that_closes_nothing_leaves_the_rest_open() -> None:
    spec = {"endpointSelector": {}, "enableDefaultDeny": {"ingress": False}, "ingress": [{"fromEntities": ["host"]}]}
    assert into(cilium(spec), FAR) is True


PORTS = st.lists(st.sampled_from([{"port": 8096}, {"port": "http"}, {"port": 1}]), max_size=2)
HAS_APP = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
SELECTORS = st.sampled_from([{}, {"matchLabels": {"app": "web"}}, HAS_APP])
ANYWHERE = ({"podSelector": {}}, {"namespaceSelector": {}}, {"ipBlock": {"cidr": "0.0.0.0/0"}})
FROM = st.lists(st.sampled_from([named("networking"), *ANYWHERE]), max_size=2)
RULES = st.lists(st.fixed_dictionaries({"from": FROM, "ports": PORTS}), max_size=2)
SPECS = st.fixed_dictionaries({"podSelector": SELECTORS, "policyTypes": st.just(["Ingress"]), "ingress": RULES})
RANK = {False: 0, None: 1, True: 2}


@given(st.lists(SPECS, max_size=3), SPECS, st.sampled_from(PEERS))
def test_policies_add_up(specs: list[dict[str, Any]], more: dict[str, Any], peer: Peer) -> None:
    """Once a pod is closed, a further policy takes nothing away."""
    closed = [CLOSED, *specs]
    assert RANK[into(ground(*closed), peer)] <= RANK[into(ground(*closed, more), peer)]


@given(st.lists(SPECS, max_size=4), st.sampled_from(PEERS))
def test_the_order_of_policies_means_nothing(specs: list[dict[str, Any]], peer: Peer) -> None:
    assert into(ground(*specs), peer) is into(ground(*reversed(specs)), peer)


@given(st.lists(SPECS, max_size=3), st.sampled_from(PEERS))
def test_a_refusal_and_a_passage_both_say_by_which_policy(specs: list[dict[str, Any]], peer: Peer) -> None:
    found = verdict(ground(*specs), peer, WEB, HTTP)
    assert found.why
    assert (found.direction is None) is (found.passes is True)


@given(st.lists(SPECS, max_size=3), st.sampled_from([one for one in PEERS if one != WEB]))
def test_what_is_closed_on_the_way_in_says_nothing_of_the_way_out(specs: list[dict[str, Any]], peer: Peer) -> None:
    assert into(ground(*specs), WEB, "world") is True
    assert into(ground(*specs), FAR, peer) is True or (isinstance(peer, Pods) and peer.namespace == "media")


def shipped(stack: str) -> Traffic:
    tree = cases.own_tree(stack)
    environment = examine(cases.stack(stack), tree).environment
    assert environment
    assert environment.cluster
    return Traffic(closure(environment, tree, environment.cluster.name))


def test_turing_s_gateway_gets_out_and_is_reached_from_the_lan() -> None:
    """The namespace is closed, and still does its work."""
    traffic = shipped("turing")
    envoy = traffic.gateway("networking", "envoy-internal")
    assert isinstance(envoy, Pods)
    assert traffic.ground.closed(envoy, "ingress")
    assert traffic.ground.closed(envoy, "egress")
    resolver = next(one for one in traffic.pods if one.who == "Deployment networking/k8s-gateway")
    controller = Pods("its controller", "networking", {"control-plane": "envoy-gateway"}, {})
    passing: tuple[tuple[Peer, Peer, Port], ...] = (
        ("world", envoy, Port(10443)),
        ("world", envoy, Port(10443, "UDP")),
        (envoy, WEB, HTTP),
        (envoy, DNS, Port(53, "UDP")),
        (envoy, controller, Port(18000)),
        (controller, "kube-apiserver", Port(6443)),
        ("kube-apiserver", controller, Port(9443)),
        ("world", resolver, Port(1053, "UDP")),
        (resolver, "world", Port(53, "UDP")),
        (resolver, "kube-apiserver", Port(6443)),
    )
    for source, target, port in passing:
        assert into(traffic.ground, source, target, port) is True, f"{source} → {target} {port}"
    stopped: tuple[tuple[Peer, Peer, Port], ...] = (
        ("world", controller, Port(18000)),
        ("world", envoy, Port(19000)),
        (FAR, controller, Port(18000)),
        (envoy, "kube-apiserver", Port(6443)),
        (envoy, "world", Port(443)),
        (resolver, "world", Port(443)),
    )
    for source, target, port in stopped:
        assert into(traffic.ground, source, target, port) is False, f"{source} → {target} {port}"


@pytest.mark.parametrize("stack", cases.STACKS)
def test_metrics_server_is_asked_by_the_api_server_alone(stack: str) -> None:
    traffic = shipped(stack)
    server = next(one for one in traffic.pods if one.who == "Deployment kube-system/metrics-server")
    assert into(traffic.ground, "kube-apiserver", server, Port(10250)) is True
    assert into(traffic.ground, server, "nodes", Port(10250)) is True
    assert into(traffic.ground, FAR, server, Port(10250)) is False


def test_flux_own_policies_are_known() -> None:
    traffic = shipped("turing")
    flux = Pods("source-controller", "flux-system", {"app": "source-controller"}, {})
    assert into(traffic.ground, FAR, flux, Port(9090)) is False
    assert into(traffic.ground, flux, "world", Port(443)) is True


def test_the_tunnel_s_piece_leads_from_cloudflare_to_envoy() -> None:
    """No shipped lab that has a tunnel is closed: this is what it would take."""
    folder = cases.ROOT / "gitops" / "shared" / "policies"
    texts = [(folder / piece / "policy.yaml").read_text(encoding="utf-8") for piece in ("closed", "edge", "tunnel")]
    bodies = [body for text in texts for body in documents(text)]
    found = [one for body in bodies for one in read(body["kind"], "networking", "x.yaml", body)]
    there = Ground(tuple(found), {})
    tunnel, hop, writer = (
        Pods(name, "networking", {"app.kubernetes.io/name": name}, {})
        for name in ("cloudflared", "nginx", "external-dns")
    )
    passing: tuple[tuple[Peer, Peer, Port], ...] = (
        (tunnel, "world", Port(7844, "UDP")),
        (tunnel, ENVOY, Port(10443)),
        (tunnel, hop, Port(8443)),
        (hop, ENVOY, Port(10443)),
        (writer, "world", Port(443)),
        (writer, "kube-apiserver", Port(6443)),
        (tunnel, DNS, Port(53, "UDP")),
    )
    stopped: tuple[tuple[Peer, Peer, Port], ...] = (
        ("world", hop, Port(8443)),
        (hop, "world", Port(443)),
        (tunnel, "kube-apiserver", Port(6443)),
        (tunnel, writer, Port(80)),
    )
    assert [into(there, *one) for one in passing] == [True] * len(passing)
    assert [into(there, *one) for one in stopped] == [False] * len(stopped)
