"""Let's Encrypt by DNS-01: what an order needs, what a week allows, and what becomes of the former certificate."""

from pathlib import Path
from typing import Any

import pytest

from rehearsal.faults import Fault, Faults
from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import body, make
from tests.rehearsal.folders import hold
from tests.rehearsal.test_world_apps import CERT, _health, _issuer, _lab

ZONE, OWNER, SOLVER = "b" * 32, "p" * 40, "s" * 40
SOLVERS = [{"dns01": {"cloudflare": {"apiTokenSecretRef": {"name": "cloudflare-api-token", "key": "token"}}}}]
LIVE, STAGING = (f"https://acme{part}-v02.api.letsencrypt.org/directory" for part in ("", "-staging"))
WILDCARD = ["example.com", "*.example.com"]


def acme(server: str = LIVE, solvers: list[Any] = SOLVERS) -> Any:
    return _issuer(acme={"server": server, "privateKeySecretRef": {"name": "account"}, "solvers": solvers})


def certificate(*names: str) -> Any:
    issuer = {"kind": "ClusterIssuer", "name": "lab"}
    spec = {"secretName": "wildcard-tls", "dnsNames": list(names or WILDCARD), "issuerRef": issuer}
    return body("Certificate", "wildcard", "apps", api=CERT, spec=spec)


def lab(root: Path, *objects: Any, token: str = SOLVER) -> Cluster:
    cluster = _lab(root, "cert-manager", objects=objects or (acme(), certificate()))
    cluster.world.environment.update(domain="example.com")
    cluster.world.cloudflare._zones[ZONE] = "example.com"
    cluster.world.cloudflare.door.issue_token(OWNER)
    cluster.world.cloudflare.door.issue_token(SOLVER, whose="solvers")
    make(cluster, "Secret", "cloudflare-api-token", "apps", stringData={"token": token})
    cluster.world.clock.let_pass(61)  # it looks again: an empty token is no token either
    return cluster


def secret(cluster: Cluster) -> Any:
    return cluster.get("Secret", "apps", "wildcard-tls")


def issue_again(cluster: Cluster, times: int) -> None:
    for _ in range(times):
        cluster.delete("Secret", "apps", "wildcard-tls")
        cluster.work()


def test_a_wildcard_is_proved_at_cloudflare_and_the_proof_is_taken_away(tmp_path: Path) -> None:
    cluster = lab(tmp_path)
    assert _health(cluster) == ("Healthy", "")
    assert secret(cluster)["metadata"]["annotations"]["cert-manager.io/alt-names"] == "example.com,*.example.com"
    assert cluster.world.cloudflare.records_named(OWNER, ZONE, {}) == []


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (OWNER, "the token lacks the permission Zone: Zone: Read"),
        ("u" * 40, 'GET "https://api.cloudflare.com/client/v4/zones?name=_acme-challenge.example.com": 403 Forbidden'),
        ("", "error getting cloudflare secret: specified key 'token' not found in secret apps/cloudflare-api-token"),
    ],
)
def test_a_token_that_may_not_leaves_the_challenge_pending(tmp_path: Path, token: str, words: str) -> None:
    status, why = _health(lab(tmp_path, token=token))
    assert status == "Degraded"
    assert "challenge for example.com is pending" in why
    assert words in why


def test_a_name_in_nobody_s_zone_cannot_be_proved(tmp_path: Path) -> None:
    assert (
        "Found no Zones for domain _acme-challenge.a.example.org"
        in _health(lab(tmp_path, acme(), certificate("a.example.org")))[1]
    )


def test_a_wildcard_is_proved_by_dns_alone(tmp_path: Path) -> None:
    web = [{"http01": {"ingress": {"ingressClassName": "nginx"}}}]
    assert "no configured challenge solvers" in _health(lab(tmp_path, acme(solvers=web), certificate()))[1]


def test_the_sixth_certificate_of_a_week_is_refused_and_a_week_later_given(tmp_path: Path) -> None:
    cluster = lab(tmp_path)
    issue_again(cluster, 4)
    assert secret(cluster) is not None
    issue_again(cluster, 1)
    status, why = _health(cluster)
    assert (status, secret(cluster)) == ("Degraded", None)
    assert "429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued" in why
    assert "retry after 2026-01-08" in why
    cluster.world.clock.let_pass(168 * 3600 + 1)
    assert _health(cluster) == ("Healthy", "")


def test_staging_has_no_such_limit(tmp_path: Path) -> None:
    cluster = lab(tmp_path, acme(STAGING), certificate())
    issue_again(cluster, 9)
    assert _health(cluster) == ("Healthy", "")


def test_while_the_new_certificate_is_refused_the_former_one_is_kept(tmp_path: Path) -> None:
    cluster = lab(tmp_path)
    former = secret(cluster)["data"]["tls.key"]
    problem = "429 urn:ietf:params:acme:error:rateLimited: too many new orders recently"
    cluster.world.faults = Faults([Fault("outage", "letsencrypt", seconds=1e9, message=problem)])
    hold(tmp_path, "one", acme(), certificate(*WILDCARD, "example.net"))
    status, why = _health(cluster)
    assert status == "Degraded"
    assert f"Failed to create Order: {problem}" in why
    assert secret(cluster)["data"]["tls.key"] == former


def test_an_api_that_was_down_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    cluster = lab(tmp_path)
    cluster.world.faults = Faults([Fault("burst", "cloudflare/POST zones/*", message="500")])
    issue_again(cluster, 1)
    assert "500 Internal Server Error" in _health(cluster)[1]
    cluster.world.clock.let_pass(61)
    assert _health(cluster) == ("Healthy", "")
