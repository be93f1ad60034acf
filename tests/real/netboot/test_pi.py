"""A Raspberry Pi's EEPROM, replayed on the wire: it finds its folder, and asks for what the proof foretold."""

import re
import stat
from collections.abc import Callable, Iterator

import pytest

from foresight.boot import predicted_files
from model.environment import Environment
from render import boot_files, nfs, pi_boot
from tests.labs import raw
from tests.real import pi_image
from tests.real.netboot import firmware
from tests.real.netboot.lan import OUTSIDE_ROOT
from tests.real.netboot.site import Site

pytestmark = pytest.mark.real

TREES = {4: "bcm2711-rpi-4-b.dtb", 5: "bcm2712-rpi-5-b.dtb"}


def _fetch(site: Site, server: str, name: str) -> str | None:
    (answer,) = site.ask("desk", firmware.request("fetch", server=server, names=[name]))
    return None if answer["size"] is None else answer["text"].encode("latin-1").decode()


def _eeprom(site: Site, server: str, serial: str, generation: int) -> Iterator[str]:
    """What a Pi asks for and gets, in its EEPROM's order (Raspberry Pi documentation, "Network boot")."""
    folder = f"{serial[-8:]}/"
    if _fetch(site, server, f"{folder}start4.elf") is None and _fetch(site, server, f"{folder}start.elf") is None:
        folder = ""
    else:
        yield f"{folder}start4.elf"
    config = _fetch(site, server, f"{folder}config.txt") or ""
    said = dict(re.findall(r"^(kernel|initramfs|cmdline)[ =](\S+)", config, re.MULTILINE))
    asked = ["config.txt", *(["fixup4.dat"] if generation == 4 else []), TREES[generation]]
    asked += [said.get("cmdline", "cmdline.txt"), said.get("kernel", "kernel8.img"), said.get("initramfs", "")]
    for name in filter(None, asked):
        if _fetch(site, server, f"{folder}{name}") is not None:
            yield f"{folder}{name}"


@pytest.fixture(scope="module")
def made(proxy_site: Site, tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Site:
    """With the Pis' system, made of a small image by the shipped container, and with the boot server."""
    for tool in pi_image.TOOLS:
        require_tool(tool)
    proxy_site.make_pi_system(pi_image.made(tmp_path_factory.mktemp("image"), require_tool))
    proxy_site.start_nginx()
    return proxy_site


@pytest.mark.parametrize("generation", [4, 5])
def test_a_pi_asks_for_exactly_what_the_proof_foretold(made: Site, generation: int) -> None:
    netboot = made.plan.network.netboot
    assert netboot
    pi = next(pi for pi in netboot.pis if pi.name == "maia-1")
    serial = raw("homelab")["bootstrap"]["nodes"]["maia-1"]["serial"]
    offers = made.ask(
        "client", firmware.request("discover", firmware.pi(pi.mac, serial, generation), enough=2, seconds=4)
    )
    (ours,) = [offer for offer in offers if "Raspberry Pi Boot" in offer["boot_options"].get("9", "")]
    fetched = sorted(_eeprom(made, ours["next_server"], serial, generation))
    assert set(fetched) <= set(made.fetched_by_tftp()), "dnsmasq's own log says the same"
    environment = Environment.model_validate(raw("homelab"))
    kind = "raspberry-pi-4" if generation == 4 else "raspberry-pi-5"
    foretold = predicted_files(environment, made.plan, "maia-1", kind)
    assert {file.server for file in foretold} == {ours["next_server"]}
    assert fetched == sorted(file.name for file in foretold if file.found and file.protocol == "tftp")


def test_a_pi_s_texts_and_kernel_are_served_as_they_were_rendered_and_unpacked(made: Site) -> None:
    netboot = made.plan.network.netboot
    assert netboot
    files = pi_boot.files(netboot)
    assert len(files) == 2 * len(netboot.pis)
    for name, text in files.items():
        assert _fetch(made, made.address, name) == text
    # With what its manifest declares, and no more, the builder leaves each file its owner and its special modes
    sudo = made.net.path(f"{nfs.root(netboot)}/usr/bin/sudo").stat()
    assert stat.S_IMODE(sudo.st_mode) == pi_image.SPECIAL["usr/bin/sudo"]
    for pi in netboot.pis:
        for name in ("vmlinuz", "initrd.img", "overlays/overlay_map.dtb"):
            assert _fetch(made, made.address, f"{pi.folder}/{name}"), f"{pi.folder}/{name}"


def test_every_file_of_a_seed_is_served_where_cloud_init_asks_for_it(made: Site) -> None:
    netboot = made.plan.network.netboot
    assert netboot
    seeds = boot_files.seeds(made.plan, netboot)
    assert len(seeds) == 3 * len(netboot.pis)
    for path, text in seeds.items():
        assert made.net.run("desk", "curl", "--silent", "--fail", f"http://{made.address}/pi/{path}") == text
    ask = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}")
    assert made.net.run("desk", *ask, f"http://{made.address}/pi/a1b2c351/network-config") == "404"
    assert made.net.run("desk", *ask, "--path-as-is", f"http://{made.address}/pi/a1b2c351/../../boot.ipxe") != "500"


@pytest.fixture(scope="module")
def exported(made: Site, require_tool: Callable[[str], str]) -> Site:
    """With the NFS server."""
    if OUTSIDE_ROOT:
        pytest.skip("rpcbind changes to a user of its own, which only root may")
    for tool in ("nfs-ls", "nfs-cat", "nfs-cp"):
        require_tool(tool)
    made.start_nfs()
    return made


def test_the_root_that_a_pi_is_told_of_is_mounted_and_read(exported: Site) -> None:
    netboot = exported.plan.network.netboot
    assert netboot
    told = re.search(r"nfsroot=([^:]+):([^,]+),", pi_boot.cmdline(netboot, netboot.pis[0]))
    assert told
    root = f"nfs://{told[1]}{told[2]}"
    assert exported.net.run("desk", "nfs-cat", f"{root}/etc/release?version=3") == "one"
    assert " sudo\n" in exported.net.run("desk", "nfs-ls", f"{root}/usr/bin?version=3")


def test_nobody_writes_to_the_root_and_nobody_else_mounts_it(exported: Site) -> None:
    netboot = exported.plan.network.netboot
    assert netboot
    at = f"nfs://{exported.address}{nfs.root(netboot)}"
    with pytest.raises(AssertionError, match="ROFS"):
        exported.net.run("desk", "nfs-cp", "/etc/hostname", f"{at}/etc/new?version=3")
    own = next(vlan for vlan in exported.plan.network.vlans if vlan.name == "home").subnet
    server = f"{own.rpartition('.')[0]}.50"
    with pytest.raises(AssertionError, match=r"ACCES|denied|mount"):
        exported.net.run("stranger", "nfs-ls", f"nfs://{server}{nfs.root(netboot)}?version=3")
