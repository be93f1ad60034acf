"""The engine is found, or built once; and who has neither reads one sentence that says both ways to get it."""

import re
from pathlib import Path

import pytest

from cli import engine
from tests.house.fakes import FakeGo, write_script
from tools.gobuild import pin_of

FLOOR = pin_of("pulumi").version


@pytest.fixture
def bins(tmp_path, monkeypatch):
    """A PATH of its own with nothing of this machine's but the shell's tools, and an empty cache."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sleep", "mkdir", "cat", "chmod"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def _pulumi(bins: Path, body: str) -> Path:
    return write_script(bins / "pulumi", body)


@pytest.mark.parametrize("version", [FLOOR, "v3.9999.0", "v4.0.0-alpha.1", FLOOR.removeprefix("v")])
def test_an_installed_engine_that_is_new_enough_is_taken(bins, version):
    pulumi = _pulumi(bins, f"echo {version}")
    assert engine.find_engine() == pulumi


@pytest.mark.parametrize("version", ["v3.9.0", "v2.999.999", f"{FLOOR}-beta.1"])
def test_an_older_engine_is_refused_by_its_version(bins, version):
    _pulumi(bins, f"echo {version}")
    with pytest.raises(engine.Unfit, match=f"{re.escape(version)}, older than {re.escape(FLOOR)}"):
        engine.installed(FLOOR)


def test_an_engine_that_prints_a_warning_first_is_still_understood(bins):
    pulumi = _pulumi(bins, f"echo 'warning: a new version is out'; echo {FLOOR}")
    assert engine.installed(FLOOR) == pulumi


def test_an_engine_that_hangs_is_given_up(bins, monkeypatch):
    monkeypatch.setattr(engine, "ANSWERS_WITHIN", 0.2)
    _pulumi(bins, "sleep 20")
    with pytest.raises(engine.Unfit, match="does not answer"):
        engine.installed(FLOOR)


@pytest.mark.parametrize(
    ("body", "word"),
    [("exit 3", "does not say its version"), (f"echo {FLOOR}; exit 1", "does not say"), ("echo hello", "does not say")],
)
def test_an_engine_that_is_broken_is_passed_over(bins, body, word):
    _pulumi(bins, body)
    with pytest.raises(engine.Unfit, match=word):
        engine.installed(FLOOR)


def test_an_engine_that_is_no_program_is_passed_over(bins):
    broken = bins / "pulumi"
    broken.write_bytes(b"\x7fELF but cut short")
    broken.chmod(0o755)
    with pytest.raises(engine.Unfit, match=r"does not start|does not say"):
        engine.installed(FLOOR)


def test_with_neither_engine_nor_go_one_sentence_says_both_ways(bins):
    with pytest.raises(engine.EngineMissing) as missing:
        engine.find_engine()
    words = str(missing.value)
    assert "no `pulumi` is installed" in words
    assert f"install Pulumi {FLOOR} or newer" in words
    assert f"Go {pin_of('pulumi').go} or newer" in words
    assert "\n" not in words, f"it is to be one sentence or two on one line: {words}"


def test_the_command_ends_with_2_and_no_traceback(bins, capsys):
    assert engine.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("The Pulumi engine is missing")


def test_an_old_engine_beside_a_go_is_replaced_by_a_built_one(bins, tmp_path, capsys):
    _pulumi(bins, "echo v3.9.0")
    go = FakeGo(bins, tmp_path)
    built = engine.find_engine()
    assert built.is_relative_to(tmp_path / "cache" / "iluvatar" / "engine")
    assert engine.find_engine() == built
    assert go.builds() == 1, "the second search builds nothing"
    assert capsys.readouterr().out == "", "stdout belongs to the verb"


def test_the_built_engine_knows_its_version(bins, tmp_path):
    # Incident: a CLI built without the linker flag is refused by the Automation API.
    go = FakeGo(bins, tmp_path)
    engine.find_engine()
    assert f"sdk/v3/go/common/version.Version={FLOOR}" in go.last_build()
