"""A lab whose edge is rehearsed to fail: what stands at Cloudflare, what a person is told, what its cluster holds.

Owns these questions. Refuses to judge: the tests do.
"""

import base64
import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rehearsal.crash import advised
from rehearsal.rack import Rack, Run, open_rack
from rehearsal.standing import unwell
from rehearsal.world import World
from rehearsal.world.kube_cluster import Cluster
from stacks.in_the_way import lost, refused
from stacks.resuming import Advice
from tests.labs import planned, raw
from tests.rehearsal.lives import Life, touched

LAB = "pitower"
NEW = "new.example.com"


def one_more(environment: dict[str, Any]) -> None:
    """One more public name."""
    records = environment["edge"].setdefault("records", [])
    records.append({"name": NEW, "target": next(iter(environment["edge"]["gateways"]))})


def zone(life: Life) -> dict[str, list[str]]:
    """What stands in the zone, but for external-dns' markers: name → `<type> <content>` each."""
    found: dict[str, list[str]] = {}
    for record in life.world().data["sections"]["cloudflare"]["records"].values():
        if record["type"] != "TXT":
            found.setdefault(record["name"], []).append(f"{record['type']} {record['content']}")
    return found


def said_by(run: Run) -> str:
    """What a run that did not go well says."""
    assert not run.well
    return "\n".join(f"{error.subject}: {error.message}" for error in run.errors())


def converged(life: Life) -> None:
    """Another `up` has nothing to do, a look at the World finds what the state says, and all that runs is well."""
    assert touched(life.run("up")) == {}
    assert touched(life.run("refresh")) == {}
    assert unwell(life.world()) == []


def typed(life: Life, run: Run, engine: Path) -> Run:
    """The `up` after everything was typed that is said after `run`."""
    with standing(life, engine) as rack:
        for one in told(rack, life, run):
            done = rack.type_in(one.commands)
            assert done.code == 0, done.said
        return rack.run("up")


def standing(life: Life, engine: Path) -> AbstractContextManager[Rack]:
    """Its rack, open."""
    return open_rack(life.folder / "racks", life.lab(), engine, fresh=False, doing="a test")


def told(rack: Rack, life: Life, run: Run) -> list[Advice]:
    """What a person is told after `run`."""
    environment = raw(life.name)
    one_more(environment)
    errors = [(error.subject, error.message) for error in run.errors()]
    found = [*refused(planned(environment).edge, rack.state(), errors), *lost(rack.state(), errors)]
    return found or advised(rack, run)


def by_hand(world: World) -> None:
    """The owner makes a record in the dashboard."""
    record = {"name": NEW, "type": "A", "content": "203.0.113.9", "ttl": 300, "comment": "my old server"}
    world.cloudflare.enter_record(raw(LAB)["edge"]["cloudflare"]["zone_id"], record)


def lines(life: Life, run: Run, engine: Path) -> list[str]:
    """What is said to be typed after `run`."""
    with standing(life, engine) as rack:
        return [line for one in told(rack, life, run) for line in one.commands]


def arda(world: World) -> Cluster:
    """The lab's one cluster."""
    [cluster] = world.kubernetes.clusters.values()
    return cluster


def wildcard(world: World) -> Any:
    """The Secret that the gateways serve."""
    return arda(world).get("Secret", "networking", "wildcard-tls")


def tunnel_secret(world: World) -> str:
    """The secret inside the token that cloudflared reads."""
    token = next(
        found["data"]["token"]
        for cluster in world.kubernetes.clusters.values()
        for found in cluster.objects("Secret")
        if found["metadata"]["name"] == "cloudflared-token"
    )
    return str(json.loads(base64.b64decode(base64.b64decode(token)))["s"])
