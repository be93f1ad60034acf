"""What a Talos node takes in and what it refuses, in its own words."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from rehearsal.world import World, talos_config, talos_generate
from rehearsal.world.errors import Refusal, Retried
from tests.rehearsal.worlds import PLAIN, a_world, lab, patch, with_boot_services

ADDRESSES = {"cp-1": "10.0.0.101", "cp-2": "10.0.0.102", "cp-3": "10.0.0.103", "worker-1": "10.0.0.104"}


@dataclass
class Lab:
    """A World whose machines stand in maintenance mode, and a bundle for them."""

    world: World = field(default_factory=a_world)

    def __post_init__(self) -> None:
        with_boot_services(self.world)
        self.bundle, self.client = self.world.talos.new_bundle()

    def config(self, name: str, patches: list[str] | None = None, bundle: dict[str, Any] | None = None) -> str:
        kind = "worker" if name.startswith("worker") else "controlplane"
        made = talos_generate.generate(
            kind, "main", "https://10.0.0.100:6443", bundle or self.bundle, "v1.34.2", "v1.12"
        )
        vip = None if kind == "worker" else "10.0.0.100"
        chosen = [patch(name, ADDRESSES[name], vip=vip)] if patches is None else patches
        return talos_config.text_of(talos_config.patched(made, chosen))

    def apply(self, name: str, text: str | None = None, mode: str = "auto", client: Any = "own", **over: str) -> None:
        node = ADDRESSES[name]
        told = self.client if client == "own" else client
        self.world.talos.apply(node, over.get("endpoint"), told, self.config(name) if text is None else text, mode)

    def stage(self, name: str) -> str:
        self.world.talos.settle()
        return str(self.world.machines.records[name]["stage"])


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


def test_bootstrap_is_for_a_running_control_plane_and_once(at: Lab):
    bootstrap = at.world.talos.bootstrap
    with pytest.raises(Refusal, match=r"Unimplemented.*maintenance mode"):
        bootstrap("10.0.0.101", None, at.client)
    for name in ("cp-1", "cp-2", "worker-1"):
        at.apply(name)
    with pytest.raises(
        Retried, match="FailedPrecondition desc = bootstrap can only be performed on a control plane node"
    ):
        bootstrap("10.0.0.104", None, at.client)
    bootstrap("10.0.0.101", None, at.client)
    for node in ("10.0.0.101", "10.0.0.102"):
        with pytest.raises(Retried, match="AlreadyExists desc = etcd data directory is not empty"):
            bootstrap(node, None, at.client)


def test_after_bootstrap_the_api_stands_at_the_endpoint_and_every_node_joins(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.apply("worker-1")
    at.apply("cp-2")
    cluster = at.world.kubernetes.clusters["main"]
    assert cluster.record["server"] == "https://10.0.0.100:6443"
    assert cluster.record["version"] == "v1.34.2"
    assert {node["metadata"]["name"] for node in cluster.objects("Node")} == {"cp-1", "cp-2", "worker-1"}
    taints = {node["metadata"]["name"]: node["spec"].get("taints") for node in cluster.objects("Node")}
    tainted = "node-role.kubernetes.io/control-plane"
    assert any(taint["key"] == tainted for taint in taints["cp-1"])
    assert not any(taint["key"] == tainted for taint in taints["worker-1"] or ())


def test_an_endpoint_no_control_plane_holds_is_not_where_the_api_stands(at: Lab):
    at.apply("cp-1", at.config("cp-1", [patch("cp-1", ADDRESSES["cp-1"], vip=None)]))
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    assert at.world.kubernetes.clusters["main"].record["server"] == "https://10.0.0.101:6443"


def test_the_vip_answers_no_talos_call_before_bootstrap(at: Lab):
    at.apply("cp-1")
    with pytest.raises(Refusal, match="no route to host"):
        at.apply("cp-1", endpoint="10.0.0.100")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.apply("cp-1", endpoint="10.0.0.100")


def test_a_worker_passes_nothing_on(at: Lab):
    at.apply("cp-1")
    at.apply("worker-1")
    at.apply("worker-1", endpoint="10.0.0.101")
    with pytest.raises(Refusal, match="passes nothing on"):
        at.apply("cp-1", endpoint="10.0.0.104")


def test_a_kubeconfig_needs_a_bootstrapped_cluster_and_names_its_endpoint(at: Lab):
    at.apply("cp-1")
    with pytest.raises(Refusal, match="not bootstrapped"):
        at.world.talos.kubeconfig("10.0.0.101", None, at.client)
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    found = at.world.talos.kubeconfig("10.0.0.101", None, at.client)
    document = yaml.safe_load(found["raw"])
    assert document["clusters"][0]["cluster"]["server"] == "https://10.0.0.100:6443"
    assert document["users"][0]["user"]["client-key-data"] in at.world.issued_secrets()


def test_talos_hands_out_a_kubeconfig_before_the_api_it_names_answers(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    raw = at.world.talos.kubeconfig("10.0.0.101", None, at.client)["raw"]
    with pytest.raises(Refusal, match="connection refused"):
        at.world.kubernetes.by_kubeconfig(raw)
    assert at.world.kubernetes.answers("https://10.0.0.100:6443/readyz", patience=600.0)
    assert at.world.kubernetes.by_kubeconfig(raw).name == "main"


def test_a_reset_node_leaves_etcd_and_is_as_it_was_racked(at: Lab):
    for name in ("cp-1", "cp-2", "worker-1"):
        at.apply(name)
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.world.talos.reset("10.0.0.102", None, at.client, graceful=True, reboot=True)
    assert at.stage("cp-2") == "maintenance"
    assert at.world.talos.clusters[at.bundle["certs"]["os"]["cert"]]["members"] == ["cp-1"]
    with pytest.raises(Refusal, match="etcd has no other member"):
        at.world.talos.reset("10.0.0.101", None, at.client, graceful=True, reboot=True)


def test_a_reset_without_reboot_halts_and_the_last_member_takes_the_cluster_along(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.world.talos.reset("10.0.0.101", None, at.client, graceful=False, reboot=False)
    assert at.stage("cp-1") == "off"
    assert "main" not in at.world.kubernetes.clusters


def test_a_board_does_not_take_a_pc_s_configuration():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"] |= {"class": "board", "boot": "flashed", "reach": "static"}
    at = Lab(a_world(environment))
    with pytest.raises(Refusal, match=r"no disks matched.*mmcblk0[\s\S]*the machine has end0"):
        at.apply("cp-1")


def test_nobody_joins_a_cluster_whose_every_member_is_off(at: Lab):
    at.apply("cp-1")
    at.world.talos.bootstrap("10.0.0.101", None, at.client)
    at.world.machines.switch("cp-1", on=False)
    at.apply("cp-2")
    assert at.world.kubernetes.clusters["main"].get("Node", None, "cp-2") is None
    at.world.machines.switch("cp-1", on=True)
    at.apply("cp-2")
    assert at.world.kubernetes.clusters["main"].get("Node", None, "cp-2") is not None
