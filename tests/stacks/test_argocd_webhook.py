"""An Argo CD that takes the shared webhook in: nothing is wrong with its lab, one path of it answers outside, and its
word is no one's to type."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.closure.clusters import closure
from model.environment import Environment
from stacks import checkout
from stacks.judgement import judge
from tests.labs import ROOT, raw
from tests.private import lab_folders

FOLDERS = {"homelab": "arda/gitops/argo-cd", "pitower": "tower/system/argo-cd"}


def edited(file: Path, edit: Mapping[str, Any]) -> None:
    held = yaml.safe_load(file.read_text())
    for path, value in edit.items():
        *outer, last = path.split("/")
        inner = held
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = [*inner.get(last, []), *value] if isinstance(value, list) else value
    file.write_text(yaml.safe_dump(held))


@pytest.fixture(params=FOLDERS)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path]:
    """A lab whose Argo CD has the webhook, as docs/gitops/argo-cd.md says; its name and its folders."""
    gitops = lab_folders(tmp_path, request.param)
    folder = gitops / request.param / FOLDERS[request.param]
    edited(folder / "kustomization.yaml", {"resources": ["../../../../shared/argocd-webhook"]})
    edited(folder / "values.yaml", {"configs/secret/githubSecret": "$first-secret:password"})
    return request.param, gitops


def test_nothing_is_wrong_with_it(lab: tuple[str, Path]) -> None:
    name, gitops = lab
    before = {(one.code, one.path) for one in judge(raw(name), name, set(), ROOT / "gitops").findings}
    after = {(one.code, one.path): one for one in judge(raw(name), name, set(), gitops).findings}
    assert [one for key, one in after.items() if key not in before] == []


def test_one_path_answers_outside_and_its_word_is_made_on_the_cluster(lab: tuple[str, Path]) -> None:
    name, gitops = lab
    environment, cluster = Environment.model_validate(raw(name)), FOLDERS[name].split("/")[0]
    app = next(one for one in closure(environment, checkout.tree(name, gitops), cluster).apps if one.name == "argo-cd")
    held = {(one.kind, one.name): one.body for one in app.objects}
    route = held["HTTPRoute", "argocd-webhook"]["spec"]
    assert [each["name"] for each in route["parentRefs"]] == ["envoy-external"]
    asked = [match for rule in route["rules"] for match in rule["matches"]]
    assert asked == [{"path": {"type": "Exact", "value": "/api/webhook"}, "method": "POST"}]
    secret = held["Secret", "first-secret"]
    assert not secret.get("data")
    assert not secret.get("stringData")
    assert {one.namespace for one in app.objects if one.kind in ("Secret", "Job", "HTTPRoute")} == {"argocd"}
