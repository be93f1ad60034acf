"""A lab that lives on a rack of its own, for tests of what happens to it.

Owns the rack, the edited stack file and the question what a run touched. Refuses to judge: the tests do.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from pulumi import automation as auto

from model.document import parse
from rehearsal.engine_events import Listener
from rehearsal.rack import Run, Verb, open_rack
from rehearsal.rack_folder import Lab
from rehearsal.world import World
from rehearsal.world_process import Staging
from tests.labs import ROOT, raw

Edit = Callable[[dict[str, Any]], None]


class Life:
    """A lab that stands on a rack of its own; `edited` changes its stack file as the owner would."""

    def __init__(self, name: str, folder: Path, engine: Path) -> None:
        self.name, self.folder, self._engine = name, folder, engine
        self.file = folder / f"Pulumi.{name}.yaml"
        self.events: list[str] = []
        self._staging = Staging(None)

    def lab(self) -> Lab:
        own = self.folder / "gitops"
        return Lab(self.name, self.file, own if own.exists() else ROOT / "gitops", ROOT / "__main__.py", self.name)

    def approves(self, old: str, new: str) -> None:
        """homelab's folders say that another node's kubelet gets a certificate, too."""
        file = self.folders() / "homelab/arda/kube-system/kubelet-csr-approver/kustomization.yaml"
        file.write_text(file.read_text().replace(f"|{old}|", f"|{old}|{new}|"))

    def folders(self) -> Path:
        """Folders of its own, as the repository's are, for an edit of them."""
        own = self.folder / "gitops"
        if not own.exists():
            shutil.copytree(ROOT / "gitops", own)
        return own

    def risen(self) -> Self:
        """After its first `up`, which takes its time: a module's tests go on from copies of one."""
        run = self.run("up", fresh=True)
        assert run.well, run.errors()
        return self

    def copied(self, folder: Path) -> Self:
        """The same lab somewhere else, to live on from here."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return type(self)(self.name, folder, self._engine)

    def cut_at(self, where: str | None) -> None:
        """Let the engine die at the first point that `where` names, in every run from now on; None: no more."""
        self.staged(*([{"kind": "kill", "where": where}] if where else []))

    def staged(self, *faults: dict[str, Any]) -> None:
        """Let these go wrong, `rehearsal.faults.Fault`'s fields each, in every run from now on."""
        file = self.folder / "faults.json"
        file.write_text(json.dumps({"faults": faults}))
        self._staging = Staging(file, self.folder / "points")

    def points(self) -> list[str]:
        """What the runs since the first `staged` passed, in that order: `rehearsal.faults`' points."""
        return (self.folder / "points").read_text().splitlines()

    def change(self, what: Callable[[World], object]) -> None:
        """Something happens in the World while nobody looks."""
        world = self.world()
        with world.change():
            what(world)

    def edited(self, edit: Edit) -> dict[str, Any]:
        environment = raw(self.name)
        edit(environment)
        self.file.write_text(yaml.safe_dump({"config": {"iluvatar:environment": environment}}, sort_keys=False))
        return environment

    def run(
        self,
        *verbs: Verb,
        fresh: bool = False,
        unprotect: bool = False,
        keep_going: bool = False,
        replacing: tuple[str, ...] = (),
    ) -> Run:
        with open_rack(
            self.folder / "racks", self.lab(), self._engine, fresh=fresh, doing="a test", staging=self._staging
        ) as rack:
            if unprotect:
                rack.unprotect()
            return [rack.run(verb, keep_going=keep_going, replacing=replacing) for verb in verbs][-1]

    def rack(self) -> Path:
        return self.folder / "racks" / self.name

    def world(self) -> World:
        """The World as it was left, to be asked."""
        return World(raw(self.name), file=self.rack() / "world.json", repository=ROOT)


@contextlib.contextmanager
def every_event(heard: list[str]) -> Iterator[None]:
    """Keep everything the engine says, word for word: the rack itself keeps no values."""
    listen = Listener.__call__

    def hear(listener: Listener, event: auto.EngineEvent) -> None:
        heard.append(repr(event) + json.dumps(event, default=lambda one: getattr(one, "__dict__", str(one))))
        listen(listener, event)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Listener, "__call__", hear)
        yield


def in_clear(life: Life, secrets: Sequence[str]) -> list[str]:
    """Where of a rack's folder and of the engine's events a secret stands, as place and how it begins."""
    said = {"the engine's events": "\n".join(life.events)}
    for file in life.rack().rglob("*"):
        if file.is_file() and file.name != "world.json":
            said[str(file.relative_to(life.rack()))] = file.read_text(errors="replace")
    assert len(said) > 6, "there is nothing to look through"
    forms = {form: secret for secret in secrets for form in (secret, json.dumps(secret)[1:-1])}
    return [
        f"{place} holds a secret that begins {secret[:6]}"
        for place, text in said.items()
        for form, secret in forms.items()
        if form in text
    ]


def touched(run: Run) -> dict[str, str]:
    """What a run changed: logical name → the engine's word for it."""
    assert run.well, run.errors()
    return {step.name: step.operation.value for step in run.transcript.changed()}


def shipped(name: str) -> Lab:
    """A shipped environment as a lab of its own."""
    return Lab(name, ROOT / f"Pulumi.{name}.yaml", ROOT / "gitops", ROOT / "__main__.py", name)


def without_gitops(folder: Path) -> Lab:
    """The fourth lab, its stack file edited in `folder`: no GitOps engine, so this program upgrades the charts."""
    fourth = ROOT / "tests" / "fixtures" / "fourth"
    stack_file = folder / "Pulumi.shire.yaml"
    environment = parse((fourth / stack_file.name).read_text(), stack_file.name).environment or {}
    del environment["gitops"]
    stack_file.write_text(yaml.safe_dump({"config": {"iluvatar:environment": environment}}, sort_keys=False))
    return Lab("shire", stack_file, fourth / "gitops", ROOT / "__main__.py", "shire")
