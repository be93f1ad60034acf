"""Kubernetes' own schemas over every object of its core kinds that Git holds or the program makes."""

from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from render import boot_files, kube_vip, manifests
from tests.labs import SHIPPED, shipped_plan, tree

pytestmark = pytest.mark.real
CORE = {
    *("v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1", "policy/v1"),
    *("apiregistration.k8s.io/v1", "storage.k8s.io/v1"),
}


def patches(files: dict[str, str]) -> Iterator[str]:
    """Files that hold a piece of an object: patches, and what a component completes. `test_folders_build` judges what
    they are built to."""
    for path, text in files.items():
        if path.endswith("kustomization.yaml"):
            folder, told = path.removesuffix("kustomization.yaml"), yaml.safe_load(text)
            yield from (folder + one["path"] for one in told.get("patches", ()) if "path" in one)
            if told.get("components"):
                yield from (folder + name for name in told.get("resources") or ())


def committed(lab: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a lab's folders; kustomizations, values and Flux' own kinds are their engines' to judge."""
    files = {**tree(lab), **tree("shared")}
    pieces = set(patches(files))
    for path, text in files.items():
        if path.endswith(".yaml") and path not in pieces and not path.endswith(("kustomization.yaml", "values.yaml")):
            for document in yaml.safe_load_all(text):
                if isinstance(document, dict) and document.get("apiVersion") in CORE:
                    yield path, document


def made(lab: str) -> Iterator[tuple[str, dict[str, Any]]]:
    plan = shipped_plan(lab)
    yield "namespace", manifests.namespace("x", "privileged")
    for name, files in boot_files.published(plan).items():
        yield name, manifests.config_map(name, "x", files)
    yield from ((f"kube-vip's {one['kind']}", one) for one in kube_vip.manifests("192.0.2.58", "v1.2.3"))


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_core_object_fits_its_schema(lab: str) -> None:
    version = (shipped_plan(lab).cluster or pytest.fail("no cluster")).kubernetes.removeprefix("v")
    minor = ".".join(version.split(".")[:2])
    for where, document in (*committed(lab), *made(lab)):
        try:
            kubernetes_validate.validate(document, minor, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{lab} {where}: {error.message}")


def test_a_misspelt_key_is_found() -> None:
    """The test above would pass on schemas that accept everything."""
    wrong = manifests.namespace("x") | {"sepc": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.34", strict=True)
