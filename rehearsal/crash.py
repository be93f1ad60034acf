"""A lab whose life is cut off by a kill: at one moment, or at every moment there is.

Owns the crash matrix of a first `up`, of the `up` after an edit, of a `destroy`: the moments, found in a clean run; for
each the engine's death by SIGKILL, the same again with what a person would type on the way, once more, and the verdict.
Refuses to own the typing (`typist`), the words to type (`stacks.resuming`), the edit (`crash_edit`) and what counts as
equal (`crash_portrait`).

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
from typing import Literal

from pulumi import automation as auto

from rehearsal.crash_edit import edited_lab
from rehearsal.crash_portrait import Portrait, differences, read
from rehearsal.engine import EngineTrouble
from rehearsal.engine_events import name_of
from rehearsal.locks import RackBusy, lift_dead
from rehearsal.rack import Rack, Run, Verb, open_rack
from rehearsal.rack_folder import Lab, make_private, write_private
from rehearsal.world_process import Staging, WorldTrouble
from stacks.resuming import Advice, advice, cut_off

Of = Literal["up", "edit", "destroy"]
"""What is cut: the lab's first `up`, the `up` after an edit of its file, its `destroy`."""
ROUNDS = 4
"""So often is a run tried after a cut: a Helm release cut in the middle stops it twice, and others may with it."""


class NotClean(Exception):
    """Even the run that nothing interrupted did not end well; the message says how."""


@dataclass(frozen=True)
class Clean:
    """A run without a cut: the rack before it, every moment in it, and what stood after it."""

    lab: Lab
    of: Of
    binary: Path
    folder: Path
    """Where this matrix works: `before/` holds the rack as it was before the run."""
    points: tuple[str, ...]
    portrait: Portrait

    @property
    def verb(self) -> Verb:
        """What the engine is told to do in the run that is cut."""
        return "destroy" if self.of == "destroy" else "up"


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


def live_clean(folder: Path, lab: Lab, binary: Path, of: Of = "up") -> Clean:
    """Live `lab` once without a cut in `folder`, which is emptied first. NotClean when it does not end well.

    `of` is what will be cut; what must stand before it is brought about first.
    """
    shutil.rmtree(folder, ignore_errors=True)
    make_private(folder)
    with open_rack(folder / "clean", lab, binary, fresh=True, doing="a crash matrix") as rack:
        if of != "up":
            _clean_run(rack, "up")
        if of == "destroy":
            rack.unprotect()
    shutil.copytree(folder / "clean" / lab.rack, folder / "before" / lab.rack, symlinks=True)
    lab = edited_lab(lab, folder / "edited") if of == "edit" else lab
    points = folder / "points.txt"
    points.touch()
    staging = Staging(points=points)
    with open_rack(folder / "clean", lab, binary, fresh=False, doing="a crash matrix", staging=staging) as rack:
        _clean_run(rack, "destroy" if of == "destroy" else "up")
        moments = tuple(dict.fromkeys(points.read_text(encoding="utf-8").splitlines()))
        return Clean(lab, of, binary, folder, moments, read(rack.folder.world))


def _clean_run(rack: Rack, verb: Verb) -> None:
    run = rack.run(verb)
    if not run.well:
        raise NotClean("\n".join(f"{verb}: {error.subject} {error.message}" for error in run.errors()))


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
            struck = not rack.run(clean.verb).well and bool(lift_dead(rack.folder.backend))
            typed, trouble = _resume(rack, clean.verb)
            trouble = trouble or _settled(rack, clean)
    except (auto.CommandError, EngineTrouble, RackBusy, WorldTrouble) as stopped:
        trouble = [str(stopped)]
    missed = () if struck else ("the engine was not killed: the moment never came",)
    verdict = Verdict(point, racks, struck, tuple(typed), (*missed, *trouble), time.monotonic() - started)
    if verdict.converged:
        shutil.rmtree(racks, ignore_errors=True)
    return verdict


def _resume(rack: Rack, verb: Verb) -> tuple[list[str], list[str]]:
    """`verb` until it goes well, typing what is advised; what was typed, and what is wrong in the end."""
    typed: list[str] = []
    for _ in range(ROUNDS):
        run = rack.run(verb)
        if run.well:
            return typed, []
        told = advised(rack, run)
        wrong = [f"{verb}: {error.subject}: {error.message}" for error in run.errors()]
        if not told:
            return typed, wrong
        lines = list(dict.fromkeys(line for one in told for line in one.commands))
        typed += lines
        done = rack.type_in(lines)
        if done.code:
            return typed, [*wrong, f"typed {'; '.join(lines)}, exit code {done.code}: {done.said.strip()[-500:]}"]
    return typed, [f"{verb} still stops after {ROUNDS} times"]


def advised(rack: Rack, run: Run) -> list[Advice]:
    """What to type after `run`, which did not go well, for what an earlier run was cut off doing."""
    state = rack.state()
    made = {name_of(resource["urn"]): resource for resource in state.get("resources") or ()}
    cut = {name_of(resource["urn"]): resource for resource in cut_off(state)}
    told: list[Advice | None] = []
    for error in run.errors():
        if error.subject in cut:
            told.append(advice(cut[error.subject], error.message, "creating"))
        elif error.subject in made:
            told.append(advice(made[error.subject], error.message, "changing"))
    return [one for one in told if one]


def _settled(rack: Rack, clean: Clean) -> list[str]:
    """What is wrong once it went well: changes without an edit, and differences from a clean run's World."""
    again = rack.run(clean.verb)
    wrong = [f"{clean.verb} again: {error.subject}: {error.message}" for error in again.errors()]
    wrong += [f"{clean.verb} again, unchanged, changed {step.name}" for step in again.transcript.changed()]
    if clean.of == "destroy":
        wrong += [f"still in the state: {name_of(each['urn'])}" for each in rack.state().get("resources") or ()]
    return wrong + differences(clean.portrait, read(rack.folder.world))


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
