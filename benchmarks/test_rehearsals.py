"""What a rehearsal may take on two cores: `make bench`."""

import time
from pathlib import Path

import pytest

from cli.engine import find_engine
from rehearsal.crash import Of, live_clean, matrix, sample
from rehearsal.rack import open_rack
from tests.labs import SHIPPED
from tests.rehearsal.lives import shipped, without_gitops

WHOLE_LIFE = 30.0
"""Seconds for preview, up and up again of one lab, everything installed."""
SAMPLED_MATRIX = 180.0
"""Seconds for the sample of the crash matrix that `make test` takes."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_lab_is_rehearsed_while_one_waits(name: str, tmp_path: Path) -> None:
    started = time.monotonic()
    with open_rack(tmp_path, shipped(name), find_engine(), fresh=True, doing="a benchmark") as rack:
        runs = [rack.run(verb) for verb in ("preview", "up", "up")]
    took = time.monotonic() - started
    print(f"{name}: {took:.1f} s: {', '.join(f'{run.verb} {run.seconds:.1f}' for run in runs)}")
    assert all(run.well for run in runs)
    assert took < WHOLE_LIFE


SAMPLED: tuple[tuple[str, Of, int], ...] = (
    ("homelab", "up", 7),
    ("turing", "up", 2),
    ("homelab", "edit", 3),
    ("homelab", "destroy", 3),
    ("shire", "edit", 3),
)
"""As many cuts as `make test` draws: lab, what is cut, how often."""


def test_a_sampled_crash_matrix_fits_into_make_test(tmp_path: Path) -> None:
    started = time.monotonic()
    for name, of, number in SAMPLED:
        folder = tmp_path / f"{name}-{of}"
        chosen = without_gitops(tmp_path) if name == "shire" else shipped(name)
        clean = live_clean(folder, chosen, find_engine(), of)
        verdicts = list(matrix(clean, sample(clean.points, number, 1), workers=2))
        assert all(verdict.converged for verdict in verdicts)
        print(f"{len(verdicts)} cuts of {name}, {of}: {time.monotonic() - started:.1f} s so far")
    assert time.monotonic() - started < SAMPLED_MATRIX
