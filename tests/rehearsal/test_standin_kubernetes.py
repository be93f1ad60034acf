"""The Kubernetes stand-in decides what the provider decides: clusters, replacement, previews, secrets, waiting."""

from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.standins.wire import UNKNOWN, Secret, decode, encode
from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import (
    AUTHORITY,
    GATEWAY,
    SERVER,
    Provider,
    body,
    cilium_release,
    kubeconfig,
    named,
    talos_cluster,
)
from tests.rehearsal.worlds import Aborted

NAMESPACE = "kubernetes:core/v1:Namespace"
CONFIG_MAP = "kubernetes:core/v1:ConfigMap"
SECRET = "kubernetes:core/v1:Secret"
PROJECT = "kubernetes:argoproj.io/v1alpha1:AppProject"
RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.fixture
def main() -> Cluster:
    return talos_cluster()


@pytest.fixture
def provider(main: Cluster) -> Provider:
    return Provider(main.world)


# The provider itself


def test_a_provider_without_a_kubeconfig_would_take_a_persons_own(provider: Provider):
    assert provider.faults_in_config()[0][0] == "kubeconfig"
    assert provider.faults_in_config(kubeconfig=UNKNOWN, clusterIdentifier="a", upsertExistingObjects="true") == []


@pytest.mark.parametrize("name", ["context", "namespace", "nonsense"])
def test_a_setting_that_the_rack_does_not_know_is_refused(provider: Provider, name: str):
    assert provider.faults_in_config(**{"kubeconfig": "x", name: "y"})[0][0] == name


ELSEWHERE = kubeconfig("https://10.0.0.9:6443")
RENEWED = kubeconfig().replace("Q0VSVA==", "TkVX")


@pytest.mark.parametrize(
    ("olds", "news", "changes", "replaces"),
    [
        ({"kubeconfig": kubeconfig()}, {"kubeconfig": kubeconfig()}, False, []),
        ({"kubeconfig": kubeconfig()}, {"kubeconfig": RENEWED}, True, []),
        ({"kubeconfig": kubeconfig()}, {"kubeconfig": ELSEWHERE}, True, ["kubeconfig"]),
        ({"kubeconfig": kubeconfig()}, {"kubeconfig": UNKNOWN}, True, ["kubeconfig"]),
        ({"kubeconfig": "a", "clusterIdentifier": "i"}, {"kubeconfig": UNKNOWN, "clusterIdentifier": "i"}, True, []),
        ({"kubeconfig": "a", "clusterIdentifier": "i"}, {"kubeconfig": ELSEWHERE, "clusterIdentifier": "i"}, True, []),
        (
            {"kubeconfig": "a", "clusterIdentifier": "i"},
            {"kubeconfig": "a", "clusterIdentifier": "j"},
            True,
            ["clusterIdentifier"],
        ),
    ],
)
def test_only_another_cluster_replaces_a_provider(
    provider: Provider, olds: dict[str, Any], news: dict[str, Any], changes: bool, replaces: list[str]
):
    assert provider.config_diff(olds, news) == (changes, replaces)


def test_two_providers_reach_two_clusters(main: Cluster):
    other = "https://10.0.0.58:6443"
    main.world.kubernetes.stand_up("boot", server=other, version="v1.33.6+k3s1", credential=AUTHORITY)
    Provider(main.world).create(NAMESPACE, metadata=named("here"))
    Provider(main.world, kubeconfig=kubeconfig(other)).create(NAMESPACE, metadata=named("there"))
    assert main.world.kubernetes.leftovers() == ["boot/object/Namespace/there", "main/object/Namespace/here"]


@pytest.mark.parametrize("config", [{"kubeconfig": UNKNOWN}, {"kubeconfig": ELSEWHERE}])
def test_a_cluster_that_is_unknown_or_down_previews_and_does_nothing_else(main: Cluster, config: dict[str, Any]):
    provider = Provider(main.world, **config)
    assert provider.create(NAMESPACE, preview=True, metadata=named("one"))[1]["metadata"] == {"name": "one"}
    assert provider.create(RELEASE, preview=True, **cilium_release())[1]["status"] is UNKNOWN
    with pytest.raises(Aborted, match="configured Kubernetes cluster is unreachable"):
        provider.create(NAMESPACE, metadata=named("one"))
    with pytest.raises(Aborted, match="configured Kubernetes cluster is unreachable"):
        provider.remove(NAMESPACE, "one")


def test_an_api_that_starts_refuses_the_first_object_until_somebody_has_waited_for_it(main: Cluster):
    main.record["starts_in"] = 90.0
    provider = Provider(main.world)
    for again in range(2):
        with pytest.raises(Aborted, match=r"configured Kubernetes cluster is unreachable: .*connection refused"):
            provider.create(NAMESPACE, metadata=named(f"one-{again}"))
    assert not main.world.kubernetes.answers(SERVER, patience=60.0)
    assert main.world.kubernetes.answers(SERVER, patience=60.0)
    assert provider.create(NAMESPACE, metadata=named("one"))[0] == "one"


