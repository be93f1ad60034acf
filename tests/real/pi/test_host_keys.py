"""The SSH host key, made and kept for real: nobody who pinned it is ever shown another one."""

import pytest

from tests.real.pi.box import MAIA, VALA, Box
from tests.real.pi.test_keep import with_nvme

pytestmark = pytest.mark.real

PLACE = "/etc/ssh/ssh_host_ed25519_key"
KEPT = "/var/lib/ilmarin/ssh/ssh_host_ed25519_key"
TODAY = "/etc/ssh/sshd_config.d/10-ilmarin-today.conf"
BROUGHT = "/boot/firmware/ilmarin-host-key"


def key(pi: Box, at: str) -> str:
    """A new pair, as someone else would make it; its public half."""
    pi.tell("mkdir", "-p", at.rpartition("/")[0])
    pi.tell("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "made", "-f", at)
    return pi.read(f"{at}.pub")


def identity(public: str) -> list[str]:
    return public.split()[:2]


def netbooted(pi: Box) -> None:
    pi.settings(MAIA)
    with_nvme(pi)
    pi.works("keep")


def test_the_pair_that_came_with_a_card_stays(pi: Box) -> None:
    pi.settings(VALA)
    public, private = key(pi, PLACE), pi.read(PLACE)
    pi.works("host-keys")
    assert (pi.read(PLACE), pi.read(f"{PLACE}.pub")) == (private, public)
    assert pi.mode(PLACE) == "0600"


def test_a_card_s_public_half_that_is_missing_or_another_s_follows_from_the_private_one(pi: Box) -> None:
    pi.settings(VALA)
    public = key(pi, PLACE)
    for wrong in ("", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAFKjYcjzKbns+eqhGonFycdOJboj32sCX9lJeifV+eD x"):
        pi.write(f"{PLACE}.pub", wrong)
        pi.works("host-keys")
        assert identity(pi.read(f"{PLACE}.pub")) == identity(public)
    pi.path(f"{PLACE}.pub").unlink()
    pi.works("host-keys")
    assert identity(pi.read(f"{PLACE}.pub")) == identity(public)


@pytest.mark.parametrize("left", [None, "half"])
def test_a_card_s_key_that_is_gone_or_damaged_is_put_back_from_what_is_kept(pi: Box, left: str | None) -> None:
    """cloud-init removes host keys of an instance that is new to it, and another key may lie on the boot partition."""
    pi.settings(VALA)
    key(pi, PLACE)
    pi.works("host-keys")
    private = pi.read(PLACE)
    pi.tell("rm", "-r", "/etc/ssh")
    if left:
        pi.write(PLACE, left)
    key(pi, BROUGHT)
    assert "put back" in pi.works("host-keys")
    assert (pi.read(PLACE), pi.mode(PLACE)) == (private, "0600")


def test_a_card_whose_key_was_shown_and_is_lost_makes_no_second_one(pi: Box) -> None:
    pi.settings(VALA)
    pi.works("host-keys")
    pi.tell("rm", PLACE, KEPT)
    assert "refused by everyone who knows the old" in pi.refuses("host-keys")
    assert not pi.is_there(PLACE)


def test_a_card_s_damaged_key_is_refused_and_not_replaced(pi: Box) -> None:
    pi.settings(VALA)
    key(pi, PLACE)
    half = pi.read(PLACE)[:100]
    pi.write(PLACE, half, 0o600)
    assert "put it back from the card's rendering" in pi.refuses("host-keys")
    assert pi.read(PLACE) == half


def test_the_key_that_came_on_the_boot_partition_becomes_the_card_s_and_leaves_the_boot_partition(pi: Box) -> None:
    """The boot partition knows no modes: there it is readable for all."""
    pi.settings(VALA)
    public = key(pi, BROUGHT)
    pi.path(BROUGHT).chmod(0o755)
    pi.works("host-keys")
    assert identity(pi.read(f"{PLACE}.pub")) == identity(public)
    assert pi.mode(PLACE) == "0600"
    assert not pi.is_there(BROUGHT)


def test_a_damaged_key_on_the_boot_partition_is_refused(pi: Box) -> None:
    pi.settings(VALA)
    pi.write(BROUGHT, "half")
    assert "is damaged" in pi.refuses("host-keys")
    assert not pi.is_there(PLACE)


def test_another_key_on_the_boot_partition_changes_nothing_and_is_told(pi: Box) -> None:
    pi.settings(VALA)
    public = key(pi, PLACE)
    key(pi, BROUGHT)
    assert "brought another key" in pi.works("host-keys")
    assert pi.read(f"{PLACE}.pub") == public
    assert not pi.is_there(BROUGHT)


def test_a_card_without_a_key_makes_one_once(pi: Box) -> None:
    pi.settings(VALA)
    assert "one is made" in pi.works("host-keys")
    made = pi.read(PLACE)
    pi.works("host-keys")
    assert pi.read(PLACE) == made


def test_a_netbooted_pi_answers_with_the_same_key_after_every_boot(pi: Box) -> None:
    netbooted(pi)
    pi.works("host-keys")
    private, public = pi.read(PLACE), pi.read(f"{PLACE}.pub")
    pi.tell("rm", "-r", "/etc/ssh")  # the root forgets
    pi.works("host-keys")
    assert (pi.read(PLACE), pi.read(f"{PLACE}.pub")) == (private, public)
    assert (pi.mode(PLACE), pi.mode(f"{PLACE}.pub"), pi.mode(KEPT)) == ("0600", "0644", "0600")


def test_a_key_that_cloud_init_made_for_the_day_gives_way_to_the_kept_one(pi: Box) -> None:
    netbooted(pi)
    pi.works("host-keys")
    private = pi.read(PLACE)
    pi.tell("rm", "-r", "/etc/ssh")
    key(pi, PLACE)
    pi.works("host-keys")
    assert pi.read(PLACE) == private


def test_half_a_key_that_nobody_was_shown_is_made_anew(pi: Box) -> None:
    netbooted(pi)
    pi.write(KEPT, "-----BEGIN OPENSSH PRIVATE KEY-----\n", 0o600)
    assert "one is made" in pi.works("host-keys")
    assert pi.read(PLACE) == pi.read(KEPT)


@pytest.mark.parametrize("left", ["", "-----BEGIN OPENSSH PRIVATE KEY-----\n", None])
def test_a_key_that_was_shown_and_is_damaged_or_gone_is_never_replaced(pi: Box, left: str | None) -> None:
    netbooted(pi)
    pi.works("host-keys")
    pi.tell("rm", "-r", "/etc/ssh")
    if left is None:
        pi.path(KEPT).unlink()
    else:
        pi.write(KEPT, left, 0o600)
    assert "others have pinned it" in pi.refuses("host-keys")
    assert not pi.is_there(PLACE)


def test_without_its_nvme_a_netbooted_pi_makes_no_key_that_could_be_pinned_but_a_person_gets_in(pi: Box) -> None:
    pi.settings(MAIA)
    assert "would be another one tomorrow" in pi.refuses("host-keys")
    assert not pi.is_there(PLACE)
    assert not pi.is_there(KEPT)
    at = pi.read(TODAY).split()[1]
    assert pi.read(f"{at}.pub").startswith("ecdsa-sha2-")
    assert at.startswith("/run/")
    assert "--no-block restart ssh.service" in pi.read("/run/systemctl")
    first, asked = pi.read(at), pi.read("/run/systemctl")
    pi.refuses("host-keys")
    assert (pi.read(at), pi.read("/run/systemctl")) == (first, asked), "nobody who is logged in is thrown out"


def test_when_its_nvme_came_after_all_the_key_for_today_is_gone(pi: Box) -> None:
    pi.settings(MAIA)
    pi.refuses("host-keys")
    netbooted(pi)
    pi.works("host-keys")
    assert not pi.is_there(TODAY)
    assert pi.read(PLACE) == pi.read(KEPT)


def test_cut_before_any_of_its_commands_one_key_is_shown_in_the_end(pi: Box) -> None:
    netbooted(pi)
    shown: set[str] = set()
    cut = 1
    while pi.cut("host-keys", cut):
        if pi.is_there("/var/lib/ilmarin/ssh/shown"):
            shown.add(pi.read(KEPT))
        pi.tell("rm", "-rf", "/etc/ssh")
        cut += 1
    assert cut > 10
    pi.works("host-keys")
    assert shown == {pi.read(PLACE)}
