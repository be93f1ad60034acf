"""k3s, installed for real from a release on loopback: the pinned version, judged, and nobody asked a second time."""

import hashlib
import platform

import pytest

from tests.real.pi.box import MAIA, VALA, Box
from tests.real.pi.released import ASSETS, release
from tests.real.pi.served import Served

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(platform.machine() not in ASSETS, reason="k3s is released for x86_64 and arm64"),
]

LINK = "/usr/local/bin/k3s"
PINNED = "/var/lib/ilmarin/k3s/v1.2.3+k3s1/k3s"


@pytest.fixture
def vala(pi: Box, site: Served) -> Box:
    """The first Vala, whose API answers once k3s was started."""
    pi.settings({**VALA, "K3S_RELEASES": f"{site.url}/k3s"})
    pi.write("/run/ready", "ok")
    return pi


def pinned(pi: Box, site: Served, version: str, **more: str) -> None:
    pi.settings({**VALA, "K3S_RELEASES": f"{site.url}/k3s", "K3S_VERSION": version, **more})


def test_the_pinned_version_is_installed_judged_by_the_release_s_own_checksums_and_started(
    vala: Box, site: Served
) -> None:
    binary = release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    assert str(vala.path(LINK).readlink()) == PINNED
    assert vala.path(PINNED).read_bytes() == binary
    assert site.asked == [f"/k3s/v1.2.3%2Bk3s1/{name}" for name in reversed(ASSETS[platform.machine()])]
    assert "start --no-block k3s" in vala.read("/run/systemctl").splitlines()
    assert vala.read("/run/k3s").splitlines()[-1] == "v1.2.3+k3s1 kubectl get --raw /readyz"


def test_where_it_stands_nobody_is_asked_not_even_with_the_internet_gone(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    site.asked.clear()
    site.files.clear()
    vala.tell("rm", LINK)  # a netbooted root forgets the link, and its NVMe keeps the binary
    vala.works("k3s")
    assert not site.asked
    assert str(vala.path(LINK).readlink()) == PINNED


def test_another_version_gives_way_to_the_pin_and_what_runs_is_started_anew(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    release(site, "v1.3.1+k3s1")
    pinned(vala, site, "v1.3.1+k3s1")
    vala.works("k3s")
    assert vala.tell(LINK, "--version").startswith("k3s version v1.3.1+k3s1")
    assert "try-restart --no-block k3s" in vala.read("/run/systemctl").splitlines()
    assert not vala.is_there(PINNED)


def test_a_start_anew_that_was_cut_off_is_made_up_for(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    vala.write("/run/ilmarin-k3s-restart", "")
    vala.works("k3s")
    assert vala.read("/run/systemctl").splitlines().count("try-restart --no-block k3s") == 2
    assert not vala.is_there("/run/ilmarin-k3s-restart")


def test_a_server_s_way_back_to_an_older_minor_is_refused(vala: Box, site: Served) -> None:
    release(site, "v1.3.1+k3s1")
    pinned(vala, site, "v1.3.1+k3s1")
    vala.works("k3s")
    release(site, "v1.2.3+k3s1")
    pinned(vala, site, "v1.2.3+k3s1")
    assert "Kubernetes has no way back" in vala.refuses("k3s")
    assert vala.tell(LINK, "--version").startswith("k3s version v1.3.1+k3s1")


def test_a_download_with_another_hash_is_thrown_away(vala: Box, site: Served) -> None:
    asset, _ = ASSETS[platform.machine()]
    release(site, "v1.2.3+k3s1", sums=f"{hashlib.sha256(b'x').hexdigest()}  {asset}\n")
    assert "thrown away" in vala.refuses("k3s")
    assert not vala.is_there(LINK)
    assert not vala.is_there(PINNED)


def test_a_release_that_is_another_than_it_is_called_is_thrown_away(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1", says="v1.2.9+k3s1")
    assert "says it is v1.2.9+k3s1" in vala.refuses("k3s")
    assert not vala.is_there(PINNED)


def test_checksums_without_the_binary_or_no_release_at_all_are_told(vala: Box, site: Served) -> None:
    assert "404" in vala.refuses("k3s")
    release(site, "v1.2.3+k3s1", sums=f"{hashlib.sha256(b'x').hexdigest()}  k3s-other\n")
    assert "is K3S_VERSION a release of k3s?" in vala.refuses("k3s")


def test_a_download_that_breaks_off_is_told_and_leaves_nothing_that_could_run(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    site.cut[f"/k3s/v1.2.3%2Bk3s1/{ASSETS[platform.machine()][0]}"] = 100
    assert "does not come" in vala.refuses("k3s")
    assert not vala.is_there(LINK)
    site.cut.clear()
    vala.works("k3s")


def test_a_kept_binary_that_rotted_is_fetched_anew(vala: Box, site: Served) -> None:
    binary = release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    vala.write(PINNED, "rotten", 0o755)
    vala.works("k3s")
    assert vala.path(PINNED).read_bytes() == binary


def test_an_api_that_never_answers_ends_the_wait_with_k3s_own_last_words(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.path("/run/ready").unlink()
    vala.write("/run/journal", "level=fatal msg=disk full\n")
    words = vala.refuses("k3s", WAIT="0")
    assert "does not answer after 0 s" in words
    assert "disk full" in words


def test_a_k3s_that_gave_up_is_started_again_while_the_wait_lasts(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.path("/run/ready").unlink()
    vala.write("/run/units/k3s.stubborn", "")
    vala.write("/run/units/k3s", "failed\n")
    vala.refuses("k3s", WAIT="5")
    said = vala.read("/run/systemctl").splitlines()
    assert "reset-failed k3s" in said
    assert said.count("start --no-block k3s") == 2


def test_an_agent_only_has_it_in_place_since_the_token_starts_it(pi: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    pi.settings({**MAIA, "K3S_RELEASES": f"{site.url}/k3s"})
    assert "started when the join token is there" in pi.works("k3s")
    assert pi.read("/run/systemctl") == "try-restart --no-block k3s-agent\n"


@pytest.mark.slow
def test_cut_before_any_of_its_commands_it_ends_well_the_next_time(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    release(site, "v1.3.1+k3s1")
    pinned(vala, site, "v1.3.1+k3s1")
    cut = 1
    while vala.cut("k3s", cut):
        assert vala.tell(LINK, "--version").startswith("k3s version v1.")
        cut += 1
    assert cut > 6
    assert vala.tell(LINK, "--version").startswith("k3s version v1.3.1+k3s1")
    assert "try-restart --no-block k3s" in vala.read("/run/systemctl").splitlines()
