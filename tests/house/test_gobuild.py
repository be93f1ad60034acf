"""A pinned Go tool is built once, whole or not at all, from what its module pins and nothing else."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house.fakes import FakeGo
from tests.house.sources import ROOT
from tools import gobuild
from tools.gobuild import CannotBuild, build_tool, pin_of

GO_MOD = """\
module example.invalid/pins // a comment

go 1.25.3

tool (
    example.invalid/big/v3/cmd/other
    example.invalid/big/v3/cmd/thing // the thing
)

require example.invalid/big v1.0.0 // indirect

require (
\texample.invalid/big/v3 v3.2.1 // indirect
\texample.invalid/small v0.1.0
)
"""


@pytest.fixture
def pins(tmp_path):
    """A folder of pins with one module that pins two tools."""
    module = tmp_path / "pins" / "module"
    module.mkdir(parents=True)
    (module / "go.mod").write_text(GO_MOD)
    (module / "go.sum").write_text("")
    return module.parent


@pytest.fixture
def bins(tmp_path, monkeypatch):
    """A folder first on PATH, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def _left_in(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.name != "iluvatar" and path.suffix != ".lock")


def test_a_tool_of_our_own_is_built_anew_when_its_lines_change(pins):
    module = pins / "own"
    module.mkdir()
    (module / "go.mod").write_text("module example.invalid/own\n\ngo 1.25.3\n\ntool example.invalid/own\n")
    (module / "go.sum").write_text("")
    (module / "main.go").write_text("package main\n")
    before = pin_of("own", pins)
    assert (before.package, before.version) == ("example.invalid/own", gobuild.OURS)
    key = before.key()
    (module / "main.go").write_text("package main // changed\n")
    assert pin_of("own", pins).key() != key


def test_a_pin_is_read_from_its_module(pins):
    pin = pin_of("thing", pins)
    assert (pin.package, pin.version, pin.go) == ("example.invalid/big/v3/cmd/thing", "v3.2.1", "1.25.3")


def test_a_tool_that_nothing_pins_is_a_lookup_error(pins):
    with pytest.raises(LookupError, match="pins a tool named nothing"):
        pin_of("nothing", pins)


@pytest.mark.parametrize("name", ["pulumi", "talosctl"])
def test_the_projects_own_pins_can_be_read(name):
    assert pin_of(name).version.startswith("v")


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_another_pin_is_another_build(pins, file):
    before = pin_of("thing", pins).key()
    with (pins / "module" / file).open("a") as handle:
        handle.write("\n")
    assert pin_of("thing", pins).key() != before


def test_a_relative_cache_home_is_ignored(monkeypatch, pins):
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    assert pin_of("thing", pins).cached().is_relative_to(Path.home() / ".cache")


def test_a_build_is_kept_and_not_made_twice(pins, bins, tmp_path):
    go = FakeGo(bins, tmp_path)
    assert build_tool("thing", pins) == build_tool("thing", pins)
    assert go.builds() == 1
    assert build_tool("thing", pins).read_text().endswith("echo built\n")


def test_a_build_leaves_checksums_on_and_a_foreign_workspace_out(pins, bins, tmp_path, monkeypatch):
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOWORK", "/somewhere/go.work")
    go = FakeGo(bins, tmp_path)
    build_tool("thing", pins)
    assert "-mod=readonly" in go.last_build()
    assert go.last_build().endswith("GOWORK=off CGO_ENABLED=0 GOOS=")


def test_without_go_the_reason_is_said(pins, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotBuild, match="there is no Go"):
        build_tool("thing", pins)


@pytest.mark.parametrize("version", ["go1.19", "go1.25.2", "''"])
def test_a_go_too_old_is_refused_before_it_compiles(pins, bins, tmp_path, version):
    go = FakeGo(bins, tmp_path, version=version)
    with pytest.raises(CannotBuild, match="too old"):
        build_tool("thing", pins)
    assert go.builds() == 0


def test_a_go_that_hangs_is_given_up(pins, bins, tmp_path, monkeypatch):
    monkeypatch.setattr(gobuild, "GO_ANSWERS_WITHIN", 0.2)
    FakeGo(bins, tmp_path, version="x; exec sleep 20")
    with pytest.raises(CannotBuild, match="does not answer"):
        build_tool("thing", pins)


def test_a_failed_build_says_gos_last_word_and_leaves_nothing(pins, bins, tmp_path):
    FakeGo(bins, tmp_path, build="echo 'verifying module: checksum mismatch' >&2; exit 1")
    with pytest.raises(CannotBuild, match="checksum mismatch"):
        build_tool("thing", pins)
    assert _left_in(tmp_path / "cache") == ["module"]


def test_what_a_killed_build_left_behind_is_swept_away(pins, bins, tmp_path):
    stale = pin_of("thing", pins).cached().parent
    stale = stale.with_name(f"{stale.name}.partial")
    stale.mkdir(parents=True)
    FakeGo(bins, tmp_path)
    build_tool("thing", pins)
    assert not stale.exists()


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tools.gobuild", "pulumi"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_in_the_middle_leaves_no_half_made_engine(bins, tmp_path):
    go = FakeGo(bins, tmp_path, build="sleep 20")
    run = _start()
    while not go.builds():
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=10)
    assert run.returncode == 130, said
    assert "Traceback" not in said
    assert _left_in(tmp_path / "cache") == ["engine"]


def test_two_runs_at_once_build_once(bins, tmp_path):
    go = FakeGo(bins, tmp_path, build="sleep 0.5")
    runs = [_start(), _start()]
    said = [run.communicate(timeout=20) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert said[0][0] == said[1][0]
    assert go.builds() == 1
