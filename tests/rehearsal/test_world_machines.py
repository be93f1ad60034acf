"""A machine reaches maintenance only when all of its way there stands; where it stops, it says why."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.world.factory import canonical, identify
from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.worlds import BOOT_TREE, MENU, PLAIN, a_world, lab, place, script, with_boot_services

BOARD = "overlay: {name: turingrk1, image: siderolabs/sbc-rockchip}"


def test_with_boot_services_a_machine_arrives_at_its_reserved_address():
    world = a_world()
    with_boot_services(world)
    assert world.machines.at("10.0.0.101") == "cp-1"
    record = world.machines.records["cp-1"]
    assert (record["stage"], record["image"]["version"]) == ("maintenance", "v1.12.4")


def _boot(cluster: Cluster, **files: str) -> None:
    place(cluster, "ConfigMap", "netboot", "boot", data={"boot.ipxe": MENU, **files})


def _conf(cluster: Cluster, old: str, new: str) -> None:
    held = cluster.get("ConfigMap", "netboot", "dnsmasq")
    text = held["data"]["dnsmasq.conf"] if held else ""
    assert old in text
    place(cluster, "ConfigMap", "netboot", "dnsmasq", data={"dnsmasq.conf": text.replace(old, new)})


BREAKS: dict[str, tuple[Callable[[Cluster], object], str, str]] = {
    "no dnsmasq": (lambda c: c.delete("Application", "argocd", "dnsmasq"), "firmware", "dnsmasq does not run"),
    "no files served": (
        lambda c: c.delete("Application", "argocd", "pi-netboot"),
        "firmware",
        "pi-netboot does not run",
    ),
    "no configuration": (lambda c: c.delete("ConfigMap", "netboot", "dnsmasq"), "firmware", "lacks dnsmasq.conf"),
    "another address": (lambda c: _conf(c, "10.0.0.59", "10.0.0.5"), "firmware", "does not name the boot server"),
    "bios only": (lambda c: _conf(c, "tag:efi64,", "tag:nobody,"), "dhcp", "no boot file to client architecture 7/9"),
    "bios loader for uefi": (lambda c: _conf(c, "snponly.efi", "undionly.kpxe"), "dhcp", "does not start on uefi"),
    "loader again": (lambda c: _conf(c, "set:ipxe,iPXE", "set:ipxe,other"), "dhcp", "a loop"),
    "no script": (lambda c: _boot(c), "dhcp", "unknown.ipxe: No such file"),
    "own disk": (lambda c: _boot(c, **{"unknown.ipxe": "#!ipxe\nexit\n"}), "firmware", "own disk, which is empty"),
    "unregistered": (lambda c: _boot(c, **{"unknown.ipxe": script("0" * 64)}), "image", "not found"),
    "wrong arch": (lambda c: _boot(c, **{"unknown.ipxe": script(arch="arm64")}), "image", "image is for arm64"),
    "no platform": (lambda c: _boot(c, **{"unknown.ipxe": script(arguments="")}), "image", "talos.platform=metal"),
    "circle": (lambda c: _boot(c, **{"unknown.ipxe": MENU}), "dhcp", "circle"),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_machine_stops_where_its_way_is_broken_and_says_why(case: str):
    breaks, stage, reason = BREAKS[case]
    world = a_world()
    breaks(with_boot_services(world))
    assert world.machines.at("10.0.0.101") is None
    record = world.machines.records["cp-1"]
    assert record["stage"] == stage
    assert reason in record["reason"]


UNSERVED: dict[str, tuple[str, str, str, str]] = {
    "emptied folder": ("dnsmasq", "kustomization.yaml", "resources: []\n", "no workload .* ConfigMap netboot/dnsmasq"),
    "another table": ("dnsmasq", "workload.yaml", "", "no workload .* ConfigMap netboot/dnsmasq"),
    "scripts not mounted": ("pi-netboot", "workload.yaml", "", "ConfigMap netboot/boot"),
    "another namespace": ("pi-netboot", "kustomization.yaml", "namespace: other\n", "ConfigMap netboot/boot"),
    "no such file": ("pi-netboot", "kustomization.yaml", "resources: [x.yaml]\n", "pi-netboot: x.yaml: no such file"),
    "no yaml": ("dnsmasq", "workload.yaml", "\tspec", "dnsmasq does not run on boot: .* workload.yaml"),
}


@pytest.mark.parametrize("case", UNSERVED)
def test_an_application_serves_boots_only_by_a_workload_that_mounts_their_configuration(tmp_path: Path, case: str):
    application, file, change, reason = UNSERVED[case]
    shutil.copytree(BOOT_TREE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "gitops" / "lab" / "boot" / application / file
    text = path.read_text(encoding="utf-8")
    changed = {
        "another table": text.replace("configMap: { name: dnsmasq }", "configMap: { name: other }"),
        "scripts not mounted": text.replace("{ name: configuration, mountPath", "{ name: other, mountPath"),
        "another namespace": text + change,
        "no yaml": text + change,
    }.get(case, change)
    path.write_text(changed, encoding="utf-8")
    world = a_world()
    with_boot_services(world, tmp_path)
    assert world.machines.at("10.0.0.101") is None
    record = world.machines.records["cp-1"]
    assert record["stage"] == "firmware"
    assert re.search(f"no boot server answers: .*{reason}", record["reason"])


AHEAD = """\
#!ipxe
imgfetch --name own http://10.0.0.59/${net0/mac:hexhyp}.ipxe || goto unknown
chain own
exit
:unknown
chain http://10.0.0.59/unknown.ipxe
"""


def test_a_machine_s_own_script_goes_before_the_one_for_strangers():
    world = a_world()
    _boot(with_boot_services(world), **{"02-00-00-00-00-01.ipxe": script(), "unknown.ipxe": "#!ipxe\nexit\n"})
    assert world.machines.at("10.0.0.101") == "cp-1"
    assert world.machines.at("10.0.0.102") is None


@pytest.mark.parametrize(("own", "comes_up"), [(script(), True), (script("0" * 64), False)])
def test_a_script_fetched_ahead_decides_and_its_failure_sends_nobody_on(own: str, comes_up: bool):
    """A listed machine whose image was not there booted that of strangers: only having no script makes a stranger."""
    world = a_world()
    _boot(with_boot_services(world), **{"boot.ipxe": AHEAD, "02-00-00-00-00-01.ipxe": own, "unknown.ipxe": script()})
    assert world.machines.at("10.0.0.101") == ("cp-1" if comes_up else None)
    assert world.machines.at("10.0.0.102"), "who has no script is a stranger"


def test_an_image_of_a_board_does_not_run_on_a_pc():
    world = a_world()
    _boot(with_boot_services(world), **{"unknown.ipxe": script(world.factory.register(BOARD))})
    assert world.machines.at("10.0.0.101") is None
    assert "overlay turingrk1 is not available for amd64" in world.machines.records["cp-1"]["reason"]


def test_a_machine_nobody_reserved_an_address_for_is_somewhere_in_the_pool():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"]["reach"] = "our-reservation"
    world = a_world(environment)
    with_boot_services(world)
    assert world.machines.at("10.0.0.101") is None
    assert world.machines.records["cp-1"]["address"] == "10.0.0.150"
    assert "its address is 10.0.0.150" in world.machines.explain("10.0.0.101")


def test_our_reservation_holds_when_dnsmasq_says_so():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"]["reach"] = "our-reservation"
    world = a_world(environment)
    _conf(with_boot_services(world), "dhcp-userclass", "dhcp-host=02:00:00:00:00:01,10.0.0.101,cp-1\ndhcp-userclass")
    assert world.machines.at("10.0.0.101") == "cp-1"


def test_a_kernel_argument_gives_the_address():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"]["reach"] = "kernel-argument"
    world = a_world(environment)
    arguments = "talos.platform=metal ip=10.0.0.101::10.0.0.1:255.255.255.0::eno1:off"
    _boot(with_boot_services(world), **{"unknown.ipxe": script(arguments=arguments)})
    assert world.machines.at("10.0.0.101") == "cp-1"


def test_a_flashed_machine_needs_no_boot_services():
    environment = lab()
    environment["cluster"]["nodes"]["cp-1"] |= {"class": "board", "boot": "flashed", "reach": "static"}
    world = a_world(environment)
    assert world.machines.at("10.0.0.101") == "cp-1"


def test_a_machine_that_is_off_answers_nowhere():
    world = a_world()
    with_boot_services(world)
    world.machines.switch("cp-1", on=False)
    assert world.machines.at("10.0.0.101") is None
    world.machines.switch("cp-1", on=True)
    assert world.machines.at("10.0.0.101") == "cp-1"


def test_a_schematic_s_id_is_the_factory_s():
    assert identify("") == PLAIN
    assert identify(BOARD) == "df156b82096feda49406ac03aa44e0ace524b7efe4e1f0e144a1e1ae3930f1c0"


def test_order_of_keys_is_no_part_of_a_schematic_and_order_of_extensions_is():
    one = "customization: {systemExtensions: {officialExtensions: [a/b, c/d]}, extraKernelArgs: [-console, x=1]}"
    two = "customization: {extraKernelArgs: [-console, x=1], systemExtensions: {officialExtensions: [a/b, c/d]}}"
    assert identify(one) == identify(two)
    assert identify(one) != identify(two.replace("a/b, c/d", "c/d, a/b"))
    assert "        - -console\n" in canonical(one)
