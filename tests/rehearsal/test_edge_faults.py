"""What goes wrong at the edge of a lab that stands: each ends well, or in words that help, and nothing is lost.

One `up` is lived once, with the real engine; every test goes on from a copy of that rack.
"""

import base64
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cli.rehearse import FINE, REFUSED, Rehearsal
from cli.resuming import page
from rehearsal.crash import advised
from rehearsal.standing import unwell
from rehearsal.world import World, kube_external_dns
from rehearsal.world.kube_gateway import waits_for
from stacks.in_the_way import LOST_SIGN, WHY
from stacks.resuming import RECORD
from tests.labs import planned, raw
from tests.rehearsal.edges import (
    LAB,
    NEW,
    arda,
    by_hand,
    converged,
    lines,
    one_more,
    said_by,
    standing,
    tunnel_secret,
    typed,
    wildcard,
    zone,
)
from tests.rehearsal.lives import Life, touched
from tests.rehearsal.test_lives_of_labs import every_event

pytestmark = pytest.mark.slow
LABEL = "external-dns.alpha.kubernetes.io/enabled"
NAMES = "cert-manager.io/alt-names"
CALL = "cloudflare/POST zones/*/dns_records"


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Life:
    """The lab after its first `up`; never changed."""
    life = Life(LAB, tmp_path_factory.mktemp("edge"), engine)
    life.edited(lambda _: None)
    with every_event(life.events):
        run = life.run("up", fresh=True)
    assert run.well, run.errors()
    return life


@pytest.fixture
def life(stood: Life, tmp_path: Path) -> Life:
    """A copy of it, to be changed freely, whose owner wants one more public name."""
    copy = stood.copied(tmp_path / "life")
    copy.edited(one_more)
    return copy


@pytest.mark.parametrize(("status", "times"), [("429", 10), ("500", 10)])
def test_a_burst_is_outlasted(life: Life, status: str, times: int) -> None:
    life.staged({"kind": "burst", "where": CALL, "times": times, "message": status})
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}
    converged(life)


@pytest.mark.parametrize(("status", "words"), [("429", "429 Too Many Requests"), ("500", "500 Internal Server Error")])
def test_a_burst_that_is_too_long_is_told_and_the_next_up_goes_on(life: Life, status: str, words: str) -> None:
    before = zone(life)
    life.staged({"kind": "burst", "where": CALL, "times": 11, "message": status})
    text = said_by(life.run("up"))
    assert "edge-record-new-example-com" in text
    assert f"{words}" in text
    assert "asked ten times in 199 s" in text
    assert zone(life) == before
    life.staged()
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}


def test_a_permission_that_was_forgotten_is_named_and_nothing_is_lost(life: Life) -> None:
    before = zone(life)
    life.staged({"kind": "scope", "where": "cloudflare/program", "message": "Zone: DNS"})
    text = said_by(life.run("up"))
    assert "403 Forbidden" in text
    assert "the token lacks the permission Zone: DNS: Edit" in text
    assert zone(life) == before
    life.staged()
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}


def test_a_record_made_by_hand_stays_until_its_owner_hands_it_over(life: Life, engine: Path) -> None:
    life.change(by_hand)
    before = zone(life)
    environment = raw(LAB)
    one_more(environment)
    plan, out = planned(environment), io.StringIO()
    with standing(life, engine) as rack:
        rehearsal = Rehearsal(rack, Console(file=out, width=400), LAB, set(plan.leftovers), plan.edge)
        assert rehearsal.step("up", unprotect=False, resume=False) == REFUSED
        text = out.getvalue()
        assert '81053,"message":"An A, AAAA, or CNAME record with that host already exists."' in text
        assert f"edge-record-new-example-com: {WHY[RECORD]}" in text
        assert "pulumi import cloudflare:index/dnsRecord:DnsRecord edge-record-new-example-com" in text
        assert zone(life) == before, "nothing is lost"
        assert rehearsal.step("up", unprotect=False, resume=True) == FINE
    assert [each.split(" ")[0] for each in zone(life)[NEW]] == ["CNAME"]
    assert {name: said for name, said in zone(life).items() if name != NEW} == {
        name: said for name, said in before.items() if name != NEW
    }
    converged(life)


def test_what_was_in_the_way_may_be_deleted_instead(life: Life, engine: Path) -> None:
    life.change(by_hand)
    run = life.run("up")
    [line] = [each for each in lines(life, run, engine) if each.startswith("# instead of the line above: ")]
    assert "--request DELETE" in line
    assert "cloudflareApiToken |" in line, "the token is in no argument"

    def delete(world: World) -> None:
        records = world.data["sections"]["cloudflare"]["records"]
        del records[next(identity for identity, one in records.items() if one["name"] == NEW)]

    life.change(delete)
    assert touched(life.run("up")) == {"edge-record-new-example-com": "create"}


