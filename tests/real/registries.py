"""A real OCI registry (Debian's docker-registry) on loopback, and a checkout of a lab that pushes to it.

Owns starting and stopping it, and asking it as any client would. Refuses to judge what is pushed: `test_artefact`.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.labs import ROOT, raw

USER, PASSWORD = "lab", "hunter"
_HTPASSWD = "lab:$2y$05$YeLDeATF0FXx0ZBylbJ2.u1oyDNRLL7.LNoxG/4pB.AYN9ilim/lK"
"""bcrypt of the two: the only hash that docker-registry takes."""


@dataclass
class Registry:
    """A registry that answers at `host`."""

    program: str
    folder: Path
    host: str
    login: bool = False
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        configuration: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(self.folder / "kept")}},
            "http": {"addr": self.host},
        }
        if self.login:
            (self.folder / "htpasswd").write_text(f"{_HTPASSWD}\n")
            configuration["auth"] = {"htpasswd": {"realm": "lab", "path": str(self.folder / "htpasswd")}}
        (self.folder / "config.yml").write_text(yaml.safe_dump(configuration))
        with (self.folder / "log").open("wb") as log:
            command = [self.program, "serve", str(self.folder / "config.yml")]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.host.rpartition(":")[2]))) == 0

    def get(self, what: str, accept: str = "*/*") -> bytes | None:
        """What is at `/v2/owner/turing/<what>`, None when there is nothing."""
        request = urllib.request.Request(f"http://{self.host}/v2/owner/turing/{what}", headers={"Accept": accept})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:  # it holds its connection
                if error.code == 404:
                    return None
            raise


def _shared_by(own: Path) -> set[Path]:
    """The shared folders that the kustomizations below `own` take in."""
    found = set()
    for file in own.rglob("kustomization.yaml"):
        told = yaml.safe_load(file.read_text())
        named = [*(told.get("resources") or ()), *(told.get("components") or ())]
        found |= {path for name in named if (path := (file.parent / name).resolve()).is_dir()}
    return found


@dataclass
class Checkout:
    """A clone of nothing but turing: its stack file, its folders and what they share, in a repository of its own."""

    folder: Path
    host: str

    def make(self) -> None:
        environment = raw("turing")
        environment["gitops"]["repository"] = f"oci://{self.host}/owner/turing"
        self.folder.mkdir(parents=True)
        stack = {"config": {"iluvatar:environment": environment}}
        (self.folder / "Pulumi.turing.yaml").write_text(yaml.safe_dump(stack, sort_keys=False))
        own = ROOT / "gitops" / "turing"
        for file in sorted(file for folder in (own, *_shared_by(own)) for file in folder.rglob("*")):
            if file.is_file():
                text = file.read_text().replace("oci.example.com", self.host)
                self.write(str(file.relative_to(ROOT)), text)
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", "https://operator:token@git.example.com/owner/lab.git")
        self.commit("first", "2026-01-01T00:00:00Z")

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def commit(self, message: str, when: str) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message, GIT_AUTHOR_DATE=when, GIT_COMMITTER_DATE=when)
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *words: str, **variables: str) -> str:
        identity = {
            f"GIT_{who}_{what}": "lab@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **identity, **variables}
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env=environment, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout

    def artefact(self, *words: str, stdin: str = "", **variables: str) -> "subprocess.CompletedProcess[str]":
        """`./lab artefact` for this checkout, as its owner types it."""
        environment = {**os.environ, "HOME": str(self.folder.parent), "LAB_CALLED_FROM": str(self.folder), **variables}
        command = [sys.executable, "-m", "cli", "artefact", str(self.folder / "Pulumi.turing.yaml"), *words]
        return subprocess.run(
            command, cwd=ROOT, env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )


def free_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_json(found: bytes | None) -> dict[str, Any]:
    assert found is not None
    return dict(json.loads(found))
