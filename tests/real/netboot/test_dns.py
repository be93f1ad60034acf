"""The running dnsmasq answers for the lab's own zone, and asks others only for what is theirs."""

import pytest

from model.environment import Environment
from model.routes import dns
from model.routes.proof import prove
from tests.labs import raw, tree
from tests.real.netboot.site import ELSEWHERE, Site

pytestmark = pytest.mark.real

ZONE = "homelab.example.com"


def _dig(site: Site, *question: str) -> list[str]:
    """Status, then the answers."""
    options = ("+time=2", "+tries=1", "+noall", "+comments", "+answer")
    told = site.net.run("desk", site.tool("dig"), f"@{site.address}", *options, *question).splitlines()
    status = next(line.split("status: ")[1].split(",")[0] for line in told if "status: " in line)
    return [status, *sorted(line.split()[-1] for line in told if line and not line.startswith(";"))]


def test_every_host_has_its_name_and_every_address_its_owner(proxy_site: Site) -> None:
    for host in proxy_site.plan.network.hosts:
        assert _dig(proxy_site, f"{host.name}.{ZONE}", "A") == ["NOERROR", host.address]
    names = {host.address: f"{host.name}.{ZONE}." for host in proxy_site.plan.network.hosts if host.kind == "node"}
    assert names
    for address, name in names.items():
        assert _dig(proxy_site, "-x", address) == ["NOERROR", name]


def test_every_application_of_ainur_has_its_name_without_being_listed(proxy_site: Site) -> None:
    bootstrap = proxy_site.plan.bootstrap
    assert bootstrap
    for name in ("dex", "argo-cd", "one-of-tomorrow"):
        assert _dig(proxy_site, f"{name}.{bootstrap.apps_zone}", "A") == ["NOERROR", bootstrap.ingress]
    assert _dig(proxy_site, bootstrap.apps_zone, "A") == ["NOERROR", bootstrap.vip], "the zone's own name is its API's"
    assert _dig(proxy_site, f"dex.{bootstrap.apps_zone}", "AAAA") == ["NOERROR"], "musl takes NXDOMAIN here for all"


def test_what_the_proof_says_of_the_inside_is_what_dnsmasq_answers(proxy_site: Site) -> None:
    found = prove(Environment.model_validate(raw("homelab")), tree("homelab"))
    assert found
    ours = [one for one in found.chains if one.host.endswith(f".{ZONE}")]
    assert len(ours) > 5, "Ainur's applications have names"
    for chain in ours:
        told = dns.inside(found.ground.env, chain.host, found.ground.attached, found.ground.zone)
        assert _dig(proxy_site, chain.host, "A") == ["NOERROR", *(one.address for one in told)], chain.host
    assert dns.inside(found.ground.env, f"nobody.{ZONE}", (), found.ground.zone) == ()
    assert _dig(proxy_site, f"nobody.{ZONE}", "A") == ["NXDOMAIN"]


def test_names_are_the_same_in_any_case(proxy_site: Site) -> None:
    assert _dig(proxy_site, "VALINOR-1.HomeLab.Example.COM", "A") == ["NOERROR", "192.168.1.101"]


def test_what_others_own_is_asked_of_the_forwarders(proxy_site: Site) -> None:
    assert _dig(proxy_site, "www.example.org", "A") == ["NOERROR", ELSEWHERE]


@pytest.mark.parametrize(
    "question",
    [
        pytest.param(("nobody.homelab.example.com", "A"), id="name"),
        pytest.param(("-x", "192.168.1.77"), id="address"),
        pytest.param(("nobody", "A"), id="bare-name"),
    ],
)
def test_what_is_ours_and_is_not_there_is_nobody_else_s(proxy_site: Site, question: tuple[str, ...]) -> None:
    assert _dig(proxy_site, *question) == ["NXDOMAIN"]
    asked = [line for line in proxy_site.net.log("router").splitlines() if "query[" in line]
    assert not [line for line in asked if ZONE in line.lower() or "168.192.in-addr" in line or " nobody " in line]
