"""k3s, installed for real from a release on loopback: the pinned version, judged, and nobody asked a second time."""

import hashlib
import platform
import re

import pytest

from tests.real.pi.box import MAIA, VALA, Box
from tests.real.pi.released import ASSETS, release
from tests.real.pi.served import Served

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(platform.machine() not in ASSETS, reason="k3s is released for x86_64 and arm64"),
]

LINK = "/usr/local/bin/k3s"
DISK = "/var/lib/longhorn/disks/nvme1"
PINNED = "/var/lib/ilmarin/k3s/v1.2.3+k3s1/k3s"


@pytest.fixture
def vala(pi: Box, site: Served) -> Box:
    """The first Vala, whose NVMe is mounted and whose API answers once k3s was started."""
    pi.tell("mkdir", "-p", DISK)
    pi.tell("mount", "-t", "tmpfs", "tmpfs", DISK)
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


AGENTS = "/var/lib/ilmarin/k3s-agent-token"


def test_the_first_vala_makes_the_agents_token_once_for_root_alone(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    made = vala.read(AGENTS)
    assert re.fullmatch("[0-9a-f]{32}\n", made)
    assert vala.mode(AGENTS) == "0600"
    vala.works("k3s")
    assert vala.read(AGENTS) == made
    assert made.strip() not in vala.read("/run/k3s") + vala.read("/run/systemctl")


TOLD = "agent-token-file: /var/lib/ilmarin/k3s-agent-token\n"


def test_a_cluster_that_has_its_data_gets_no_agents_token_later_for_k3s_would_not_start_a_second_time(
    vala: Box, site: Served
) -> None:
    """Told of one that is not there, k3s would wait for it: both ways out are said, and k3s is not started."""
    release(site, "v1.2.3+k3s1")
    vala.tell("mkdir", "-p", "/var/lib/rancher/k3s/server/db/etcd")
    vala.write("/etc/rancher/k3s/config.yaml", TOLD)
    words = vala.refuses("k3s")
    assert "a Maia's /var/lib/ilmarin/k3s-token holds it after the last colon" in words
    assert "take the line agent-token-file out of /etc/rancher/k3s/config.yaml" in words
    assert not vala.is_there("/run/units/k3s")
    vala.write("/etc/rancher/k3s/config.yaml", "node-name: vala-1\n")
    vala.works("k3s")
    assert not vala.is_there(AGENTS)


def test_a_card_that_is_told_to_join_makes_no_agents_token_of_its_own(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.write("/etc/rancher/k3s/config.yaml", f"{TOLD}server: https://192.168.1.58:6443\n")
    assert "put there what another Vala has in that file" in vala.refuses("k3s")
    assert not vala.is_there(AGENTS)


def test_nobody_else_makes_an_agents_token(pi: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    pi.settings({**VALA, "NODE": "vala-2", "FIRST": "no", "K3S_RELEASES": f"{site.url}/k3s"})
    pi.works("k3s")
    assert not pi.is_there(AGENTS)


@pytest.fixture
def answering(vala: Box) -> Box:
    """A server of k3s answers at the API's address, and at another Vala's: curl's stand-in is what tells who."""
    release_curl = vala.tell("sh", "-c", "command -v curl").strip()
    vala.write("/run/servers", "https://192.168.1.58:6443/ping\n")
    vala.write(
        "/usr/local/sbin/curl",
        f"""#!/bin/sh
for last; do :; done
case $last in */ping) grep -qxF "$last" /run/servers && printf pong || exit 7 ;; *) exec {release_curl} "$@" ;; esac
""",
        0o755,
    )
    return vala


@pytest.mark.parametrize("at", ["192.168.1.58", "192.168.1.54"])
def test_a_first_vala_with_an_empty_card_starts_no_second_cluster_beside_one_that_answers(
    answering: Box, site: Served, at: str
) -> None:
    """Neither by the API's own address nor, when nobody holds that, beside a server that runs."""
    release(site, "v1.2.3+k3s1")
    answering.write("/run/servers", f"https://{at}:6443/ping\n")
    pinned(answering, site, "v1.2.3+k3s1", SERVERS="192.168.1.53,192.168.1.54")
    assert f"a cluster answers at https://{at}:6443" in answering.refuses("k3s")
    assert not answering.is_there("/run/units/k3s")
    assert not answering.is_there(AGENTS)
    answering.write("/etc/rancher/k3s/config.yaml", "node-name: vala-1\nserver: https://192.168.1.58:6443\n")
    answering.write(AGENTS, f"{'0' * 32}\n")
    answering.works("k3s")  # what it was told to join is no other cluster


def test_a_first_vala_that_has_its_data_asks_nobody_who_else_answers(answering: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    answering.tell("mkdir", "-p", "/var/lib/rancher/k3s/server/db/etcd")
    answering.works("k3s")


SIGNS = [
    "/var/lib/ilmarin/k3s-made",
    "/var/lib/longhorn/disks/nvme1/ilmarin/etcd-snapshots/etcd-snapshot-vala-1-1700000000",
]


@pytest.mark.parametrize("sign", SIGNS)
def test_a_vala_that_remembers_a_cluster_and_has_none_of_its_data_starts_no_other(
    vala: Box, site: Served, sign: str
) -> None:
    """With one Vala nobody else answers: its card's backup, and the snapshots on its NVMe, say that there was one."""
    release(site, "v1.2.3+k3s1")
    vala.write(sign, "")
    assert f"vala-1 made a cluster before ({sign})" in vala.refuses("k3s")
    assert not vala.is_there("/run/units/k3s")
    vala.tell("rm", sign)
    vala.works("k3s")
    assert vala.is_there("/var/lib/ilmarin/k3s-made")


def test_while_the_nvme_that_would_remember_is_away_no_cluster_is_made(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.tell("umount", DISK)
    assert f"{DISK} is not mounted" in vala.refuses("k3s")
    assert not vala.is_there("/run/units/k3s")
    pinned(vala, site, "v1.2.3+k3s1", NVME="no")
    vala.works("k3s")


def test_the_binary_before_stays_until_the_new_one_answers(vala: Box, site: Served) -> None:
    release(site, "v1.2.3+k3s1")
    vala.works("k3s")
    release(site, "v1.3.1+k3s1")
    pinned(vala, site, "v1.3.1+k3s1")
    vala.path("/run/ready").unlink()
    vala.refuses("k3s", WAIT="0")
    assert vala.is_there(PINNED)
    vala.write("/run/ready", "ok")
    vala.works("k3s")
    assert not vala.is_there(PINNED)


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
