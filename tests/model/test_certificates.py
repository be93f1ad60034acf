"""The list of certificates: on the page, and of the shipped labs; `--snapshot-update` rewrites the page."""

import pytest

from model.certificates import certificates, markdown
from model.environment import Environment
from tests.labs import ROOT, SHIPPED, raw, tree
from tests.pages import hold_fresh

PAGE = ROOT / "docs" / "edge.md"


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_page_lists_every_certificate(lab: str, pytestconfig: pytest.Config) -> None:
    wanted = markdown(certificates(Environment.model_validate(raw(lab)), tree(lab)))
    hold_fresh(PAGE, f"certificates: {lab}", wanted, pytestconfig)


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
