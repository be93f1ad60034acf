"""On the rack: a Maia with a blank card writes it itself, and joins from it."""

from pathlib import Path
from typing import Any

from tests.rehearsal.lives import Life
from tests.stamped import NODE, stamped


def stamping(environment: dict[str, Any]) -> None:
    """The lab of `tests.stamped`."""
    environment.update(stamped())


def test_a_blank_card_is_written_from_the_network_though_cut_off_once_and_its_pi_joins_from_it(
    tmp_path: Path, engine: Path
) -> None:
    life = Life("homelab", tmp_path, engine)
    life.edited(stamping)
    life.staged({"kind": "cut", "where": f"host/{NODE}/ilmarin-stamp"})
    run = life.run("up", fresh=True)
    assert run.well, run.errors()
    pi = life.world().hosts.records[NODE]
    assert pi["stage"] == "running"
    assert pi["card"]["ilmarin-host-key"].split()[:2] == pi["host_key"].split()[:2]
    assert "root=LABEL=writable" in pi["card"]["cmdline.txt"]
    assert "CARD=yes" in pi["files"]["/etc/ilmarin/node.env"]["content"]
    assert pi["services"]["k3s-agent"]["active"]
    assert "ilmarin-stamp.service" not in "".join(pi["files"]), "nothing is left of the system that wrote it"
