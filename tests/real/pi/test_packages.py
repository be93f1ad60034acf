"""Packages, with stand-ins of apt and dpkg: asked for by a right clock, until they are there, what is missing only."""

import pytest

from tests.real.pi.box import VALA, Box

pytestmark = pytest.mark.real


@pytest.fixture
def vala(pi: Box) -> Box:
    """A Pi by whose clock apt may be asked, without one of its packages."""
    pi.settings(VALA)
    pi.write("/run/synchronised", "yes\n")
    pi.write("/run/missing/xfsprogs", "")
    return pi


def asked(pi: Box) -> list[str]:
    return pi.read("/run/apt").splitlines() if pi.is_there("/run/apt") else []


def test_what_is_missing_and_nothing_else_is_installed(vala: Box) -> None:
    assert "all is installed" in vala.works("packages")
    assert [line.split()[-1] for line in asked(vala)] == ["-a", "update", "xfsprogs"]


def test_where_all_is_installed_nobody_is_asked_whatever_the_clock_says(vala: Box) -> None:
    vala.works("packages")
    vala.write("/run/apt", "")
    vala.write("/run/synchronised", "no\n")
    assert "all is installed" in vala.works("packages", WAIT="0")
    assert asked(vala) == []


def test_by_a_clock_that_no_time_server_set_nothing_is_asked_for(vala: Box) -> None:
    vala.write("/run/synchronised", "no\n")
    words = vala.refuses("packages", WAIT="0")
    assert "no time server confirmed it" in words
    assert "xfsprogs" in words
    assert asked(vala) == []


def test_a_mirror_that_refuses_is_asked_again_and_its_words_are_told(vala: Box) -> None:
    vala.write("/run/apt-refuses", "Reading lists\nE: Release file is not valid yet\n")
    assert "E: Release file is not valid yet" in vala.refuses("packages", WAIT="5")
    assert len([line for line in asked(vala) if "update" in line]) == 2
    vala.path("/run/apt-refuses").unlink()
    assert "all is installed" in vala.works("packages")


def test_cut_before_any_of_its_commands_it_ends_well_the_next_time(vala: Box) -> None:
    cut = 1
    while vala.cut("packages", cut, ("apt-get", "dpkg", "timedatectl")):
        cut += 1
    assert cut > 3
    assert not vala.is_there("/run/missing/xfsprogs")