# Objects


def test_an_object_is_made_read_changed_and_removed(provider: Provider, main: Cluster):
    made, state, _ = provider.create(CONFIG_MAP, metadata=named("one", "default"), data={"a": "1"})
    assert made == "default/one"
    assert state["metadata"]["uid"]
    changed = provider.update(
        CONFIG_MAP, state, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named("one", "default"), "data": {}}
    )
    assert "a" not in changed.get("data", {})
    provider.remove(CONFIG_MAP, made)
    assert provider.read(CONFIG_MAP, made, **state).id == ""
    assert main.objects("ConfigMap") == []


def test_an_object_without_a_name_gets_one_and_keeps_it(provider: Provider):
    def checked(**olds: Any) -> str:
        request = provider_pb2.CheckRequest(urn=provider.urn(NAMESPACE, "it"), news=encode({}), olds=encode(olds))
        return str(decode(provider.servicer.Check(request, provider.call).inputs)[0]["metadata"]["name"])

    assert checked().startswith("it-")
    assert checked(metadata={"name": "it-kept"}) == "it-kept"


@pytest.mark.parametrize(
    ("token", "olds", "news", "replaces"),
    [
        (NAMESPACE, {"metadata": named("a")}, {"metadata": named("b")}, ["metadata.name"]),
        (CONFIG_MAP, {"metadata": named("a", "x")}, {"metadata": named("a", "y")}, ["metadata.namespace"]),
        (NAMESPACE, {"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"a": "2"}}}, []),
        (CONFIG_MAP, {"data": {"a": "1"}}, {"data": {"a": "2"}}, ["data.a"]),
        (SECRET, {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}, ["stringData.a"]),
        (SECRET, {"type": "a"}, {"type": "b"}, ["type"]),
        (PROJECT, {"spec": {"description": "a"}}, {"spec": {"description": "b"}}, []),
        ("kubernetes:storage.k8s.io/v1:StorageClass", {"provisioner": "a"}, {"provisioner": "b"}, ["provisioner"]),
    ],
)
def test_what_replaces_an_object_and_what_does_not(
    provider: Provider, token: str, olds: dict[str, Any], news: dict[str, Any], replaces: list[str]
):
    _, module, kind = token.split(":")
    own = {"apiVersion": module.removeprefix("core/"), "kind": kind}
    assert list(provider.diff(token, own | olds, own | news).replaces) == replaces


def test_another_version_of_a_kind_updates_it_another_group_replaces_it(provider: Provider):
    def replaces(before: str) -> list[str]:
        news = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway"}
        return list(provider.diff(f"kubernetes:{GATEWAY}:Gateway", news | {"apiVersion": before}, news).replaces)

    assert replaces("gateway.networking.k8s.io/v1beta1") == []
    assert replaces("networking.istio.io/v1") == ["apiVersion"]


def test_a_replaced_object_of_the_same_name_goes_before_the_new_one_comes(provider: Provider):
    olds = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named("a", "x"), "data": {"a": "1"}}
    assert provider.diff(CONFIG_MAP, olds, olds | {"data": {"a": "2"}}).deleteBeforeReplace
    renamed = olds | {"metadata": named("b", "x")}
    assert not provider.diff(CONFIG_MAP, olds, renamed).deleteBeforeReplace


@pytest.mark.parametrize(
    ("token", "setting"), [(CONFIG_MAP, "enableConfigMapMutable"), (SECRET, "enableSecretMutable")]
)
def test_data_changes_in_place_where_the_provider_is_told_so(main: Cluster, token: str, setting: str):
    provider = Provider(main.world, **{setting: "true"})
    olds = {"apiVersion": "v1", "kind": token.rsplit(":", 1)[1], "data": {"a": "MQ=="}}
    assert list(provider.diff(token, olds, olds | {"data": {"a": "Mg=="}}).replaces) == []
    assert list(provider.diff(token, olds | {"immutable": True}, olds | {"data": {"a": "Mg=="}}).replaces) == ["data.a"]


def test_what_exists_is_created_again_only_with_upsert(provider: Provider, main: Cluster):
    provider.create(NAMESPACE, metadata=named("one"))
    with pytest.raises(Aborted, match='namespaces "one" already exists'):
        provider.create(NAMESPACE, metadata=named("one"))
    assert Provider(main.world, upsertExistingObjects="true").create(NAMESPACE, metadata=named("one"))[0] == "one"


def test_a_preview_asks_the_server_but_forgives_what_the_same_run_may_make(provider: Provider, main: Cluster):
    with pytest.raises(Aborted, match=r"\.sepc: field not declared in schema"):
        provider.create(NAMESPACE, preview=True, apiVersion="v1", kind="Namespace", metadata=named("one"), sepc={})
    provider.create(CONFIG_MAP, preview=True, apiVersion="v1", kind="ConfigMap", metadata=named("a", "later"))
    provider.create(
        PROJECT, preview=True, apiVersion="argoproj.io/v1alpha1", kind="AppProject", metadata=named("p", "default")
    )
    assert main.world.kubernetes.leftovers() == []


def test_a_kind_that_nobody_registered_fails_in_the_providers_words(provider: Provider):
    with pytest.raises(Aborted, match=r"Verify that any required CRDs have been created: no matches for kind"):
        provider.create(PROJECT, metadata=named("p", "default"), spec={})


@pytest.mark.parametrize(
    "token", ["kubernetes:core/v1:ConfigMapPatch", "kubernetes:helm.sh/v4:Chart", "kubernetes:yaml/v2:ConfigGroup"]
)
def test_what_the_rack_has_no_stand_in_for_is_refused(provider: Provider, token: str):
    with pytest.raises(Aborted, match=token):
        provider.create(token, metadata=named("one"))


# Secrets


def test_a_secrets_content_is_secret_wherever_it_stands(provider: Provider):
    made, state, secrets = provider.create(SECRET, metadata=named("s", "default"), stringData={"token": "abc"})
    assert secrets == {("data",), ("__inputs",)}
    assert state["data"] == {"token": "YWJj"}
    assert decode(provider.read(SECRET, made, **state).properties)[1] == secrets


def test_secret_inputs_of_any_kind_stay_secret(provider: Provider):
    _, _, secrets = provider.create(CONFIG_MAP, metadata=named("c", "default"), data={"a": Secret("abc")})
    assert secrets == {("data", "a"), ("__inputs",)}


# Reading


def test_a_refresh_sees_what_somebody_changed_and_nothing_else(provider: Provider, main: Cluster):
    news = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named("one", "default"), "data": {"a": "1"}}
    made, state, _ = provider.create(CONFIG_MAP, **news)
    assert decode(provider.read(CONFIG_MAP, made, **state).inputs)[0] == news
    main.apply(news | {"data": {"a": "2", "b": "3"}}, "somebody")
    assert decode(provider.read(CONFIG_MAP, made, **state).inputs)[0] == news | {"data": {"a": "2"}}


