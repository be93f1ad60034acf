"""How long an `up` takes on real machines follows from the engine's own graph, and from nothing else."""

from typing import Any

import pytest

from rehearsal.durations import Duration, duration
from rehearsal.report import Resource, Span, durations_in, forecast, plain_outputs, protected, realm_of

PREFIX = "urn:pulumi:homelab::iluvatar::"
EA, ARDA = "iluvatar:ea:Network", "iluvatar:arda:Cluster"
SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "v1:x"}


def _urn(realm: str, kind: str, name: str) -> str:
    return f"{PREFIX}{realm}${kind}::{name}"


def _resource(urn: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"urn": urn, "type": urn.split("::")[2].split("$")[-1], "custom": True, "dependencies": list(after), **more}


NET = _urn(EA, "command:remote:Command", "ea-dns")
ONE = _urn(ARDA, "talos:machine/configurationApply:ConfigurationApply", "arda-apply-1")
TWO = _urn(ARDA, "talos:machine/configurationApply:ConfigurationApply", "arda-apply-2")
BOOT = _urn(ARDA, "talos:machine/bootstrap:Bootstrap", "arda-bootstrap")

TAKES = {NET: (1, 2), ONE: (10, 20), TWO: (30, 40), BOOT: (5, 6)}


def _takes(resource: Resource) -> Duration:
    low, high = TAKES[resource["urn"]]
    return Duration(low, high, "measured")


def _forecast(*resources: dict[str, Any]) -> Any:
    return forecast({"resources": list(resources)}, _takes)


def test_what_needs_nothing_of_each_other_happens_at_once():
    assert _forecast(_resource(ONE), _resource(TWO)).whole == Span(30, 40)


@pytest.mark.parametrize(
    "because",
    [
        {"dependencies": [TWO]},
        {"propertyDependencies": {"node": [TWO]}},
        {"parent": TWO},
        {"provider": f"{TWO}::some-id"},
    ],
)
def test_every_reason_the_engine_has_to_wait_counts(because: dict[str, Any]):
    assert _forecast(_resource(TWO), {**_resource(BOOT), **because}).whole == Span(35, 46)


def test_the_longest_chain_is_named_in_order():
    result = _forecast(_resource(NET), _resource(ONE, NET), _resource(TWO, NET), _resource(BOOT, ONE, TWO))
    assert [link.name for link in result.chain] == ["ea-dns", "arda-apply-2", "arda-bootstrap"]
    assert result.whole == Span(36, 48)


def test_a_realm_takes_from_its_first_start_to_its_last_end():
    result = _forecast(_resource(NET), _resource(ONE, NET), _resource(BOOT, ONE))
    ea, arda = result.phases
    assert (ea.realm, ea.takes, ea.stands_after) == ("ea", Span(1, 2), Span(1, 2))
    assert (arda.realm, arda.takes, arda.stands_after) == ("arda", Span(15, 26), Span(16, 28))
    assert arda.kinds == {"ConfigurationApply": 1, "Bootstrap": 1}


def test_what_is_replaced_and_awaits_deletion_is_not_counted():
    assert _forecast(_resource(ONE), {**_resource(TWO), "delete": True}).whole == Span(10, 20)


def test_an_empty_state_takes_no_time():
    result = forecast({}, _takes)
    assert result.whole == Span(0, 0)
    assert result.chain == []
    assert result.phases == []


def test_a_provider_belongs_to_the_realm_it_is_named_after():
    urn = f"{PREFIX}pulumi:providers:kubernetes::ainur-kubernetes"
    assert realm_of(urn, frozenset({"ainur"})) == "ainur"
    assert realm_of(urn, frozenset()) == "stack"
    assert realm_of(NET) == "ea"


def test_secret_outputs_are_named_and_stay_encrypted():
    stack = {
        "urn": f"{PREFIX}pulumi:pulumi:Stack::iluvatar-homelab",
        "type": "pulumi:pulumi:Stack",
        "outputs": {"addresses": {"vala-1": "192.168.1.50"}, "talosconfig": SECRET, "kubeconfigs": {"arda": SECRET}},
    }
    plain, secret = plain_outputs({"resources": [stack]})
    assert plain == {"addresses": {"vala-1": "192.168.1.50"}}
    assert secret == ["kubeconfigs", "talosconfig"]


def test_what_is_protected_is_listed():
    assert protected({"resources": [_resource(ONE), _resource(BOOT, protect=True)]}) == [BOOT]


def _entry(
    resource: str, kind: str, subject: str, low: float, high: float, source: str = "assumed: so"
) -> dict[str, Any]:
    return {
        "resource": resource,
        "kind": kind,
        "subject": subject,
        "operation": f"work on {subject}",
        "low": low,
        "high": high,
        "source": source,
    }


APPLY = "talos.ConfigurationApply"


def test_what_happens_on_a_machine_takes_the_time_and_not_the_call_that_set_it_off():
    takes = durations_in([_entry("arda-apply-1", "talos", "one", 60, 300), _entry("arda-apply-1", APPLY, "ip", 1, 600)])
    assert (takes(_resource(ONE)).low, takes(_resource(ONE)).high) == (60, 300)


def test_one_machine_works_in_turn_and_several_at_once():
    takes = durations_in(
        [
            _entry("arda-apply-1", "machines", "one", 60, 180),
            _entry("arda-apply-1", "machines", "two", 60, 200),
            _entry("arda-apply-1", "talos", "one", 60, 300),
        ]
    )
    found = takes(_resource(ONE))
    assert (found.low, found.high) == (120, 480)
    assert found.source == "work on one, then work on one (assumed)"


def test_a_call_alone_counts_by_itself_and_cites_its_source():
    found = durations_in([_entry("arda-apply-1", APPLY, "ip", 1, 5, "the provider's own page")])(_resource(ONE))
    assert (found.low, found.high, found.source) == (1, 5, "work on ip (the provider's own page)")


def test_what_another_resource_set_off_is_not_counted():
    takes = durations_in([_entry("arda-apply-2", "talos", "two", 60, 300)])
    assert takes(_resource(ONE)) == duration("talos.ConfigurationApply.create")


def test_components_and_providers_take_no_time():
    takes = durations_in([])
    assert takes({**_resource(ONE), "custom": False}).high == 0
    assert takes(_resource(f"{PREFIX}pulumi:providers:kubernetes::ainur")).high == 0
