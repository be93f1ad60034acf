"""The rack: the real engine runs the real program, and everything outside it is simulated.

Owns the order in which the parts of a rehearsal are started and stopped, and the runs of the engine. Refuses to own
the parts themselves (the engine's process, the World's process, locks, the folder), how a run is shown, and the
person's own stack: their stack file is read, never written, and their backend, login and plugins are never looked at.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pulumi import automation as auto

from model.document import parse
from rehearsal.cards import cards
from rehearsal.engine import Engine, engine_environment, scrubbed_process
from rehearsal.engine_events import Diagnostic, Listener, Transcript
from rehearsal.interrupts import Interrupts
from rehearsal.locks import LiftedLock, lift_dead, only_one
from rehearsal.program import InlineProgram
from rehearsal.rack_folder import Lab, RackFolder, make_private, write_private
from rehearsal.typist import Typed, Typist
from rehearsal.world import World
from rehearsal.world_process import Staging, world
from stacks.checkout import GITOPS_VARIABLE
from stacks.programs import SIMULATED

Verb = Literal["preview", "up", "refresh", "destroy"]
Notice = Callable[[Transcript], None]

_DIED = "the engine died without a word: killed, or out of memory"


@dataclass(frozen=True)
class Run:
    """One run of the engine, over.

    `trouble` is empty when it went well; `stopped` when a person ended it; `refused` when the engine, looking first,
    would not begin; `broken` what the run did to the World that no run may (`rehearsal.world.invariants`).
    """

    verb: Verb
    transcript: Transcript
    seconds: float
    trouble: str = ""
    stopped: bool = False
    refused: bool = False
    broken: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether the engine did all it was asked, and broke nothing on its way."""
        return not self.trouble and not self.broken

    def errors(self) -> list[Diagnostic]:
        """What went wrong, in the engine's words; never empty when the run did not go well."""
        said = [entry for entry in self.transcript.diagnostics if entry.grade == "error"]
        telling = [entry for entry in said if entry.message not in ("update failed", "preview failed")]
        telling += [Diagnostic("error", "", f"this must never be, and on the way it was: {why}") for why in self.broken]
        return telling or said or ([Diagnostic("error", "", self.trouble)] if self.trouble else [])


class Rack:
    """An open rack: its World runs, its stack is selected. Made by `open_rack`."""

    def __init__(
        self,
        folder: RackFolder,
        stack: auto.Stack,
        engine: Engine,
        program: InlineProgram,
        environment: dict[str, Any],
        lifted: list[LiftedLock],
    ) -> None:
        """Take the parts as `open_rack` has made them; `lifted` are the dead engines' locks it removed."""
        self.folder = folder
        self.lifted = lifted
        self._environment = environment
        self._stack = stack
        self._engine = engine
        self._program = program

    def run(
        self, verb: Verb, notice: Notice | None = None, *, keep_going: bool = False, replacing: Sequence[str] = ()
    ) -> Run:
        """Let the engine do one thing to its end, telling `notice` as it goes. What it says is kept in `<verb>.txt`.

        `keep_going`: an `up` does what does not depend on a failure. A real one has half an hour for that while it
        waits for a machine; on the rack that wait is over at once. `replacing`: URNs, as behind its `--replace`.
        """
        started = time.monotonic()
        listener = Listener()
        trouble = said = ""
        operations = self._operations(verb, notice, keep_going=keep_going, replacing=replacing)
        begun, before = 0, len(self.world().invariants.broken())
        with Interrupts(self._engine.interrupt) as interrupts, warnings.catch_warnings():
            # When the engine is killed, the Automation API warns of its broken stream; we say so better below.
            warnings.filterwarnings("ignore", message="Error in event stream")
            try:
                for operation, told in operations:
                    begun += 1
                    listener = Listener(told)
                    said = operation(on_event=listener, color="never").stdout
            except auto.CommandError as error:
                said = str(error)
                trouble = said.partition(" stderr: ")[2].strip() or _DIED
                self._program.settle()
        write_private(self.folder.path / f"{verb}.txt", said)
        broken = tuple(self.world().invariants.broken()[before:])
        run = Run(verb, listener.transcript, time.monotonic() - started, trouble, broken=broken)
        if not trouble:
            return run
        return replace(run, stopped=interrupts.came, refused=begun < len(operations) and not interrupts.came)

    def _operations(
        self, verb: Verb, notice: Notice | None, *, keep_going: bool, replacing: Sequence[str]
    ) -> list[tuple[Callable[..., Any], Notice | None]]:
        """What the engine does for `verb`, in order, and who is told of each.

        The Automation API destroys without looking first, and then a protected resource is only met after others are
        gone (measured). A person's `pulumi destroy` previews first and refuses whole; so does this.
        """
        if verb == "destroy":
            return [(self._stack.preview_destroy, None), (self._stack.destroy, notice)]
        up = functools.partial(self._stack.up, continue_on_error=keep_going, replace=list(replacing))
        return [({"preview": self._stack.preview, "up": up, "refresh": self._stack.refresh}[verb], notice)]

    def state(self) -> dict[str, Any]:
        """The engine's state of the stack as it exports it, secrets encrypted: `{manifest, resources?: [...]}`."""
        return dict(json.loads(self._ask("stack", "export").stdout)["deployment"])

    def unprotect(self) -> None:
        """Take the protection off every resource in the state, as a person does by hand before a destroy."""
        self._ask("state", "unprotect", "--all", "--yes")

    def world(self) -> World:
        """The World as it was last saved, to be asked. It is a copy: what is done to it happens nowhere."""
        world = World(self._environment, file=self.folder.world)
        world.file = None
        return world

    def type_in(self, lines: Sequence[str]) -> Typed:
        """Do in a shell what a person would type for this stack, as far as `rehearsal.typist` knows it."""
        typist = Typist(self._engine.command, self._engine.environment, self.folder, self._stack.name)
        return typist.type_in(lines)

    def _ask(self, *words: str) -> auto.CommandResult:
        return self._engine.run([*words, "--stack", self._stack.name], self._stack.workspace.work_dir, {})


