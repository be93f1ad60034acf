"""A GitOps folder is read once, and again as soon as anything it was read from has changed."""

from pathlib import Path

import pytest

from rehearsal.world.errors import Refusal
from rehearsal.world.kube_folders import read


def folder(root: Path) -> Path:
    app, base = root / "app", root / "base"
    for each, resources in (
        (app, "resources: [../base]\n"),
        (base, "configMapGenerator: [{name: a, files: [a.conf]}]\n"),
    ):
        each.mkdir()
        (each / "kustomization.yaml").write_text(resources, encoding="utf-8")
    (base / "a.conf").write_text("one\n", encoding="utf-8")
    return app


def test_a_file_of_a_base_that_was_edited_is_read_again(tmp_path: Path):
    app = folder(tmp_path)
    assert read(app)[-1]["data"] == {"a.conf": "one\n"}
    (tmp_path / "base" / "a.conf").write_text("another\n", encoding="utf-8")
    assert read(app)[-1]["data"] == {"a.conf": "another\n"}
    (tmp_path / "base" / "a.conf").unlink()
    with pytest.raises(Refusal, match=r"a\.conf: no such file"):
        read(app)


def test_what_a_reader_does_with_it_is_not_remembered(tmp_path: Path):
    app = folder(tmp_path)
    read(app)[-1]["data"].clear()
    assert read(app)[-1]["data"] == {"a.conf": "one\n"}


DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: a}
spec: {strategy: {rollingUpdate: {maxSurge: 1}}, template: {spec: {containers: [{name: app, image: a}, {name: b}]}}}
"""
COMPONENT = """
kind: Component
patches:
  - target: {kind: Deployment}
    patch: |-
      {spec: {strategy: {rollingUpdate: null}, template: {spec: {containers: [{name: app, tty: true}]}}}}
"""


def with_component(root: Path, component: str = COMPONENT) -> Path:
    app, shared = root / "app", root / "shared"
    app.mkdir()
    shared.mkdir()
    (app / "kustomization.yaml").write_text("resources: [a.yaml]\ncomponents: [../shared]\n", encoding="utf-8")
    (app / "a.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    (shared / "kustomization.yaml").write_text(component, encoding="utf-8")
    return app


def test_a_component_patches_what_the_folder_that_takes_it_in_holds(tmp_path: Path):
    _, deployment = read(with_component(tmp_path))
    containers = [{"name": "app", "image": "a", "tty": True}, {"name": "b"}]
    assert deployment["spec"] == {"strategy": {}, "template": {"spec": {"containers": containers}}}


def test_a_component_leaves_other_kinds_alone(tmp_path: Path):
    _, deployment = read(with_component(tmp_path, COMPONENT.replace("Deployment", "DaemonSet")))
    assert "tty" not in deployment["spec"]["template"]["spec"]["containers"][0]


def test_a_patch_that_the_rack_cannot_apply_is_told_and_not_left_out(tmp_path: Path):
    json = "patches: [{target: {kind: Deployment}, patch: '[{op: remove, path: /spec/strategy}]'}]"
    with pytest.raises(Refusal, match="knows no JSON patches"):
        read(with_component(tmp_path, json))


def test_a_target_that_the_rack_cannot_read_is_told(tmp_path: Path):
    with pytest.raises(Refusal, match="knows no patch target labelSelector"):
        read(with_component(tmp_path, COMPONENT.replace("{kind: Deployment}", "{labelSelector: a=b}")))


def test_a_component_that_is_not_there_is_told(tmp_path: Path):
    app = with_component(tmp_path)
    (tmp_path / "shared" / "kustomization.yaml").unlink()
    with pytest.raises(Refusal, match=r"\.\./shared: no such file"):
        read(app)
