"""What a Talos node takes in and what it refuses, in its own words."""

import pytest
import yaml

from rehearsal.world.errors import Refusal, Retried
from tests.rehearsal.talos_labs import ADDRESSES, Lab
from tests.rehearsal.worlds import PLAIN, a_world, lab, patch


@pytest.fixture
def at() -> Lab:
    return Lab()


def test_a_control_plane_comes_up_and_a_worker_waits_for_one(at: Lab):
    at.apply("worker-1")
    assert at.stage("worker-1") == "booting"
    at.apply("cp-1")
    assert (at.stage("cp-1"), at.stage("worker-1")) == ("running", "running")


def test_a_worker_with_another_token_waits_for_ever(at: Lab):
    at.apply("cp-1")
    at.apply("worker-1", at.config("worker-1").replace(at.bundle["trustdinfo"]["token"], "aaaaaa.bbbbbbbbbbbbbbbb"))
    assert at.stage("worker-1") == "booting"


def test_a_machine_that_is_off_cannot_be_dialled(at: Lab):
    at.world.machines.switch("cp-1", on=False)
    with pytest.raises(Retried, match=r"dial tcp 10\.0\.0\.101:50000: connect: no route to host.*switched off"):
        at.apply("cp-1")


def test_an_address_nobody_has_cannot_be_dialled(at: Lab):
    with pytest.raises(Refusal, match=r"no machine was ever meant to have 10\.0\.0\.99"):
        at.world.talos.apply("10.0.0.99", None, at.client, at.config("cp-1"), "auto")


def _without(text: str, *path: str) -> str:
    documents = list(yaml.safe_load_all(text))
    target = documents[0]
    for step in path[:-1]:
        target = target[step]
    del target[path[-1]]
    return yaml.safe_dump_all(documents)


OBJECTIONS = {
    "two hostnames": ("auto: 'off'", "auto: stable", "'auto' and 'hostname' cannot be set at the same time"),
    "no hostname": ("hostname: cp-1", "hostname: ''", "either 'auto' or 'hostname' must be set"),
    "bad hostname": ("hostname: cp-1", "hostname: cp_1", 'invalid hostname "cp_1"'),
    "no such link": ("eno1", "eth0", 'link "eth0" does not exist, the machine has eno1'),
    "vip without link": ("link: eno1", "link: ''", "link must be specified"),
    "vip no address": ("name: 10.0.0.100", "name: vip", "name must be a valid IP address"),
    "no such disk": ("type: nvme", "type: hdd", "no disks matched"),
    "any disk": ("type: nvme", "size: '>= 100GB'", "matches /dev/nvme0n1, /dev/sda"),
    "bad size": ("type: nvme", "size: big", 'failed to parse disk size condition "big"'),
    "no such image": (PLAIN, "0" * 64, f'schematic ID "{"0" * 64}" not found'),
    "no installer": (f"metal-installer/{PLAIN}", "some/image", "not a Talos installer"),
    "endpoint": ("endpoint: https://", "endpoint: http://", "invalid controlplane endpoint"),
    "type": ("type: controlplane", "type: leader", 'unknown machine type "leader"'),
    "cni": ("name: none", "name: calico", "cni name should be one of"),
    "version": ("version: v1alpha1", "version: v1", "invalid config version"),
    "address": ("10.0.0.101/24", "10.0.0.101", "invalid address"),
}


@pytest.mark.parametrize("case", OBJECTIONS)
def test_a_node_refuses_at_once_what_does_not_suit_it(at: Lab, case: str):
    old, new, words = OBJECTIONS[case]
    text = at.config("cp-1")
    assert old in text
    with pytest.raises(Refusal) as refused:
        at.apply("cp-1", text.replace(old, new))
    assert "code = InvalidArgument desc = configuration validation failed: " in refused.value.message
    assert words in refused.value.message
    assert not isinstance(refused.value, Retried)


def test_a_legacy_hostname_beside_the_new_document_is_refused(at: Lab):
    legacy = "machine: {network: {hostname: cp-1}}"
    with pytest.raises(Refusal, match="static hostname is already set in v1alpha1 config"):
        at.apply("cp-1", at.config("cp-1", [patch("cp-1", ADDRESSES["cp-1"]), legacy]))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("machine", "token"), "trustd token is invalid"),
        (("machine", "install"), "install instructions are required"),
        (("machine", "ca", "key"), "issuing CA key is required"),
        (("cluster", "controlPlane"), "controlplane endpoint is required"),
    ],
)
def test_a_node_refuses_a_configuration_with_a_hole(at: Lab, path: tuple[str, ...], words: str):
    with pytest.raises(Refusal, match=words):
        at.apply("cp-1", _without(at.config("cp-1"), *path))


def test_a_worker_must_hold_neither_key_nor_vip(at: Lab):
    text = at.config("worker-1", [patch("worker-1", ADDRESSES["worker-1"])]).replace("key: ''", "key: abc")
    with pytest.raises(Refusal) as refused:
        at.apply("worker-1", text)
    for words in ("Talos API CA key is not allowed", "cluster CA key is not allowed", "virtual (shared) IP is not"):
        assert words in refused.value.message


