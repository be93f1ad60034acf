"""The list of certificates: on the page, and of the shipped labs; `--snapshot-update` rewrites the page."""

import re

import pytest

from model.certificates import certificates, markdown
from model.environment import Environment
from tests.labs import ROOT, SHIPPED, raw, tree

PAGE = ROOT / "docs" / "edge.md"


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_page_lists_every_certificate(lab: str, pytestconfig: pytest.Config) -> None:
    wanted = markdown(certificates(Environment.model_validate(raw(lab)), tree(lab)))
    part = re.compile(rf"(<!-- certificates: {lab} -->\n)(.*?)(<!-- end -->)", re.DOTALL)
    text = PAGE.read_text(encoding="utf-8")
    if pytestconfig.getoption("update_snapshots"):
        text = part.sub(lambda hit: f"{hit[1]}{wanted}\n{hit[3]}", text)
        PAGE.write_text(text, encoding="utf-8")
    found = part.search(text)
    assert found, f"the page says nothing of {lab}"
    assert found[2] == f"{wanted}\n", "pytest tests/model/test_certificates.py --snapshot-update writes it anew"


@pytest.mark.parametrize("lab", SHIPPED)
def test_what_the_gateways_show_is_listed_with_its_issuer(lab: str) -> None:
    environment = Environment.model_validate(raw(lab))
    assert environment.cluster
    assert environment.edge.certificates
    rows = [
        one
        for one in certificates(environment, tree(lab))
        if one.where == environment.cluster.name and f"*.{environment.domain}" in one.what
    ]
    assert [(row.signer, row.renewed) for row in rows] == [
        (environment.edge.certificates.issuer, "cert-manager, 30 days before")
    ]


def test_an_ingress_that_asks_for_a_certificate_is_listed() -> None:
    rows = certificates(Environment.model_validate(raw("homelab")), tree("homelab"))
    hosts = {row.what.partition(".")[0] for row in rows if row.where == "ainur" and row.signer == "lab-ca"}
    assert {"ca", "dex", "git-mirror", "headlamp"} <= hosts
