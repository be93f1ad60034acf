"""A k3s kubeconfig is read again before it ends, and not before."""

import base64
import datetime

import pytest
import yaml

from rehearsal.world.talos_secrets import certificate
from stacks import deployed
from stacks.renewal import end_of, reading
from tests.stacks.test_deployed import remembered
from tests.stacks.test_graph import recorded

DAY = datetime.date(2027, 1, 1)


def told(ends: str, mark: str = "first") -> dict[str, object]:
    return {"form": 1, "kubeconfigs": {"ainur": {"ends": ends, "reading": mark}}}


@pytest.mark.parametrize(
    ("last", "mark"),
    [
        (None, "first"),
        ({"form": 1}, "first"),
        (told("2027-04-02"), "first"),
        (told("2027-04-01"), "renewed 2027-01-01"),
        (told("2026-06-01", "renewed 2026-03-01"), "renewed 2027-01-01"),
        (told("2028-01-01", "renewed 2026-12-24"), "renewed 2026-12-24"),
        (told("unknown", "renewed 2026-12-24"), "renewed 2026-12-24"),
        (told("soon"), "first"),
        ({"kubeconfigs": "odd"}, "first"),
        ("odd", "first"),
    ],
)
def test_a_kubeconfig_is_read_again_in_its_last_ninety_days_only(last: object, mark: str) -> None:
    assert reading(last, "ainur", DAY) == mark


def test_the_end_is_the_client_certificates() -> None:
    """k3s puts its authority's behind it (`client-admin.crt` holds both)."""
    both = b"".join(base64.b64decode(certificate(f"{year}-02-03T00:00:00Z")) for year in (2027, 2036))
    data = base64.b64encode(both).decode()
    assert end_of(yaml.safe_dump({"users": [{"user": {"client-certificate-data": data}}]})) == "2027-02-03"


@pytest.mark.parametrize("text", ["", "- a", "users: []", "users: [{user: {}}]", "{", "MOCK-SECRET"])
def test_what_is_no_kubeconfig_ends_at_an_unknown_day(text: str) -> None:
    assert end_of(text) == "unknown"


def test_the_end_is_published_and_no_secret() -> None:
    value = remembered("homelab")[deployed.OUTPUT]
    assert value["kubeconfigs"] == {"ainur": {"ends": "unknown", "reading": "first"}}
    assert "# first\n" in recorded("homelab").named("ainur-kubeconfig-vala-1").inputs["create"]


def test_a_lab_without_ainur_publishes_none() -> None:
    assert remembered("turing")[deployed.OUTPUT]["kubeconfigs"] == {}