def test_what_cannot_be_decoded_is_unknown_and_retried(at: Lab):
    with pytest.raises(Retried, match=r"code = Unknown desc = failed to parse config: [\s\S]*machine\.instal"):
        at.apply("cp-1", at.config("cp-1").replace("  install:", "  instal:"))


@pytest.mark.parametrize("mode", ["no_reboot", "staged"])
def test_maintenance_mode_does_not_know_every_mode(at: Lab, mode: str):
    with pytest.raises(Refusal, match="Unimplemented"):
        at.apply("cp-1", mode=mode)


def test_a_running_node_asks_for_a_client_of_its_own_cluster(at: Lab):
    at.apply("cp-1")
    stranger = at.world.talos.new_bundle()[1]
    for client in (stranger, None):
        with pytest.raises(
            Retried, match="handshake failed: tls: failed to verify certificate: x509: certificate signed"
        ):
            at.apply("cp-1", client=client)
    with pytest.raises(Retried, match='handshake failed: remote error: tls: unknown certificate authority"'):
        at.apply("cp-1", client={**at.client, "clientCertificate": stranger["clientCertificate"]})


def test_a_client_s_certificate_has_an_end(at: Lab):
    at.apply("cp-1")
    at.world.clock.let_pass(2 * 365 * 24 * 3600)
    with pytest.raises(Retried, match='handshake failed: remote error: tls: expired certificate"'):
        at.apply("cp-1")


def test_a_node_passes_nothing_on_to_another_cluster_s(at: Lab):
    at.apply("cp-1")
    at.apply("cp-2", at.config("cp-2", bundle=at.world.talos.new_bundle()[0]))
    with pytest.raises(Retried, match=r"error dialing 10\.0\.0\.102: authentication handshake failed"):
        at.apply("cp-2", endpoint="10.0.0.101")


def test_a_worker_has_no_kubeconfig_to_give(at: Lab):
    at.apply("cp-1")
    at.apply("worker-1")
    with pytest.raises(Retried, match="kubeconfig is only available on control plane nodes"):
        at.world.talos.kubeconfig(ADDRESSES["worker-1"], None, at.client)


def test_only_what_talos_lists_is_taken_in_without_a_reboot(at: Lab):
    at.apply("cp-1")
    text = at.config("cp-1")
    at.apply("cp-1", text + "---\napiVersion: v1alpha1\nkind: OOMConfig\n", mode="no_reboot")
    at.apply("cp-1", text.replace("certSANs: []", "certSANs: [a.example.com]", 1), mode="no_reboot")
    with pytest.raises(Refusal, match="config can't be applied in immediate mode"):
        at.apply("cp-1", text.replace("  install:", "  udev: {rules: [a]}\n  install:"), mode="no_reboot")
    at.apply("cp-1", text.replace("  install:", "  udev: {rules: [a]}\n  install:"))
    assert [entry["operation"] for entry in at.world.entries()][-1] == "reboot"


def test_a_staged_configuration_changes_nothing_yet(at: Lab):
    at.apply("cp-1")
    before = at.world.machines.records["cp-1"]["config"]
    at.apply("cp-1", at.config("cp-1").replace("hostname: cp-1", "hostname: cp-9"), mode="staged")
    record = at.world.machines.records["cp-1"]
    assert (record["config"], record["hostname"]) == (before, "cp-1")


@pytest.mark.parametrize("how", ["reboot", "power"])
def test_a_staged_configuration_waits_for_the_next_reboot(at: Lab, how: str):
    at.apply("cp-1")
    at.apply("cp-1", at.config("cp-1").replace("hostname: cp-1", "hostname: cp-9"), mode="staged")
    if how == "power":
        at.world.machines.switch("cp-1", on=False)
        assert at.world.machines.records["cp-1"]["hostname"] == "cp-1"
        at.world.machines.switch("cp-1", on=True)
    else:
        at.world.talos.reboot("cp-1")
    record = at.world.machines.records["cp-1"]
    assert (record["hostname"], record["pending"]) == ("cp-9", None)


def test_what_is_applied_after_staging_is_what_holds(at: Lab):
    at.apply("cp-1")
    at.apply("cp-1", at.config("cp-1").replace("hostname: cp-1", "hostname: cp-9"), mode="staged")
    at.apply("cp-1")
    at.world.talos.reboot("cp-1")
    assert at.world.machines.records["cp-1"]["hostname"] == "cp-1"


def test_a_board_does_not_take_a_pc_s_configuration():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"] |= {"class": "board", "boot": "flashed", "reach": "static"}
    at = Lab(a_world(environment))
    with pytest.raises(Refusal, match=r"no disks matched.*mmcblk0[\s\S]*the machine has end0"):
        at.apply("cp-1")
