"""Secrets that only the owner knows: there before the engine, secret all the way, and refused in words when they are
not what the stack file says."""

import json

import pulumi
import pytest

from model.app_secrets import AppSecret, values
from stacks.lab import build
from tests.labs import raw
from tests.recording import Recording, plain_text, record
from tests.stacks.test_graph import SECRETS, config, recorded

SEED, PLACE = "gitops-seed-rk1-monitoring-grafana-cloud", "gitops-seeds-rk1-monitoring"
ONE = AppSecret("monitoring", "grafana-cloud", ("token",))


def waits(recording: Recording, name: str) -> set[str]:
    return {recording.resources[urn].name for urn in recording.named(name).depends_on}


def test_a_seed_is_there_before_flux_and_stays_with_it() -> None:
    recording = recorded("turing")
    assert SEED in waits(recording, "gitops-flux-instance-rk1")
    found = recording.named(SEED)
    assert found.inputs["stringData"] == {"token": "MOCK-SECRET-APP"}
    assert found.inputs["metadata"]["namespace"] == "monitoring"
    assert waits(recording, SEED) == {PLACE}
    assert found.retain_on_delete
    assert "MOCK-SECRET" not in plain_text(found.wire)


def test_its_namespace_has_the_level_that_the_stack_file_says() -> None:
    place = recorded("turing").named(PLACE)
    assert place.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert place.retain_on_delete


def test_argo_cd_waits_for_seeds_too() -> None:
    environment = raw("pitower")
    environment["gitops"]["clusters"]["tower"]["seeds"] = {"logins": {"secrets": {"grafana-cloud": ["token"]}}}
    held = {"iluvatar:appSecrets": "logins/grafana-cloud: { token: MOCK-SECRET-APP }"}
    given = {**config("pitower", SECRETS), **held, "iluvatar:environment": json.dumps(environment)}
    recording = record(build, "pitower", given, preview=False)
    assert "gitops-seed-tower-logins-grafana-cloud" in waits(recording, "gitops-argo-cd-tower")


def test_an_up_without_the_secret_is_refused_with_the_command() -> None:
    left = {name: value for name, value in SECRETS.items() if not name.endswith("appSecrets")}
    with pytest.raises(pulumi.RunError, match=r"pulumi config set --secret appSecrets < app-secrets.yaml"):
        record(build, "turing", config("turing", left), preview=False)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "monitoring/grafana-cloud: HUSH", "monitoring/grafana-cloud: {}"),
        *("monitoring/grafana-cloud: { token: 12345 }", "monitoring/grafana-cloud: { token: '' }", "HUSH: ["),
        "monitoring/grafana-cloud: { other: HUSH }",
    ],
)
def test_what_is_missing_in_it_is_told_with_the_line_to_add_and_no_value(text: str) -> None:
    with pytest.raises(ValueError, match=r"app-secrets\.yaml") as refused:
        values(text, ONE)
    assert "HUSH" not in str(refused.value)
    assert "12345" not in str(refused.value)


def test_more_than_is_asked_for_is_not_handed_out() -> None:
    text = "monitoring/grafana-cloud: { token: a, other: b }\nelsewhere/login: { token: c }"
    assert values(text, ONE) == {"token": "a"}
