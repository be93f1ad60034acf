"""What every app has in common goes over what an app says itself (kustomize: components after resources). So no app
says otherwise where nobody would hear it; an exception is a patch of its kustomization, which comes last."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.labs import ROOT

SHARED = ROOT / "gitops/shared/app"
COMMON: dict[str, Any] = yaml.safe_load((SHARED / "deployment.yaml").read_text(encoding="utf-8"))["spec"]
TAKERS = [
    file.parent
    for file in sorted((ROOT / "gitops").rglob("kustomization.yaml"))
    for one in yaml.safe_load(file.read_text(encoding="utf-8")).get("components") or ()
    if (file.parent / one).resolve() == SHARED
]


def contradicted(said: object, common: object, path: str) -> Iterator[str]:
    """Where both say something, and not the same; containers go by their names."""
    if isinstance(said, dict) and isinstance(common, dict):
        for key in said.keys() & common.keys():
            yield from contradicted(said[key], common[key], f"{path}.{key}")
    elif isinstance(said, list) and isinstance(common, list) and all(isinstance(one, dict) for one in [*said, *common]):
        named = {one.get("name"): one for one in common}
        for one in said:
            yield from contradicted(one, named.get(one.get("name"), {}), f"{path}[{one.get('name')}]")
    elif said != common:
        yield f"{path}: {said}, and every app has {common}"


def test_it_finds_one() -> None:
    said = {
        "template": {"spec": {"containers": [{"name": "app", "securityContext": {"readOnlyRootFilesystem": False}}]}}
    }
    assert list(contradicted(said, COMMON, "spec"))
    assert not list(contradicted({"replicas": 1, "template": {"spec": {"hostNetwork": True}}}, COMMON, "spec"))


@pytest.mark.parametrize("folder", [folder.relative_to(ROOT).as_posix() for folder in TAKERS])
def test_an_app_says_nothing_that_goes_unheard(folder: str) -> None:
    kustomization = yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text(encoding="utf-8"))
    for name in kustomization.get("resources") or ():
        file = ROOT / folder / name
        for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if file.is_file() else ():
            if document and document["kind"] == "Deployment":
                unheard = list(contradicted(document["spec"], COMMON, document["metadata"]["name"]))
                assert not unheard, f"{file.relative_to(ROOT)}: {unheard}; make it a patch of the kustomization"
