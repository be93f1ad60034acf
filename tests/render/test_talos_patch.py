"""The machine patch: one per node, every document once, nothing that Talos would append to or refuse."""

from collections import Counter
from typing import Any

import pytest
import yaml

from model.storage import LONGHORN_LABEL
from render.talos import machine_patch
from tests.labs import SHIPPED, planned, raw, shipped_plan


def documents(name: str) -> list[tuple[str, list[dict[str, Any]]]]:
    cluster = shipped_plan(name).cluster
    assert cluster
    return [(node.name, list(yaml.safe_load_all(machine_patch(cluster, node)))) for node in cluster.nodes]


def find(parts: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(part for part in parts if part.get("kind") == kind)


@pytest.mark.parametrize("lab", SHIPPED)
def test_each_document_appears_once_since_talos_appends_lists_across_patches(lab: str) -> None:
    for node, parts in documents(lab):
        names = Counter((part.get("kind"), part.get("name")) for part in parts)
        assert max(names.values()) == 1, f"{node} has a document twice: {names}"


@pytest.mark.parametrize("lab", SHIPPED)
def test_every_node_names_its_own_installer_and_disk(lab: str) -> None:
    cluster = shipped_plan(lab).cluster
    assert cluster
    by_name = {node.name: node for node in cluster.nodes}
    for name, parts in documents(lab):
        install = parts[0]["machine"]["install"]
        node = by_name[name]
        assert install["image"].endswith(f"{node.image.schematic_id}:{cluster.talos}")
        assert install["diskSelector"] == dict(node.install)
        assert install["wipe"] is False, "an installation never wipes what it was not told to"


@pytest.mark.parametrize("lab", SHIPPED)
def test_only_control_planes_hold_the_vip_and_etcd_s_settings(lab: str) -> None:
    cluster = shipped_plan(lab).cluster
    assert cluster
    roles = {node.name: node.role for node in cluster.nodes}
    for name, parts in documents(lab):
        has_vip = any(part.get("kind") == "Layer2VIPConfig" for part in parts)
        leads = roles[name] == "control-plane"
        assert has_vip is leads
        assert ("etcd" in parts[0]["cluster"]) is leads
        assert ("apiServer" in parts[0]["cluster"]) is leads


@pytest.mark.parametrize("lab", SHIPPED)
def test_cilium_owns_the_network_alone(lab: str) -> None:
    for _, parts in documents(lab):
        assert parts[0]["cluster"]["network"]["cni"] == {"name": "none"}
        assert parts[0]["cluster"]["proxy"] == {"disabled": True}
        features = parts[0]["machine"]["features"]
        assert features["kubePrism"] == {"enabled": True, "port": 7445}
        assert features["hostDNS"]["forwardKubeDNSToHost"] is False, "breaks CoreDNS under eBPF masquerading"


def test_the_hostname_is_its_own_document_with_automatic_names_off() -> None:
    for name, parts in documents("homelab"):
        assert find(parts, "HostnameConfig") == {
            "apiVersion": "v1alpha1",
            "kind": "HostnameConfig",
            "auto": "off",
            "hostname": name,
        }
        assert "network" not in parts[0]["machine"], "legacy network settings are refused beside the documents"


def test_a_longhorn_worker_gets_its_volume_and_a_shared_mount() -> None:
    parts = dict(documents("homelab"))["istari-1"]
    volume = find(parts, "UserVolumeConfig")
    assert volume["name"] == "longhorn"
    assert volume["provisioning"]["diskSelector"]["match"].endswith("&& !system_disk")
    mount = parts[0]["machine"]["kubelet"]["extraMounts"][0]
    assert mount["destination"] == "/var/mnt/longhorn"
    assert "rshared" in mount["options"]


def test_longhorn_is_told_by_a_label_where_its_disk_is() -> None:
    """Its chart takes the folder on every other node, too: one on the system disk, where nothing is mounted."""
    found = {node: parts[0]["machine"].get("nodeLabels", {}) for node, parts in documents("homelab")}
    assert {node for node, labels in found.items() if labels.get(LONGHORN_LABEL) == "true"} == {
        "istari-1",
        "istari-2",
        "istari-3",
    }


def test_schedulable_control_planes_also_announce_load_balancers() -> None:
    edited = raw("homelab")
    edited["cluster"]["schedulable_control_planes"] = True
    cluster = planned(edited).cluster
    assert cluster
    machine = next(yaml.safe_load_all(machine_patch(cluster, cluster.control_planes[0])))["machine"]
    assert machine["nodeLabels"] == {"node.kubernetes.io/exclude-from-external-load-balancers": {"$patch": "delete"}}


def test_equal_plans_give_equal_bytes_whatever_the_order_of_keys() -> None:
    edited = raw("homelab")
    edited["cluster"]["nodes"] = dict(reversed(edited["cluster"]["nodes"].items()))
    edited["hardware"] = dict(reversed(edited["hardware"].items()))
    turned, straight = planned(edited).cluster, shipped_plan("homelab").cluster
    assert turned == straight
    assert turned
    assert straight
    for one, other in zip(turned.nodes, straight.nodes, strict=True):
        assert machine_patch(turned, one) == machine_patch(straight, other)


def test_a_disk_known_by_serial_is_found_by_serial() -> None:
    edited = raw("homelab")
    edited["cluster"]["nodes"]["istari-1"]["disks"] = {"nvme": {"serial": "SYS1"}, "sata": {"serial": "DATA1"}}
    cluster = planned(edited).cluster
    assert cluster
    node = next(node for node in cluster.nodes if node.name == "istari-1")
    parts = list(yaml.safe_load_all(machine_patch(cluster, node)))
    assert parts[0]["machine"]["install"]["diskSelector"] == {"serial": "SYS1"}
    assert find(parts, "UserVolumeConfig")["provisioning"]["diskSelector"]["match"] == 'disk.serial == "DATA1"'


def test_encryption_seals_talos_own_partitions_and_data_volumes() -> None:
    edited = raw("homelab")
    edited["cluster"]["disk_encryption"] = True
    cluster = planned(edited).cluster
    assert cluster
    node = next(node for node in cluster.nodes if node.name == "istari-1")
    parts = list(yaml.safe_load_all(machine_patch(cluster, node)))
    sealed = {part["name"]: part["encryption"] for part in parts if "encryption" in part}
    assert sorted(sealed) == ["EPHEMERAL", "STATE", "longhorn"]
    assert all(one == {"provider": "luks2", "keys": [{"slot": 0, "tpm": {}}]} for one in sealed.values())
    plain = shipped_plan("homelab").cluster
    assert plain
    assert "encryption" not in machine_patch(plain, plain.nodes[0])


def test_nothing_asks_for_certificates_that_nobody_signs() -> None:
    """`rotate-server-certificates` without a CSR approver leaves kubelets without any: no logs, no metrics."""
    cluster = shipped_plan("homelab").cluster
    assert cluster
    assert "rotate-server-certificates" not in machine_patch(cluster, cluster.nodes[0])
