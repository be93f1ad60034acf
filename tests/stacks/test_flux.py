"""Flux' seed: what it fetches is there first, and so is every key that it reads it with, secret all the way."""

import json
import shutil
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from stacks.checkout import GITOPS_VARIABLE
from stacks.lab import build
from tests.labs import ROOT, raw
from tests.recording import Recording, plain_text, record, secret_leaves

PUBLIC = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI\n-----END PUBLIC KEY-----\n"
APPS = {"iluvatar:appSecrets": "monitoring/grafana-cloud: { token: MOCK-SECRET-APP }"}
SECRETS = {"iluvatar:sopsAgeKey": "MOCK-SECRET-AGE", "iluvatar:registryLogin": "MOCK-SECRET-LOGIN", **APPS}
SEEDED = ("gitops-cosign-key-rk1", "gitops-registry-login-rk1", "gitops-sops-age-rk1")


def guarded() -> dict[str, Any]:
    """turing with a private registry, signed artefacts and encrypted Secrets."""
    environment = raw("turing")
    environment["gitops"] |= {"verify": {"key": PUBLIC}, "secrets": "sops", "registry_login": True}
    return environment


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """turing's folders, whose instance knows all that."""
    for folder in ("turing", "shared"):
        shutil.copytree(ROOT / "gitops" / folder, tmp_path / folder)
    file = tmp_path / "turing/rk1/infrastructure/flux-instance/release.yaml"
    source, release = yaml.safe_load_all(file.read_text())
    instance = release["spec"]["values"]["instance"]
    instance["sync"]["pullSecret"] = "registry-login"
    value = {"provider": "cosign", "secretRef": {"name": "cosign-key"}}
    step = yaml.safe_dump([{"op": "add", "path": "/spec/verify", "value": value}])
    instance["kustomize"] = {"patches": [{"target": {"kind": "OCIRepository"}, "patch": step}]}
    file.write_text(yaml.safe_dump_all([source, release]))
    monkeypatch.setenv(GITOPS_VARIABLE, str(tmp_path))


def run(environment: dict[str, Any], secrets: dict[str, str], *, preview: bool = False) -> Recording:
    return record(build, "turing", {"iluvatar:environment": json.dumps(environment), **secrets}, preview=preview)


def names(recording: Recording, name: str) -> set[str]:
    return {recording.resources[urn].name for urn in recording.named(name).depends_on}


def test_the_first_artefact_is_there_before_flux_and_asks_for_no_machine() -> None:
    recording = run(raw("turing"), APPS)
    pushed = recording.named("gitops-artefact-rk1")
    assert pushed.inputs["create"].startswith("sh ./lab artefact turing --if-absent")
    assert names(recording, "gitops-artefact-rk1") == set()
    assert "gitops-artefact-rk1" in names(recording, "gitops-flux-instance-rk1")


def test_every_key_is_there_before_flux_and_stays_with_it(told: None) -> None:
    recording = run(guarded(), SECRETS)
    assert set(SEEDED) <= names(recording, "gitops-flux-instance-rk1")
    bodies = {name: recording.named(name).inputs for name in SEEDED}
    assert [bodies[name]["stringData"] for name in SEEDED] == [
        {"cosign.pub": PUBLIC},
        {".dockerconfigjson": "MOCK-SECRET-LOGIN"},
        {"age.agekey": "MOCK-SECRET-AGE"},
    ]
    assert bodies[SEEDED[1]]["type"] == "kubernetes.io/dockerconfigjson"
    assert all(recording.named(name).retain_on_delete for name in SEEDED)
    assert {body["metadata"]["namespace"] for body in bodies.values()} == {"flux-system"}


def test_no_key_reaches_the_engine_in_plain(told: None) -> None:
    recording = run(guarded(), SECRETS)
    for resource in recording.resources.values():
        assert "MOCK-SECRET" not in plain_text(resource.wire), f"{resource.name} carries a secret in plain"
    leaves = {str(leaf) for name in SEEDED for leaf in secret_leaves(recording.named(name).wire)}
    assert {"MOCK-SECRET-AGE", "MOCK-SECRET-LOGIN"} <= {
        text for leaf in leaves for text in SECRETS.values() if text in leaf
    }


@pytest.mark.parametrize(("missing", "file"), [("sopsAgeKey", "keys.txt"), ("registryLogin", "config.json")])
def test_an_up_without_a_key_is_refused_and_a_preview_is_not(told: None, missing: str, file: str) -> None:
    left = {name: value for name, value in SECRETS.items() if not name.endswith(missing)}
    with pytest.raises(pulumi.RunError, match=f"pulumi config set --secret {missing} < {file}"):
        run(guarded(), left)
    assert set(run(guarded(), left, preview=True).resources) == set(run(guarded(), SECRETS).resources)
