"""Whom the Git server lets in, and in whose words the others are told: Argo CD's, and the Git mirror's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from rehearsal.keys import ssh_key
from rehearsal.standins.shell import Outcome
from rehearsal.world.git_mirror import SCRIPT
from rehearsal.world.kubernetes import trouble_of
from tests.rehearsal.clusters import body
from tests.rehearsal.folders import tree, with_argo
from tests.rehearsal.pis import run
from tests.rehearsal.test_world_git_mirror import ainur

SSH, PORT, HTTPS = (
    "git@git.example.com:lab.git",
    "ssh://git@git.example.com:2222/lab.git",
    "https://git.example.com/lab.git",
)
RIGHT, WRONG = ssh_key("deploy"), ssh_key("deploy")
SERVER, OTHER = (" ".join(ssh_key("host").public.split()[:2]) for _ in range(2))
TOKEN = "the-token"
READERS = (" ".join(RIGHT.public.split()[:2]), f"sha256:{hashlib.sha256(TOKEN.encode()).hexdigest()}")
KNOWN = f"git.example.com {SERVER}\n"


def facts(url: str) -> dict[str, Any]:
    known = [f"[git.example.com]:2222 {SERVER}" if url == PORT else KNOWN.strip()]
    return {
        "repository": url,
        "revision": "main",
        "known_hosts": known,
        "credentials": "token" if url == HTTPS else "deploy-key",
    }


def argo_cd(root: Path, url: str, *, known: str = KNOWN, labelled: bool = True, **shown: str) -> str | None:
    """What is said of a set whose Argo CD shows this, and knows these servers."""
    cluster, made = with_argo(tree(root, "apps/one"), generator={"repoURL": url}, rules={"sourceRepos": ["*"]})
    cluster.world.environment["gitops"] = facts(url)
    cluster.world.git_readers = READERS
    release = next(each for each in cluster.releases.values() if each["chart"] == "argo-cd")
    release["values"] = {"configs": {"ssh": {"extraHosts": known}}}
    if shown:
        secret = body("Secret", "gitops-repository", "argocd", stringData={"type": "git", "url": url, **shown})
        if labelled:
            secret["metadata"]["labels"] = {"argocd.argoproj.io/secret-type": "repository"}
        cluster.apply(secret, "test")
    cluster.work()
    return trouble_of(cluster, made)


@pytest.mark.parametrize(
    ("url", "given"),
    [
        (SSH, {"sshPrivateKey": RIGHT.private}),
        (PORT, {"sshPrivateKey": RIGHT.private, "known": f"[git.example.com]:2222 {SERVER}"}),
        (HTTPS, {"username": "git", "password": TOKEN}),
    ],
    ids=["ssh", "port", "https"],
)
def test_argo_cd_is_let_in_with_what_opens_the_repository(tmp_path: Path, url: str, given: dict[str, Any]) -> None:
    assert argo_cd(tmp_path, url, **given) is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, 'error creating SSH agent: "SSH agent requested but SSH_AUTH_SOCK not-specified"'),
        ({"sshPrivateKey": RIGHT.private, "labelled": False}, "error creating SSH agent"),
        ({"sshPrivateKey": WRONG.private}, "ssh: unable to authenticate, attempted methods [none publickey]"),
        ({"sshPrivateKey": RIGHT.public}, "ssh: unable to authenticate"),
    ],
    ids=["none", "unlabelled", "wrong", "public"],
)
def test_argo_cd_without_the_right_key_is_not_let_in(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    assert words in (argo_cd(tmp_path, SSH, **given) or "")


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ("", "knownhosts: key is unknown"),
        (f"git.example.com {OTHER}\n", "knownhosts: key mismatch"),
        (f"[git.example.com]:2222 {SERVER}\n", "knownhosts: key is unknown"),
    ],
    ids=["none", "another-key", "another-port"],  # keys are made anew: no name may hold one
)
def test_argo_cd_believes_no_server_that_it_does_not_know(tmp_path: Path, known: str, words: str) -> None:
    assert words in (argo_cd(tmp_path, SSH, known=known, sshPrivateKey=RIGHT.private) or "")


@pytest.mark.parametrize("shown", [{}, {"username": "git", "password": "another"}, {"password": TOKEN}])
def test_argo_cd_without_the_right_token_is_not_let_in(tmp_path: Path, shown: dict[str, Any]) -> None:
    assert "authentication required" in (argo_cd(tmp_path, HTTPS, **shown) or "")


def mirror(url: str, *, known: str = KNOWN, again: bool = False, **files: str) -> Outcome:
    """The mirror's script, whose pod has these files; `again`: something was fetched before."""
    world = ainur()
    world.environment["gitops"] = facts(url)
    world.git_readers = READERS
    if again:
        world.section("git_mirror")["fetched"] = "main"
    if files:
        held = files | ({"known_hosts": known} if url != HTTPS else {})
        world.kubernetes.clusters["boot"].apply(body("Secret", "git-mirror-key", "git-mirror", stringData=held), "test")
    return run(world, f"sudo k3s kubectl -n git-mirror exec deploy/git-mirror -- {SCRIPT} main")


@pytest.mark.parametrize(
    ("url", "files"), [(SSH, {"ssh-privatekey": RIGHT.private}), (HTTPS, {"username": "git", "password": TOKEN})]
)
def test_the_mirror_is_let_in_with_what_opens_the_repository(url: str, files: dict[str, Any]) -> None:
    done = mirror(url, **files)
    assert done.code == 0, done.stderr


@pytest.mark.parametrize(
    ("url", "given", "words"),
    [
        (SSH, {"ssh-privatekey": WRONG.private}, "git@git.example.com: Permission denied (publickey)."),
        (SSH, {"ssh-privatekey": RIGHT.private.rstrip("\n")}, "error in libcrypto"),
        (SSH, {"ssh-privatekey": RIGHT.private, "known": ""}, "Host key verification failed."),
        (SSH, {"ssh-privatekey": RIGHT.private, "known": f"git.example.com {OTHER}\n"}, "git.example.com has changed"),
        (SSH, {}, "Host key verification failed."),
        (HTTPS, {}, "could not read Username for 'https://git.example.com': terminal prompts disabled"),
        (HTTPS, {"username": "git", "password": "another"}, f"Authentication failed for '{HTTPS}/'"),
    ],
)
def test_the_mirror_that_is_not_let_in_says_why_and_has_nothing(url: str, given: dict[str, Any], words: str) -> None:
    done = mirror(url, **given)
    assert done.code == 1
    assert f"{url} did not answer as a repository: " in done.stderr
    assert words in done.stderr
    assert "main is not in the mirror" in done.stderr


def test_what_the_mirror_fetched_before_is_served_with_any_key() -> None:
    assert mirror(SSH, again=True, **{"ssh-privatekey": WRONG.private}).code == 0


def test_a_server_keeps_its_key_whatever_the_file_says_later() -> None:
    world = ainur()
    world.environment["gitops"] = facts(SSH)
    world.git_readers = READERS
    cluster = world.kubernetes.clusters["boot"]
    for key, code in ((SERVER, 0), (OTHER, 1)):
        world.environment["gitops"]["known_hosts"] = [f"git.example.com {key}"]
        held = {"ssh-privatekey": RIGHT.private, "known_hosts": f"git.example.com {key}\n"}
        cluster.apply(body("Secret", "git-mirror-key", "git-mirror", stringData=held), "test")
        world.section("git_mirror").clear()
        assert run(world, f"sudo k3s kubectl -n git-mirror exec deploy/git-mirror -- {SCRIPT} main").code == code
