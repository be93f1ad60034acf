"""What Argo CD and Flux make of their seeds, and what of the program's is left in a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.standing import unwell
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.kube_helm import uninstall
from rehearsal.world.kubernetes import trouble_of
from tests.rehearsal.clusters import (
    body,
    seed,
    talos_cluster,
)
from tests.rehearsal.folders import hold, tree, with_argo, workload


@pytest.fixture
def main() -> Cluster:
    return talos_cluster()


def test_an_application_set_makes_one_application_a_folder(tmp_path: Path):
    cluster, made = with_argo(tree(tmp_path, "apps/one", "apps/two", "other/three"))
    applications = cluster.objects("Application")
    assert [each["metadata"]["name"] for each in applications] == ["one", "two"]
    assert {each["status"]["sync"]["status"] for each in applications} == {"Synced"}
    assert applications[0]["spec"]["source"]["path"] == "gitops/lab/main/apps/one"
    assert cluster.get("Namespace", None, "apps") is not None
    assert unwell(cluster.world) == []
    assert trouble_of(cluster, made) is None


@pytest.mark.parametrize(
    ("kustomization", "trouble"),
    [
        ("resources: [gone.yaml]\n", "gone.yaml: no such file"),
        ("resources: [\n", "kustomization.yaml: while parsing"),
        ("resources: [text.yaml]\n", "text.yaml: not an object"),
    ],
)
def test_an_application_that_does_not_come_up_is_named_with_its_folder_and_the_reason(
    tmp_path: Path, kustomization: str, trouble: str
):
    folder = tree(tmp_path, "apps/one", "apps/two") / "gitops" / "lab" / "main" / "apps" / "two"
    (folder / "kustomization.yaml").write_text(kustomization, encoding="utf-8")
    (folder / "text.yaml").write_text("only words\n", encoding="utf-8")
    (said,) = unwell(with_argo(tmp_path)[0].world)
    assert said.startswith("main: application two of gitops/lab/main/apps/two is Unknown")
    assert trouble in said


def test_applications_follow_the_folders_and_go_with_their_set(tmp_path: Path):
    cluster, _ = with_argo(tree(tmp_path, "apps/one"))
    tree(tmp_path, "apps/two")
    cluster.work()
    assert len(cluster.objects("Application")) == 2
    cluster.delete("ApplicationSet", "argocd", "apps")
    assert cluster.objects("Application") == []


@pytest.mark.parametrize("preserved", [True, False])
@pytest.mark.parametrize("goes", ["set", "folder"])
def test_what_an_application_applied_goes_with_it_unless_its_set_preserves_resources(
    tmp_path: Path, goes: str, preserved: bool
):
    root = tree(tmp_path, "apps/one")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    hold(root, "one", body("PersistentVolumeClaim", "data", spec=claim))
    cluster, _ = with_argo(root, preserved=preserved)
    assert cluster.get("PersistentVolumeClaim", "apps", "data") is not None
    if goes == "set":
        cluster.delete("ApplicationSet", "argocd", "apps")
    else:
        (root / "gitops/lab/main/apps/one").rename(root / "gone")
        cluster.work()
    assert cluster.objects("Application") == []
    assert (cluster.get("PersistentVolumeClaim", "apps", "data") is not None) is preserved


@pytest.mark.parametrize(
    ("over", "trouble"),
    [
        ({"generator": {"repoURL": "https://git.example.org/other.git"}}, "repository not found"),
        ({"generator": {"revision": "dev"}}, "unable to resolve 'dev' to a commit SHA"),
        ({"name": "{{ .path.nonsense }}"}, "map has no entry for key"),
        ({"name": "{{ .path.basename | upper }}"}, "cannot evaluate"),
        ({"name": "same"}, "duplicate name: same"),
        ({"project": "q"}, "project q which does not exist"),
        ({"server": "https://10.0.0.1:6443"}, "no clusters with this name or server"),
        ({"namespace": "elsewhere"}, "do not match any of the allowed destinations in project 'p'"),
    ],
)
def test_a_set_that_cannot_generate_says_so_and_makes_nothing(tmp_path: Path, over: Any, trouble: str):
    cluster, made = with_argo(tree(tmp_path, "apps/one", "apps/two"), **over)
    assert trouble in (trouble_of(cluster, made) or "")
    assert cluster.objects("Application") == []


def test_a_set_does_nothing_before_argo_cd_stands(tmp_path: Path):
    cluster, _ = with_argo(tree(tmp_path, "apps/one"))
    uninstall(cluster, "argocd", "argo-cd")
    cluster.delete("Application", "argocd", "one")
    assert cluster.objects("Application") == []
    seed(cluster, "argo-cd")
    assert len(cluster.objects("Application")) == 1


def test_an_application_tells_of_a_chart_that_cannot_be_had(tmp_path: Path):
    root = tree(tmp_path, "apps/one")
    chart = "helmCharts: [{name: nonsense, repo: https://example.com, version: 1.0.0}]\n"
    (root / "gitops/lab/main/apps/one/kustomization.yaml").write_text(chart, encoding="utf-8")
    cluster, _ = with_argo(root)
    status = cluster.objects("Application")[0]["status"]
    assert status["sync"]["status"] == "Unknown"
    assert "failed to download" in status["conditions"][0]["message"]


@pytest.mark.parametrize(
    ("resources", "status"), [("[../../shared/thing]", "Synced"), ("[../../shared/gone]", "Unknown")]
)
def test_an_application_may_stand_on_a_shared_base(tmp_path: Path, resources: str, status: str):
    root = tree(tmp_path, "apps/one", "shared/thing")
    own = root / "gitops/lab/main/apps/one/kustomization.yaml"
    own.write_text(f"resources: {resources}\n", encoding="utf-8")
    cluster, _ = with_argo(root)
    assert cluster.objects("Application")[0]["status"]["sync"]["status"] == status


def test_an_application_whose_pods_are_forbidden_is_degraded(tmp_path: Path):
    root = tree(tmp_path, "apps/one")
    pod = {"hostNetwork": True, "containers": [{"name": "c", "image": "i"}]}
    hold(root, "one", workload("DaemonSet", pod))
    cluster, _ = with_argo(root)
    health = cluster.objects("Application")[0]["status"]["health"]
    assert health["status"] == "Degraded"
    assert "host namespaces (hostNetwork=true)" in health["message"]


def test_what_a_folder_holds_stands_follows_it_and_is_repaired(tmp_path: Path):
    root = tree(tmp_path, "apps/one")
    hold(root, "one", body("ConfigMap", "a", data={"k": "1"}), body("ConfigMap", "b"))
    cluster, _ = with_argo(root)
    assert [each["metadata"]["name"] for each in cluster.objects("ConfigMap", "apps")] == ["a", "b"]
    cluster.apply(body("ConfigMap", "a", "apps", data={"k": "by hand"}), "somebody")
    assert (cluster.get("ConfigMap", "apps", "a") or {})["data"] == {"k": "1"}
    hold(root, "one", body("ConfigMap", "a", data={"k": "2"}))
    cluster.work()
    (left,) = cluster.objects("ConfigMap", "apps")
    assert (left["metadata"]["name"], left["data"]) == ("a", {"k": "2"})


def test_an_object_that_the_server_refuses_is_named_and_prunes_nothing(tmp_path: Path):
    root = tree(tmp_path, "apps/one")
    cluster, _ = with_argo(root)
    hold(root, "one", body("Service", "wrong", spec={"prots": []}), body("ConfigMap", "fine"))
    cluster.work()
    (said,) = unwell(cluster.world)
    assert "is OutOfSync and Missing: one or more objects failed to apply" in said
    assert "Service wrong" in said
    assert "prots" in said
    assert {each["metadata"]["name"] for each in cluster.objects("ConfigMap", "apps")} == {"apps-one", "fine"}


@pytest.mark.parametrize(("file", "status"), [("site.conf", "Synced"), ("gone.conf", "Unknown")])
def test_a_folder_s_generators_make_what_its_pods_mount(tmp_path: Path, file: str, status: str):
    root = tree(tmp_path, "apps/one")
    volume = {"name": "v", "configMap": {"name": "site"}}
    hold(root, "one", workload("Deployment", {"containers": [{"name": "c", "image": "i"}], "volumes": [volume]}))
    folder = root / "gitops/lab/main/apps/one"
    (folder / "site.conf").write_text("listen 80;\n", encoding="utf-8")
    generator = {"name": "site", "files": [f"main.conf={file}"], "literals": ["a=b=c"]}
    kustomization = {"resources": ["thing.yaml"], "configMapGenerator": [generator]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    cluster, _ = with_argo(root)
    (application,) = cluster.objects("Application")
    assert application["status"]["sync"]["status"] == status
    if status == "Synced":
        assert application["status"]["health"]["status"] == "Healthy"
        made = cluster.get("ConfigMap", "apps", "site") or {}
        assert made["data"] == {"a": "b=c", "main.conf": "listen 80;\n"}


def test_two_applications_never_write_one_object(tmp_path: Path):
    root = tree(tmp_path, "apps/one", "apps/two")
    for app in ("one", "two"):
        hold(root, app, body("ConfigMap", "same", data={"k": app}))
    cluster, _ = with_argo(root)
    assert (cluster.get("ConfigMap", "apps", "same") or {})["data"] == {"k": "one"}
    (said,) = unwell(cluster.world)
    assert "application two" in said
    assert "ConfigMap same: is part of applications one and two" in said


# What is left


def test_leftovers_are_what_the_program_made_and_not_what_others_did(tmp_path: Path):
    cluster, _ = with_argo(tree(tmp_path, "apps/one"))
    assert cluster.world.kubernetes.leftovers() == [
        "main/helm-release/argocd/argo-cd",
        "main/helm-release/kube-system/cilium",
        "main/object/AppProject/argocd/p",
        "main/object/ApplicationSet/argocd/apps",
    ]
    cluster.world.kubernetes.tear_down("main")
    assert cluster.world.kubernetes.leftovers() == []
