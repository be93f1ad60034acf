"""The ledger's page is fresh: `--snapshot-update` rewrites it."""

import re

import pytest

from foresight.ledger import ledger, markdown
from model.environment import Environment
from tests.labs import ROOT, SHIPPED, raw, tree

PAGE = ROOT / "docs" / "gitops" / "who-owns-what.md"


@pytest.mark.parametrize("lab", SHIPPED)
def test_who_owns_what_is_fresh(lab: str, pytestconfig: pytest.Config) -> None:
    wanted = markdown(ledger(Environment.model_validate(raw(lab)), tree(lab)))
    part = re.compile(rf"(<!-- ledger: {lab} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    text = PAGE.read_text(encoding="utf-8")
    if pytestconfig.getoption("update_snapshots"):
        text = part.sub(lambda hit: f"{hit[1]}{wanted}\n{hit[3]}", text)
        PAGE.write_text(text, encoding="utf-8")
    found = part.search(text)
    assert found, f"the page says nothing of {lab}"
    assert found[2] == f"{wanted}\n", "pytest tests/foresight/test_ledger.py --snapshot-update writes it anew"


def test_a_helm_release_is_called_as_its_object_is_not_as_its_release() -> None:
    rows = ledger(Environment.model_validate(raw("turing")), tree("turing"))
    found = {row.what.partition(": ")[0]: row.then for row in rows if row.then}
    assert found["chart flux-instance"] == "helm-controller, HelmRelease flux-instance"
