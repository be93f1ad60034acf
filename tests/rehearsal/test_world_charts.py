"""Which Helm releases come to stand, and what keeps one from it."""

import re
from typing import Any

import pytest

from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.kube_helm import install, uninstall, upgrade
from tests.rehearsal.clusters import (
    ARGO,
    CILIUM,
    CILIUM_IO,
    SERVER,
    namespace_made,
    no_interruption,
    seed,
    talos_cluster,
    wanted,
)
from tests.rehearsal.worlds import a_world


@pytest.fixture
def main() -> Cluster:
    return talos_cluster()


@pytest.mark.parametrize(
    ("chart", "over", "refusal"),
    [
        ("cilium", {"chart": "cilum"}, "not found in https://helm.cilium.io repository"),
        ("cilium", {"repository": "https://charts.example.com"}, "failed to download"),
        ("cilium", {"repository": None}, "failed to download"),
        ("cilium", {"repository": "oci://docker.io/cilium"}, "not a valid chart repository"),
        ("cilium", {"version": None}, "failed to download .* no version is given"),
        ("gateway-helm", {"version": "1.7.0"}, 'version "1.7.0" not found'),
        ("argo-cd", {"version": "v9"}, 'version "v9" not found'),
        ("argo-cd", {"create_namespace": False}, 'namespaces "argocd" not found'),
    ],
)
def test_a_chart_that_cannot_be_had_or_put_anywhere_is_refused(main: Cluster, chart: str, over: Any, refusal: str):
    with pytest.raises(Refusal, match=refusal):
        seed(main, chart, **over)
    assert main.releases == {}


def test_nodes_are_ready_with_a_network_only(main: Cluster):
    def ready() -> set[str]:
        return {node["status"]["conditions"][0]["status"] for node in main.objects("Node")}

    assert ready() == {"False"}
    seed(main, "cilium")
    assert ready() == {"True"}
    main.world.kubernetes.add_node("main", "late", address="10.0.0.120", labels={}, taints=[])
    assert ready() == {"True"}
    uninstall(main, "kube-system", "cilium")
    assert ready() == {"False"}


def test_k3s_brings_its_own_network():
    world = a_world()
    world.kubernetes.stand_up("boot", server=SERVER, version="v1.33.6+k3s1", credential="QQ==")
    world.kubernetes.add_node("boot", "pi", address="10.0.0.50", labels={}, taints=[])
    assert seed(world.kubernetes.clusters["boot"], "argo-cd")["status"] == "deployed"


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"cgroup": {}}, "mount-cgroup"),
        ({"cgroup": {"autoMount": {"enabled": False}}}, "hostRoot"),
        ({"securityContext": {}}, "SYS_MODULE"),
        ({"k8sServiceHost": None}, "k8sServiceHost unset"),
        ({"k8sServicePort": 6443}, "https://localhost:6443.*connection refused"),
        ({"k8sServiceHost": "10.0.0.9", "k8sServicePort": 6443}, "connection refused"),
    ],
)
def test_cilium_does_not_come_up_on_talos_with_the_charts_own_values(main: Cluster, over: Any, reason: str):
    release = seed(main, "cilium", values=CILIUM | over)
    assert release["status"] == "failed"
    assert re.search(reason, "; ".join(release["reasons"]))
    assert main.objects("CustomResourceDefinition") == []


def test_cilium_reaches_the_api_over_the_endpoint_as_well(main: Cluster):
    values = CILIUM | {"k8sServiceHost": "10.0.0.100", "k8sServicePort": 6443}
    assert seed(main, "cilium", values=values)["status"] == "deployed"


def test_a_chart_is_had_from_wherever_it_is_published(main: Cluster):
    release = seed(main, "cilium", chart="oci://quay.io/cilium/charts/cilium", repository=None)
    assert release["status"] == "deployed"


def test_a_privileged_chart_is_kept_out_of_a_namespace_that_enforces_baseline(main: Cluster):
    release = seed(main, "cilium", namespace="net")
    assert re.search('pods are forbidden: violates PodSecurity "baseline:latest"', release["reasons"][0])
    uninstall(main, "net", "cilium")
    namespace_made(main, "open", "privileged")
    assert seed(main, "cilium", namespace="open")["status"] == "deployed"


def test_nothing_starts_without_a_node():
    cluster = talos_cluster()
    for node in cluster.objects("Node"):
        cluster.world.kubernetes.remove_node("main", node["metadata"]["name"])
    assert seed(cluster, "cilium")["reasons"] == ["cilium: no nodes available to schedule pods"]


def test_ordinary_pods_need_a_ready_and_untainted_node(main: Cluster):
    unready = seed(main, "argo-cd")
    assert unready["status"] == "failed"
    assert "untolerated taint {node.kubernetes.io/not-ready: }" in unready["reasons"][0]
    only_tainted = talos_cluster(workers=0)
    seed(only_tainted, "cilium")
    assert "node-role.kubernetes.io/control-plane" in seed(only_tainted, "argo-cd")["reasons"][0]


def test_a_kind_exists_once_what_registers_it_stands(main: Cluster):
    seed(main, "argo-cd")
    assert main.kind(ARGO, "Application").plural == "applications"
    with pytest.raises(Refusal, match="no matches"):
        main.kind(CILIUM_IO, "CiliumLoadBalancerIPPool")
    seed(main, "cilium")
    assert not main.kind(CILIUM_IO, "CiliumLoadBalancerIPPool").namespaced


def test_a_name_in_use_is_not_used_again(main: Cluster):
    seed(main, "cilium")
    with pytest.raises(Refusal, match="cannot re-use a name that is still in use"):
        seed(main, "cilium")


def test_an_installation_cut_in_the_middle_stays_pending_and_in_the_way(main: Cluster):
    def dies() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install(main, wanted("cilium"), dies)
    assert main.releases["kube-system/cilium"]["status"] == "pending-install"
    with pytest.raises(Refusal, match="cannot re-use a name that is still in use"):
        seed(main, "cilium")
    with pytest.raises(Refusal, match=r"another operation .* is in progress"):
        upgrade(main, wanted("cilium"), no_interruption)
    uninstall(main, "kube-system", "cilium")
    assert seed(main, "cilium")["status"] == "deployed"


def test_an_upgrade_counts_up_and_needs_something_to_upgrade(main: Cluster):
    with pytest.raises(Refusal, match='"cilium" has no deployed releases'):
        upgrade(main, wanted("cilium"), no_interruption)
    seed(main, "cilium")
    release = upgrade(main, wanted("cilium", version="1.18.5"), no_interruption)
    assert (release["revision"], release["version"], release["status"]) == (2, "1.18.5", "deployed")


def test_anothers_objects_are_taken_over_only_on_demand(main: Cluster):
    seed(main, "cilium", "argo-cd")
    with pytest.raises(Refusal, match="cannot be imported into the current release: invalid ownership metadata"):
        seed(main, "argo-cd", name="second")
    assert seed(main, "argo-cd", name="second", take_ownership=True)["status"] == "deployed"


def test_uninstalling_leaves_the_kinds(main: Cluster):
    seed(main, "cilium", "argo-cd")
    uninstall(main, "argocd", "argo-cd")
    assert main.kind(ARGO, "Application").name == "Application"
