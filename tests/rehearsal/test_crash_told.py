"""A person who rehearses meets a cut, reads what to type, and lets the rack type it."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cli.rehearse import FINE, REFUSED, Rehearsal
from rehearsal.locks import lift_dead
from rehearsal.rack import open_rack
from rehearsal.rack_folder import Lab
from rehearsal.world_process import Staging
from tests.labs import ROOT, planned, raw


@pytest.mark.slow
def test_a_cut_bootstrap_is_told_with_its_command_and_resumed_on_demand(tmp_path: Path, engine: Path):
    lab = Lab("turing", ROOT / "Pulumi.turing.yaml", ROOT / "gitops", ROOT / "__main__.py", "turing")
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": [{"kind": "kill", "where": "talos/Bootstrap/create/after/*"}]}))
    said = io.StringIO()
    with open_rack(tmp_path / "racks", lab, engine, fresh=True, doing="a test", staging=Staging(faults)) as rack:
        plan = planned(raw("turing"))
        rehearsal = Rehearsal(rack, Console(file=said, width=100), "turing", set(plan.leftovers), plan.edge)
        assert rehearsal.step("up", unprotect=False, resume=False) == REFUSED
        assert lift_dead(rack.folder.backend)
        assert rehearsal.step("up", unprotect=False, resume=False) == REFUSED
        told = said.getvalue()
        assert "tried again for 3m0s" in " ".join(told.split()), "soon, not after the provider's own ten minutes"
        assert "pulumi import talos:machine/bootstrap:Bootstrap arda-bootstrap machine_bootstrap" in told
        assert "./lab rehearse turing up --resume" in told
        assert rehearsal.step("up", unprotect=False, resume=True) == FINE
        assert rack.run("up").transcript.changed() == []
