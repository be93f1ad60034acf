"""`./lab artefact`: pack an environment's GitOps folders and push them to where its Flux fetches them.

Owns the order: checked, packed, looked whether the tag is ours to move, pushed, told. Refuses the artefact's bytes
(`render.artefact`), the registry's protocol (`cli.registry`), logins (`cli.registry_login`) and Git (`cli.history`).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli import check, history, registry_login
from cli.console import complain, console, pairs, say, title
from cli.registry import RegistryTrouble, Repository
from cli.registry_login import Login, LoginTrouble
from cli.stack_files import StackFile
from cli.words import count
from model.environment import Environment
from model.gitops import Gitops
from render.artefact import ANNOTATION, CONFIG_TYPE, Artefact, belonging, digest, pack
from stacks.programs import SIMULATED

FINE, REFUSED, WRONG = 0, 1, 2
INSTEAD = "ILUVATAR_REGISTRY"
"""Where the registry answers in a simulated world, as http address; nowhere else is it looked at."""
UNCOMMITTED = "+uncommitted"


@dataclass(frozen=True)
class Asked:
    """What a person asked for beside the stack."""

    if_absent: bool = False
    move: bool = False
    out: str | None = None
    username: str | None = None


@dataclass(frozen=True)
class Standing:
    """What a tag holds before anything is pushed."""

    digest: str
    annotations: dict[str, str]
    flux: bool
    """Whether it is an artefact as Flux pushes and takes them."""

    @property
    def revision(self) -> str:
        """What it was packed from, as it says itself."""
        return self.annotations.get(f"{ANNOTATION}revision", "")

    def told(self) -> str:
        """For a line of the report."""
        made = self.annotations.get(f"{ANNOTATION}created", "")
        return f"{self.digest} ({self.revision or 'it says no revision'}{f', of {made}' if made else ''})"


def artefact(stack: StackFile, asked: Asked) -> int:
    """Pack and push `stack`'s folders; REFUSED when the stack, the tag or the registry is against it."""
    checked = check.judge(stack)
    if checked.environment is None or not checked.sound:
        check.show(console(stderr=True), stack, [one for one in checked.findings if one.grade == "error"])
        return REFUSED
    gitops = checked.environment.gitops
    if gitops is None or gitops.engine != "flux" or not gitops.repository.startswith("oci://"):
        how = "out of Git, which needs no artefact" if gitops else "by nothing: it has no gitops"
        complain(f"{stack.typed} is reconciled {how}. An artefact is for Flux with an oci:// repository.")
        return WRONG
    try:
        return _packed(stack, checked.environment, gitops, asked)
    except (history.Unreadable, LoginTrouble, RegistryTrouble) as trouble:
        complain(str(trouble))
        return REFUSED


def _packed(stack: StackFile, environment: Environment, gitops: Gitops, asked: Asked) -> int:
    folder = stack.gitops()
    files = belonging(environment.name, history.listing(folder, [environment.name, "shared"]))
    origin = history.of(folder, sorted(files))
    revision = f"{gitops.revision}@sha1:{origin.commit}" if origin.commit else gitops.revision
    revision += UNCOMMITTED if origin.uncommitted or not origin.commit else ""
    made = pack(files, created=origin.created, source=origin.source or gitops.repository, revision=revision)
    if asked.out:
        return _written(made, asked.out, origin)
    where = Repository(gitops.repository, _login(gitops.repository, asked), os.environ.get(SIMULATED) and _instead())
    before = _standing(where.manifest(gitops.revision))
    if before and before.digest == made.digest:
        return _told(gitops, made, origin, before, "is there already; nothing was pushed")
    if before and asked.if_absent:
        return _told(gitops, made, origin, before, "was left as it is: --if-absent pushes only to a free tag")
    reason = _not_ours(before, folder, origin) if before and not asked.move else None
    if reason and before:
        complain(
            f"{gitops.repository}:{gitops.revision} was not moved: {reason}\n"
            f"  there now   {before.told()}\n  not pushed  {made.digest} ({revision})\n"
            f"If yours is the one that shall run, say so: ./lab artefact {stack.typed} --move"
        )
        return REFUSED
    where.push(gitops.revision, [made.layer, made.config], made.manifest)
    return _told(gitops, made, origin, before, "pushed")


