"""What a pod of a cluster can find by name, and who is refused for it."""

from typing import Any

import pytest

from rehearsal.world import git_mirror
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.kube_names import unresolved
from tests.rehearsal.clusters import body, seed, talos_cluster

HOST, INGRESS, DNS = "git-mirror.ainur.lab.example.com", "192.168.1.57", "192.168.1.59"
URL = f"https://{HOST}/lab.git"


def cluster(aliases: Any = (), *, bootstrap: str = "ainur") -> Cluster:
    """One that runs Argo CD with these host aliases, in a lab whose bootstrap cluster is called so."""
    found = talos_cluster()
    found.world.environment |= {
        "name": "lab",
        "domain": "example.com",
        "bootstrap": {"name": bootstrap, "ingress": INGRESS},
        "network": {"netboot": {"address": DNS}},
    }
    seed(found, "cilium")
    seed(found, "argo-cd", values={"global": {"hostAliases": list(aliases)}})
    return found


def alias(address: str, host: str = HOST) -> dict[str, Any]:
    return {"ip": address, "hostnames": [host]}


@pytest.mark.parametrize(
    ("aliases", "words"),
    [
        ([], f"dial tcp: lookup {HOST}: no such host"),
        ([alias(INGRESS, "dex.ainur.lab.example.com")], f"dial tcp: lookup {HOST}: no such host"),
        ([alias("192.168.1.99")], "dial tcp 192.168.1.99:443: connect: no route to host"),
    ],
)
def test_a_repository_whose_name_is_nobody_s_to_resolve_is_refused(aliases: Any, words: str) -> None:
    """Incident: Arda's nodes ask public resolvers, and its Argo CD was given a name that only dnsmasq knows."""
    found = cluster(aliases)
    with pytest.raises(Refusal) as told:
        git_mirror.fetched_by(found.world, found, URL)
    assert told.value.message == f'Get "{URL}/info/refs?service=git-upload-pack": {words}'


def test_a_host_alias_of_the_chart_finds_the_name_and_public_names_need_none() -> None:
    found = cluster([alias(INGRESS)])
    assert unresolved(found.world, found, HOST, "argo-cd") is None
    assert unresolved(found.world, found, "git.example.com", "argo-cd") is None


@pytest.mark.parametrize(
    ("key", "server", "bootstrap", "finds"),
    [
        ("lab.server", DNS, "main", True),
        ("lab.server", "1.1.1.1", "main", False),
        ("lab.override", DNS, "main", False),
        ("lab.server", DNS, "ainur", False),
    ],
)
def test_coredns_forwards_the_zone_where_k3s_imports_it(key: str, server: str, bootstrap: str, finds: bool) -> None:
    found = cluster(bootstrap=bootstrap)
    block = f"lab.example.com:53 {{\n    errors\n    forward . {server}\n}}\n"
    found.apply(body("ConfigMap", "coredns-custom", "kube-system", data={key: block}), "test")
    assert (unresolved(found.world, found, HOST, "argo-cd") is None) is finds
