"""From seed to self-managed, with the real engine: an app is a folder, and what passed to Git stays Git's."""

import functools
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from model.environment import Environment
from model.tree import Tree
from rehearsal.rack_folder import Lab
from rehearsal.world import World
from rehearsal.world.kube_cluster import Cluster
from render.artefact import belonging, pack
from stacks import checkout
from stacks.judgement import judge
from tests.labs import ROOT
from tests.rehearsal.lives import Life, touched

pytestmark = pytest.mark.slow

FOURTH = ROOT / "tests" / "fixtures" / "fourth"
APP = {
    "kustomization.yaml": """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: garden
resources: [flowers.yaml]
""",
    "flowers.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: { name: flowers }
spec:
  selector: { matchLabels: { app: flowers } }
  template:
    metadata: { labels: { app: flowers } }
    spec:
      automountServiceAccountToken: false
      containers: [{ name: flowers, image: "registry.example.com/flowers:v1.2.3" }]
---
apiVersion: v1
kind: Service
metadata: { name: flowers }
spec: { selector: { app: flowers }, ports: [{ port: 80 }] }
""",
}


class Own(Life):
    """A lab whose GitOps folders are its own, to be changed as one pushes to a repository."""

    def begin(self, stack_file: Path, gitops: Path) -> "Own":
        shutil.copy(stack_file, self.file)
        shutil.copytree(gitops, self.folder / "gitops")
        return self

    def lab(self) -> Lab:
        return Lab(self.name, self.file, self.folder / "gitops", ROOT / "__main__.py", self.name)

    def raw(self) -> dict[str, object]:
        return yaml.safe_load(self.file.read_text())["config"]["iluvatar:environment"]

    def world(self) -> World:
        return World(self.raw(), file=self.rack() / "world.json", repository=self.folder)

    def tree(self) -> Tree:
        return checkout.tree(self.name, self.folder / "gitops")

    def errors(self) -> list[str]:
        found = judge(self.raw(), self.name, set(), self.folder / "gitops").findings
        return [one.message for one in found if one.grade == "error"]

    def own(self, path: str) -> Path:
        return self.folder / "gitops" / self.name / path

    def files(self) -> list[Path]:
        return sorted(path for path in (self.folder / "gitops").rglob("*") if path.is_file())

    def cluster(self) -> Cluster:
        name = Environment.model_validate(self.raw()).cluster
        assert name is not None
        return self.world().kubernetes.clusters[name.name]


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Callable[[str], Own]:
    """A lab after its first `up`."""

    @functools.cache
    def stand(name: str) -> Own:
        life, folder = Own(name, tmp_path_factory.mktemp(name), engine), FOURTH if name == "shire" else ROOT
        return life.begin(folder / f"Pulumi.{name}.yaml", folder / "gitops").risen()

    return stand


@pytest.fixture
def standing(stood: Callable[[str], Own], tmp_path: Path) -> Callable[[str], Own]:
    """A copy of it, to live on from."""
    return lambda name: stood(name).copied(tmp_path / name)


def applications(life: Own) -> dict[str, str]:
    found = life.cluster().objects("Application")
    told = {one["metadata"]["name"]: one["status"] for one in found}
    return {name: f"{status['sync']['status']}, {status['health']['status']}" for name, status in told.items()}


def test_an_app_is_a_new_folder_and_nothing_else(standing: Callable[[str], Own]) -> None:
    """docs/gitops/add-an-app.md, done: a folder appears, then its Application, then its objects. The Application goes
    with it."""
    life = standing("shire")
    before = applications(life)
    folder = life.own("hobbiton/garden/flowers")
    folder.mkdir()
    for name, text in APP.items():
        (folder / name).write_text(text)
    assert life.errors() == []
    life.change(lambda world: world.kubernetes.clusters["hobbiton"].work())
    assert applications(life) == before | {"flowers": "Synced, Healthy"}
    assert life.cluster().get("Deployment", "garden", "flowers") is not None
    assert touched(life.run("up")) == {}, "an app is Git's: the program has nothing to do"
    shutil.rmtree(folder)
    life.change(lambda world: world.kubernetes.clusters["hobbiton"].work())
    assert applications(life) == before


def test_a_category_that_is_taken_out_leaves_what_it_runs_and_its_data(standing: Callable[[str], Own]) -> None:
    """Of an ApplicationSet that preserves nothing the volume would go, and with it the data."""
    life = standing("shire")
    folder = life.own("hobbiton/garden/flowers")
    folder.mkdir()
    claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: seeds }\n"
    claim += (
        "spec: { storageClassName: local, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }\n"
    )
    for name, text in (APP | {"seeds.yaml": claim}).items():
        (folder / name).write_text(text.replace("[flowers.yaml]", "[flowers.yaml, seeds.yaml]"))
    life.change(lambda world: world.kubernetes.clusters["hobbiton"].work())
    assert life.cluster().get("PersistentVolumeClaim", "garden", "seeds") is not None
    life.file.write_text(life.file.read_text().replace("[garden, platform]", "[platform]"))
    shutil.rmtree(life.own("hobbiton/garden"))
    gone = touched(life.run("up"))
    assert gone == {"gitops-apps-hobbiton-garden": "delete", "gitops-project-hobbiton-garden": "delete"}
    assert "flowers" not in applications(life)
    for kind, name in (("PersistentVolumeClaim", "seeds"), ("Deployment", "flowers")):
        assert life.cluster().get(kind, "garden", name) is not None


def test_an_app_with_a_slip_is_told_before_it_is_pushed(standing: Callable[[str], Own]) -> None:
    life = standing("shire")
    folder = life.own("hobbiton/garden/flowers")
    folder.mkdir()
    for name, text in APP.items():
        (folder / name).write_text(text.replace("containers:", "serviceAccountName: gardner\n      containers:"))
    (said,) = life.errors()
    assert "garden/flowers/flowers.yaml: Deployment flowers needs ServiceAccount garden/gardner" in said


def next_patch(text: str) -> str:
    """The same file, every chart one patch release on."""
    return re.sub(r"(version|tag): (\d+\.\d+)\.(\d+)", lambda hit: f"{hit[1]}: {hit[2]}.{int(hit[3]) + 1}", text)


def test_a_chart_that_git_moves_on_is_not_set_back(standing: Callable[[str], Own]) -> None:
    """Under Argo CD the chart's objects are applied, and Helm's own record stays as the seed left it."""
    life = standing("shire")
    record = dict(life.cluster().releases)
    for app in ("cilium", "argo-cd"):
        file = life.own(f"hobbiton/platform/{app}/kustomization.yaml")
        file.write_text(next_patch(file.read_text()))
    values = life.own("hobbiton/platform/cilium/values.yaml")
    values.write_text(values.read_text().replace("replicas: 2", "replicas: 1"))
    assert life.errors() == []
    assert touched(life.run("up")) == {}
    assert life.run("refresh").well
    assert touched(life.run("up")) == {}
    assert dict(life.cluster().releases) == record
    assert set(applications(life).values()) == {"Synced, Healthy"}


def pushed(life: Own, world: World) -> None:
    """The folders as they are now, pushed as `./lab artefact` packs them; Flux works on."""
    listing = {path.relative_to(life.folder).as_posix(): path.read_bytes() for path in life.files()}
    made = pack(belonging(life.name, listing), created="2026-01-01T00:00:00Z", source="a test", revision="main")
    repository = "oci.example.com/owner/turing"
    for blob in (made.config, made.layer):
        world.registry.push_blob(repository, blob)
    assert world.registry.push_manifest(repository, "main", made.manifest) is None
    world.kubernetes.clusters["rk1"].work()


def test_a_release_that_flux_upgrades_is_not_set_back(standing: Callable[[str], Own]) -> None:
    """helm-controller upgrades the release itself: its record is another one then, and a refresh sees it."""
    life = standing("turing")
    file = life.own("rk1/infrastructure/cilium/release.yaml")
    before = life.cluster().releases["kube-system/cilium"]["version"]
    file.write_text(next_patch(file.read_text()))
    life.change(lambda world: pushed(life, world))
    after = dict(life.cluster().releases["kube-system/cilium"])
    assert f"version: {after['version']}" == next_patch(f"version: {before}")
    assert touched(life.run("up")) == {}
    assert life.run("refresh").well
    assert touched(life.run("up")) == {}
    assert life.cluster().releases["kube-system/cilium"] == after


@pytest.mark.parametrize("lab", ["shire", "turing"])
def test_a_destroy_goes_backwards_and_leaves_what_passed(lab: str, standing: Callable[[str], Own]) -> None:
    """The engine's seed goes before what it stands on; nothing that Git owns is uninstalled."""
    life = standing(lab)
    releases = {name: one["status"] for name, one in life.cluster().releases.items()}
    run = life.run("destroy", unprotect=True)
    gone = [step.name for step in run.transcript.steps.values() if step.changes]  # in the order they began
    if lab == "shire":
        order = [
            "gitops-apps-hobbiton-garden",
            "gitops-project-hobbiton-garden",
            "gitops-argo-cd-hobbiton",
            "cilium-release",
        ]
    else:
        order = ["gitops-flux-instance-rk1", "gitops-flux-operator-rk1", "cilium-release"]
    assert run.well, run.errors()
    assert [gone.index(name) for name in order] == sorted(gone.index(name) for name in order)
    assert {name: one["status"] for name, one in life.cluster().releases.items()} == releases