@contextlib.contextmanager
def open_rack(
    racks: Path, lab: Lab, binary: Path, *, fresh: bool, doing: str, staging: Staging | None = None
) -> Iterator[Rack]:
    """Open the rack of `lab` below the folder `racks`, with the CLI `binary`, for as long as the context lasts.

    `fresh` removes what an earlier rehearsal left of this rack: state, World and keys. `doing` is told to whoever finds
    the rack busy, `staging` says what goes wrong on purpose. Raises RackBusy, WorldTrouble, EngineTrouble,
    NotAStackFile, and auto.CommandError when the engine will not make the stack.
    """
    make_private(racks)
    write_private(racks / ".gitignore", "*\n")
    folder = RackFolder(racks / lab.rack)
    told = {GITOPS_VARIABLE: str(lab.gitops), SIMULATED: "yes"}
    with only_one(racks / f"{lab.rack}.lock", doing) as lock, scrubbed_process(told):
        if fresh or not folder.sealed.exists():
            folder.remove()
        folder.make(lab)
        environment = parse(lab.stack_file.read_text(encoding="utf-8"), lab.stack_file.name).environment or {}
        secrets = {} if folder.sealed.exists() else folder.make_keys(environment)
        keys = folder.keys()
        lifted = lift_dead(folder.backend)
        write_private(folder.cards, json.dumps(cards(environment, lab.stack)))
        with (
            world(
                *(folder.path, lab.stack_file, lab.gitops.parent, [keys.authorized_key], [lock], staging),
                git_readers=keys.git_readers,
            ) as ports,
            contextlib.chdir(folder.work),  # where Pulumi's language host would run the program
        ):
            engine = Engine(
                binary, engine_environment(folder.home, folder.backend, keys.passphrase, ports), keep_open=[lock]
            )
            program = InlineProgram(lab.program)
            workspace = auto.LocalWorkspace(work_dir=str(folder.work), pulumi_command=engine, program=program)
            if secrets:
                stack = _make_stack(folder, lab, workspace, engine, secrets)
            else:
                stack = auto.Stack.select(lab.stack, workspace)
            folder.copy_stack_file(lab)
            yield Rack(folder, stack, engine, program, environment or {}, lifted)


def _make_stack(
    folder: RackFolder, lab: Lab, workspace: auto.LocalWorkspace, engine: Engine, secrets: dict[str, str]
) -> auto.Stack:
    """Make the stack, and let the engine encrypt the rack's secrets into a stack file that holds nothing else."""
    stack_file = folder.stack_file(lab.stack)
    write_private(stack_file, "config: {}\n")
    stack = auto.Stack.create(lab.stack, workspace)
    for key, value in secrets.items():
        engine.run(["config", "set", "--secret", key, "--stack", lab.stack], workspace.work_dir, {}, stdin=value)
    write_private(folder.sealed, stack_file.read_text(encoding="utf-8"))
    return stack
