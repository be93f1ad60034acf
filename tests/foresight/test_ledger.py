"""The ledger's page is fresh: `--snapshot-update` rewrites it."""

import pytest

from foresight.ledger import ledger, markdown
from model.environment import Environment
from tests.labs import ROOT, SHIPPED, raw, tree
from tests.pages import hold_fresh

PAGE = ROOT / "docs" / "gitops" / "who-owns-what.md"


@pytest.mark.parametrize("lab", SHIPPED)
def test_who_owns_what_is_fresh(lab: str, pytestconfig: pytest.Config) -> None:
    wanted = markdown(ledger(Environment.model_validate(raw(lab)), tree(lab)))
    hold_fresh(PAGE, f"ledger: {lab}", wanted, pytestconfig)


def test_a_helm_release_is_called_as_its_object_is_not_as_its_release() -> None:
    rows = ledger(Environment.model_validate(raw("turing")), tree("turing"))
    found = {row.what.partition(": ")[0]: row.then for row in rows if row.then}
    assert found["chart flux-instance"] == "helm-controller, HelmRelease flux-instance"
