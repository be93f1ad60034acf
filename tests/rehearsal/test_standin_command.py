"""A command runs when the provider would run it, and says what the provider would say."""

from pathlib import Path
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.standins import command
from rehearsal.standins.wire import UNKNOWN, Secret
from rehearsal.world import World
from tests.rehearsal.worlds import HOST_KEY, KEY, Aborted, Engine, a_world

COMMAND = "command:remote:Command"
CONNECTION = {"host": "10.0.0.50", "user": "op", "privateKey": Secret(KEY.private), "hostKey": HOST_KEY}


@pytest.fixture
def world() -> World:
    return a_world()


@pytest.fixture
def engine(world: World) -> Engine:
    return Engine(command.stand_in(), world)


def _file(world: World, path: str) -> str:
    return str(world.hosts.records["vala-1"]["files"].get(path, {}).get("content", ""))


def test_a_preview_runs_nothing(engine: Engine, world: World):
    _, state, _ = engine.create(COMMAND, preview=True, connection=CONNECTION, create="echo x | tee /tmp/x")
    assert state["stdout"] is UNKNOWN
    assert _file(world, "/tmp/x") == ""


def test_what_it_printed_is_its_output_and_the_key_stays_secret(engine: Engine):
    _, state, secrets = engine.create(COMMAND, connection=CONNECTION, create="hostname; echo oh >&2")
    assert (state["stdout"], state["stderr"]) == ("vala-1", "oh")
    assert ("connection",) in secrets
    assert ("stdout",) not in secrets


def test_what_a_secret_command_or_input_printed_is_secret(engine: Engine):
    _, state, secrets = engine.create(COMMAND, connection=CONNECTION, create="cat", stdin=Secret("t0ken"))
    assert state["stdout"] == "t0ken"
    assert {("stdout",), ("stdin",)} <= secrets


def test_a_failing_command_prints_its_whole_text_and_what_it_said(engine: Engine):
    text = "echo before; cat /nope"
    with pytest.raises(Aborted) as failed:
        engine.create(COMMAND, connection=CONNECTION, create=text)
    for words in ("Process exited with status 1", text, "before", "cat: /nope: No such file or directory"):
        assert words in str(failed.value)


def test_a_secret_on_stdin_is_not_in_what_a_failing_command_says(engine: Engine):
    with pytest.raises(Aborted) as failed:
        engine.create(COMMAND, connection=CONNECTION, create="tee /etc/x >/dev/null", stdin=Secret("t0ken"))
    assert "t0ken" not in str(failed.value)


@pytest.mark.parametrize("change", ["create", "update", "delete", "stdin", "environment", "connection"])
def test_any_change_but_a_trigger_is_an_update(engine: Engine, change: str):
    olds: dict[str, Any] = {"connection": {"host": "a"}, "create": "true", "triggers": ["1"]}
    diff = engine.diff(COMMAND, olds, {**olds, change: {"host": "b"} if change == "connection" else "x"})
    assert diff.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert not diff.replaces


def test_a_changed_trigger_replaces_create_first(engine: Engine):
    olds = {"connection": {"host": "a"}, "create": "true", "triggers": ["1"]}
    diff = engine.diff(COMMAND, olds, {**olds, "triggers": ["2"]})
    assert diff.replaces
    assert not diff.deleteBeforeReplace


def test_an_update_runs_update_or_else_create_again(engine: Engine, world: World):
    add = {"connection": CONNECTION, "create": "echo made | tee -a /tmp/log"}
    _, state, _ = engine.create(COMMAND, **add)
    engine.update(COMMAND, state, add)
    engine.update(COMMAND, state, {**add, "update": "echo changed | tee -a /tmp/log"})
    engine.delete(COMMAND, {**add, "delete": "echo gone | tee -a /tmp/log"})
    assert _file(world, "/tmp/log") == "made\nmade\nchanged\ngone\n"


def test_an_environment_is_dropped_silently_as_sshd_does(engine: Engine):
    news = {"connection": CONNECTION, "create": 'echo "[${MORE:-}]"', "environment": {"MORE": "x"}}
    assert engine.create(COMMAND, **news)[1]["stdout"] == "[]"


def test_a_misspelt_connection_is_refused(engine: Engine):
    assert engine.check(COMMAND, connection={"host": "a", "hostkey": "b"})[0][0] == "connection.hostkey"
    assert engine.check(COMMAND, connection={"user": "a"})[0][0] == "connection.host"
    assert engine.check(COMMAND, create="true")[0][0] == "connection"


def test_what_a_command_did_outlives_the_process(tmp_path: Path):
    file = tmp_path / "world.json"
    Engine(command.stand_in(), a_world(file=file)).create(COMMAND, connection=CONNECTION, create="echo x | tee /tmp/x")
    assert _file(a_world(file=file), "/tmp/x") == "x\n"
