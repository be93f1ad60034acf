"""A hint proposes a name only when it is near enough to be what was meant."""

import pytest

from model.laws.words import nearest

KNOWN = ("istari-1", "usw-pro-24", "vala-1")


@pytest.mark.parametrize(("given", "meant"), [("usw-24", "usw-pro-24"), ("vala1", "vala-1"), ("vala-2", "vala-1")])
def test_a_slip_is_mended(given: str, meant: str) -> None:
    assert nearest(given, KNOWN) == f"did you mean '{meant}'?"


@pytest.mark.parametrize("given", ["valinor-1", "nas", ""])
def test_another_name_is_not_proposed(given: str) -> None:
    assert nearest(given, KNOWN) == "known: istari-1, usw-pro-24 and vala-1"
