"""Joining with the token that was brought; k3s and its journal are stand-ins with words of real ones."""

import platform

import pytest

from tests.real.pi.box import MAIA, VALA, Box
from tests.real.pi.released import ASSETS, release
from tests.real.pi.served import Served

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(platform.machine() not in ASSETS, reason="k3s is released for x86_64 and arm64"),
]

TOKEN = "/var/lib/ilmarin/k3s-token"
GOOD = "K10" + "ab" * 32 + "::node:0123456789abcdef\n"


@pytest.fixture
def maia(pi: Box, site: Served) -> Box:
    """A Maia with k3s in place and a token."""
    release(site, "v1.2.3+k3s1")
    pi.settings({**MAIA, "K3S_RELEASES": f"{site.url}/k3s"})
    pi.works("k3s")
    pi.write("/run/systemctl", "")
    pi.write(TOKEN, GOOD, 0o644)
    return pi


def said(pi: Box) -> list[str]:
    return pi.read("/run/systemctl").splitlines()


def test_with_its_token_an_agent_joins_and_the_token_is_root_s_alone(maia: Box) -> None:
    maia.write("/run/registered", "")
    assert "joined" in maia.works("token")
    assert "restart --no-block k3s-agent" in said(maia)
    assert maia.mode(TOKEN) == "0600"
    assert maia.read(TOKEN).strip() not in maia.read("/run/k3s") + maia.read("/run/systemctl")


def test_an_agent_that_is_joined_is_left_alone(maia: Box) -> None:
    maia.write("/run/registered", "")
    maia.works("token")
    maia.write("/run/systemctl", "")
    assert "is joined" in maia.works("token")
    assert not [line for line in said(maia) if "start" in line]


REFUSED = {
    'level=error msg="Failed to validate connection to cluster at https://192.168.1.58:6443: token CA hash does not'
    ' match the Cluster CA certificate hash: aa != bb"': "another cluster's",
    'level=info msg="Waiting to retrieve agent configuration; server is not ready: Node password rejected, duplicate'
    " hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry, try enabling a"
    ' unique node name with the --with-node-id flag"': "delete secret maia-1.node-password.k3s",
    'level=fatal msg="invalid token CA hash length"': "not this cluster's",
    "\n".join(
        ['level=error msg="token is not ready: https://127.0.0.1:6444/v1-k3s/config: 401 Unauthorized"'] * 5
    ): "401 Unauthorized",
}


@pytest.mark.parametrize("words", REFUSED)
def test_a_node_that_is_refused_is_stopped_and_the_mending_is_said(maia: Box, words: str) -> None:
    """k3s itself would ask for ever; exit code 2 keeps systemd from trying again."""
    maia.write("/run/journal", f"{words}\n")
    assert REFUSED[words] in maia.refuses("token", code=2)
    assert said(maia)[-1] == "stop k3s-agent"
    assert not maia.is_there("/run/units/k3s-agent")


def test_a_server_that_is_still_starting_refuses_for_a_moment_and_that_is_waited_out(maia: Box) -> None:
    maia.write("/run/journal", "https://127.0.0.1:6444/cacerts: 401 Unauthorized\n")
    words = maia.refuses("token", WAIT="0")
    assert "it goes on trying" in words
    assert "stop k3s-agent" not in said(maia)


def test_an_api_that_is_away_ends_the_wait_and_k3s_goes_on(maia: Box) -> None:
    maia.write("/run/journal", "level=error msg=connection refused\n")
    words = maia.refuses("token", WAIT="0")
    assert "connection refused" in words
    assert "curl -k https://192.168.1.58:6443/ping" in words
    assert maia.read("/run/units/k3s-agent") == "active\n"


@pytest.mark.parametrize("token", ["", "two\nlines\n", "a blank\n"])
def test_what_can_be_no_token_is_refused_before_k3s_is_asked(maia: Box, token: str) -> None:
    maia.write(TOKEN, token)
    assert "pulumi up" in maia.refuses("token", code=2)
    assert said(maia) == []


def test_a_further_server_without_the_lab_s_root_or_the_agents_token_is_refused_with_both_it_joins(maia: Box) -> None:
    maia.settings({**VALA, "NODE": "vala-2", "FIRST": "no"})
    assert "/etc/ilmarin/ca.crt is missing" in maia.refuses("token", code=2)
    maia.write("/etc/ilmarin/ca.crt", "a certificate")
    assert "/var/lib/ilmarin/k3s-agent-token is missing" in maia.refuses("token", code=2)
    maia.write("/var/lib/ilmarin/k3s-agent-token", "ab" * 16)
    maia.write("/run/ready", "ok")
    maia.works("token")
    assert "restart --no-block k3s" in said(maia)


def test_where_k3s_is_not_in_place_yet_that_is_said(maia: Box) -> None:
    maia.tell("rm", "/usr/local/bin/k3s")
    assert "journalctl -u ilmarin-k3s" in maia.refuses("token")


def test_the_first_vala_joins_nobody(maia: Box) -> None:
    maia.settings(VALA)
    assert "joins nobody" in maia.works("token")
    assert said(maia) == []
