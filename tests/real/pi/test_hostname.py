"""The Pi's name, given for real in a throw-away root."""

import pytest

from tests.real.pi.box import VALA, Box

pytestmark = pytest.mark.real


def test_a_name_given_twice_is_the_same_and_the_second_time_nothing_is_written(pi: Box) -> None:
    pi.settings(VALA)
    pi.works("hostname")
    assert pi.tell("hostname") == "vala-1\n"
    assert pi.read("/etc/hostname") == "vala-1\n"
    assert pi.read("/etc/hosts").splitlines() == [
        "127.0.0.1 localhost",
        "10.0.0.9 elsewhere",
        "127.0.1.1 vala-1.homelab.example.com vala-1",
    ]
    first = {name: pi.path(name).stat() for name in ("/etc/hostname", "/etc/hosts")}
    pi.works("hostname")
    assert {name: pi.path(name).stat() for name in first} == first


def test_a_pi_that_gets_another_name_forgets_the_old_one(pi: Box) -> None:
    pi.settings(VALA)
    pi.works("hostname")
    pi.settings({**VALA, "NODE": "vala-9"})
    pi.works("hostname")
    assert "vala-1" not in pi.read("/etc/hosts")
    assert pi.tell("hostname") == "vala-9\n"


def test_hosts_that_were_never_written_get_localhost_too(pi: Box) -> None:
    pi.settings(VALA)
    pi.path("/etc/hosts").unlink()
    pi.works("hostname")
    assert pi.read("/etc/hosts") == "127.0.0.1 localhost\n127.0.1.1 vala-1.homelab.example.com vala-1\n"


@pytest.mark.parametrize("name", ["Vala", "-vala", "vala-", "vala_1", "v" * 64, "vala.1"])
def test_a_name_that_dns_would_not_take_is_refused_before_anything_is_written(pi: Box, name: str) -> None:
    pi.settings({**VALA, "NODE": name})
    assert "give the node another name" in pi.refuses("hostname")
    assert pi.tell("hostname") == "fresh\n"


def test_cut_before_any_of_its_commands_it_ends_well_the_next_time(pi: Box) -> None:
    pi.settings(VALA)
    cut = 1
    while pi.cut("hostname", cut):
        assert "localhost" in pi.read("/etc/hosts")
        cut += 1
    assert cut > 5
    assert pi.read("/etc/hosts").count("vala-1.homelab") == 1
    assert pi.tell("hostname") == "vala-1\n"
