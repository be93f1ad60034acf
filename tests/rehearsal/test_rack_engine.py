"""The engine's process sees what the rack gives it and nothing else, and ends in order when asked."""

import os
import threading
import time
from pathlib import Path

import pytest
from pulumi import automation as auto

from rehearsal.engine import Engine, EngineTrouble, engine_environment, scrubbed_process

THEIRS = {
    "KUBECONFIG": "/home/me/.kube/config",
    "TALOSCONFIG": "/home/me/talosconfig",
    "CLOUDFLARE_API_TOKEN": "real",
    "AWS_PROFILE": "prod",
    "PULUMI_ACCESS_TOKEN": "pul-real",
    "PULUMI_CONFIG_PASSPHRASE": "theirs",
    "https_proxy": "http://proxy.example.com",
}


def _fake(folder: Path, body: str) -> Path:
    """A stand-in for the CLI: it answers `version`, and does `body` for anything else."""
    script = folder / "pulumi"
    script.write_text(f'#!/bin/sh\n[ "$2" = version ] && echo v3.259.0 && exit\n{body}\n')
    script.chmod(0o755)
    return script


def _environment(folder: Path) -> dict[str, str]:
    return engine_environment(folder / "home", folder / "backend", "the rack's", {"talos": 1234, "kubernetes": 99})


def test_nothing_of_the_person_s_environment_reaches_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in THEIRS.items():
        monkeypatch.setenv(name, value)
    said = Engine(_fake(tmp_path, "env"), _environment(tmp_path)).run(["up"], str(tmp_path), {}).stdout
    seen = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    assert seen["PULUMI_CONFIG_PASSPHRASE"] == "the rack's"
    assert seen["HOME"] == str(tmp_path / "home")
    assert seen["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/backend?metadata=skip"
    assert seen["PULUMI_DEBUG_PROVIDERS"] == "kubernetes:99,talos:1234"
    assert not (set(THEIRS) - {"PULUMI_CONFIG_PASSPHRASE"}) & set(seen)


def test_the_program_s_own_process_is_scrubbed_and_given_back(monkeypatch: pytest.MonkeyPatch):
    for name, value in THEIRS.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with scrubbed_process({"ILUVATAR_GITOPS": "/there"}):
        assert not set(THEIRS) & set(os.environ)
        assert os.environ["ILUVATAR_GITOPS"] == "/there"
        assert os.environ["PATH"] == before["PATH"]
    assert dict(os.environ) == before


def test_a_secret_reaches_the_engine_on_stdin_and_never_as_an_argument(tmp_path: Path):
    engine = Engine(_fake(tmp_path, 'echo "args: $*"; echo "stdin: $(cat)"'), _environment(tmp_path))
    said = engine.run(["config", "set", "--secret", "k"], str(tmp_path), {}, stdin="s3cret").stdout
    assert said == "args: --non-interactive config set --secret k\nstdin: s3cret\n"


def _interrupt(engine: Engine, started: Path, times: int) -> threading.Thread:
    """Interrupt `engine` `times` times, once what it runs has made the file `started`."""

    def insist() -> None:
        sent = 0
        while sent < times:
            time.sleep(0.01)
            sent += started.exists() and engine.interrupt()

    thread = threading.Thread(target=insist, daemon=True)
    thread.start()
    return thread


def test_an_interrupt_lets_the_engine_end_in_its_own_way(tmp_path: Path):
    body = 'trap "echo finished what was under way; exit 3" INT; : > started; for i in $(seq 200); do sleep 0.05; done'
    engine = Engine(_fake(tmp_path, body), _environment(tmp_path))
    assert engine.interrupt() is False
    thread = _interrupt(engine, tmp_path / "started", times=1)
    with pytest.raises(auto.CommandError, match="finished what was under way"):
        engine.run(["up"], str(tmp_path), {})
    thread.join()
    assert engine.interrupt() is False


def test_an_engine_that_will_not_end_is_killed_at_the_third_interrupt(tmp_path: Path):
    engine = Engine(_fake(tmp_path, 'trap "" INT; : > started; exec sleep 10'), _environment(tmp_path))
    thread = _interrupt(engine, tmp_path / "started", times=3)
    with pytest.raises(auto.CommandError, match="code: -9"):
        engine.run(["up"], str(tmp_path), {})
    thread.join()


@pytest.mark.parametrize("body", ["echo hello", "exit 1"])
def test_what_is_no_engine_is_named(tmp_path: Path, body: str):
    script = tmp_path / "pulumi"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    with pytest.raises(EngineTrouble, match=str(script)):
        Engine(script, _environment(tmp_path))
