"""The process in which the world runs.

Owns the life of that process: one gRPC server per package on loopback, the file with their ports, an end on SIGTERM or
when the process that started it is gone. It refuses to own what is answered.

    python -m rehearsal.serve --world FILE --environment FILE --repository DIR --ports-file FILE
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import threading
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import yaml
from pulumi.runtime.proto import provider_pb2_grpc

from model.document import parse
from rehearsal.faults import load_faults
from rehearsal.standins import cloudflare, command, kubernetes, random, talos
from rehearsal.standins.base import StandIn
from rehearsal.standins.servicer import Servicer
from rehearsal.world import World

_MESSAGE_LIMIT = 400 * 1024 * 1024  # what the engine itself allows


def standins() -> list[StandIn]:
    """Every package this rack can stand in for."""
    return [package.stand_in() for package in (talos, kubernetes, cloudflare, command, random)]


def start(world: World, packages: list[StandIn], parent: int) -> tuple[list[grpc.Server], dict[str, int]]:
    """Listen on a free loopback port per package. Gives the servers and ``{package: port}``."""
    servers, ports = [], {}
    for package in packages:
        server = grpc.server(
            futures.ThreadPoolExecutor(max_workers=32),
            options=[("grpc.max_receive_message_length", _MESSAGE_LIMIT), ("grpc.so_reuseport", 0)],
        )
        servicer = Servicer(package, world, lambda: kill_engine(parent))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        ports[package.package] = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
    return servers, ports


def kill_engine(parent: int) -> None:
    """End every ``pulumi`` process that ``parent`` started, with no time to clean up: what a power cut does."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,comm="], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        pid, ppid, command = line.split(None, 2)
        if int(ppid) == parent and Path(command.strip()).name == "pulumi":
            os.kill(int(pid), signal.SIGKILL)


def read_environment(file: Path) -> dict[str, Any]:
    """The raw environment of a stack file: ``config: iluvatar:environment``, or the whole file without a config."""
    text = file.read_text(encoding="utf-8")
    # Read as the engine reads it: to PyYAML an unquoted MAC is a number, and the World would know another machine.
    return parse(text, file.name).environment or yaml.safe_load(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="rehearsal.serve", description="Run the simulated world.")
    parser.add_argument("--world", type=Path, required=True, help="file in which the world outlives this process")
    parser.add_argument("--environment", type=Path, required=True, help="stack file")
    parser.add_argument("--repository", type=Path, required=True, help="folder that holds gitops/")
    parser.add_argument("--ports-file", type=Path, required=True, help="written when all servers listen")
    parser.add_argument("--faults", type=Path, help="what goes wrong on purpose, JSON or YAML")
    parser.add_argument("--points", type=Path, help="file to which each moment a fault may strike is added")
    parser.add_argument("--authorized-key", action="append", default=[], help="public key the simulated cards admit")
    parser.add_argument("--git-reader", action="append", default=[], help="public key, or hash, of who may read Git")
    parser.add_argument("--cards", type=Path, help="what is on the simulated cards, JSON: host → file → text")
    parser.add_argument("--stay", action="store_true", help="outlive the process that started this one")
    return parser.parse_args()


def main() -> None:
    """Serve until told to stop."""
    options = _arguments()
    parent = os.getppid()
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    world = World(
        read_environment(options.environment),
        file=options.world,
        repository=options.repository,
        faults=load_faults(options.faults, options.points),
        authorized_keys=tuple(options.authorized_key),
        stack_file=options.environment,
        git_readers=tuple(options.git_reader),
        cards=json.loads(options.cards.read_text(encoding="utf-8")) if options.cards else {},
    )
    world.save()
    servers, ports = start(world, standins(), parent)
    draft = options.ports_file.with_suffix(".draft")
    draft.write_text(json.dumps({"pid": os.getpid(), "ports": ports}), encoding="utf-8")
    draft.replace(options.ports_file)
    while not ended.wait(1.0):
        if not options.stay and os.getppid() != parent:
            break
    for server in servers:
        server.stop(grace=0.2)
    world.save()


if __name__ == "__main__":
    main()
