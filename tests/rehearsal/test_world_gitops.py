"""What Argo CD and Flux make of their seeds, and what of the program's is left in a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.standing import unwell
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.kube_helm import uninstall
from rehearsal.world.kubernetes import trouble_of
from tests.rehearsal.clusters import (
    ARGO,
    REPOSITORY,
    body,
    make,
    seed,
    talos_cluster,
)


@pytest.fixture
def main() -> Cluster:
    return talos_cluster()


def _tree(root: Path, *apps: str) -> Path:
    for app in apps:
        folder = root / "gitops" / "lab" / "main" / app
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text("resources: [thing.yaml]\n", encoding="utf-8")
        thing = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: thing}\n"
        (folder / "thing.yaml").write_text(thing, encoding="utf-8")
    return root


def _set(**over: Any) -> dict[str, Any]:
    """The spec of an ApplicationSet; ``over`` replaces what its generator or its template says."""
    generator = {"repoURL": REPOSITORY, "revision": "main", "directories": [{"path": "gitops/lab/main/apps/*"}]}
    spec = {
        "project": over.get("project", "p"),
        "source": {"repoURL": REPOSITORY, "targetRevision": "main", "path": "{{ .path.path }}"},
        "destination": {
            "server": over.get("server", "https://kubernetes.default.svc"),
            "namespace": over.get("namespace", "apps"),
        },
        "syncPolicy": {"syncOptions": ["CreateNamespace=true"]},
    }
    return {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [{"git": generator | over.get("generator", {})}],
        "template": {"metadata": {"name": over.get("name", "{{ .path.basename }}")}, "spec": spec},
    }


def _with_argo(root: Path, **over: Any) -> tuple[Cluster, Any]:
    cluster = talos_cluster(root)
    seed(cluster, "cilium", "argo-cd")
    project = {
        "sourceRepos": [REPOSITORY],
        "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "apps"}],
    }
    make(cluster, "AppProject", "p", "argocd", api=ARGO, spec=project)
    return cluster, make(cluster, "ApplicationSet", "apps", "argocd", api=ARGO, spec=_set(**over))


def test_an_application_set_makes_one_application_a_folder(tmp_path: Path):
    cluster, made = _with_argo(_tree(tmp_path, "apps/one", "apps/two", "other/three"))
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
    folder = _tree(tmp_path, "apps/one", "apps/two") / "gitops" / "lab" / "main" / "apps" / "two"
    (folder / "kustomization.yaml").write_text(kustomization, encoding="utf-8")
    (folder / "text.yaml").write_text("only words\n", encoding="utf-8")
    (said,) = unwell(_with_argo(tmp_path)[0].world)
    assert said.startswith("main: application two of gitops/lab/main/apps/two is Unknown")
    assert trouble in said


def test_applications_follow_the_folders_and_go_with_their_set(tmp_path: Path):
    cluster, _ = _with_argo(_tree(tmp_path, "apps/one"))
    _tree(tmp_path, "apps/two")
    cluster.work()
    assert len(cluster.objects("Application")) == 2
    cluster.delete("ApplicationSet", "argocd", "apps")
    assert cluster.objects("Application") == []


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
    cluster, made = _with_argo(_tree(tmp_path, "apps/one", "apps/two"), **over)
    assert trouble in (trouble_of(cluster, made) or "")
    assert cluster.objects("Application") == []


def test_a_set_does_nothing_before_argo_cd_stands(tmp_path: Path):
    cluster, _ = _with_argo(_tree(tmp_path, "apps/one"))
    uninstall(cluster, "argocd", "argo-cd")
    cluster.delete("Application", "argocd", "one")
    assert cluster.objects("Application") == []
    seed(cluster, "argo-cd")
    assert len(cluster.objects("Application")) == 1


def test_an_application_tells_of_a_chart_that_cannot_be_had(tmp_path: Path):
    root = _tree(tmp_path, "apps/one")
    chart = "helmCharts: [{name: nonsense, repo: https://example.com, version: 1.0.0}]\n"
    (root / "gitops/lab/main/apps/one/kustomization.yaml").write_text(chart, encoding="utf-8")
    cluster, _ = _with_argo(root)
    status = cluster.objects("Application")[0]["status"]
    assert status["sync"]["status"] == "Unknown"
    assert "failed to download" in status["conditions"][0]["message"]


@pytest.mark.parametrize(
    ("resources", "status"), [("[../../shared/thing]", "Synced"), ("[../../shared/gone]", "Unknown")]
)
def test_an_application_may_stand_on_a_shared_base(tmp_path: Path, resources: str, status: str):
    root = _tree(tmp_path, "apps/one", "shared/thing")
    own = root / "gitops/lab/main/apps/one/kustomization.yaml"
    own.write_text(f"resources: {resources}\n", encoding="utf-8")
    cluster, _ = _with_argo(root)
    assert cluster.objects("Application")[0]["status"]["sync"]["status"] == status


def test_an_application_whose_pods_are_forbidden_is_degraded(tmp_path: Path):
    root = _tree(tmp_path, "apps/one")
    pod = {"hostNetwork": True, "containers": [{"name": "c", "image": "i"}]}
    thing = body("DaemonSet", "thing", api="apps/v1", spec={"template": {"spec": pod}})
    (root / "gitops/lab/main/apps/one/thing.yaml").write_text(yaml.safe_dump(thing), encoding="utf-8")
    cluster, _ = _with_argo(root)
    health = cluster.objects("Application")[0]["status"]["health"]
    assert health["status"] == "Degraded"
    assert "host namespaces (hostNetwork=true)" in health["message"]


# Flux


def _flux(**sync: Any) -> Cluster:
    told = {
        "kind": "OCIRepository",
        "url": REPOSITORY.replace("https", "oci"),
        "ref": "latest",
        "path": "clusters/main",
    }
    cluster = talos_cluster()
    cluster.world.environment["gitops"] = {"repository": told["url"]}
    seed(cluster, "cilium", "flux-operator")
    seed(cluster, "flux-instance", name="flux", values={"instance": {"sync": told | sync}})
    return cluster


def test_a_flux_instance_brings_fluxs_kinds_and_the_root():
    cluster = _flux()
    root = cluster.get("OCIRepository", "flux-system", "flux-system")
    assert root is not None
    assert root["status"]["conditions"][0]["status"] == "True"
    assert cluster.get("Kustomization", "flux-system", "flux-system") is not None
    assert cluster.kind("helm.toolkit.fluxcd.io/v2", "HelmRelease").namespaced


def test_a_flux_instance_with_another_artefact_is_told_apart():
    cluster = _flux(url="oci://git.example.org/other")
    root = cluster.get("OCIRepository", "flux-system", "flux-system")
    assert root is not None
    assert "not found" in root["status"]["conditions"][0]["message"]


def test_a_flux_instance_needs_its_operator_and_known_fields(main: Cluster):
    seed(main, "cilium")
    with pytest.raises(Refusal, match='no matches for kind "FluxInstance"'):
        seed(main, "flux-instance", name="flux")
    with pytest.raises(Refusal, match=r"spec\.sync\.branch: field not declared"):
        _flux(branch="main")


# What is left


def test_leftovers_are_what_the_program_made_and_not_what_others_did(tmp_path: Path):
    cluster, _ = _with_argo(_tree(tmp_path, "apps/one"))
    assert cluster.world.kubernetes.leftovers() == [
        "main/helm-release/argocd/argo-cd",
        "main/helm-release/kube-system/cilium",
        "main/object/AppProject/argocd/p",
        "main/object/ApplicationSet/argocd/apps",
    ]
    cluster.world.kubernetes.tear_down("main")
    assert cluster.world.kubernetes.leftovers() == []
