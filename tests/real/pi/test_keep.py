"""What outlives a reboot, bound for real in a mount namespace."""

import pytest

from tests.real.pi.box import MAIA, VALA, Box

pytestmark = pytest.mark.real

DISK = "/var/lib/longhorn/disks/nvme1"
KEPT = ("/var/lib/ilmarin", "/etc/rancher/node", "/var/lib/rancher", "/var/lib/kubelet")


def with_nvme(pi: Box) -> None:
    """Something that is mounted where the NVMe would be; a disk's own is tried in `test_nvme`."""
    pi.tell("mkdir", "-p", DISK)
    pi.tell("mount", "-t", "tmpfs", "tmpfs", DISK)


def test_on_a_card_it_is_a_folder_that_only_root_reads(pi: Box) -> None:
    pi.settings(VALA)
    pi.works("keep")
    pi.write("/var/lib/ilmarin/k3s-token", "a token")
    pi.works("keep")
    assert pi.mode("/var/lib/ilmarin") == "0700"
    assert pi.read("/var/lib/ilmarin/k3s-token") == "a token"
    assert "/var/lib/ilmarin" not in pi.tell("cat", "/proc/self/mounts")


def test_a_netbooted_pi_remembers_on_its_nvme_and_binds_it_once(pi: Box) -> None:
    pi.settings(MAIA)
    with_nvme(pi)
    pi.works("keep")
    mounts = pi.tell("cat", "/proc/self/mounts")
    pi.works("keep")
    assert pi.tell("cat", "/proc/self/mounts") == mounts
    pi.write("/etc/rancher/node/password", "of-this-node")
    pi.write("/var/lib/ilmarin/k3s-token", "a token")
    assert pi.read(f"{DISK}/ilmarin/rancher-node/password") == "of-this-node"
    assert pi.read(f"{DISK}/ilmarin/k3s-token") == "a token"
    assert pi.mode(f"{DISK}/ilmarin") == "0700"


def test_after_a_reboot_the_password_that_k3s_asks_for_is_there_again(pi: Box) -> None:
    pi.settings(MAIA)
    with_nvme(pi)
    pi.works("keep")
    pi.write("/etc/rancher/node/password", "of-this-node")
    for place in KEPT:  # a netbooted root forgets its mounts, and what was beneath them
        pi.tell("umount", place)
    assert not pi.is_there("/etc/rancher/node/password")
    pi.works("keep")
    assert pi.read("/etc/rancher/node/password") == "of-this-node"


def test_without_its_nvme_a_netbooted_pi_refuses_to_forget_unseen(pi: Box) -> None:
    pi.settings(MAIA)
    words = pi.refuses("keep")
    assert "is not mounted" in words
    assert "journalctl -u ilmarin-nvme" in words


def test_a_netbooted_pi_that_has_none_by_the_plan_says_that_it_forgets(pi: Box) -> None:
    pi.settings({**MAIA, "NVME": "no"})
    assert "it forgets its host key and its join token" in pi.works("keep")


def test_a_place_beside_the_nvme_is_refused(pi: Box) -> None:
    pi.settings({**MAIA, "KEEP": "/var/tmp/ilmarin"})
    with_nvme(pi)
    assert "remembers beneath" in pi.refuses("keep")


def test_a_mount_of_something_else_is_told_and_left(pi: Box) -> None:
    pi.settings(MAIA)
    with_nvme(pi)
    pi.tell("mkdir", "-p", "/var/lib/kubelet")
    pi.tell("mount", "-t", "tmpfs", "tmpfs", "/var/lib/kubelet")
    assert "/var/lib/kubelet is a mount of something else (tmpfs)" in pi.refuses("keep")


def test_cut_before_any_of_its_commands_it_ends_well_the_next_time(pi: Box) -> None:
    pi.settings(MAIA)
    with_nvme(pi)
    cut = 1
    while pi.cut("keep", cut):
        cut += 1
    assert cut > 6
    mounts = pi.tell("cat", "/proc/self/mounts").splitlines()
    assert [sum(f" {place} " in line for line in mounts) for place in KEPT] == [1, 1, 1, 1]