def test_a_tunnel_deleted_behind_our_back_is_told_and_comes_back_with_its_secret(life: Life, engine: Path) -> None:
    name = raw(LAB)["edge"]["tunnel"]["name"]

    def lose(world: World) -> None:
        world.cloudflare.strike_tunnel(name)
        for cluster in world.kubernetes.clusters.values():
            cluster.work()

    life.edited(lambda _: None)
    before, secret = zone(life), tunnel_secret(life.world())
    life.change(lose)
    assert any("cloudflared: Unauthorized" in sentence for sentence in unwell(life.world()))
    assert touched(life.run("up")) == {}, "an `up` does not look"
    assert life.run("refresh").well
    with standing(life, engine) as rack:
        state = rack.state()
    assert f"edge-tunnel-{name}: {LOST_SIGN}" in page(state)
    run = life.run("up")
    assert '"code":1003,"message":"Tunnel not found"' in said_by(run)
    renamed = typed(life, run, engine)
    assert "Tunnel not found" in said_by(renamed), "the old one's delete: what is gone is refused"
    again = typed(life, renamed, engine)
    assert again.well, again.errors()
    assert set(zone(life)) == set(before)
    assert tunnel_secret(life.world()) == secret
    converged(life)


def test_a_destroy_cut_while_it_deleted_the_tunnel_goes_on_once_the_state_forgets_it(life: Life, engine: Path) -> None:
    life.edited(lambda _: None)
    life.cut_at("cloudflare/ZeroTrustTunnelCloudflared/delete/after/*")
    assert not life.run("destroy", unprotect=True).well
    life.cut_at(None)
    with standing(life, engine) as rack:
        run = rack.run("destroy")
        assert "Tunnel not found" in said_by(run)
        commands = [line for one in advised(rack, run) for line in one.commands]
        assert any(line.startswith("pulumi state delete ") for line in commands)
        done = rack.type_in(commands)  # a record that went at the same moment may want its line, too
        assert done.code == 0, done.said
        last = rack.run("destroy")
        assert last.well, last.errors()
    assert tuple(life.world().leftovers()) == planned(raw(LAB)).leftovers


def test_let_s_encrypt_s_quota_leaves_the_former_certificate_at_the_gateway(life: Life) -> None:
    life.edited(lambda _: None)

    def renamed(world: World) -> None:
        """What Git wants is another set of names than the certificate has, and this week's are spent."""
        cluster = arda(world)
        [order] = {json.dumps(each): each for each in world.section("letsencrypt")["issued"]}.values()
        world.section("letsencrypt")["issued"] = [order | {"at": world.clock.now}] * 5
        wildcard(world)["metadata"]["annotations"][NAMES] = "old.example.com"
        cluster.work()

    former = wildcard(life.world())["data"]
    life.change(renamed)
    assert touched(life.run("up")) == {}
    [trouble] = unwell(life.world())
    assert "429 urn:ietf:params:acme:error:rateLimited: too many certificates (5) already issued" in trouble
    assert wildcard(life.world())["data"] == former
    assert not [wait for each in arda(life.world()).objects("Gateway") for wait in waits_for(each)]

    def a_week_later(world: World) -> None:
        world.clock.let_pass(168 * 3600 + 1)
        arda(world).work()

    life.change(a_week_later)
    assert unwell(life.world()) == []
    assert wildcard(life.world())["data"] != former


def test_external_dns_publishes_labelled_routes_and_touches_no_name_of_the_program_s(life: Life) -> None:
    records = life.world().data["sections"]["cloudflare"]["records"].values()
    ours = {each.name for each in planned(raw(LAB)).edge.records}
    owned = {each["name"].partition("-")[2] for each in records if each["type"] == "TXT"}
    assert owned
    assert not owned & ours
    assert {name for name in zone(life) if name not in ours} == owned

    def strip(world: World) -> None:
        """A route loses its label: its name goes, and no other."""
        cluster = arda(world)
        found = [each for each in cluster.objects("HTTPRoute") if LABEL in (each["metadata"].get("labels") or {})]
        route = min(found, key=lambda each: each["metadata"]["name"])
        gone.extend(route["spec"]["hostnames"])
        del route["metadata"]["labels"][LABEL]
        world.clock.let_pass(61)
        kube_external_dns.keep_published(cluster)

    gone: list[str] = []
    before = zone(life)
    life.change(strip)
    assert set(before) - set(zone(life)) == set(gone)
    assert touched(life.run("refresh")) == {}, "the program's own are as it left them"


def test_the_tunnel_s_secret_is_in_clear_nowhere(stood: Life) -> None:
    world = stood.world()
    secret = tunnel_secret(world)
    assert len(base64.b64decode(secret)) == 32
    hidden = [base64.b64encode(b" " * shift + secret.encode()).decode()[4:-4] for shift in range(3)]  # in the token
    looked = 0
    for file in stood.rack().rglob("*"):
        if file.is_file() and file.name != "world.json":
            looked += 1
            text = file.read_text(errors="replace")
            assert not [each for each in (secret, *hidden) if each in text], file
    assert looked > 5
    said = "\n".join(stood.events)
    assert "edge-tunnel-secret" in said
    assert not [each for each in (secret, *hidden) if each in said], "the engine's events hold it"
    assert secret not in json.dumps(world.data["sections"]["cloudflare"])
