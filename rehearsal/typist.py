"""What a person types when a run has stopped, done on the rack.

Owns a shell for lines that are printed for real machines, with the programs they name: `pulumi` is the rack's engine on
the rack's stack, `curl` asks the simulated Cloudflare. `sed` and `python3` are this machine's. Refuses every other line
that would reach out: there is no other program on its PATH.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import yaml

from rehearsal.rack_folder import RackFolder, write_private
from rehearsal.standins.language import language_host
from rehearsal.world import World
from rehearsal.world.errors import Refusal

ROOT = Path(__file__).resolve().parent.parent
_TIME_LIMIT = 120.0
_BORROWED = {"python3": sys.executable, "sed": shutil.which("sed") or "/bin/sed"}


@dataclass(frozen=True)
class Typed:
    """What the lines printed, and the exit code of the first that failed."""

    said: str
    code: int


@dataclass(frozen=True)
class Typist:
    """Types for the stack `stack` of the rack in `folder`, whose engine is `binary` in `environment`."""

    binary: str
    environment: Mapping[str, str]
    folder: RackFolder
    stack: str

    def type_in(self, lines: Sequence[str]) -> Typed:
        """Run `lines` one after the other in one shell, ending at the first that fails."""
        bash = shutil.which("bash") or "/bin/bash"
        with tempfile.TemporaryDirectory(prefix="typist-") as scratch, language_host() as host:
            project, programs = Path(scratch) / "project", Path(scratch) / "bin"
            self._lay_project(project, host)
            self._lay_programs(programs)
            done = subprocess.run(
                [bash, "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", "\n".join(lines)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                env={**self.environment, "PATH": str(programs)},
                cwd=project,
                timeout=_TIME_LIMIT,
                check=False,
            )
        return Typed(done.stdout, done.returncode)

    def _lay_project(self, project: Path, host: str) -> None:
        """The rack's project with another language host: the rack has none that the CLI could start by itself."""
        project.mkdir()
        told = yaml.safe_load((self.folder.work / "Pulumi.yaml").read_text(encoding="utf-8"))
        told["runtime"] = {"name": "client", "options": {"address": host}}
        write_private(project / "Pulumi.yaml", yaml.safe_dump(told, allow_unicode=True))
        stack_file = self.folder.stack_file(self.stack)
        write_private(project / stack_file.name, stack_file.read_text(encoding="utf-8"))

    def _lay_programs(self, folder: Path) -> None:
        folder.mkdir()
        for name, program in _BORROWED.items():
            _script(folder / name, f'exec {shlex.quote(program)} "$@"')
        engine = shlex.join([self.binary, "--non-interactive"])
        _script(folder / "pulumi", f'exec {engine} "$@" --stack {shlex.quote(self.stack)}')
        stack_file = self.folder.stack_file(self.stack)
        words = [sys.executable, "-m", "rehearsal.typist", str(self.folder.world), str(stack_file)]
        _script(folder / "curl", f'PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(words)} "$@"')


def _script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    path.chmod(0o700)


def curl(world: World, url: str, header: str) -> str:
    """Cloudflare's answer to a GET of `url`: the World is only read. Refusal for any other address."""
    address = urlsplit(url)
    path = address.path.removeprefix("/client/v4/").split("/")
    query = dict(parse_qsl(address.query))
    name, _, token = header.strip().partition(": Bearer ")
    if address.hostname != "api.cloudflare.com" or name != "Authorization" or len(path) != 3:
        raise Refusal(f"curl: (6) Could not resolve host: {address.hostname}")
    if path[2] == "dns_records":
        found = world.cloudflare.records_named(token, path[1], query)
    else:
        query.pop("is_deleted", None)
        found = world.cloudflare.tunnels_named(token, path[1], query["name"])
    return json.dumps({"success": True, "errors": [], "messages": [], "result": found})


def main() -> int:
    """`curl … --header @- URL` against the World of a rack."""
    world_file, stack_file, *words = sys.argv[1:]
    config = yaml.safe_load(Path(stack_file).read_text(encoding="utf-8"))["config"]
    try:
        print(curl(World(config["iluvatar:environment"], file=Path(world_file)), words[-1], sys.stdin.read()))
    except Refusal as refusal:
        print(refusal.message, file=sys.stderr)
        return 6
    return 0


if __name__ == "__main__":
    sys.exit(main())
