"""What layers come to in a node's patch."""

from typing import Any

import yaml

from model.laws import examine
from model.layers import TalosLayer
from model.storage import LONGHORN_LABEL
from render.talos import machine_patch
from tests.labs import planned, raw
from tests.layered import ALL, CERTIFICATE, layered


def patch(lab: dict[str, Any], name: str) -> str:
    cluster = planned(lab).cluster
    assert cluster
    return machine_patch(cluster, next(node for node in cluster.nodes if node.name == name))


def documents(lab: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """By `Kind` or `Kind/name`; the main one by ''."""
    every = list(yaml.safe_load_all(patch(lab, name)))
    found = {"/".join(filter(None, (one.get("kind"), one.get("name")))): one for one in every}
    assert len(found) == len(every), "a document twice"
    return found


def reversed_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reversed_deep(one) for key, one in reversed(value.items())}
    return value


def test_the_layered_lab_is_a_good_one() -> None:
    assert not list(examine(layered(), None).errors)


def test_later_layers_change_what_they_name_and_keep_the_rest() -> None:
    leader, worker = documents(layered(), "valinor-1")[""], documents(layered(), "istari-1")[""]
    assert leader["machine"]["sysctls"] == {"net.core.rmem_max": "7500000", "vm.nr_hugepages": "1024"}
    assert worker["machine"]["sysctls"] == {"net.core.rmem_max": "7500000"}, "null takes away"
    assert worker["machine"]["nodeLabels"] == {LONGHORN_LABEL: "true"}, "of the layers' labels it has none"
    assert leader["machine"]["nodeLabels"] == {"example.com/site": "attic"}
    assert worker["machine"]["nodeTaints"] == {"example.com/slow": "PreferNoSchedule"}
    assert len(worker["machine"]["udev"]["rules"]) == 2, "rules grow from layer to layer"


def test_what_follows_from_the_environment_stands_beside_what_the_layers_say() -> None:
    machine = documents(layered(), "istari-1")[""]["machine"]
    assert machine["kubelet"]["extraArgs"] == {"v": "2"}
    assert machine["kubelet"]["extraConfig"]["maxPods"] == 200
    assert machine["kubelet"]["nodeIP"] == {"validSubnets": ["192.168.1.0/24"]}
    assert set(machine["features"]) == {"imageCache", "kubePrism", "hostDNS"}
    modules = machine["kernel"]["modules"]
    assert modules == [{"name": "nbd", "parameters": ["max_part=8"]}, {"name": "nvme_tcp"}]


def test_a_further_name_is_in_both_certificates_of_a_control_plane() -> None:
    main = documents(layered(), "valinor-1")[""]
    assert main["machine"]["certSANs"] == ["k8s.example.com", "api.example.com"]
    assert main["cluster"]["apiServer"]["certSANs"] == ["192.168.1.100", "k8s.example.com", "api.example.com"]
    assert main["cluster"]["apiServer"]["extraArgs"] == {"goaway-chance": "0.001"}
    assert "apiServer" not in documents(layered(), "istari-1")[""]["cluster"]


def test_a_bond_carries_the_address_the_vip_and_the_further_vlans() -> None:
    worker, leader = documents(layered(), "istari-1"), documents(layered(), "valinor-1")
    assert "LinkConfig/eno1" not in worker
    bond = worker["BondConfig/bond0"]
    assert bond["links"] == ["eno1", "enp2s0"]
    assert (bond["bondMode"], bond["lacpRate"], bond["xmitHashPolicy"]) == ("802.3ad", "fast", "layer3+4")
    assert bond["addresses"] == [{"address": "192.168.1.104/24"}]
    assert worker["VLANConfig/bond0.20"]["parent"] == "bond0"
    assert worker["VLANConfig/bond0.50"]["addresses"] == [{"address": "192.168.50.104/24"}]
    assert "routes" not in worker["VLANConfig/bond0.20"], "one way out"
    assert leader["Layer2VIPConfig/192.168.1.100"]["link"] == "bond0"


def test_mirrors_and_trust_are_documents_of_their_own() -> None:
    found = documents(layered(), "valinor-2")
    assert found["RegistryMirrorConfig/docker.io"]["skipFallback"] is True
    ends = found["RegistryMirrorConfig/ghcr.io"]["endpoints"]
    assert ends == [{"url": "https://harbor.example.com/v2/ghcr", "overridePath": True}]
    assert found["TrustedRootsConfig/lab-ca"]["certificates"] == CERTIFICATE


def test_a_node_s_own_resolvers_and_clocks_replace_the_network_s() -> None:
    found = documents(layered(), "istari-1")
    assert found["ResolverConfig"]["nameservers"] == [{"address": "192.168.1.1"}]
    # Not even the host's own domain: pods would inherit it, and a public wildcard answers for every name below it
    assert found["ResolverConfig"]["searchDomains"] == {"disableDefault": True}
    assert found["TimeSyncConfig"]["ntp"] == {"servers": ["192.168.1.1"]}
    assert documents(layered(), "istari-2")["TimeSyncConfig"]["ntp"] == {"servers": ["time.cloudflare.com"]}


def test_volumes_are_by_name_of_the_disk_a_folder_or_raw() -> None:
    by_id = documents(layered(), "istari-1")["UserVolumeConfig/longhorn"]["provisioning"]["diskSelector"]
    assert by_id == {"match": '"/dev/disk/by-id/ata-EXAMPLE_4TB_0001" in disk.symlinks'}
    shared = documents(layered(), "istari-2")["UserVolumeConfig/local"]
    assert shared == {"apiVersion": "v1alpha1", "kind": "UserVolumeConfig", "name": "local", "volumeType": "directory"}
    ceph = documents(raw("turing"), "talos-1")
    assert not [key for key in ceph if "Volume" in key], "Ceph wants its disk raw"


def test_our_encryption_and_the_owner_s_size_meet_in_one_document() -> None:
    lab = layered()
    lab["cluster"]["disk_encryption"] = True
    volume = documents(lab, "valinor-1")["VolumeConfig/EPHEMERAL"]
    assert volume["provisioning"] == {"maxSize": "100GiB"}
    assert volume["encryption"]["keys"] == [{"slot": 0, "tpm": {}}]


def test_the_order_of_keys_in_the_file_changes_no_byte() -> None:
    turned = layered()
    turned["cluster"]["talos"] = reversed_deep(turned["cluster"]["talos"])
    turned["cluster"]["nodes"] = reversed_deep(turned["cluster"]["nodes"])
    for name in layered()["cluster"]["nodes"]:
        assert patch(turned, name) == patch(layered(), name)


def test_a_layer_of_nothing_changes_no_byte() -> None:
    empty, without = raw("homelab"), raw("homelab")
    empty["cluster"]["talos"] = {"all": {}, "workers": {"sysctls": {}, "labels": None}, "classes": {}}
    del without["cluster"]["talos"]
    assert patch(empty, "istari-1") == patch(without, "istari-1")


def test_the_example_says_something_in_every_key() -> None:
    """A key added to the shape and forgotten here would reach no test of Talos' own."""
    said = set(ALL)
    for layer in ("control_planes", "workers"):
        said |= set(layered()["cluster"]["talos"][layer])
    said |= set(layered()["cluster"]["talos"]["classes"]["prodesk-400-g4"])
    said |= set(layered()["cluster"]["nodes"]["istari-1"]["talos"])
    assert said == set(TalosLayer.model_fields)
