"""The catalogue's page is fresh, and says of an app what its folder says: `--snapshot-update` rewrites it."""

import pytest

from foresight.catalogue import Entry, catalogue, markdown
from model.environment import Environment
from tests.labs import ROOT, SHIPPED, raw, tree
from tests.pages import hold_fresh

PAGE = ROOT / "docs" / "catalogue.md"


def entries(lab: str) -> dict[str, Entry]:
    return {one.app: one for one in catalogue(Environment.model_validate(raw(lab)), tree(lab))}


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_catalogue_is_fresh(lab: str, pytestconfig: pytest.Config) -> None:
    wanted = markdown(catalogue(Environment.model_validate(raw(lab)), tree(lab)))
    hold_fresh(PAGE, f"catalogue: {lab}", wanted, pytestconfig)


def test_an_app_says_its_version_its_name_what_it_keeps_and_who_takes_copies() -> None:
    sonarr = entries("pitower")["sonarr"]
    assert [version.partition(":")[0] for version in sonarr.versions] == ["sonarr"]
    assert sonarr.exposure == ("internal: sonarr.example.com",)
    assert sonarr.storage == ("ceph-block 5Gi",)
    assert sonarr.copies == ("restic to the NAS",)
    assert sonarr.secrets == ("vault: sonarr (api_key)", "vault: backups (restic_password)")


def test_a_database_has_its_class_from_the_component_that_all_share() -> None:
    miniflux = entries("pitower")["miniflux"]
    assert miniflux.storage == ("2 x ceph-block 5Gi",)
    assert miniflux.copies == ("dumps to the NAS",)
    assert miniflux.exposure == ("external: miniflux.example.com",)


def test_what_a_chart_s_values_ask_for_is_kept_too() -> None:
    assert "ceph-block 30Gi" in entries("pitower")["kube-prometheus-stack"].storage


def test_an_empty_category_is_said_and_every_category_of_pitower_is_there() -> None:
    found = catalogue(Environment.model_validate(raw("pitower")), tree("pitower"))
    assert "banking" in [one.category for one in found if not one.app]
    assert {one.category for one in found} == set(raw("pitower")["gitops"]["clusters"]["tower"]["categories"])