def test_an_object_can_be_imported_by_its_place(provider: Provider):
    news = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": named("one", "default"), "data": {"a": "1"}}
    provider.create(CONFIG_MAP, **news)
    assert decode(provider.read(CONFIG_MAP, "default/one").inputs)[0] == news


def test_what_a_finalizer_holds_is_waited_for_and_named(provider: Provider, main: Cluster):
    metadata = named("thing", "default") | {"finalizers": ["example.org/held"]}
    known, _, _ = provider.create("kubernetes:core/v1:ConfigMap", metadata=metadata)
    with pytest.raises(Aborted, match=r"still there after 10m: finalizers might be preventing deletion \(example"):
        provider.remove("kubernetes:core/v1:ConfigMap", known)
    assert main.world.clock.now >= 600.0


@pytest.mark.parametrize(
    ("value", "annotations", "conflict"),
    [
        ("ours", {}, True),
        ("theirs", {}, False),
        ("ours", {"pulumi.com/patchForce": "true"}, False),
    ],
)
def test_a_field_that_another_manager_set_is_a_conflict(
    provider: Provider, main: Cluster, value: str, annotations: dict[str, str], conflict: bool
):
    token, metadata = "kubernetes:core/v1:ConfigMap", named("thing", "default")
    known, state, _ = provider.create(token, metadata=metadata, data={"a": "1"})
    main.apply(body("ConfigMap", "thing", "default", data={"k": "theirs"}), "somebody")
    news = body("ConfigMap", "thing", data={"a": "1", "k": value})
    news["metadata"] = metadata | {"annotations": annotations}
    urn = provider.urn(token, "it")
    request = provider_pb2.UpdateRequest(id=known, urn=urn, olds=encode(state), news=encode(news))
    if conflict:
        with pytest.raises(Aborted, match=r'field conflict detected.*conflict with "somebody" using v1: \.data\.k'):
            provider.servicer.Update(request, provider.call)
        assert (main.get("ConfigMap", "default", "thing") or {})["data"] == {"a": "1", "k": "theirs"}
        return
    provider.servicer.Update(request, provider.call)
    assert (main.get("ConfigMap", "default", "thing") or {})["data"] == {"a": "1", "k": value}
