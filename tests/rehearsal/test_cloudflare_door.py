"""Who gets through Cloudflare's API, and what of it a person reads."""

import pytest

from rehearsal.faults import Fault, Faults
from rehearsal.world.cloudflare_door import DNS
from rehearsal.world.cloudflare_door import TUNNEL as TUNNELS
from rehearsal.world.errors import Refusal
from tests.rehearsal.test_standin_cloudflare import ACCOUNT, HOLE, NEWS, RECORD, TOKEN, TUNNEL, ZONE, Account, at
from tests.rehearsal.worlds import Aborted

__all__ = ["at"]


@pytest.mark.parametrize(
    ("allowed", "trouble"),
    [
        ([DNS + ": Edit"], None),
        ([DNS + ": Read"], "the token lacks the permission Zone: DNS: Edit"),
        ([TUNNELS + ": Edit"], "the token lacks the permission Zone: DNS: Edit"),
        ([], "the token lacks the permission Zone: DNS: Edit"),
    ],
)
def test_a_token_may_what_its_permissions_say(at: Account, allowed: list[str], trouble: str | None):
    at.world.cloudflare.door.issue_token(TOKEN, allowed)
    if trouble is None:
        at.engine.create(RECORD, **NEWS)
        return
    with pytest.raises(Aborted, match=trouble) as refused:
        at.engine.create(RECORD, **NEWS)
    assert '403 Forbidden {"success":false,"errors":[{"code":10000' in str(refused.value)
    assert at.world.cloudflare.leftovers() == []


def test_reading_is_enough_to_look(at: Account):
    known, state, _ = at.engine.create(RECORD, **NEWS)
    at.world.cloudflare.door.issue_token(TOKEN, [DNS + ": Read"])
    assert at.found(RECORD, known, **state)
    with pytest.raises(Aborted, match="Zone: DNS: Edit"):
        at.delete(RECORD, known, state)


@pytest.mark.parametrize(("seconds", "comes_through"), [(60.0, True), (198.0, True), (200.0, False)])
def test_an_api_that_is_down_is_asked_again_for_so_long(at: Account, seconds: float, comes_through: bool):
    down = Fault("outage", "cloudflare", seconds=seconds, message="Internal server error")
    at.world.faults = Faults([down])
    if comes_through:
        at.engine.create(RECORD, **NEWS)
        assert at.world.clock.now >= seconds
        return
    with pytest.raises(Aborted, match=r"500 Internal Server Error.*asked ten times in 199 s"):
        at.engine.create(RECORD, **NEWS)
    assert at.world.cloudflare.leftovers() == []


@pytest.mark.parametrize(("status", "words"), [("429", "Too Many Requests"), ("500", "Internal Server Error")])
@pytest.mark.parametrize(("times", "comes_through"), [(10, True), (11, False)])
def test_a_burst_is_outlasted_by_ten_tries_again(at: Account, status: str, words: str, times: int, comes_through: bool):
    at.world.faults = Faults([Fault("burst", "cloudflare/POST zones/*/dns_records", times=times, message=status)])
    if comes_through:
        at.engine.create(RECORD, **NEWS)
        assert at.world.cloudflare.leftovers() == ["cloudflare/record/www.example.com"]
        return
    with pytest.raises(Aborted, match=rf"{status} {words}.*asked ten times in 199 s"):
        at.engine.create(RECORD, **NEWS)
    assert at.world.cloudflare.leftovers() == []


def test_a_short_wait_that_the_api_names_is_all_the_provider_waits(at: Account):
    at.world.faults = Faults([Fault("burst", "cloudflare/*", times=3, message="429")])
    before = at.world.clock.now
    at.engine.create(RECORD, **NEWS)
    assert at.world.clock.now - before < 10


@pytest.mark.parametrize(("lacking", "trouble"), [("Zone: DNS", "Zone: DNS: Edit"), ("Zone: Zone Settings", None)])
def test_a_permission_that_was_forgotten_is_named(at: Account, lacking: str, trouble: str | None):
    at.world.faults = Faults([Fault("scope", "cloudflare/program", message=lacking)])
    if trouble is None:
        at.engine.create(RECORD, **NEWS)
        return
    with pytest.raises(Aborted, match=f"the token lacks the permission {trouble}"):
        at.engine.create(RECORD, **NEWS)


def test_each_consumer_has_its_own_token_and_no_other_s_rights(at: Account):
    solver = "s" * 40
    assert at.world.cloudflare.zones_named(solver, "example.com") == [ZONE]
    at.world.cloudflare.records_named(solver, ZONE, {})
    with pytest.raises(Refusal, match="the token lacks the permission Account: Cloudflare Tunnel: Edit"):
        at.world.cloudflare.create_tunnel(solver, ACCOUNT, {"name": "lab"})
    with pytest.raises(Refusal, match="the token lacks the permission Zone: Zone: Read"):
        at.world.cloudflare.zones_named(TOKEN, "example.com")
    with pytest.raises(Refusal, match="Invalid access token"):
        at.world.cloudflare.zones_named("u" * 40, "example.com")


def test_who_asks_too_often_waits_or_is_told(at: Account):
    for _ in range(1200):
        at.world.cloudflare.records_named(TOKEN, ZONE, {})
    with pytest.raises(Aborted, match=r'429 Too Many Requests.*"code":971'):
        at.engine.create(RECORD, **NEWS)
    at.engine.create(RECORD, **NEWS)
    assert at.world.clock.now >= 300.0


def test_a_zone_has_room_for_so_many_records(at: Account):
    for number in range(200):
        fields = {"name": f"n{number}", "type": "A", "content": "203.0.113.7", "ttl": 300}
        at.world.cloudflare.create_record(TOKEN, ZONE, fields)
    with pytest.raises(Aborted, match=r'"code":81045,"message":"Record quota exceeded\."'):
        at.engine.create(RECORD, **NEWS)


def test_an_account_has_room_for_so_many_tunnels(at: Account):
    for number in range(1000):
        at.world.cloudflare.create_tunnel(TOKEN, ACCOUNT, {"name": f"t{number}"})
        at.world.clock.let_pass(1.0)
    with pytest.raises(Aborted, match="Bad Request: this account has its 1000 tunnels"):
        at.engine.create(TUNNEL, **HOLE)
