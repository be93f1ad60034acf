"""What goes wrong at the edge of a lab that stands: each ends well, or in words that help, and nothing is lost.

One `up` is lived once, with the real engine; every test goes on from a copy of that rack.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.rack import Rack, Run, open_rack
from rehearsal.standing import unwell
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from stacks.in_the_way import refused
from tests.labs import planned, raw
from tests.rehearsal.lives import Life, touched

pytestmark = pytest.mark.slow
LAB = "pitower"
NEW = "new.example.com"
CALL = "cloudflare/POST zones/*/dns_records"


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Life:
    """The lab after its first `up`; never changed."""
    life = Life(LAB, tmp_path_factory.mktemp("edge"), engine)
    life.edited(lambda _: None)
    run = life.run("up", fresh=True)
    assert run.well, run.errors()
    return life


@pytest.fixture
def life(stood: Life, tmp_path: Path) -> Life:
    """A copy of it, to be changed freely, whose owner wants one more public name."""
    copy = stood.copied(tmp_path / "life")
    copy.edited(one_more)
    return copy


def one_more(environment: dict[str, Any]) -> None:
    records = environment["edge"].setdefault("records", [])
    records.append({"name": NEW, "target": next(iter(environment["edge"]["gateways"]))})


def ids() -> tuple[str, str]:
    """The lab's zone and account."""
    stated = raw(LAB)["edge"]["cloudflare"]
    return stated["zone_id"], stated["account_id"]


def zone(life: Life) -> dict[str, list[str]]:
    """What stands in the zone, but for external-dns' markers: name → `<type> <content>` each."""
    found: dict[str, list[str]] = {}
    for record in life.world().data["sections"]["cloudflare"]["records"].values():
        if record["type"] != "TXT":
            found.setdefault(record["name"], []).append(f"{record['type']} {record['content']}")
    return found


def said(run: Run) -> str:
    assert not run.well
    return "\n".join(f"{error.subject}: {error.message}" for error in run.errors())


def converged(life: Life) -> None:
    """Another `up` has nothing to do, a look at the World finds what the state says, and all that runs is well."""
    assert touched(life.run("up")) == {}
    assert touched(life.run("refresh")) == {}
    assert unwell(life.world()) == []


def typing(life: Life, run: Run, engine: Path) -> Callable[[], Run]:
    """Type what is said after `run`, all of it, and go on."""

    def go_on() -> Run:
        lab = life.lab()
        with open_rack(life.folder / "racks", lab, engine, fresh=False, doing="a test") as rack:
            for one in told(rack, life, run):
                done = rack.type_in(one.commands)
                assert done.code == 0, done.said
            return rack.run("up")

    return go_on


def told(rack: Rack, life: Life, run: Run) -> list[Any]:
    environment = raw(life.name)
    one_more(environment)
    errors = [(error.subject, error.message) for error in run.errors()]
    return refused(planned(environment).edge, rack.state(), errors)


@pytest.mark.parametrize(("status", "times"), [("429", 10), ("500", 10)])
def test_a_burst_is_outlasted(life: Life, status: str, times: int) -> None:
    life.staged({"kind": "burst", "where": CALL, "times": times, "message": status})
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}
    converged(life)


@pytest.mark.parametrize(("status", "words"), [("429", "429 Too Many Requests"), ("500", "500 Internal Server Error")])
def test_a_burst_that_is_too_long_is_told_and_the_next_up_goes_on(life: Life, status: str, words: str) -> None:
    before = zone(life)
    life.staged({"kind": "burst", "where": CALL, "times": 11, "message": status})
    text = said(life.run("up"))
    assert "edge-record-new-example-com" in text
    assert f"{words}" in text
    assert "asked ten times in 199 s" in text
    assert zone(life) == before
    life.staged()
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}


def test_a_permission_that_was_forgotten_is_named_and_nothing_is_lost(life: Life) -> None:
    before = zone(life)
    life.staged({"kind": "scope", "where": "cloudflare/program", "message": "Zone: DNS"})
    text = said(life.run("up"))
    assert "403 Forbidden" in text
    assert "the token lacks the permission Zone: DNS: Edit" in text
    assert zone(life) == before
    life.staged()
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}


def by_hand(world: World) -> None:
    record = {"name": NEW, "type": "A", "content": "203.0.113.9", "ttl": 300, "comment": "my old server"}
    world.cloudflare.enter_record(ids()[0], record)


def test_a_record_made_by_hand_stays_until_its_owner_hands_it_over(life: Life, engine: Path) -> None:
    life.change(by_hand)
    before = zone(life)
    run = life.run("up")
    assert '81053,"message":"An A, AAAA, or CNAME record with that host already exists."' in said(run)
    assert zone(life) == before, "nothing is lost"
    again = typing(life, run, engine)()
    assert again.well, again.errors()
    assert [each.split(" ")[0] for each in zone(life)[NEW]] == ["CNAME"]
    assert {name: zone(life)[name] for name in before if name != NEW} == {
        name: before[name] for name in before if name != NEW
    }
    converged(life)


def test_what_was_in_the_way_may_be_deleted_instead(life: Life) -> None:
    life.change(by_hand)
    run = life.run("up")
    [line] = [each for each in _lines(life, run) if each.startswith("# instead of the line above: ")]
    assert "--request DELETE" in line
    assert "cloudflareApiToken |" in line, "the token is in no argument"

    def delete(world: World) -> None:
        records = world.data["sections"]["cloudflare"]["records"]
        del records[next(identity for identity, one in records.items() if one["name"] == NEW)]

    life.change(delete)
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}


def _lines(life: Life, run: Run) -> list[str]:
    lab = life.lab()
    engine = life._engine
    with open_rack(life.folder / "racks", lab, engine, fresh=False, doing="a test") as rack:
        return [line for one in told(rack, life, run) for line in one.commands]


def test_a_tunnel_deleted_behind_our_back_is_told_and_a_refresh_heals_it(life: Life) -> None:
    name = raw(LAB)["edge"]["tunnel"]["name"]

    def lose(world: World) -> None:
        world.cloudflare.strike_tunnel(name)
        for cluster in world.kubernetes.clusters.values():
            cluster.work()

    life.edited(lambda _: None)
    before = zone(life)
    life.change(lose)
    assert any("cloudflared" in sentence and "Unauthorized" in sentence for sentence in unwell(life.world()))
    assert touched(life.run("up")) == {}, "an `up` does not look: the way is a refresh"
    refreshed = life.run("refresh")
    assert refreshed.well, refreshed.errors()
    healed = touched(life.run("up"))
    assert healed[f"edge-tunnel-{name}"] == "create"
    assert healed["edge-tunnel-token"] == "update"
    assert set(zone(life)) == set(before)
    converged(life)


def test_the_tunnel_s_secret_is_in_clear_nowhere(stood: Life) -> None:
    world = stood.world()
    token = next(
        found["data"]["token"]
        for cluster in world.kubernetes.clusters.values()
        for found in cluster.objects("Secret")
        if found["metadata"]["name"] == "cloudflared-token"
    )
    whole = base64.b64decode(token).decode()
    secret = json.loads(base64.b64decode(whole))["s"]
    assert len(base64.b64decode(secret)) == 32
    for file in stood.rack().rglob("*"):
        if file.is_file() and file.name != "world.json":
            text = file.read_text(errors="replace")
            assert not [each for each in (secret, whole, token) if each in text], file
    assert secret not in json.dumps(world.data["sections"]["cloudflare"])
    with pytest.raises(Refusal):
        world.cloudflare.connect("")
