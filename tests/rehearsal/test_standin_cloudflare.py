"""The Cloudflare provider's own ways: checks, previews, what a read drops, what replaces."""

import base64
from dataclasses import dataclass
from typing import Any

import pytest
from pulumi.runtime.proto import provider_pb2

from rehearsal.standins.cloudflare import stand_in
from rehearsal.standins.wire import UNKNOWN, decode, encode
from rehearsal.world import World
from tests.rehearsal.worlds import Aborted, Engine

TOKEN, ZONE, ACCOUNT = "t" * 40, "b" * 32, "a" * 32
RECORD = "cloudflare:index/dnsRecord:DnsRecord"
TUNNEL = "cloudflare:index/zeroTrustTunnelCloudflared:ZeroTrustTunnelCloudflared"
RULES = "cloudflare:index/zeroTrustTunnelCloudflaredConfig:ZeroTrustTunnelCloudflaredConfig"
SECRET = base64.b64encode(b"0" * 32).decode()
NEWS: dict[str, Any] = {
    "zoneId": ZONE,
    "name": "www.example.com",
    "type": "A",
    "content": "203.0.113.7",
    "ttl": 300,
    "proxied": False,
}
HOLE: dict[str, Any] = {"accountId": ACCOUNT, "name": "lab", "configSrc": "cloudflare", "tunnelSecret": SECRET}


