"""What a simulated Kubernetes refuses, in whose words, and what its controllers make of what it takes in."""

from pathlib import Path
from typing import Any

import pytest

from rehearsal.world import World, kube_fields
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import PROGRAM, Cluster
from tests.rehearsal.clusters import (
    ARGO,
    CILIUM_IO,
    GATEWAY,
    POOL,
    SERVER,
    body,
    gateway,
    kubeconfig,
    make,
    seed,
    talos_cluster,
    with_gateways,
)
from tests.rehearsal.worlds import a_world, lab


@pytest.fixture
def main() -> Cluster:
    return talos_cluster()


# Reaching a cluster


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (kubeconfig(server="https://10.0.0.9:6443"), "connect: connection refused"),
        (kubeconfig(server="http://10.0.0.100:6443"), "connect: connection refused"),
        (kubeconfig(authority="QU5PVEhFUg=="), "x509: certificate signed by unknown authority"),
        (kubeconfig().replace("client-key-data", "client-key"), "Unauthorized"),
        ("no: kubeconfig", "failed to parse kubeconfig"),
    ],
)
def test_a_kubeconfig_that_leads_nowhere_is_refused(main: Cluster, text: str, refusal: str):
    with pytest.raises(Refusal, match=refusal):
        main.world.kubernetes.by_kubeconfig(text)


def test_a_kubeconfig_reaches_its_cluster_over_the_endpoint_and_over_any_control_plane(main: Cluster):
    assert main.world.kubernetes.by_kubeconfig(kubeconfig()) is main
    assert main.world.kubernetes.by_kubeconfig(kubeconfig("https://10.0.0.101:6443")) is main
    with pytest.raises(Refusal, match="connection refused"):
        main.world.kubernetes.by_kubeconfig(kubeconfig("https://10.0.0.110:6443"))


def test_nothing_answers_before_a_cluster_stands_nor_after_it_is_gone(main: Cluster):
    with pytest.raises(Refusal, match="connection refused"):
        a_world().kubernetes.by_kubeconfig(kubeconfig())
    main.world.kubernetes.tear_down("main")
    with pytest.raises(Refusal, match="connection refused"):
        main.world.kubernetes.by_kubeconfig(kubeconfig())


def test_two_clusters_keep_their_objects_apart(main: Cluster):
    main.world.kubernetes.stand_up("other", server="https://10.0.0.58:6443", version="v1.33.6+k3s1", credential="Qg==")
    make(main, "ConfigMap", "one", "default", data={})
    assert main.world.kubernetes.clusters["other"].get("ConfigMap", "default", "one") is None


def test_a_cluster_outlives_the_process(tmp_path: Path):
    first = World(lab(), file=tmp_path / "world.json")
    first.kubernetes.stand_up("main", server=SERVER, version="v1.34.2", credential="QQ==")
    make(first.kubernetes.clusters["main"], "ConfigMap", "one", "default", data={"a": "b"})
    first.save()
    again = World(lab(), file=tmp_path / "world.json").kubernetes.clusters["main"].get("ConfigMap", "default", "one")
    assert again is not None
    assert again["data"] == {"a": "b"}


# Objects


