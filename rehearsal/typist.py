"""What a person types when a run has stopped, done on the rack.

Owns a shell for lines that are printed for real machines, with the programs they name: `pulumi` is the rack's engine on
the rack's stack, `curl` asks the simulated Cloudflare, `kubectl` is the simulated workstation's. `sed`, `rm` and
`python3` are this machine's. Refuses every other line that would reach out: there is no other program on its PATH.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import grpc
import yaml
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from rehearsal.rack_folder import RackFolder, write_private
from rehearsal.standins.language import language_host
from rehearsal.standins.wire import decode, encode
from rehearsal.world import World
from rehearsal.world.errors import Refusal

ROOT = Path(__file__).resolve().parent.parent
_TIME_LIMIT = 120.0
_BORROWED = {"python3": sys.executable} | {name: shutil.which(name) or f"/bin/{name}" for name in ("sed", "rm")}
_COMMAND = "command:local:Command"


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
        for name in ("curl", "kubectl"):
            words = [sys.executable, "-m", "rehearsal.typist", str(self.folder.world), str(stack_file), name]
            _script(folder / name, f'PYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(words)} "$@"')


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


def kubectl(port: int, words: list[str]) -> str:
    """What the simulated workstation's kubectl prints, asked of the World's process: it alone may change the World.

    `port` is the Command stand-in's. The kubeconfig is this machine's file and goes in on standard input.
    Refusal with what kubectl said when it failed.
    """
    at = words.index("--kubeconfig") + 1
    told = {"create": shlex.join(["kubectl", *words[:at], "/dev/stdin", *words[at + 1 :]])}
    told["stdin"] = Path(words[at]).read_text(encoding="utf-8")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        provider = provider_pb2_grpc.ResourceProviderStub(channel)
        urn = f"urn:pulumi:rack::iluvatar::{_COMMAND}::typed"
        try:
            provider.Configure(provider_pb2.ConfigureRequest())
            done = provider.Create(provider_pb2.CreateRequest(urn=urn, type=_COMMAND, properties=encode(told)))
        except grpc.RpcError as error:
            raise Refusal(str(error.details())) from error
    return str(decode(done.properties)[0]["stdout"])


def main() -> int:
    """`curl … --header @- URL` against the World of a rack, or its workstation's `kubectl`."""
    world_file, stack_file, program, *words = sys.argv[1:]
    try:
        if program == "kubectl":
            ports = dict(each.split(":") for each in os.environ["PULUMI_DEBUG_PROVIDERS"].split(","))
            print(kubectl(int(ports["command"]), words))
            return 0
        config = yaml.safe_load(Path(stack_file).read_text(encoding="utf-8"))["config"]
        print(curl(World(config["iluvatar:environment"], file=Path(world_file)), words[-1], sys.stdin.read()))
    except Refusal as refusal:
        print(refusal.message, file=sys.stderr)
        return 6 if program == "curl" else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
