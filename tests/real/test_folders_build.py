"""kustomize builds every folder of gitops/, and every object it then holds, or the program makes, fits its schema.

Charts are not rendered: nobody's chart is to be had here. Their entries are taken out of a copy, and all else is built.
"""

import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from shutil import copytree
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.labs import ROOT, SHIPPED, shipped_plan
from tests.real import custom_resources
from tests.real.test_manifests import CORE
from tests.stacks.test_graph import recorded

pytestmark = pytest.mark.real
FOLDERS = sorted(path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "gitops").rglob("kustomization.yaml"))
FLUX = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "gitops" / "turing").rglob("*.yaml")
    if not (path.parent / "kustomization.yaml").exists()
)
"""What Flux applies as it stands: it makes the kustomization itself (kustomize-controller's documentation, "Path")."""
MINOR = "1.34"


@pytest.fixture(scope="module")
def build(require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """`build("gitops/…")` is what the folder gives, its charts left out."""
    copied = tmp_path_factory.mktemp("build") / "gitops"
    copytree(ROOT / "gitops", copied)
    for path in copied.rglob("kustomization.yaml"):
        without = yaml.safe_load(path.read_text(encoding="utf-8"))
        without.pop("helmCharts", None)
        without.setdefault("metadata", {"name": "charts"})  # a folder of nothing but charts is empty now: an error
        path.write_text(yaml.safe_dump(without), encoding="utf-8")

    @cache
    def built(folder: str) -> str:
        # As Argo CD calls it: nothing from outside the repository, no plugins
        command = [require_tool("kustomize"), "build", str(copied.parent / folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{folder} does not build: {done.stderr}"
        return done.stdout

    return built


def judged(body: dict[str, Any]) -> Iterator[str]:
    """What is wrong with one object."""
    if body["apiVersion"] in CORE:
        try:
            kubernetes_validate.validate(body, MINOR, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield error.message
        return
    try:
        yield from custom_resources.faults(body)
    except LookupError as unknown:
        yield str(unknown)


def wrongs(bodies: list[Any], where: str) -> list[str]:
    told = [(body, fault) for body in bodies if body for fault in judged(body)]
    return [f"{where}: {body['kind']} {body['metadata']['name']}: {fault}" for body, fault in told]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_builds_and_what_it_holds_fits_its_schema(folder: str, build: Callable[[str], str]) -> None:
    assert not wrongs(list(yaml.safe_load_all(build(folder))), folder)


@pytest.mark.parametrize("file", FLUX)
def test_what_flux_applies_as_it_stands_fits_its_schema(file: str) -> None:
    assert not wrongs(list(yaml.safe_load_all((ROOT / file).read_text(encoding="utf-8"))), file)


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_object_the_program_makes_fits_its_schema(lab: str) -> None:
    registered = [resource for resource in recorded(lab).resources.values() if resource.type.startswith("kubernetes:")]
    bodies = [dict(one.inputs) for one in registered if {"apiVersion", "kind", "metadata"} <= set(one.inputs)]
    assert bodies, "the recording has no Kubernetes objects"
    assert not wrongs(bodies, lab)


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_schemas_are_of_the_lab_s_own_kubernetes(lab: str) -> None:
    cluster = shipped_plan(lab).cluster
    assert cluster
    assert cluster.kubernetes.startswith(f"v{MINOR}."), "judge by the release that runs: change MINOR"


def test_a_misspelt_field_of_a_custom_resource_is_found() -> None:
    """The tests above would pass on schemas that are open."""
    issuer = {"apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "x"}}
    assert not custom_resources.faults(issuer | {"spec": {"ca": {"secretName": "x"}}})
    assert any(
        "secretNmae" in fault for fault in custom_resources.faults(issuer | {"spec": {"ca": {"secretNmae": "x"}}})
    )
    assert custom_resources.faults(issuer | {"spec": {"ca": {}}})


def test_a_kind_that_nobody_defines_is_told() -> None:
    with pytest.raises(LookupError, match=r"nobody in tools/crds.yaml .* defines Palantir of example.com/v1"):
        custom_resources.faults({"apiVersion": "example.com/v1", "kind": "Palantir"})


def test_the_flux_folders_are_found() -> None:
    assert any(Path(file).name == "release.yaml" for file in FLUX)