@pytest.mark.parametrize(
    ("wrong", "refusal"),
    [
        (body("Namespace", "x", sepc={}), r"\.sepc: field not declared in schema"),
        (body("Namespace", "Upper"), "a lowercase RFC 1123 label"),
        (body("ConfigMap", "x", "nowhere", data={}), 'namespaces "nowhere" not found'),
        (body("ConfigMap", "x", "default", data={"a": 1}), "data.a: Invalid value: 1 is not of type 'string'"),
        (body("ConfigMap", "x", "default", data={"a/b": ""}), "a valid config key"),
        (body("ConfigMap", "x", "default", data={"a": "x" * 1048577}), "Too long: may not be more than 1048576 bytes"),
        (body("Secret", "x", "default", data={"a": "ä"}), "illegal base64 data"),
        (body("Gadget", "x", api="example.com/v1"), 'no matches for kind "Gadget" in version "example.com/v1"'),
        (body("Deployment", "x", "default", api="apps/v1beta1"), "no matches for kind"),
        (body("Gateway", "x", "default", api=GATEWAY), "no matches for kind"),
        (body("AppProject", "x", "default", api=ARGO), "no matches for kind"),
        (body("CiliumLoadBalancerIPPool", "x", api=CILIUM_IO), "no matches for kind"),
        (body("FluxInstance", "x", "default", api="fluxcd.controlplane.io/v1"), "no matches for kind"),
    ],
)
def test_an_invalid_object_is_refused(main: Cluster, wrong: Any, refusal: str):
    with pytest.raises(Refusal, match=refusal):
        main.create(wrong, PROGRAM)


@pytest.mark.parametrize("field", ["labels", "annotations"])
def test_metadata_is_judged_too(main: Cluster, field: str):
    wrong = body("Namespace", "x")
    wrong["metadata"][field] = {"not a key": "x"}
    with pytest.raises(Refusal, match=f"metadata.{field}: Invalid value"):
        main.create(wrong, PROGRAM)


def test_creating_what_exists_is_refused_unless_it_is_to_be_taken_over(main: Cluster):
    make(main, "ConfigMap", "one", "default", data={"a": "b"})
    with pytest.raises(Refusal, match='configmaps "one" already exists'):
        make(main, "ConfigMap", "one", "default", data={})
    taken = main.create(body("ConfigMap", "one", "default", data={"c": "d"}), PROGRAM, upsert=True)
    assert taken["data"] == {"c": "d"}


def test_a_refused_object_leaves_no_trace_and_neither_does_a_dry_run(main: Cluster):
    before = main.world.data["sections"]["kubernetes"]["main"]["counter"]
    main.create(body("ConfigMap", "one", "default", data={}), PROGRAM, dry_run=True)
    assert main.get("ConfigMap", "default", "one") is None
    assert main.world.data["sections"]["kubernetes"]["main"]["counter"] == before


def test_applying_removes_what_one_said_before_and_keeps_what_others_said(main: Cluster):
    make(main, "ConfigMap", "one", "default", data={"ours": "1", "gone": "2"})
    main.apply(body("ConfigMap", "one", "default", data={"theirs": "3"}), "somebody")
    now = main.apply(body("ConfigMap", "one", "default", data={"ours": "4"}), PROGRAM)
    assert now["data"] == {"ours": "4", "theirs": "3"}


def test_an_object_keeps_its_uid_and_its_version_rises_only_with_a_change(main: Cluster):
    first = make(main, "ConfigMap", "one", "default", data={"a": "1"})["metadata"]
    same = main.apply(body("ConfigMap", "one", "default", data={"a": "1"}), PROGRAM)["metadata"]
    other = main.apply(body("ConfigMap", "one", "default", data={"a": "2"}), PROGRAM)["metadata"]
    assert first["uid"] == same["uid"] == other["uid"]
    assert first["resourceVersion"] == same["resourceVersion"] != other["resourceVersion"]


@pytest.mark.parametrize(
    ("kind", "first", "then"),
    [
        ("ConfigMap", {"data": {"a": "1"}, "immutable": True}, {"data": {"a": "2"}, "immutable": True}),
        ("Secret", {"type": "Opaque"}, {"type": "kubernetes.io/basic-auth"}),
    ],
)
def test_what_may_never_change_does_not(main: Cluster, kind: str, first: Any, then: Any):
    make(main, kind, "one", "default", **first)
    with pytest.raises(Refusal, match="field is immutable"):
        main.apply(body(kind, "one", "default", **then), PROGRAM)


