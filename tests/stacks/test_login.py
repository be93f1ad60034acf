"""Arda's login at Ainur's Dex: Argo CD has the authority that it believes there, before it starts and only there."""

import pytest

from tests.labs import SHIPPED, tree
from tests.stacks.test_graph import recorded
from tests.stacks.test_vault import waits

SEED = "gitops-authority-arda"


def test_the_authority_is_there_before_argo_cd_as_its_login_names_it() -> None:
    recording = recorded("homelab")
    found = recording.named(SEED)
    assert found.inputs["metadata"] == {
        "name": "lab-authority",
        "namespace": "argocd",
        "labels": {"app.kubernetes.io/part-of": "argocd"},
    }
    assert list(found.inputs["stringData"]) == ["ca.crt"]
    assert "rootCA: $lab-authority:ca.crt" in tree("homelab")["arda/gitops/argo-cd/values.yaml"]
    assert SEED in waits(recording, "gitops-argo-cd-arda")
    assert found.retain_on_delete


@pytest.mark.parametrize("lab", SHIPPED)
def test_only_a_login_that_names_the_authority_is_given_it(lab: str) -> None:
    given = [one.name for one in recorded(lab).resources.values() if one.name.startswith("gitops-authority-")]
    assert given == ([SEED] if lab == "homelab" else [])
