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


# On the workstation

LOCAL = "command:local:Command"
ASK = "curl --silent --show-error --insecure --output /dev/null --write-out '%{http_code}\\n' "
WAIT = ASK + "--retry 120 --retry-delay 5 --retry-all-errors "
READY = "https://10.0.0.100:6443/readyz"


def _starting(world: World, seconds: float) -> None:
    world.kubernetes.stand_up("main", server="https://10.0.0.100:6443", version="v1", credential="x", starts_in=seconds)


def test_an_api_that_stands_lets_nobody_in_without_a_credential(engine: Engine, world: World):
    _starting(world, 0.0)
    _, state, _ = engine.create(LOCAL, create=ASK + READY)
    assert state["stdout"] == "401"


def test_an_api_that_starts_refuses_who_asks_once_and_answers_who_waits(engine: Engine, world: World):
    _starting(world, 90.0)
    with pytest.raises(Aborted, match=r"(?s)exit status 7: running .*Failed to connect to 10\.0\.0\.100 port 6443"):
        engine.create(LOCAL, create=ASK + READY)
    _, state, _ = engine.create(LOCAL, create=WAIT + READY)
    assert state["stdout"] == "401"
    assert "start serving" in [each["operation"] for each in world.entries()]


def test_an_api_that_never_comes_is_waited_for_in_vain(engine: Engine, world: World):
    with pytest.raises(Aborted, match="Could not connect to server"):
        engine.create(LOCAL, create=WAIT + READY)


def test_a_certificate_of_a_cluster_is_nobodys_whom_curl_knows(engine: Engine, world: World):
    _starting(world, 0.0)
    with pytest.raises(Aborted, match=r"\(60\) SSL certificate problem"):
        engine.create(LOCAL, create=f"curl --silent --show-error {READY}")


def test_a_local_command_knows_nothing_of_the_machine_under_the_rack(engine: Engine):
    assert engine.check(LOCAL, create="true", dir="/")[0][0] == "dir"
    with pytest.raises(Aborted, match="k3s: command not found"):
        engine.create(LOCAL, create="k3s --version")
