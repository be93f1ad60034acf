"""1Password's seed: both Secrets are there before Argo CD, as they were given, secret all the way, and they stay."""

import json
from typing import Any

import pulumi
import pytest

from stacks.lab import build
from tests.labs import raw
from tests.recording import Recording, plain_text, record
from tests.stacks.test_graph import SECRETS, config, recorded

SEEDED = {
    "gitops-op-credentials-tower": {"1password-credentials.json": "MOCK-SECRET-CREDENTIALS"},
    "gitops-onepassword-token-tower": {"token": "MOCK-SECRET-TOKEN"},
}


def waits(recording: Recording, name: str) -> set[str]:
    return {recording.resources[urn].name for urn in recording.named(name).depends_on}


def test_both_secrets_are_there_before_argo_cd_and_stay_with_it() -> None:
    recording = recorded("pitower")
    assert set(SEEDED) <= waits(recording, "gitops-argo-cd-tower")
    for name, held in SEEDED.items():
        found = recording.named(name)
        assert found.inputs["stringData"] == held
        assert found.inputs["metadata"]["namespace"] == "external-secrets"
        assert waits(recording, name) == {"gitops-vault-tower"}
        assert found.retain_on_delete
        assert "MOCK-SECRET" not in plain_text(found.wire)


def test_the_namespace_lets_nobody_do_what_neither_asks_for() -> None:
    place = recorded("pitower").named("gitops-vault-tower")
    assert place.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert place.retain_on_delete


@pytest.mark.parametrize(
    ("missing", "command"),
    [("onepasswordCredentials", "onepasswordCredentials < 1password-credentials.json"), ("onepasswordToken", "$")],
)
def test_an_up_without_one_is_refused_with_the_command(missing: str, command: str) -> None:
    left = {name: value for name, value in SECRETS.items() if not name.endswith(missing)}
    with pytest.raises(pulumi.RunError, match=f"pulumi config set --secret .*{command}"):
        record(build, "pitower", config("pitower", left), preview=False)


def without_a_vault() -> dict[str, Any]:
    environment = raw("pitower")
    del environment["gitops"]
    return environment


def test_a_lab_without_a_vault_needs_neither() -> None:
    left = {name: value for name, value in SECRETS.items() if "onepassword" not in name}
    given = {"iluvatar:environment": json.dumps(without_a_vault()), **left}
    assert not set(SEEDED) & {found.name for found in record(build, "pitower", given, preview=False).resources.values()}
