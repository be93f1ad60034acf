"""A dnsmasq that leases runs once, and remembers: two of them, or one that forgets, boot nobody."""

import shutil
from pathlib import Path

import pytest

from tests.rehearsal.worlds import BOOT_TREE, DNSMASQ, a_world, place, with_boot_services

LEASING = (
    f"dhcp-range=set:lab,10.0.0.150,10.0.0.160,255.255.255.0,12h\ndhcp-leasefile=/var/lib/dnsmasq/leases\n{DNSMASQ}"
)
ONCE = ("kind: DaemonSet", "kind: Deployment")
KEPT = (
    "volumes: [{ name: configuration, configMap: { name: dnsmasq } }]",
    "volumes: [{ name: configuration, configMap: { name: dnsmasq } }, "
    "{ name: leases, hostPath: { path: /var/lib/leases } }]",
)
MOUNTED = ("volumeMounts: [{", "volumeMounts: [{ name: leases, mountPath: /var/lib/dnsmasq }, {")
TWICE = ("spec:\n  selector", "spec:\n  replicas: 2\n  selector")
EMPTY = ("hostPath: { path: /var/lib/leases }", "emptyDir: {}")


def _stage(tmp_path: Path, *changes: tuple[str, str]) -> tuple[str, str]:
    shutil.copytree(BOOT_TREE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "gitops" / "lab" / "boot" / "dnsmasq" / "workload.yaml"
    text = path.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    path.write_text(text, encoding="utf-8")
    world = a_world()
    cluster = with_boot_services(world, tmp_path)
    cluster.place(
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "maia-9"}, "spec": {}, "status": {"addresses": []}},
        "t",
    )
    place(cluster, "ConfigMap", "netboot", "dnsmasq", data={"dnsmasq.conf": LEASING})
    world.machines.settle("cp-1")
    record = world.machines.records["cp-1"]
    return record["stage"], record["reason"]


def test_one_that_remembers_its_leases_boots_machines(tmp_path: Path):
    assert _stage(tmp_path, ONCE, KEPT, MOUNTED) == ("maintenance", "")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ((KEPT, MOUNTED), "leases in 2 pods"),
        ((ONCE, TWICE, KEPT, MOUNTED), "leases in 2 pods"),
        ((ONCE,), "is lost with its pod"),
        ((ONCE, KEPT, MOUNTED, EMPTY), "is lost with its pod"),
    ],
)
def test_two_of_them_or_one_that_forgets_boot_nobody(tmp_path: Path, changes: tuple[tuple[str, str], ...], reason: str):
    stage, said = _stage(tmp_path, *changes)
    assert stage == "firmware"
    assert reason in said
