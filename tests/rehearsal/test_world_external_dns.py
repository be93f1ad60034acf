"""What external-dns writes into the zone, and what it leaves alone."""

from typing import Any

import pytest

from rehearsal.faults import Fault, Faults
from rehearsal.standing import unwell
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.kube_external_dns import said
from tests.rehearsal.clusters import GATEWAY, body, gateway, make, namespace_made, with_gateways

ZONE, OWNER, SOLVER = "b" * 32, "p" * 40, "s" * 40
LABEL = {"external-dns.alpha.kubernetes.io/enabled": "true"}
TARGET = {"external-dns.alpha.kubernetes.io/target": "external.example.com"}
ARGS = [
    *("--provider=cloudflare", "--source=gateway-httproute", "--domain-filter=example.com", "--txt-owner-id=lab"),
    *("--cloudflare-proxied", "--policy=sync", "--registry=txt", "--gateway-name=envoy-external"),
    "--label-filter=external-dns.alpha.kubernetes.io/enabled=true",
]


def with_external_dns(*args: str, token: str = SOLVER) -> Cluster:
    """A cluster with a public gateway, and external-dns with its token."""
    cluster = with_gateways()
    cluster.world.environment.update(domain="example.com")
    cluster.world.cloudflare._zones[ZONE] = "example.com"
    cluster.world.cloudflare.door.issue_token(OWNER)
    cluster.world.cloudflare.door.issue_token(SOLVER, whose="solvers")
    namespace_made(cluster, "networking")
    made = body("Gateway", "envoy-external", "networking", api=GATEWAY, spec=gateway())
    made["metadata"]["annotations"] = TARGET
    cluster.create(made, "test")
    make(cluster, "Secret", "cloudflare-api-token", "networking", stringData={"token": token})
    reference = {"secretKeyRef": {"name": "cloudflare-api-token", "key": "token"}}
    container = {
        "name": "external-dns",
        "image": "registry.k8s.io/external-dns/external-dns:v1.2.3",
        "args": list(args or ARGS),
        "env": [{"name": "CF_API_TOKEN", "valueFrom": reference}],
    }
    template = {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [container]}}
    spec = {"selector": {"matchLabels": {"app": "d"}}, "template": template}
    make(cluster, "Deployment", "external-dns", "networking", api="apps/v1", spec=spec)
    return cluster


def route(cluster: Cluster, name: str, *, labels: Any = LABEL, host: str = "", parent: str = "envoy-external") -> None:
    references = [{"name": parent, "namespace": "networking"}]
    rules = [{"backendRefs": [{"name": name, "port": 80}]}]
    spec = {"parentRefs": references, "hostnames": [host or f"{name}.example.com"], "rules": rules}
    made = body("HTTPRoute", name, "networking", api=GATEWAY, spec=spec)
    made["metadata"]["labels"] = labels
    cluster.create(made, "test")


def zone(cluster: Cluster) -> list[tuple[str, str, str]]:
    found = cluster.world.cloudflare.records_named(OWNER, ZONE, {})
    return sorted((each["type"], each["name"], each["content"]) for each in found)


def test_a_labelled_route_is_published_with_a_record_of_whose_it_is():
    cluster = with_external_dns()
    route(cluster, "app")
    mark = '"heritage=external-dns,external-dns/owner=lab,external-dns/resource=httproute/networking/app"'
    assert zone(cluster) == [
        ("CNAME", "app.example.com", "external.example.com"),
        ("TXT", "cname-app.example.com", mark),
    ]
    [record] = cluster.world.cloudflare.records_named(OWNER, ZONE, {"name": "app.example.com"})
    assert record["proxied"] is True
    assert cluster.world.cloudflare.leftovers() == [], "they are external-dns', not the program's"
    assert said(cluster) == []


@pytest.mark.parametrize(
    "over", [{"labels": {}}, {"host": "app.example.org"}, {"parent": "envoy-internal"}, {"host": "a.b.example.net"}]
)
def test_what_does_not_ask_or_is_not_its_own_is_not_published(over: dict[str, Any]):
    cluster = with_external_dns()
    make(cluster, "Gateway", "envoy-internal", "networking", api=GATEWAY, spec=gateway("10.0.0.238"))
    route(cluster, "app", **over)
    assert zone(cluster) == []