def _instead() -> str | None:
    return os.environ.get(INSTEAD)


def _login(repository: str, asked: Asked) -> Login | None:
    if asked.username:
        return registry_login.from_stdin(asked.username)
    return registry_login.kept(repository.removeprefix("oci://").partition("/")[0])


def _standing(manifest: bytes | None) -> Standing | None:
    if manifest is None:
        return None
    try:
        found: Any = json.loads(manifest)
        annotations = {str(name): str(value) for name, value in (found.get("annotations") or {}).items()}
        flux = (found.get("config") or {}).get("mediaType") == CONFIG_TYPE
    except (ValueError, AttributeError):
        annotations, flux = {}, False
    return Standing(digest(manifest), annotations, flux)


def _not_ours(before: Standing, folder: Path, origin: history.Packed) -> str | None:
    """Why what a tag holds is nothing that this checkout pushed before, None when it may be moved on.

    A registry keeps no record of who pushed; what was packed from a commit that this history has, and that ours
    follows, was pushed by somebody who had what we have.
    """
    if not before.flux:
        return "it holds something that is no artefact of Flux'."
    source = before.annotations.get(f"{ANNOTATION}source", "")
    if origin.source and source != origin.source:
        return f"what it holds was packed from another repository, {source or 'which it does not name'}."
    commit = history.commit_in(before.revision)
    if commit is None:
        return "what it holds names no commit, so nobody can say whether yours is newer."
    if not history.follows(folder, origin.commit, commit):
        return (
            f"what it holds is of commit {commit[:12]}, which yours does not follow: somebody pushed what you do not "
            "have (git fetch), it is newer than your checkout, or this clone is shallow (git fetch --unshallow)."
        )
    return None


def _written(made: Artefact, typed: str, origin: history.Packed) -> int:
    path = Path(os.environ.get("LAB_CALLED_FROM", "."), typed).expanduser().absolute()
    try:
        path.write_bytes(made.layer)
    except OSError as error:
        complain(f"{path} cannot be written: {error.strerror}.")
        return WRONG
    out = console()
    say(out, f"{path}: {count(len(made.files), 'file')}, as the artefact's layer. Nothing was pushed.", indent=0)
    _uncommitted(origin)
    return FINE


def _told(gitops: Gitops, made: Artefact, origin: history.Packed, before: Standing | None, what: str) -> int:
    out = console()
    same = before is not None and before.digest == made.digest
    say(out, f"{gitops.repository}:{gitops.revision} {what}.", indent=0)
    annotations = json.loads(made.manifest)["annotations"]
    rows = [("digest", made.digest), ("revision", annotations[f"{ANNOTATION}revision"])]
    rows += [("size", f"{len(made.layer) / 1024:.1f} KiB in {count(len(made.files), 'file')}")]
    if before and not same:
        rows += [("before" if what == "pushed" else "there", before.told())]
    seen = made.digest if what == "pushed" or before is None else before.digest
    rows += [("Flux sees", f"{gitops.revision}@{seen}, when it looks next: kubectl -n flux-system get ocirepository")]
    pairs(out, rows)
    if gitops.verify and what == "pushed":
        signed = f"{gitops.repository.removeprefix('oci://')}@{made.digest}"
        say(out, f"Flux applies it once it is signed: cosign sign {signed}", "yellow")
    title(out, "Files")
    for path in made.files:
        say(out, path)
    _uncommitted(origin)
    return FINE


def _uncommitted(origin: history.Packed) -> None:
    """To stderr: a warning, whatever becomes of the artefact."""
    if origin.commit is None:
        complain("These files are in no commit that git knows here: nobody can say later what was packed.")
    elif origin.uncommitted:
        named = ", ".join(origin.uncommitted[:5]) + (" …" if len(origin.uncommitted) > 5 else "")
        complain(f"Not committed: {named}. The artefact's revision says so ({UNCOMMITTED}).")
