"""One rehearsal at a time, and no engine's lock outlives the engine."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal.locks import RackBusy, lift_dead, only_one


def _backend_with_lock(folder: Path, pid: int, host: str) -> Path:
    locks = folder / ".pulumi" / "locks" / "organization" / "iluvatar" / "homelab"
    locks.mkdir(parents=True)
    lock = {"pid": pid, "username": "me", "hostname": host, "timestamp": "2026-01-01T00:00:00Z"}
    (locks / "some-uuid.json").write_text(json.dumps(lock))
    return locks / "some-uuid.json"


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_second_rehearsal_is_told_who_is_at_it(tmp_path: Path):
    lock = tmp_path / "a.lock"
    with only_one(lock, "rehearse homelab up"), pytest.raises(RackBusy) as busy, only_one(lock, "rehearse homelab"):
        pass
    assert "rehearse homelab up" in str(busy.value)
    assert str(os.getpid()) in str(busy.value)


def test_the_lock_is_free_after_its_holder(tmp_path: Path):
    with only_one(tmp_path / "a.lock", "first"):
        pass
    with only_one(tmp_path / "a.lock", "second") as descriptor:
        assert json.loads((tmp_path / "a.lock").read_text())["doing"] == "second"
        assert descriptor > 2


def test_a_rack_stays_closed_while_an_engine_of_a_killed_rehearsal_lives(tmp_path: Path):
    lock = tmp_path / "a.lock"
    with only_one(lock, "first") as descriptor:
        engine = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor], text=True
        )
    lock.write_text(json.dumps({"pid": _dead_process(), "doing": "first", "since": "10:00:00"}))
    try:
        with pytest.raises(RackBusy, match="was killed"), only_one(lock, "second", patience=0.2):
            pass
    finally:
        engine.communicate("\n")
    with only_one(lock, "third"):
        pass


def test_a_dead_engine_s_lock_is_lifted_and_named(tmp_path: Path):
    pid = _dead_process()
    lock = _backend_with_lock(tmp_path, pid, socket.gethostname())
    lifted = lift_dead(tmp_path)
    assert [(one.pid, one.since) for one in lifted] == [(pid, "2026-01-01T00:00:00Z")]
    assert not lock.exists()


def test_an_engine_dead_but_not_buried_is_dead(tmp_path: Path):
    """Incident: with a rehearsal killed, its engine's process stayed a zombie, and the next run took it for alive."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        _backend_with_lock(tmp_path, child.pid, socket.gethostname())
        assert len(lift_dead(tmp_path)) == 1
    finally:
        child.wait()


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_lock_of_a_living_engine_is_never_lifted(tmp_path: Path, where: str):
    host = socket.gethostname() if where == "here" else "another-host"
    lock = _backend_with_lock(tmp_path, os.getpid(), host)
    with pytest.raises(RackBusy, match=str(os.getpid())):
        lift_dead(tmp_path)
    assert lock.exists()