@dataclass
class Account:
    """One provider that was configured, and the World behind it."""

    world: World
    engine: Engine

    def configure(self, **config: Any) -> None:
        request = provider_pb2.ConfigureRequest(args=encode(config))
        self.engine.servicer.Configure(request, self.engine.call)

    def configuration_faults(self, **config: Any) -> list[tuple[str, str]]:
        request = provider_pb2.CheckRequest(news=encode(config))
        answer = self.engine.servicer.CheckConfig(request, self.engine.call)
        return [(failure.property, failure.reason) for failure in answer.failures]

    def update(self, token: str, known: str, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
        urn = self.engine.urn(token, "it")
        request = provider_pb2.UpdateRequest(id=known, urn=urn, olds=encode(olds), news=encode(news))
        return decode(self.engine.servicer.Update(request, self.engine.call).properties)[0]

    def delete(self, token: str, known: str, state: dict[str, Any]) -> None:
        request = provider_pb2.DeleteRequest(id=known, urn=self.engine.urn(token, "it"), properties=encode(state))
        self.engine.servicer.Delete(request, self.engine.call)

    def found(self, token: str, known: str, **state: Any) -> dict[str, Any] | None:
        answer = self.engine.read(token, known, **state)
        return decode(answer.properties)[0] if answer.id else None


@pytest.fixture
def at() -> Account:
    stated = {"account_id": ACCOUNT, "zone_id": ZONE}
    world = World({"name": "lab", "domain": "example.com", "edge": {"cloudflare": stated}})
    world.cloudflare.door.issue_token(TOKEN)
    account = Account(world, Engine(stand_in(), world))
    account.configure(apiToken=TOKEN)
    return account


# The provider


@pytest.mark.parametrize("token", ["short", "MOCK-SECRET-CLOUDFLARE", "!" * 40])
def test_a_malformed_token_is_a_check_failure(at: Account, token: str):
    [(name, reason)] = at.configuration_faults(apiToken=token)
    assert (name, token in reason) == ("apiToken", False)
    assert "API tokens must be 40 characters long and only contain characters a-z" in reason


def test_a_well_formed_token_is_taken_and_two_credentials_are_not(at: Account):
    assert at.configuration_faults(apiToken=TOKEN) == []
    assert at.configuration_faults(apiToken=UNKNOWN) == []
    both = at.configuration_faults(apiToken=TOKEN, apiKey="k")
    assert both == [("apiToken", "conflicting credentials: apiKey, apiToken")]


def test_a_wrong_token_passes_a_preview_and_fails_the_run(at: Account):
    at.configure(apiToken="u" * 40)
    assert at.engine.create(RECORD, preview=True, **NEWS)[0] == ""
    with pytest.raises(Aborted, match="9109"):
        at.engine.create(RECORD, **NEWS)


def test_a_provider_without_a_token_asks_in_vain(at: Account):
    at.configure()
    with pytest.raises(Aborted, match=r"9106.*Missing X-Auth-Key, X-Auth-Email or Authorization headers"):
        at.engine.create(RECORD, **NEWS)


# Records


def test_a_misspelt_and_a_missing_input_are_refused(at: Account):
    news = {name: value for name, value in NEWS.items() if name not in ("ttl", "zoneId")} | {"zone_id": ZONE}
    assert [name for name, _ in at.engine.check(RECORD, **news)] == ["zone_id", "ttl", "zoneId"]


def test_a_type_there_is_not_is_refused_at_preview(at: Account):
    assert [name for name, _ in at.engine.check(RECORD, **NEWS | {"type": "ANAME"})] == ["type"]
    assert at.engine.check(RECORD, **NEWS | {"content": UNKNOWN}) == []


def test_a_preview_changes_nothing_and_knows_what_it_was_told(at: Account):
    made, state, _ = at.engine.create(RECORD, preview=True, **NEWS)
    assert (made, state["name"], state["createdOn"]) == ("", "www.example.com", UNKNOWN)
    assert at.world.cloudflare.leftovers() == []


def test_a_proxied_record_with_a_lifetime_of_its_own_is_refused(at: Account):
    proxied: dict[str, Any] = NEWS | {"proxied": True}
    with pytest.raises(Aborted, match="ttl must be set to 1 when `proxied` is true"):
        at.engine.create(RECORD, **proxied)


def test_the_same_record_twice_is_refused_in_cloudflares_words(at: Account):
    at.engine.create(RECORD, **NEWS)
    with pytest.raises(
        Aborted, match=r'failed to make http request: POST ".*dns_records": 400 Bad Request .*"code":81058'
    ):
        at.engine.create(RECORD, **NEWS)


def test_type_and_zone_replace_a_record_and_nothing_else_does(at: Account):
    for name, value, replaces in (("type", "AAAA", True), ("zoneId", "c" * 32, True), ("content", "1.1.1.1", False)):
        answer = at.engine.diff(RECORD, NEWS, NEWS | {name: value})
        assert list(answer.replaces) == ([name] if replaces else []), name
        assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert at.engine.diff(RECORD, NEWS, NEWS).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_read_tells_what_stands_there_now_and_drops_what_is_gone(at: Account):
    made, state, _ = at.engine.create(RECORD, **NEWS)
    assert at.found(RECORD, made, **state) == state
    changed = NEWS | {"content": "203.0.113.9"}
    sent = {name: value for name, value in changed.items() if name != "zoneId"}
    at.world.cloudflare.overwrite_record(TOKEN, ZONE, made, sent)
    answer = at.engine.read(RECORD, made, **state)
    assert decode(answer.inputs)[0]["content"] == "203.0.113.9"
    at.world.cloudflare.delete_record(TOKEN, ZONE, made)
    assert at.found(RECORD, made, **state) is None


def test_a_record_is_updated_in_place_and_its_second_delete_is_refused(at: Account):
    made, state, _ = at.engine.create(RECORD, **NEWS)
    assert at.update(RECORD, made, state, NEWS | {"comment": "x"})["comment"] == "x"
    at.delete(RECORD, made, state)
    with pytest.raises(Aborted, match="81044"):
        at.delete(RECORD, made, state)
    assert [entry["operation"] for entry in at.world.entries()] == ["create record", "update record", "delete record"]


def test_a_record_is_imported_by_zone_and_id(at: Account):
    made, state, _ = at.engine.create(RECORD, **NEWS)
    assert at.found(RECORD, f"{ZONE}/{made}") == state
    with pytest.raises(Aborted, match='invalid ID: expected urlencoded segments "<zone_id>/<dns_record_id>"'):
        at.engine.read(RECORD, made)


# Tunnels


def test_a_tunnels_secret_is_a_secret_and_its_source_local_unless_told(at: Account):
    _, state, secrets = at.engine.create(TUNNEL, **HOLE)
    assert ("tunnelSecret",) in secrets
    assert (state["configSrc"], state["status"], state["remoteConfig"]) == ("cloudflare", "inactive", True)
    request = provider_pb2.CheckRequest(
        urn=at.engine.urn(TUNNEL, "it"), news=encode({"accountId": ACCOUNT, "name": "other"})
    )
    checked = at.engine.servicer.Check(request, at.engine.call)
    assert decode(checked.inputs)[0]["configSrc"] == "local"


def test_a_tunnel_name_in_use_is_refused(at: Account):
    at.engine.create(TUNNEL, **HOLE)
    with pytest.raises(
        Aborted, match=r'409 Conflict.*"code":1013.*You already have a tunnel with this name.*asked ten times'
    ):
        at.engine.create(TUNNEL, **HOLE)


def test_account_and_source_replace_a_tunnel_and_a_new_secret_does_not(at: Account):
    for name, value, replaces in (("accountId", "c" * 32, 1), ("configSrc", "local", 1), ("tunnelSecret", "x", 0)):
        assert len(at.engine.diff(TUNNEL, HOLE, HOLE | {name: value}).replaces) == replaces, name


def test_a_tunnel_keeps_its_secret_through_a_read_and_is_renamed_in_place(at: Account):
    made, state, _ = at.engine.create(TUNNEL, **HOLE)
    assert at.found(TUNNEL, made, **state) == state
    imported = at.found(TUNNEL, f"{ACCOUNT}/{made}")
    assert imported == {name: value for name, value in state.items() if name != "tunnelSecret"}
    assert at.update(TUNNEL, made, state, HOLE | {"name": "renamed"})["name"] == "renamed"


def test_a_deleted_tunnel_stays_in_the_state_and_its_name_is_free(at: Account):
    made, state, _ = at.engine.create(TUNNEL, **HOLE)
    at.delete(TUNNEL, made, state)
    found = at.found(TUNNEL, made, **state)
    assert found is not None
    assert found == state | {"deletedAt": found["deletedAt"]}
    with pytest.raises(Aborted, match=r"1003.*Tunnel not found"):
        at.delete(TUNNEL, made, state)
    assert at.engine.create(TUNNEL, **HOLE)[0] != made


def test_rules_need_their_tunnel_and_a_catch_all(at: Account):
    config: dict[str, Any] = {"ingresses": [{"service": "http_status:404"}]}
    with pytest.raises(Aborted, match="Tunnel not found"):
        at.engine.create(RULES, accountId=ACCOUNT, tunnelId="nobody", config=config)
    tunnel, _, _ = at.engine.create(TUNNEL, **HOLE)
    only_one = {"ingresses": [{"hostname": "a.example.com", "service": "https://10.0.0.1:443"}]}
    with pytest.raises(Aborted, match='"code":1056'):
        at.engine.create(RULES, accountId=ACCOUNT, tunnelId=tunnel, config=only_one)
    made, state, _ = at.engine.create(RULES, accountId=ACCOUNT, tunnelId=tunnel, config=config)
    assert (made, state["config"], state["version"]) == (tunnel, config, 1)


def test_a_misspelt_rule_is_refused_at_preview(at: Account):
    rules = [{"service": "http_status:404", "originrequest": {}}]
    found = at.engine.check(RULES, accountId=ACCOUNT, tunnelId=UNKNOWN, config={"ingresses": rules})
    assert [name for name, _ in found] == ["config.ingresses[0].originrequest"]


def test_deleting_rules_does_nothing_and_a_read_is_truthful(at: Account):
    tunnel, _, _ = at.engine.create(TUNNEL, **HOLE)
    config: dict[str, Any] = {"ingresses": [{"service": "http_status:404"}]}
    made, state, _ = at.engine.create(RULES, accountId=ACCOUNT, tunnelId=tunnel, config=config)
    at.delete(RULES, made, state)
    assert at.found(RULES, made, **state) == state
    at.world.cloudflare.put_configuration(TOKEN, ACCOUNT, tunnel, {"ingress": [{"service": "http_status:503"}]})
    again = at.found(RULES, made, **state)
    assert again is not None
    assert again["config"]["ingresses"] == [{"service": "http_status:503"}]
    at.world.cloudflare.delete_tunnel(TOKEN, ACCOUNT, tunnel)
    assert at.found(RULES, made, **state) is None
