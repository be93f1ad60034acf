"""homelab out of a private repository, lived with the real engine: it is let in everywhere, and its key is nowhere in
clear."""

from base64 import b64decode
from pathlib import Path

import pytest
import yaml

from rehearsal.world.kube_cluster import Cluster
from tests.private import SSH, environment, folders
from tests.rehearsal.lives import every_event, in_clear
from tests.rehearsal.test_handover import Own

pytestmark = pytest.mark.slow


def key_of(cluster: Cluster, namespace: str, name: str, field: str) -> str:
    secret = cluster.get("Secret", namespace, name)
    assert secret is not None
    return b64decode(secret["data"][field]).decode()


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Own:
    """It stands; Arda reads the mirror."""
    life = Own("homelab", tmp_path_factory.mktemp("private"), engine)
    folders(life.folder)
    life.file.write_text(yaml.safe_dump({"config": {"iluvatar:environment": environment()}}, sort_keys=False))
    with every_event(life.events):
        done = life.run("up", fresh=True)
    assert done.well, done.errors()
    return life


def test_every_application_is_read_out_of_the_private_repository(private: Own) -> None:
    for name in ("ainur", "arda"):
        cluster = private.world().kubernetes.clusters[name]
        told = {one["metadata"]["name"]: one["status"] for one in cluster.objects("Application")}
        assert len(told) >= 4
        wrong = {each for each, status in told.items() if status["sync"]["status"] != "Synced"}
        assert wrong == set(), f"{name}: {wrong}"


def test_a_second_up_has_nothing_to_do(private: Own) -> None:
    assert private.run("up").transcript.changed() == []


def test_the_key_lies_where_it_is_read_and_nowhere_in_clear(private: Own) -> None:
    ainur = private.world().kubernetes.clusters["ainur"]
    key = key_of(ainur, "argocd", "gitops-repository", "sshPrivateKey")
    assert key_of(ainur, "git-mirror", "git-mirror-key", "ssh-privatekey") == key
    assert key_of(ainur, "argocd", "gitops-repository", "url") == SSH
    assert private.world().kubernetes.clusters["arda"].get("Secret", "argocd", "gitops-repository") is None
    body = key.splitlines()[2]
    assert len(body) > 40
    assert in_clear(private, [key, body]) == []
    assert "gitops-repository-ainur" in "".join(private.events), "the events were not heard"
