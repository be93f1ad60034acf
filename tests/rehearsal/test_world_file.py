"""The World outlives its process, holds what it issued, and shows it to nobody else."""

import json
import stat
from pathlib import Path

import pytest

from rehearsal.faults import Fault, Faults, load_faults
from rehearsal.world.errors import EngineKilled, Refusal
from tests.rehearsal.worlds import a_world, lab


def test_a_world_comes_back_from_its_file_as_it_was_left(tmp_path: Path):
    file = tmp_path / "world.json"
    world = a_world(file=file)
    with world.change():
        world.machines.switch("cp-1", on=False)
        world.journal("switch off", kind="machines", subject="cp-1")
    again = a_world(file=file)
    assert again.machines.records["cp-1"]["stage"] == "off"
    assert again.entries() == world.entries()


def test_half_of_a_refused_change_is_kept_as_it_would_be_outside(tmp_path: Path):
    world = a_world(file=tmp_path / "world.json")

    def cut_off() -> None:
        with world.change():
            world.machines.records["cp-1"]["power"] = False
            raise Refusal("the second half failed")

    with pytest.raises(Refusal):
        cut_off()
    assert not a_world(file=tmp_path / "world.json").machines.records["cp-1"]["power"]


def test_the_file_is_its_owner_s_alone_and_never_half_written(tmp_path: Path):
    file = tmp_path / "world.json"
    a_world(file=file).save()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["world.json"]


def test_what_changes_nothing_writes_nothing(tmp_path: Path):
    file = tmp_path / "world.json"
    world = a_world(file=file)
    with world.change():
        world.machines.at("10.0.0.99")
    written = file.stat().st_ino
    with world.change():
        world.machines.at("10.0.0.99")
    assert file.stat().st_ino == written
    file.unlink()
    world.save()
    assert file.exists(), "what somebody took away is written again"


def test_a_world_of_another_version_is_refused(tmp_path: Path):
    file = tmp_path / "world.json"
    file.write_text(json.dumps({"version": 99}))
    with pytest.raises(Refusal, match="version 99"):
        a_world(file=file)


def test_a_new_node_of_the_environment_is_racked_and_one_that_left_stays_as_metal_does(tmp_path: Path):
    file = tmp_path / "world.json"
    a_world(file=file).save()
    grown = lab()
    grown["cluster"]["nodes"]["worker-2"] = {**grown["cluster"]["nodes"].pop("worker-1"), "mac": "02:00:00:00:00:05"}
    world = a_world(grown, file=file)
    assert world.machines.names() == ["cp-1", "cp-2", "worker-1", "worker-2"]


def test_every_secret_the_world_issued_is_remembered_once():
    world = a_world()
    assert world.issue_secret("hunter2") == world.issue_secret("hunter2")
    assert world.issued_secrets() == ["hunter2"]


def test_a_fault_strikes_at_its_point_when_it_is_due_and_no_more_often():
    faults = Faults([Fault("error", "talos/*/create/before/*", when=2, times=1, message="cut")])
    faults.strike("talos/Bootstrap/create/before/a")
    faults.strike("kubernetes/Namespace/create/before/a")
    with pytest.raises(Refusal, match="cut"):
        faults.strike("talos/Bootstrap/create/before/b")
    faults.strike("talos/Bootstrap/create/before/c")


def test_a_kill_fault_asks_for_the_engine_s_death():
    with pytest.raises(EngineKilled):
        Faults([Fault("kill", "*")]).strike("talos/Bootstrap/create/after/a")


def test_chance_is_replayed_by_its_seed():
    def struck(seed: int) -> list[int]:
        faults = Faults([Fault("error", "*", times=100, chance=0.3)], seed)
        found = []
        for number in range(50):
            try:
                faults.strike("x")
            except Refusal:
                found.append(number)
        return found

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)


@pytest.mark.parametrize("text", ["faults: [{kind: error, wher: '*'}]", "faults: [{kind: fire, where: '*'}]"])
def test_a_misspelt_fault_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "faults.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"faults\.yaml"):
        load_faults(file)
