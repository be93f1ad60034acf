"""What Cloudflare takes in and what it refuses, with its own codes."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.world import World
from rehearsal.world.errors import Refusal

TOKEN, ZONE, ACCOUNT = "t" * 40, "b" * 32, "a" * 32
SECRET = base64.b64encode(b"0" * 32).decode()
LAST = {"service": "http_status:404"}


def environment(domain: str = "example.com", zone: str = ZONE) -> dict[str, Any]:
    return {"name": "lab", "domain": domain, "edge": {"cloudflare": {"account_id": ACCOUNT, "zone_id": zone}}}


@pytest.fixture
def world() -> World:
    made = World(environment())
    made.cloudflare.door.issue_token(TOKEN)
    return made


def record(**over: Any) -> dict[str, Any]:
    return {"name": "www.example.com", "type": "A", "content": "203.0.113.7", "ttl": 300} | over


def put(world: World, **over: Any) -> dict[str, Any]:
    return world.cloudflare.create_record(TOKEN, ZONE, record(**over))


def tunnel(world: World, name: str = "lab", **over: Any) -> dict[str, Any]:
    return world.cloudflare.create_tunnel(TOKEN, ACCOUNT, {"name": name, "tunnel_secret": SECRET} | over)


def token_of(made: dict[str, Any], secret: str = SECRET) -> str:
    return base64.b64encode(json.dumps({"a": ACCOUNT, "t": made["id"], "s": secret}).encode()).decode()


def code(refusal: pytest.ExceptionInfo[Refusal]) -> int:
    return int(refusal.value.message.split('"code":')[1].split(",")[0])


# Who may ask


@pytest.mark.parametrize(("token", "expected"), [("u" * 40, 9109), ("short", 9109), ("", 9106)])
def test_another_token_than_the_accounts_is_refused(world: World, token: str, expected: int):
    with pytest.raises(Refusal) as refusal:
        world.cloudflare.create_record(token, ZONE, record())
    assert code(refusal) == expected
    assert token not in refusal.value.message or not token


def test_the_first_well_formed_token_of_a_rehearsal_is_the_accounts():
    world = World(environment())
    with pytest.raises(Refusal):
        world.cloudflare.create_record("short", ZONE, record())
    world.cloudflare.create_record(TOKEN, ZONE, record())
    with pytest.raises(Refusal) as refusal:
        world.cloudflare.record("u" * 40, ZONE, "any")
    assert code(refusal) == 9109


def test_a_zone_or_account_of_somebody_else_is_refused(world: World):
    with pytest.raises(Refusal, match="Authentication error") as zone:
        world.cloudflare.create_record(TOKEN, "c" * 32, record())
    with pytest.raises(Refusal) as account:
        world.cloudflare.create_tunnel(TOKEN, "c" * 32, {"name": "lab"})
    assert code(zone) == code(account) == 10000


def test_a_domain_changed_without_its_zone_id_is_refused_while_the_zone_has_records(tmp_path: Path):
    before = World(environment(), file=tmp_path / "world.json")
    with before.change():
        put(before)
    after = World(environment("example.org"), file=tmp_path / "world.json")
    with pytest.raises(Refusal, match=r"not a name in the zone example\.com"):
        after.cloudflare.create_record(TOKEN, ZONE, record(name="www.example.org"))


# Records


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"content": "203.0.113.7"}, 81058),
        ({"type": "CNAME", "content": "other.example.com"}, 81053),
    ],
)
def test_a_record_that_clashes_with_one_there_is_refused(world: World, over: dict[str, Any], expected: int):
    put(world)
    with pytest.raises(Refusal) as refusal:
        put(world, **over)
    assert code(refusal) == expected


def test_a_cname_bears_no_address_and_no_second_cname_beside_it(world: World):
    put(world, type="CNAME", content="a.example.com")
    second, address = {"type": "CNAME", "content": "b.example.com"}, {"type": "AAAA", "content": "2001:db8::1"}
    for over, expected in (({}, 81054), (address, 81054), (second, 81053)):
        with pytest.raises(Refusal) as refusal:
            put(world, **over)
        assert code(refusal) == expected


def test_a_delegated_name_bears_nothing_that_answers(world: World):
    put(world, type="NS", content="ns1.example.org.")
    for over in ({}, {"type": "CNAME", "content": "b.example.com"}):
        with pytest.raises(Refusal, match="NS records with that host already exist") as refusal:
            put(world, **over)
        assert code(refusal) == 81056
    put(world, type="NS", content="ns2.example.org")


def test_the_same_name_with_a_dot_at_its_end_is_the_same_record(world: World):
    assert put(world, type="CNAME", content="a.example.com.")["content"] == "a.example.com"
    with pytest.raises(Refusal) as refusal:
        put(world, type="CNAME", content="a.example.com")
    assert code(refusal) == 81058


def test_addresses_and_texts_share_a_name(world: World):
    put(world)
    put(world, content="203.0.113.8")
    put(world, type="AAAA", content="2001:db8::1")
    put(world, type="TXT", content="v=spf1 -all")
    assert world.cloudflare.leftovers() == ["cloudflare/record/www.example.com"] * 4


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({"name": "www.example.org"}, 1004),
        ({"name": "notexample.com"}, 1004),
        ({"name": "a..example.com"}, 9000),
        ({"name": "a.*.example.com"}, 9000),
        ({"type": "ANAME"}, 9002),
        ({"content": "192.168.1.238", "proxied": True, "ttl": 1}, 9003),
        ({"type": "TXT", "content": "x", "proxied": True, "ttl": 1}, 9004),
        ({"content": "a.example.com"}, 9005),
        ({"type": "AAAA"}, 9006),
        ({"type": "CNAME"}, 9007),
        ({"type": "CNAME", "content": "www.example.com"}, 9039),
        ({"ttl": 0}, 9021),
        ({"ttl": 86_401}, 9021),
        ({"ttl": 300, "proxied": True}, 9021),
        ({"content": None}, 1004),
    ],
)
def test_a_record_that_cannot_be_is_refused(world: World, over: dict[str, Any], expected: int):
    with pytest.raises(Refusal) as refusal:
        put(world, **over)
    assert code(refusal) == expected
    assert world.cloudflare.leftovers() == []


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("@", "example.com"),
        ("Example.Com.", "example.com"),
        ("www", "www.example.com"),
        ("*.Example.com", "*.example.com"),
    ],
)
def test_names_come_back_whole_and_in_lower_case(world: World, name: str, whole: str):
    assert put(world, name=name)["name"] == whole


def test_a_record_may_be_overwritten_with_itself_but_not_into_another(world: World):
    kept, other = put(world), put(world, name="other.example.com")
    assert world.cloudflare.overwrite_record(TOKEN, ZONE, kept["id"], record(ttl=600))["ttl"] == 600
    with pytest.raises(Refusal) as refusal:
        world.cloudflare.overwrite_record(TOKEN, ZONE, other["id"], record())
    assert code(refusal) == 81058


def test_a_record_that_is_gone_cannot_be_deleted_or_overwritten(world: World):
    made = put(world)
    world.cloudflare.delete_record(TOKEN, ZONE, made["id"])
    assert world.cloudflare.record(TOKEN, ZONE, made["id"]) is None
    for change in (
        lambda: world.cloudflare.delete_record(TOKEN, ZONE, made["id"]),
        lambda: world.cloudflare.overwrite_record(TOKEN, ZONE, made["id"], record()),
    ):
        with pytest.raises(Refusal, match=r"Record does not exist\.") as refusal:
            change()
        assert code(refusal) == 81044


# Tunnels


def test_a_tunnels_name_is_taken_once(world: World):
    tunnel(world)
    other = tunnel(world, "other")
    with pytest.raises(Refusal) as created:
        tunnel(world)
    with pytest.raises(Refusal) as renamed:
        world.cloudflare.edit_tunnel(TOKEN, ACCOUNT, other["id"], {"name": "lab"})
    assert code(created) == code(renamed) == 1013


@pytest.mark.parametrize("secret", ["not base64!", base64.b64encode(b"0" * 31).decode()])
def test_a_tunnels_secret_is_32_bytes_in_base64(world: World, secret: str):
    with pytest.raises(Refusal) as refusal:
        tunnel(world, tunnel_secret=secret)
    assert code(refusal) == 1002
    assert secret not in refusal.value.message


def test_a_tunnel_is_local_unless_told(world: World):
    assert tunnel(world)["config_src"] == "local"
    with pytest.raises(Refusal, match="Bad Request: config_src dashboard is not one of local, cloudflare") as refusal:
        tunnel(world, "other", config_src="dashboard")
    assert code(refusal) == 1002


def test_a_connected_tunnel_is_not_deleted(world: World):
    made = tunnel(world)
    assert world.cloudflare.connect(token_of(made)) == made["id"]
    with pytest.raises(Refusal, match="Cannot delete tunnel because it has active connections") as refusal:
        world.cloudflare.delete_tunnel(TOKEN, ACCOUNT, made["id"])
    assert code(refusal) == 1022
    world.cloudflare.disconnect(made["id"])
    world.cloudflare.delete_tunnel(TOKEN, ACCOUNT, made["id"])
    assert world.cloudflare.leftovers() == []
    with pytest.raises(Refusal) as gone:
        world.cloudflare.delete_tunnel(TOKEN, ACCOUNT, made["id"])
    assert code(gone) == 1003


def test_only_the_tunnels_own_token_connects(world: World):
    made = tunnel(world)
    for token, words in (("!", r"Provided Tunnel token is not valid\."), (token_of(made, "x" * 44), "Unauthorized")):
        with pytest.raises(Refusal, match=words):
            world.cloudflare.connect(token)


def test_a_tunnels_secret_is_never_given_out_again(world: World):
    made = tunnel(world)
    told = [made, world.cloudflare.tunnel(TOKEN, ACCOUNT, made["id"]), world.data]
    assert SECRET not in json.dumps(told)
    assert TOKEN not in json.dumps(told)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([], "last ingress rule must match all URLs"),
        ([{"hostname": "a.example.com", "service": "https://10.0.0.1:443"}], "last ingress rule must match all URLs"),
        ([LAST | {"path": "/x"}], "last ingress rule must match all URLs"),
        ([{"service": "https://10.0.0.1"}, LAST], "will match every hostname"),
        ([{"hostname": "a.*.example.com", "service": "https://10.0.0.1"}, LAST], "at most one wildcard"),
        ([{"hostname": "a.example.com:443", "service": "https://10.0.0.1"}, LAST], "cannot contain a port"),
        ([{"hostname": "a.example.com", "service": "10.0.0.1:443"}, LAST], "has a scheme and a hostname"),
        ([{"hostname": "a.example.com", "service": "https://10.0.0.1/x"}, LAST], "different path"),
        ([{"service": "http_status:9"}], "invalid HTTP status code"),
    ],
)
def test_rules_that_cloudflared_could_not_follow_are_refused(world: World, rules: list[dict[str, Any]], words: str):
    made = tunnel(world)
    with pytest.raises(Refusal, match=words) as refusal:
        world.cloudflare.put_configuration(TOKEN, ACCOUNT, made["id"], {"ingress": rules})
    assert code(refusal) == 1056


def test_rules_are_put_whole_and_counted(world: World):
    made = tunnel(world)
    assert world.cloudflare.configuration(TOKEN, ACCOUNT, made["id"]) is None
    rules = [{"hostname": "*.example.com", "service": "https://10.0.0.1:443"}, LAST]
    for version in (1, 2):
        found = world.cloudflare.put_configuration(TOKEN, ACCOUNT, made["id"], {"ingress": rules})
        assert found["version"] == version
    assert world.cloudflare.configuration(TOKEN, ACCOUNT, made["id"]) == found
    assert found["config"] == {"ingress": rules}


def test_rules_for_a_tunnel_that_is_not_there_are_refused(world: World):
    with pytest.raises(Refusal) as refusal:
        world.cloudflare.put_configuration(TOKEN, ACCOUNT, "nobody", {"ingress": [LAST]})
    assert code(refusal) == 1003


def test_what_stands_outlives_the_process(tmp_path: Path):
    before = World(environment(), file=tmp_path / "world.json")
    with before.change():
        made = put(before)
        tunnel(before)
    after = World(environment(), file=tmp_path / "world.json")
    assert after.cloudflare.leftovers() == ["cloudflare/record/www.example.com", "cloudflare/tunnel/lab"]
    assert after.cloudflare.record(TOKEN, ZONE, made["id"]) == made