def test_a_gateway_without_a_target_is_published_with_its_address():
    cluster = with_external_dns(*(each for each in ARGS if each != "--cloudflare-proxied"))
    make(cluster, "Gateway", "other", "networking", api=GATEWAY, spec=gateway("10.0.0.238"))
    cluster.delete("Gateway", "networking", "envoy-external")
    make(cluster, "Gateway", "envoy-external", "networking", api=GATEWAY, spec=gateway("10.0.0.237"))
    route(cluster, "app")
    assert zone(cluster)[0] == ("A", "app.example.com", "10.0.0.237")


def test_a_name_of_the_program_s_is_never_touched_and_the_clash_is_told():
    cluster = with_external_dns()
    program = {"name": "app.example.com", "type": "A", "content": "203.0.113.7", "ttl": 300}
    made = cluster.world.cloudflare.create_record(OWNER, ZONE, program)
    route(cluster, "app")
    assert zone(cluster) == [("A", "app.example.com", "203.0.113.7")]
    [sentence] = said(cluster)
    assert 'because owner id does not match (found: "", required: "lab")' in sentence
    assert f"{cluster.name}: {sentence}" in unwell(cluster.world)
    cluster.delete("HTTPRoute", "networking", "app")
    cluster.world.clock.let_pass(61)
    cluster.work()
    assert cluster.world.cloudflare.record(OWNER, ZONE, made["id"]) == made


def test_a_route_that_is_gone_takes_its_records_along_only_where_told_to():
    for policy, left in (("sync", 0), ("upsert-only", 2)):
        cluster = with_external_dns(*ARGS, f"--policy={policy}")
        route(cluster, "app")
        cluster.delete("HTTPRoute", "networking", "app")
        assert len(zone(cluster)) == left, policy


def test_another_owner_s_names_are_left_alone():
    cluster = with_external_dns()
    for fields in (
        {"name": "app.example.com", "type": "CNAME", "content": "other.example.com"},
        {"name": "cname-app.example.com", "type": "TXT", "content": '"heritage=external-dns,external-dns/owner=other"'},
    ):
        cluster.world.cloudflare.create_record(SOLVER, ZONE, fields | {"ttl": 1})
    before = zone(cluster)
    route(cluster, "app")
    assert zone(cluster) == before
    assert 'found: "other", required: "lab"' in said(cluster)[0]


def test_another_target_is_written_over_the_old_one():
    cluster = with_external_dns()
    route(cluster, "app")
    found = body("Gateway", "envoy-external", "networking", api=GATEWAY, spec=gateway())
    found["metadata"]["annotations"] = {"external-dns.alpha.kubernetes.io/target": "other.example.com"}
    cluster.apply(found, "test")
    assert zone(cluster)[0] == ("CNAME", "app.example.com", "other.example.com")
    assert len(zone(cluster)) == 2


@pytest.mark.parametrize(
    ("token", "words"),
    [(OWNER, "the token lacks the permission Zone: Zone: Read"), ("u" * 40, "Invalid access token")],
)
def test_a_token_that_may_not_is_told(token: str, words: str):
    cluster = with_external_dns(token=token)
    route(cluster, "app")
    assert zone(cluster) == []
    assert "Failed to do run once" in said(cluster)[0]
    assert words in said(cluster)[0]


def test_what_failed_is_tried_again_a_minute_later():
    cluster = with_external_dns()
    cluster.world.faults = Faults([Fault("burst", "cloudflare/POST zones/*", message="500")])
    route(cluster, "app")
    assert "failed to create record app.example.com: POST" in said(cluster)[0]
    cluster.world.clock.let_pass(61)
    cluster.work()
    assert len(zone(cluster)) == 2
    assert said(cluster) == []


def test_a_record_that_cannot_be_proxied_is_told():
    cluster = with_external_dns()
    cluster.delete("Gateway", "networking", "envoy-external")
    make(cluster, "Gateway", "envoy-external", "networking", api=GATEWAY, spec=gateway())
    route(cluster, "app")
    assert "Target 10.0.0.239 is not allowed for a proxied record" in said(cluster)[0]


def test_a_flag_there_is_not_ends_it():
    cluster = with_external_dns(*ARGS, "--txt-owner=lab")
    route(cluster, "app")
    assert said(cluster) == ["external-dns: flag parsing error: unknown long flag '--txt-owner'"]
