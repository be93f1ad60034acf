"""A private repository's key: before who reads it, where it is read and nowhere else, secret all the way, and as
OpenSSH takes it."""

import json
from pathlib import Path

import pulumi
import pytest

from model.environment import Environment
from model.plan import plan
from render.by_hand import steps
from stacks.checkout import GITOPS_VARIABLE, tree
from stacks.judgement import judge
from stacks.lab import build
from tests.private import HOST_KEY, HTTPS, SSH, environment, folders
from tests.recording import Recording, plain_text, record
from tests.stacks.test_graph import SECRETS
from tests.stacks.test_vault import waits

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nMOCK-SECRET-KEY\n-----END OPENSSH PRIVATE KEY-----"
GIVEN = {"iluvatar:gitRepositoryKey": KEY, "iluvatar:gitRepositoryToken": "MOCK-SECRET-TOKEN\n"}


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Record the program with a private repository of some kind; Arda reads some source."""

    def made(kind: str = "deploy-key", source: str = "mirror", *, given: dict[str, str] = GIVEN, preview: bool = False):
        monkeypatch.setenv(GITOPS_VARIABLE, str(folders(tmp_path, kind, source)))
        config = {"iluvatar:environment": json.dumps(environment(kind, source)), **SECRETS, **given}
        return record(build, "homelab", config, preview=preview)

    return made


def held(recording: Recording, name: str) -> dict[str, str]:
    return recording.named(name).inputs["stringData"]


def test_argo_cd_and_the_mirror_have_the_key_before_they_start(private) -> None:
    recording = private()
    assert held(recording, "gitops-repository-ainur") == {"type": "git", "url": SSH, "sshPrivateKey": f"{KEY}\n"}
    assert held(recording, "gitops-mirror-key-ainur") == {"ssh-privatekey": f"{KEY}\n", "known_hosts": f"{HOST_KEY}\n"}
    label = {"argocd.argoproj.io/secret-type": "repository"}
    assert recording.named("gitops-repository-ainur").inputs["metadata"]["labels"] == label
    assert {"gitops-repository-ainur", "gitops-mirror-key-ainur"} <= waits(recording, "gitops-argo-cd-ainur")
    for name in ("gitops-repository-ainur", "gitops-mirror-key-ainur", "gitops-mirror-namespace-ainur"):
        assert recording.named(name).retain_on_delete, f"{name}: who reads with it stays"


def test_whoever_reads_the_mirror_has_no_key(private) -> None:
    assert "gitops-repository-arda" not in {one.name for one in private().resources.values()}


def test_whoever_reads_the_repository_itself_has_the_key(private) -> None:
    recording = private(source="upstream")
    assert held(recording, "gitops-repository-arda")["sshPrivateKey"] == f"{KEY}\n"
    assert "gitops-repository-arda" in waits(recording, "gitops-argo-cd-arda")


def test_a_token_goes_with_its_name_and_without_a_newline(private) -> None:
    recording = private("token")
    shown = {"username": "reader", "password": "MOCK-SECRET-TOKEN"}
    assert held(recording, "gitops-repository-ainur") == {"type": "git", "url": HTTPS, **shown}
    assert held(recording, "gitops-mirror-key-ainur") == shown


@pytest.mark.parametrize("kind", ["deploy-key", "token"])
def test_neither_reaches_the_engine_in_plain(private, kind: str) -> None:
    recording = private(kind, "upstream")
    for resource in recording.resources.values():
        assert "MOCK-SECRET" not in plain_text(resource.wire), f"{resource.name} carries a secret in plain"
    for name, (value, secret) in recording.outputs.items():
        assert secret or "MOCK-SECRET" not in str(value), f"output {name} is a plain secret"


@pytest.mark.parametrize("kind", ["deploy-key", "token"])
def test_a_preview_needs_neither(private, kind: str) -> None:
    assert private(kind, given={}, preview=True).resources.keys() == private(kind).resources.keys()


@pytest.mark.parametrize(
    ("kind", "command"),
    [("deploy-key", "gitRepositoryKey < deploy-key"), ("token", "gitRepositoryToken$")],
)
def test_an_up_without_it_is_refused_with_the_command(private, kind: str, command: str) -> None:
    with pytest.raises(pulumi.RunError, match=f"pulumi config set --secret {command}"):
        private(kind, given={})


@pytest.mark.parametrize("source", ["mirror", "upstream"])
@pytest.mark.parametrize("kind", ["deploy-key", "token"])
def test_nothing_is_wrong_with_a_private_lab(tmp_path: Path, kind: str, source: str) -> None:
    judged = judge(environment(kind, source), "homelab", set(), folders(tmp_path, kind, source))
    assert [finding for finding in judged.findings if finding.grade == "error"] == []
    told = {finding.code for finding in judged.findings}
    assert ("gitops-mirror-open" in told) is (source == "mirror")


@pytest.mark.parametrize("kind", ["deploy-key", "token"])
def test_by_hand_the_key_is_read_from_a_file_and_the_same_things_are_made(private, tmp_path: Path, kind: str) -> None:
    recording = private(kind, "upstream")
    decided = plan(Environment.model_validate(environment(kind, "upstream")), tree("homelab", tmp_path / "gitops"))
    done = [name for step in steps(decided) for name in step.does if name.startswith("gitops-")]
    made = [one.name for one in recording.resources.values() if one.custom and one.name.startswith("gitops-")]
    assert sorted(done) == sorted(made)
    lines = [line for step in steps(decided) for line in step.commands if "secret/repository" in line]
    assert len(lines) == 3
    assert all("--from-file=" in line for line in lines)
