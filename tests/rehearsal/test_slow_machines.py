"""Machines that take their time, with the real engine: who waits long enough, and what a person reads when not."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from rehearsal.rack import Run, open_rack
from rehearsal.rack_folder import Lab
from rehearsal.world_process import Staging
from render.talosctl import BOOT
from tests.labs import ROOT

LAB = Lab("turing", ROOT / "Pulumi.turing.yaml", ROOT / "gitops", ROOT / "__main__.py", "turing")


SLOW = 60.0 * BOOT - 200
"""Seconds of a boot that is just waited for, by the provider and by the gates alike."""


def lived(folder: Path, engine: Path, **fault: Any) -> tuple[Run, float]:
    """A first up with a fault in the World, and how long that took by the World's clock."""
    faults = folder / "faults.json"
    faults.write_text(json.dumps({"faults": [fault]}))
    with open_rack(folder / "racks", LAB, engine, fresh=True, doing="a test", staging=Staging(faults)) as rack:
        run = rack.run("up")
        return run, rack.world().clock.now


@pytest.mark.slow
def test_a_machine_that_boots_longer_than_the_provider_s_own_limit_is_waited_for(tmp_path: Path, engine: Path):
    began = time.monotonic()
    run, took = lived(tmp_path, engine, kind="slow", where="machine/talos-1", seconds=SLOW)
    assert run.well, run.errors()
    assert took > 2 * SLOW, "it boots twice: into maintenance, and from its disk"
    assert time.monotonic() - began < 600, "nobody slept"


@pytest.mark.slow
def test_a_worker_that_boots_as_long_is_waited_for_by_the_gate_of_the_nodes(tmp_path: Path, engine: Path):
    run, took = lived(tmp_path, engine, kind="slow", where="machine/talos-4", seconds=SLOW)
    assert run.well, run.errors()
    assert took > 2 * SLOW


@pytest.mark.slow
def test_one_that_is_not_there_in_half_an_hour_is_told_with_its_reason(tmp_path: Path, engine: Path):
    why = "its cable is pulled"
    run, _ = lived(tmp_path, engine, kind="outage", where="machine/talos-1", seconds=10_000, message=why)
    said = next(error.message for error in run.errors() if error.subject == "arda-apply-talos-1")
    assert "talos-1 stands at 'unreachable': its cable is pulled" in said
    assert "tried again for 30m0s (timeouts.create), and nothing changed" in said


def test_what_is_cut_is_said_with_the_crash_matrix_only():
    told = CliRunner().invoke(app, ["rehearse", "turing", "--of", "edit"])
    assert told.exit_code == 2
    assert "--of goes with --crash-matrix" in told.output
