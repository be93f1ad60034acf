"""k3s' configuration in the seeds: one cluster, one issuer, names that pods can ask."""

import pytest
import yaml

from model.ainur import KEEP, BootstrapNodePlan
from model.plan import Plan
from render import cloud_init, kube_vip
from tests.labs import planned, raw
from tests.render.seeds import AGENT, NODES, ONE, THREE, k3s, servers, settings, written


def test_one_server_starts_the_cluster_and_everybody_else_joins_it() -> None:
    for plan in (ONE, THREE):
        assert plan.bootstrap
        told = {node.name: k3s(plan, node) for node in plan.bootstrap.nodes}
        assert [name for name, one in told.items() if one.get("cluster-init")] == ["vala-1"]
        for name, one in told.items():
            assert "token" not in one
            assert "agent-token" not in one
            joined = (one.get("server"), one.get("token-file"))
            assert joined == ((None, None) if name == "vala-1" else ("https://192.168.1.58:6443", f"{KEEP}/k3s-token"))


def test_every_server_takes_another_token_from_agents_than_from_servers() -> None:
    """k3s takes the servers' where `agent-token-file` is missing, and with that one anybody joins as a server."""
    assert THREE.bootstrap
    for node in THREE.bootstrap.nodes:
        told = k3s(THREE, node)
        assert told.get("agent-token-file") == (f"{KEEP}/k3s-agent-token" if node.role == "server" else None)
        assert told.get("token-file") != told.get("agent-token-file")


def test_the_first_server_knows_whom_to_ask_before_it_starts_a_cluster() -> None:
    """Back with an empty card it would start a second one beside theirs."""
    told = {node.name: settings(THREE, node) for node in servers(THREE)}
    assert told["vala-1"]["SERVERS"] == "192.168.1.62,192.168.1.63"
    assert all(one["API"] == "https://192.168.1.58:6443" for one in told.values())
    assert "SERVERS" not in told["vala-2"] | settings(ONE, servers(ONE)[0])


def test_servers_agree_on_what_k3s_wants_alike_on_all() -> None:
    """k3s refuses a server that joins with other values ("critical configuration value mismatch")."""
    alike = ("disable", "secrets-encryption", "tls-san", "kube-apiserver-arg", "flannel-backend", "cluster-cidr")
    told = [{key: k3s(THREE, node).get(key) for key in alike} for node in servers(THREE)]
    assert len(told) == 3
    assert told[0] == told[1] == told[2]
    why = "ports 80 and 443 are the boot server's; the default StorageClass is Longhorn's"
    assert told[0]["disable"] == ["servicelb", "local-storage"], why
    assert "192.168.1.58" in (told[0]["tls-san"] or ()), (
        "who asks for the API at its VIP must be shown a certificate for it"
    )


def test_an_agent_is_told_nothing_that_only_a_server_knows() -> None:
    """k3s agent ends with "flag provided but not defined" at a server's key."""
    assert THREE.bootstrap
    for node in THREE.bootstrap.nodes:
        if node.role == "agent":
            assert set(k3s(THREE, node)) <= AGENT
            assert not [path for path in written(THREE, node) if "/server/manifests/" in path]


def test_snapshots_of_etcd_lie_on_another_disk_than_etcd_where_there_is_one() -> None:
    for node in servers(THREE):
        told = k3s(THREE, node)
        assert told["etcd-snapshot-dir"].startswith("/var/lib/longhorn/disks/nvme1/")
        assert told["etcd-snapshot-retention"] > 5
    edited = raw("homelab")
    edited["bootstrap"]["nodes"]["vala-1"]["boot"] = ["sd"]
    plan = planned(edited)
    assert "etcd-snapshot-dir" not in k3s(plan, servers(plan)[0])


def test_the_issuer_is_the_plan_s_to_the_last_letter_and_its_host_is_known_without_the_cluster() -> None:
    assert ONE.bootstrap
    issuer = ONE.bootstrap.issuer
    assert issuer == "https://dex.ainur.homelab.example.com"
    for node in servers(THREE):
        assert f"oidc-issuer-url={issuer}" in k3s(THREE, node)["kube-apiserver-arg"]
        assert f"192.168.1.57 {issuer.removeprefix('https://')}\n" == written(THREE, node)["/etc/hosts"]
    edited = raw("homelab")
    edited["bootstrap"]["oidc_host"] = "login.ainur.homelab.example.com"
    plan = planned(edited)
    assert (
        "oidc-issuer-url=https://login.ainur.homelab.example.com" in k3s(plan, servers(plan)[0])["kube-apiserver-arg"]
    )


def test_only_a_pi_with_nvme_is_a_disk_of_the_cluster_s_storage() -> None:
    edited = raw("homelab")
    edited["bootstrap"]["nodes"]["vala-1"]["boot"] = ["sd", "poe"]
    plan = planned(edited)
    assert plan.bootstrap
    for node in plan.bootstrap.nodes:
        labels = k3s(plan, node)["node-label"]
        assert ("node.longhorn.io/create-default-disk=true" in labels) is node.nvme
        assert ("ilmarin.io/order=vala" in labels) is (node.role == "server")


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_pods_inherit_resolvers_and_no_search_domain(plan: Plan, node: BootstrapNodePlan) -> None:
    """With ndots:5 they ask below such a domain first, and the public wildcard above the zone answers all."""
    given = written(plan, node)[k3s(plan, node)["resolv-conf"]]
    assert [line.split() for line in given.splitlines()] == [["nameserver", one] for one in plan.network.resolvers]
    if node.persistent:
        netplan = yaml.safe_load(cloud_init.seed(plan, node)["network-config"])
        assert netplan["ethernets"][node.link]["nameservers"] == {"addresses": list(plan.network.resolvers)}


def test_ainur_s_pods_ask_dnsmasq_for_the_lab_s_names() -> None:
    """The Pis' own resolvers are public and know none of them: a login that cannot find Dex fails."""
    for node in servers(THREE):
        config_map = yaml.safe_load(written(THREE, node)[f"{kube_vip.FOLDER}/ilmarin-coredns.yaml"])
        where = config_map["kind"], config_map["metadata"]["namespace"], config_map["metadata"]["name"]
        assert where == ("ConfigMap", "kube-system", "coredns-custom")
        ((name, block),) = config_map["data"].items()
        assert name.endswith(".server")
        assert block.split() == (
            ["homelab.example.com:53", "{", "errors", "cache", "30", "forward", ".", "192.168.1.59", "}"]
        )
