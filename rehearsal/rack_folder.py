"""One rack's folder on disk: where its parts lie, what it is given, which keys it was made with.

    .rack/<rack>.lock           who uses the rack
    .rack/<rack>/keys.json      this rack's passphrase and the public halves of its keys
                 /sealed.yaml    its secrets, encrypted by the engine
                 /cards.json     what the owner's cards carry
                 /world.json     the simulated world; world.log is what its process says
                 /backend, home  the engine's state and home
                 /work           the project as the engine sees it, with a copy of the stack file
                 /<verb>.txt     what the engine said last, as a person at a terminal would have seen it

Owns this layout and the folder's privacy. Refuses to write anything outside it, and to keep a secret in clear that the
engine has sealed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from model.app_secrets import example
from model.gitops import Gitops
from rehearsal.keys import api_token, passphrase, ssh_key
from rehearsal.stack_copy import Sealed, rack_copy, sealed_in
from stacks.secrets import (
    AGE_KEY,
    APP_SECRETS,
    CLOUDFLARE,
    DNS_TOKEN,
    ONEPASSWORD_CREDENTIALS,
    ONEPASSWORD_TOKEN,
    REGISTRY_LOGIN,
    REPOSITORY_KEY,
    REPOSITORY_TOKEN,
    SSH_KEY,
)

PROJECT = "iluvatar"


@dataclass(frozen=True)
class Lab:
    """What is rehearsed: `stack_file` of the stack `stack`, with the `__main__.py` in `program`.

    `gitops` is a folder of that name, holding `<environment>/…`. `rack` names the rack below the racks' folder: two
    files may be stacks of one name.
    """

    stack: str
    stack_file: Path
    gitops: Path
    program: Path
    rack: str


@dataclass(frozen=True)
class Keys:
    """What a rack keeps in clear, for its owner's eyes: the state's passphrase, who may log in to its hosts, and who
    may read its repository."""

    passphrase: str
    authorized_key: str
    git_readers: tuple[str, ...] = ()
    """Whom the Git server lets in: the deploy key's public half, and the token's hash."""


@dataclass(frozen=True)
class RackFolder:
    """The folder of one rack; `path` is `.rack/<rack>`."""

    path: Path

    @property
    def backend(self) -> Path:
        """The engine's file backend."""
        return self.path / "backend"

    @property
    def home(self) -> Path:
        """The home folder the engine is told it has."""
        return self.path / "home"

    @property
    def work(self) -> Path:
        """The Pulumi project the engine works in."""
        return self.path / "work"

    @property
    def world(self) -> Path:
        """The World's file; absent until its process ran."""
        return self.path / "world.json"

    @property
    def cards(self) -> Path:
        """What is on the cards that the owner wrote: host name → file name → text."""
        return self.path / "cards.json"

    @property
    def sealed(self) -> Path:
        """The rack's encrypted secrets; absent in a rack that was never finished."""
        return self.path / "sealed.yaml"

    def output(self, stack: str, name: str) -> Any:
        """A plain output of the state that the engine last wrote; None when there is no such rack, stack or output."""
        state = self.backend / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
        if not state.is_file():
            return None
        latest = json.loads(state.read_text(encoding="utf-8"))["checkpoint"].get("latest") or {}
        roots = [one for one in latest.get("resources") or () if one["type"] == "pulumi:pulumi:Stack"]
        return next((root.get("outputs", {}).get(name) for root in roots), None)

    def make(self, lab: Lab) -> None:
        """Make what is missing and bring `lab`'s project file in."""
        for folder in (self.path, self.backend, self.home, self.work):
            make_private(folder)
        project = lab.program.parent / "Pulumi.yaml"
        write_private(self.work / "Pulumi.yaml", project_file(project.read_text() if project.exists() else ""))

    def remove(self) -> None:
        """Remove the rack with all it holds. It is nobody's only copy of anything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def stack_file(self, stack: str) -> Path:
        """Where the engine finds this stack's configuration."""
        return self.work / f"Pulumi.{stack}.yaml"

    def copy_stack_file(self, lab: Lab) -> None:
        """Bring the person's stack file in as it is now, with this rack's secrets; errors are `rack_copy`'s."""
        sealed: Sealed = sealed_in(self.sealed.read_text(encoding="utf-8"))
        write_private(self.stack_file(lab.stack), rack_copy(lab.stack_file.read_text(encoding="utf-8"), sealed))

    def keys(self) -> Keys:
        """The keys this rack was made with. FileNotFoundError in a rack without any."""
        return Keys(**json.loads((self.path / "keys.json").read_text(encoding="utf-8")))

    def make_keys(self, environment: Mapping[str, Any]) -> dict[str, str]:
        """Make this rack's keys and give the secrets still to be sealed, by configuration key."""
        login, deploy, token = ssh_key("rack"), ssh_key("deploy"), api_token()
        readers = (" ".join(deploy.public.split()[:2]), f"sha256:{hashlib.sha256(token.encode()).hexdigest()}")
        keys = {"passphrase": passphrase(), "authorized_key": login.public, "git_readers": readers}
        write_private(self.path / "keys.json", json.dumps(keys))
        made = {SSH_KEY: login.private, CLOUDFLARE: api_token(), AGE_KEY: passphrase(), REGISTRY_LOGIN: passphrase()}
        made |= {REPOSITORY_KEY: deploy.private, REPOSITORY_TOKEN: token}
        made |= {DNS_TOKEN: api_token(), ONEPASSWORD_CREDENTIALS: passphrase(), ONEPASSWORD_TOKEN: passphrase()}
        made[APP_SECRETS] = app_secrets(environment)
        return {f"{PROJECT}:{key.key}": value for key, value in made.items()}


def project_file(text: str) -> str:
    """The rack's Pulumi.yaml from the checkout's: the same project without options for a language host.

    The rack runs the program inline and has no language host, and no virtual environment of its own to point one at.
    """
    project = yaml.safe_load(text) or {}
    return yaml.safe_dump({**project, "name": project.get("name", PROJECT), "runtime": "python"}, allow_unicode=True)


def app_secrets(environment: Mapping[str, Any]) -> str:
    """Something for every Secret that a lab seeds for its apps; nothing where that part is no GitOps' yet."""
    try:
        gitops = Gitops.model_validate(environment.get("gitops"))
    except ValidationError:
        return example((), "")
    return example(gitops.app_secrets, passphrase())


def make_private(folder: Path) -> None:
    """Make `folder` and its parents, readable by its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write `path`, whole, readable by its owner only."""
    draft = path.with_name(f".{path.name}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)