def test_a_namespace_takes_its_contents_and_its_releases_along(main: Cluster):
    seed(main, "cilium", "argo-cd")
    make(main, "ConfigMap", "one", "argocd", data={})
    main.delete("Namespace", None, "argocd")
    assert main.get("ConfigMap", "argocd", "one") is None
    assert list(main.releases) == ["kube-system/cilium"]


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_a_default_namespace_may_not_be_deleted(main: Cluster, name: str):
    with pytest.raises(Refusal, match=f'namespaces "{name}" is forbidden'):
        main.delete("Namespace", None, name)


def test_deleting_a_definition_takes_its_objects_along_and_forgets_the_kind(main: Cluster):
    seed(main, "cilium", "argo-cd")
    make(main, "AppProject", "p", "argocd", api=ARGO, spec={})
    main.delete("CustomResourceDefinition", None, "appprojects.argoproj.io")
    assert main.objects("AppProject") == []
    with pytest.raises(Refusal, match="no matches for kind"):
        make(main, "AppProject", "p", "argocd", api=ARGO, spec={})


def test_a_definition_of_ones_own_registers_its_kind_with_its_fields(main: Cluster):
    crd = kube_fields.definition("AppProject")
    crd["metadata"]["name"] = "gadgets.example.com"
    crd["spec"] |= {"group": "example.com", "names": {"kind": "Gadget", "plural": "gadgets"}}
    spec = {"type": "object", "properties": {"size": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": spec}}
    crd["spec"]["versions"] = [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}]
    main.create(crd, PROGRAM)
    make(main, "Gadget", "one", "default", api="example.com/v1", spec={"size": 1})
    with pytest.raises(Refusal, match=r"\.spec\.colour: field not declared in schema"):
        make(main, "Gadget", "two", "default", api="example.com/v1", spec={"colour": "red"})


# Custom kinds


@pytest.mark.parametrize(
    ("kind", "api", "namespace", "spec", "refusal"),
    [
        ("CiliumLoadBalancerIPPool", CILIUM_IO, None, {"blcks": []}, r"\.spec\.blcks: field not declared"),
        ("CiliumLoadBalancerIPPool", CILIUM_IO, None, {"blocks": [{"from": "x"}]}, r"blocks\[0\]\.from: field not"),
        ("CiliumL2AnnouncementPolicy", CILIUM_IO, None, {"interfaces": "eth0"}, "must be of type array"),
        ("CiliumL2AnnouncementPolicy", CILIUM_IO, None, {"loadBalancerIPs": "yes"}, "must be of type boolean"),
        ("GatewayClass", GATEWAY, None, {}, "spec.controllerName: Required value"),
        ("GatewayClass", GATEWAY, None, {"controllerName": "envoy"}, "should match"),
        ("Gateway", GATEWAY, "default", {"gatewayClassName": "envoy"}, "spec.listeners: Required value"),
        ("Gateway", GATEWAY, "default", gateway(listeners=[]), "too few or too many items"),
        ("Gateway", GATEWAY, "default", gateway(adresses=[]), r"\.spec\.adresses: field not declared"),
        ("HTTPRoute", GATEWAY, "default", {"rules": [{"filters": [{"type": "Redirect"}]}]}, "Unsupported value"),
        ("EnvoyProxy", "gateway.envoyproxy.io/v1alpha1", "default", {"bootsrap": {}}, "field not declared"),
        ("AppProject", ARGO, "default", {"sourceRepo": []}, r"\.spec\.sourceRepo: field not declared"),
        ("Application", ARGO, "default", {"project": "p"}, "spec.destination: Required value"),
        ("ApplicationSet", ARGO, "default", {"generators": []}, "spec.template: Required value"),
    ],
)
def test_a_custom_object_is_judged_by_its_own_fields(
    main: Cluster, kind: str, api: str, namespace: str | None, spec: Any, refusal: str
):
    seed(main, "cilium", "gateway-helm", "argo-cd")
    with pytest.raises(Refusal, match=refusal):
        make(main, kind, "one", namespace, api=api, spec=spec)


@pytest.mark.parametrize(
    ("listeners", "refusal"),
    [
        ([{"name": "a", "protocol": "HTTP", "port": 80, "tls": {}}], "tls must not be specified for protocols"),
        ([{"name": "a", "protocol": "HTTPS", "port": 443, "tls": {"mode": "Passthrough"}}], "tls mode must be Termin"),
        ([{"name": "a", "protocol": "HTTPS", "port": 443, "tls": {}}], "certificateRefs or options must be specified"),
        ([{"name": "a", "protocol": "HTTP", "port": port} for port in (80, 81)], "name must be unique"),
        ([{"name": name, "protocol": "HTTP", "port": 80} for name in "ab"], "port, protocol and hostname must be uniq"),
    ],
)
def test_a_gateway_keeps_the_rules_between_its_fields(main: Cluster, listeners: Any, refusal: str):
    seed(main, "cilium", "gateway-helm")
    with pytest.raises(Refusal, match=refusal):
        make(main, "Gateway", "one", "default", api=GATEWAY, spec=gateway(listeners=listeners))


# Finalizers


def _held(name: str, namespace: str) -> dict[str, Any]:
    made = body("ConfigMap", name, namespace)
    made["metadata"]["finalizers"] = ["example.org/held"]
    return made


def _released(cluster: Cluster, name: str, namespace: str) -> None:
    cluster.apply(body("ConfigMap", name, namespace), PROGRAM)


def test_a_finalizer_holds_an_object_until_whoever_put_it_there_takes_it_away(main: Cluster):
    main.create(_held("one", "default"), PROGRAM)
    main.delete("ConfigMap", "default", "one")
    assert (main.get("ConfigMap", "default", "one") or {})["metadata"]["deletionTimestamp"]
    with pytest.raises(Refusal, match='object is being deleted: configmaps "one" already exists'):
        main.create(body("ConfigMap", "one", "default"), PROGRAM, upsert=True)
    _released(main, "one", "default")
    assert main.get("ConfigMap", "default", "one") is None


def test_a_namespace_ends_when_its_content_has_and_takes_nothing_new_in(main: Cluster):
    main.create(body("Namespace", "n"), PROGRAM)
    main.create(body("ConfigMap", "free", "n"), PROGRAM)
    main.create(_held("held", "n"), PROGRAM)
    main.delete("Namespace", None, "n")
    assert [each["metadata"]["name"] for each in main.objects("ConfigMap", "n")] == ["held"]
    with pytest.raises(Refusal, match="namespace n because it is being terminated"):
        main.create(body("ConfigMap", "new", "n"), PROGRAM)
    _released(main, "held", "n")
    assert main.get("Namespace", None, "n") is None


def test_a_definition_waits_for_its_objects(main: Cluster):
    seed(main, "cilium")
    pool = body("CiliumLoadBalancerIPPool", "p", api=CILIUM_IO, spec=POOL)
    pool["metadata"]["finalizers"] = ["example.org/held"]
    main.create(pool, PROGRAM)
    main.delete("CustomResourceDefinition", None, "ciliumloadbalancerippools.cilium.io")
    assert main.get("CustomResourceDefinition", None, "ciliumloadbalancerippools.cilium.io")
    main.apply(body("CiliumLoadBalancerIPPool", "p", api=CILIUM_IO, spec=POOL), PROGRAM)
    assert main.get("CustomResourceDefinition", None, "ciliumloadbalancerippools.cilium.io") is None


def test_a_class_is_held_while_a_gateway_is_of_it():
    cluster = with_gateways()
    make(cluster, "Gateway", "g", "net", api=GATEWAY, spec=gateway())
    cluster.delete("GatewayClass", None, "envoy")
    assert cluster.get("GatewayClass", None, "envoy")
    cluster.delete("Gateway", "net", "g")
    assert cluster.get("GatewayClass", None, "envoy") is None
