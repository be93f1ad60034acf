"""A kernel or loader is on the wire only where the folder's builder really brings it, and from where it really is."""

import re
import shutil
from pathlib import Path

import pytest

from rehearsal.faults import Fault, Faults
from rehearsal.standins.shell import Outcome
from tests.rehearsal.test_world_hosts import _run
from tests.rehearsal.worlds import BOOT_TREE, PLAIN, a_world, boot_list, place, with_boot_services


def assert_said(pattern: str, record: dict[str, str]) -> None:
    assert re.match(pattern, f"{record['stage']}: {record['reason']}"), record["reason"]


WRONG: dict[str, tuple[str, str, str]] = {
    "no kernel": (f"talos/{PLAIN}/v1.12.4/kernel-amd64 ", "talos/other ", "image: .*404.*does not name talos"),
    "no loader": (
        "tftp/snponly.efi ",
        "tftp/other ",
        "dhcp: TFTP has no snponly.efi: the builder's list does not name",
    ),
    "another schematic": (f"image/{PLAIN}", f"image/{'0' * 64}", "image: .*is not where the factory has it"),
    "another host": ("https://factory.talos.dev", "https://talos.example.org", "image: .*is not where the factory has"),
    "no TLS": ("https://factory", "http://factory", "image: .*not fetched over TLS"),
    "arm64's loader": (
        "usr/lib/ipxe/snponly.efi",
        "usr/lib/ipxe/ipxe-arm64.efi",
        "dhcp: .*is not what is served as snp",
    ),
    "unjudged": (f"sha256:{'1' * 64}", "first", "dhcp: .*nothing judges"),
    "empty": (boot_list(), "", "dhcp: TFTP has no snponly.efi: the builder's list does not name"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_list_that_is_wrong_leaves_machines_dark_and_says_where(case: str):
    before, after, said = WRONG[case]
    assert before in boot_list()
    world = a_world()
    cluster = with_boot_services(world)
    place(cluster, "ConfigMap", "netboot", "boot-downloads", data={"boot.list": boot_list().replace(before, after)})
    assert world.machines.at("10.0.0.101") is None
    assert_said(said, world.machines.records["cp-1"])


UNBUILT: dict[str, tuple[str, str, str]] = {
    "no builder": (
        "configMap: { name: boot-downloads }",
        "emptyDir: {}",
        "no workload .* mounts ConfigMap netboot/boot-d",
    ),
    "where nobody looks": ("/srv/files/tftp }", "/srv/files/other }", "writes to no disk of the host at …/tftp"),
}


@pytest.mark.parametrize("case", UNBUILT)
def test_a_folder_whose_builder_does_not_bring_files_leaves_machines_dark(tmp_path: Path, case: str):
    before, after, said = UNBUILT[case]
    assert_said(f"dhcp: TFTP has no snponly.efi: .*{said}", _staged(tmp_path, before, after))


def test_a_builder_that_writes_where_no_server_reads_serves_nobody(tmp_path: Path):
    before = "boot-downloads } }\n        - { name: talos, hostPath: { path: /var/lib/boot"
    record = _staged(tmp_path, before, before.replace("/var/lib/boot", "/var/lib/elsewhere"))
    assert_said("image: .*nobody serves talos/.*: the builder writes to /var/lib/elsewhere/talos", record)


def _staged(tmp_path: Path, before: str, after: str) -> dict[str, str]:
    shutil.copytree(BOOT_TREE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "gitops" / "lab" / "boot" / "pi-netboot" / "workload.yaml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")
    world = a_world()
    with_boot_services(world, tmp_path)
    assert world.machines.at("10.0.0.101") is None
    return world.machines.records["cp-1"]


DOWN = Fault("outage", "download/factory.talos.dev", seconds=600, message="Connection timed out")
KERNEL = f"http://10.0.0.59/talos/{PLAIN}/v1.12.4/kernel-amd64"


def test_while_the_factory_is_down_machines_wait_and_afterwards_they_boot():
    world = a_world(faults=Faults([DOWN]))
    with_boot_services(world)
    assert world.machines.at("10.0.0.101") is None
    assert_said("image: .*the builder waits for talos/.*: factory.talos.dev: Conn", world.machines.records["cp-1"])
    assert world.clock.now < 600
    assert world.clock.wait_for(lambda: world.machines.at("10.0.0.101") == "cp-1", 900)
    assert world.clock.now >= 600


def test_what_was_brought_stays_when_its_source_goes_down():
    world = a_world(faults=Faults([Fault("outage", "download/*", at=1000, seconds=600)]))
    with_boot_services(world)
    assert world.machines.at("10.0.0.101") == "cp-1"
    world.clock.let_pass(1100 - world.clock.now)
    world.machines.switch("cp-1", on=False)
    world.machines.switch("cp-1", on=True)
    assert world.machines.at("10.0.0.101") == "cp-1"


def test_curl_gets_a_kernel_once_it_is_there():
    ask = "curl --fail --silent --show-error --head --output /dev/null --write-out '%{http_code}' " + KERNEL
    world = a_world(faults=Faults([DOWN]))
    with_boot_services(world)
    assert _run(world, ask).code == 22
    world.clock.let_pass(600)
    assert _run(world, ask) == Outcome("200", "", 0)
