"""`./lab rehearse`: the life of a lab, or one step of it, on the rack.

Owns the order of the runs and the exit code. Refuses to own the running (`rehearsal.rack`) and the telling
(`rehearsed`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pulumi import automation as auto
from rich.console import Console

from cli import rehearsed, summary
from cli.check import judge, show
from cli.console import complain, console
from cli.engine import EngineMissing, find_engine
from cli.progress import RunProgress, by_realm
from cli.stack_files import ROOT, StackFile
from model.edge_plan import EdgePlan
from model.plan import plan
from rehearsal.crash import ROUNDS, advised
from rehearsal.engine import EngineTrouble
from rehearsal.engine_events import Diagnostic
from rehearsal.locks import RackBusy
from rehearsal.rack import Lab, Rack, Run, Verb, open_rack
from rehearsal.report import durations_in, forecast, plain_outputs, protected
from rehearsal.stack_copy import NotAStackFile
from rehearsal.standing import retired, unwell
from rehearsal.world_process import WorldTrouble
from stacks.in_the_way import lost, refused
from stacks.resuming import Advice

RACKS = ROOT / ".rack"

FINE, REFUSED, UNUSABLE, STOPPED = 0, 1, 2, 130


@dataclass
class Rehearsal:
    """One rehearsal being told: the open rack, and where its runs are shown."""

    rack: Rack
    out: Console
    stack: str
    leftovers: set[str]
    """What the plan says that a destroy leaves standing."""
    edge: EdgePlan
    """What the plan has at Cloudflare."""
    started: float = field(default_factory=time.monotonic)
    told: set[Diagnostic] = field(default_factory=set)
    """Warnings already shown: the same one comes back with every run."""

    def run(self, verb: Verb, note: str = "", like: Run | None = None) -> Run:
        """Let the engine do `verb`, showing it; `like` is an earlier run over the same resources, for the totals."""
        rehearsed.heading(self.out, verb, note)
        expected = {realm: len(steps) for realm, steps in by_realm(like.transcript).items()} if like else {}
        with RunProgress(self.out, expected) as progress:
            run = self.rack.run(verb, progress)
        rehearsed.outcome(self.out, run, self.told, realms=not expected)
        self.told |= set(run.transcript.diagnostics)
        return run

    def whole(self) -> int:
        """Preview, up, and up again: FINE only when the preview was right and the second up had nothing to do."""
        preview = self.run("preview")
        if not preview.well:
            return self.ended(preview)
        first = self.run("up", like=preview)
        if not first.well:
            return self.ended(first)
        promised, made = preview.transcript.created(), first.transcript.created()
        if promised != made:
            rehearsed.mismatch(self.out, sorted(promised - made), sorted(made - promised))
        second = self.run("up", "again, unchanged", like=first)
        if not second.well:
            return self.ended(second)
        if second.transcript.changed():
            rehearsed.changed(self.out, second.transcript.changed())
        state = self.rack.state()
        outputs, secret = plain_outputs(state)
        whole = forecast(state, durations_in(self.rack.world().entries()))
        summary.summary(self.out, self.rack.world(), whole, outputs, secret)
        summary.next_steps(self.out, self.stack, self.rack.folder.path, outputs.get("nextSteps"))
        kept = promised == made and not second.transcript.changed() and self.healthy()
        summary.closing(self.out, self.stack, time.monotonic() - self.started, kept=kept)
        return FINE if kept else REFUSED

    def step(self, verb: Verb, *, unprotect: bool, resume: bool) -> int:
        """One verb on the World as it was left."""
        state = self.rack.state()
        before = self.rack.world()
        rehearsed.found(self.out, state, before, self.rack.lifted)
        if verb == "up" and not state.get("resources") and before.leftovers():
            rehearsed.on_leftovers(self.out, before.leftovers(), self.stack)
        if verb == "destroy" and unprotect:
            self.rack.unprotect()
        run = self.resumed(verb) if resume else self.run(verb)
        if run.refused and protected(state):
            rehearsed.protection(self.out, protected(state), self.stack)
            return REFUSED
        if verb == "destroy" and run.well:
            after = self.rack.world()
            kept = rehearsed.left(self.out, self.leftovers, set(after.leftovers()), set(retired(after)))
            return FINE if kept else REFUSED
        if not run.well:
            return self.ended(run)
        if verb == "up":
            rehearsed.retired(self.out, retired(self.rack.world()))
        return FINE if verb != "up" or self.healthy() else REFUSED

    def healthy(self) -> bool:
        """Whether what GitOps was given comes up; says what does not."""
        troubles = unwell(self.rack.world())
        summary.unwell(self.out, troubles)
        return not troubles

    def resumed(self, verb: Verb) -> Run:
        """The verb, again and again, with what a person would type in between after a cut."""
        run = self.run(verb)
        for _ in range(ROUNDS):
            told = [] if run.well else [*advised(self.rack, run), *self.in_the_way(run)]
            if not told:
                return run
            for one in told:
                done = self.rack.type_in(one.commands)
                rehearsed.typed(self.out, one, "" if done.code == 0 else done.said)
            run = self.run(verb)
        return run

    def in_the_way(self, run: Run) -> list[Advice]:
        """What to type for names that somebody else took first, and for a tunnel that somebody deleted."""
        state, errors = self.rack.state(), [(error.subject, error.message) for error in run.errors()]
        return [*refused(self.edge, state, errors), *lost(state, errors)]

    def ended(self, run: Run) -> int:
        """The exit code of a run that did not go well, and how to go on."""
        told = advised(self.rack, run)
        if told:
            rehearsed.advice(self.out, told, self.stack)
        strangers = [] if told else self.in_the_way(run)
        if strangers:
            rehearsed.in_the_way(self.out, strangers, self.stack)
        rehearsed.how_to_go_on(self.out, self.stack, self.rack.folder.path, run)
        return STOPPED if run.stopped else REFUSED


def rehearse(stack: StackFile, verb: Verb | None, *, fresh: bool, unprotect: bool, resume: bool) -> int:
    """Rehearse the whole life of `stack`, or one `verb` of it; the exit code. Says everything it has to say itself."""
    out = console()
    checked = judge(stack)
    if checked.environment is None or not checked.sound:
        show(console(stderr=True), stack, [one for one in checked.findings if one.grade == "error"])
        return REFUSED
    planned = plan(checked.environment, checked.tree)
    typed = f"rehearse {stack.stack}{f' {verb}' if verb else ''}"
    rehearsed.banner(out, stack.stack, RACKS / stack.rack)
    try:
        lab = Lab(stack.stack, stack.path, stack.gitops(), ROOT / "__main__.py", stack.rack)
        binary = find_engine()
        with open_rack(RACKS, lab, binary, fresh=fresh or verb is None, doing=typed) as rack:
            rehearsal = Rehearsal(rack, out, stack.typed, set(planned.leftovers), planned.edge)
            return rehearsal.step(verb, unprotect=unprotect, resume=resume) if verb else rehearsal.whole()
    except NotAStackFile as refusal:
        complain(f"{stack.path} {refusal}.")
    except (EngineMissing, EngineTrouble, RackBusy, WorldTrouble) as trouble:
        complain(str(trouble))
    except auto.CommandError as refusal:
        complain(f"The engine would not set up the rack:\n{refusal}")
    return UNUSABLE
