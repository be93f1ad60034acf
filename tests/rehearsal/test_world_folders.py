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
