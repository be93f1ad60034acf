"""A lab whose `up` is killed: at one moment, or at every moment there is.

Owns the crash matrix: the moments, found in a clean run; for each the engine's death by SIGKILL, the `up` after it with
what a person would type on the way, one more `up`, and the verdict. Refuses to own the typing (`typist`), the words to
type (`stacks.resuming`) and what counts as equal (`crash_portrait`).

A moment is a fault's point: `before` (the World is untouched), `after` (the World has changed, the answer is lost) or a
kind's own word. Other operations under way at that moment are cut with it, as outside.
"""

from __future__ import annotations

import glob
import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from pulumi import automation as auto

from rehearsal.crash_portrait import Portrait, differences, read
from rehearsal.engine import EngineTrouble
from rehearsal.engine_events import name_of
from rehearsal.locks import RackBusy, lift_dead
from rehearsal.rack import Rack, Run, open_rack
from rehearsal.rack_folder import Lab, make_private, write_private
from rehearsal.world_process import Staging, WorldTrouble
from stacks.resuming import Advice, advice, cut_off

ROUNDS = 4
"""So often is `up` tried after a cut: a Helm release cut in the middle stops it twice, and others may with it."""


class NotClean(Exception):
    """Even the run that nothing interrupted did not end well; the message says how."""


@dataclass(frozen=True)
class Clean:
    """A run without a cut: the rack before it, every moment in it, and what stood after it."""

    lab: Lab
    binary: Path
    folder: Path
    """Where this matrix works: `before/` holds the rack as it was before the run."""
    points: tuple[str, ...]
    portrait: Portrait


@dataclass(frozen=True)
class Verdict:
    """What became of a run that was cut at `point`.

    `struck` says that the engine died there; `typed` is what had to be typed; `trouble` is empty when all converged.
    """

    point: str
    folder: Path
    """Where it was lived; gone when it converged."""
    struck: bool
    typed: tuple[str, ...]
    trouble: tuple[str, ...]
    seconds: float

    @property
    def converged(self) -> bool:
        """Whether the engine was killed and nothing was lost or made twice."""
        return self.struck and not self.trouble


def live_clean(folder: Path, lab: Lab, binary: Path) -> Clean:
    """Live `lab` once without a cut in `folder`, which is emptied first. NotClean when it does not end well."""
    shutil.rmtree(folder, ignore_errors=True)
    make_private(folder)
    points = folder / "points.txt"
    staging = Staging(points=points)
    with open_rack(folder / "clean", lab, binary, fresh=True, doing="a crash matrix", staging=staging) as rack:
        shutil.copytree(rack.folder.path, folder / "before" / lab.rack, symlinks=True)
        run = rack.run("up")
        if not run.well:
            raise NotClean("\n".join(f"{error.subject} {error.message}" for error in run.errors()))
        world = rack.folder.world
        moments = tuple(dict.fromkeys(points.read_text(encoding="utf-8").splitlines()))
        return Clean(lab, binary, folder, moments, read(world))


def live_cut(clean: Clean, point: str, number: int) -> Verdict:
    """Live the lab with the engine killed at `point`; `case-<number>` is its folder, kept when it did not converge."""
    started = time.monotonic()
    racks = clean.folder / f"case-{number}"
    shutil.copytree(clean.folder / "before", racks, symlinks=True)
    faults = racks / "faults.json"
    write_private(faults, json.dumps({"faults": [{"kind": "kill", "where": glob.escape(point)}]}))
    staging = Staging(faults)
    struck, typed, trouble = False, [], []
    try:
        with open_rack(racks, clean.lab, clean.binary, fresh=False, doing=f"a cut at {point}", staging=staging) as rack:
            struck = not rack.run("up").well and bool(lift_dead(rack.folder.backend))
            typed, trouble = _resume(rack)
            trouble = trouble or _settled(rack, clean.portrait)
    except (auto.CommandError, EngineTrouble, RackBusy, WorldTrouble) as stopped:
        trouble = [str(stopped)]
    missed = () if struck else ("the engine was not killed: the moment never came",)
    verdict = Verdict(point, racks, struck, tuple(typed), (*missed, *trouble), time.monotonic() - started)
    if verdict.converged:
        shutil.rmtree(racks, ignore_errors=True)
    return verdict


def _resume(rack: Rack) -> tuple[list[str], list[str]]:
    """`up` until it goes well, typing what is advised; what was typed, and what is wrong in the end."""
    typed: list[str] = []
    for _ in range(ROUNDS):
        run = rack.run("up")
        if run.well:
            return typed, []
        told = advised(rack, run)
        wrong = [f"up: {error.subject}: {error.message}" for error in run.errors()]
        if not told:
            return typed, wrong
        for one in told:
            typed += one.commands
            done = rack.type_in(one.commands)
            if done.code:
                return typed, [*wrong, f"typed for {one.name}, exit code {done.code}: {done.said.strip()[-500:]}"]
    return typed, [f"up still stops after {ROUNDS} times"]


def advised(rack: Rack, run: Run) -> list[Advice]:
    """What to type after `run`, which did not go well, for creates that an earlier run was cut off doing."""
    by_name = {name_of(resource["urn"]): resource for resource in cut_off(rack.state())}
    found = (advice(by_name[error.subject], error.message) for error in run.errors() if error.subject in by_name)
    return [one for one in found if one]


def _settled(rack: Rack, clean: Portrait) -> list[str]:
    """What is wrong once `up` went well: changes without an edit, and differences from a clean run's World."""
    again = rack.run("up")
    wrong = [f"up again: {error.subject}: {error.message}" for error in again.errors()]
    wrong += [f"up again, unchanged, changed {step.name}" for step in again.transcript.changed()]
    return wrong + differences(clean, read(rack.folder.world))


def sample(points: Sequence[str], number: int, seed: int) -> list[str]:
    """`number` of the moments, drawn by `seed`, in their own order."""
    drawn = set(random.Random(seed).sample(range(len(points)), min(number, len(points))))
    return [point for index, point in enumerate(points) if index in drawn]


def matrix(clean: Clean, points: Sequence[str], workers: int) -> Iterator[Verdict]:
    """Live a cut at each of `points`, `workers` at a time; the verdicts as they come."""
    pool = futures.ProcessPoolExecutor(workers, mp_context=get_context("spawn"))  # forks inherit gRPC's threads
    try:
        cases = [pool.submit(live_cut, clean, point, number) for number, point in enumerate(points)]
        for case in futures.as_completed(cases):
            yield case.result()
    finally:
        pool.shutdown(cancel_futures=True)
