"""A Raspberry Pi's EEPROM, replayed on the wire: it finds its folder, and asks for what the proof foretold."""

import re
from collections.abc import Iterator

import pytest

from foresight.boot import predicted_files
from model.environment import Environment
from render import pi_boot
from tests.labs import raw
from tests.real.netboot import firmware
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


@pytest.mark.parametrize("generation", [4, 5])
def test_a_pi_asks_for_exactly_what_the_proof_foretold(proxy_site: Site, generation: int) -> None:
    netboot = proxy_site.plan.network.netboot
    assert netboot
    pi = next(pi for pi in netboot.pis if pi.name == "maia-1")
    serial = raw("homelab")["bootstrap"]["nodes"]["maia-1"]["serial"]
    for name in pi_boot.BUILT:
        proxy_site.serve_tftp(f"{pi.folder}/{name}", f"{name}, from the builder".encode())
    offers = proxy_site.ask(
        "client", firmware.request("discover", firmware.pi(pi.mac, serial, generation), enough=2, seconds=4)
    )
    (ours,) = [offer for offer in offers if "Raspberry Pi Boot" in offer["boot_options"].get("9", "")]
    fetched = sorted(_eeprom(proxy_site, ours["next_server"], serial, generation))
    assert set(fetched) <= set(proxy_site.fetched_by_tftp()), "dnsmasq's own log says the same"
    environment = Environment.model_validate(raw("homelab"))
    kind = "raspberry-pi-4" if generation == 4 else "raspberry-pi-5"
    foretold = predicted_files(environment, proxy_site.plan, "maia-1", kind)
    assert {file.server for file in foretold} == {ours["next_server"]}
    assert fetched == sorted(file.name for file in foretold if file.found and file.protocol == "tftp")


def test_a_pi_s_texts_are_served_as_they_were_rendered(proxy_site: Site) -> None:
    netboot = proxy_site.plan.network.netboot
    assert netboot
    files = pi_boot.files(netboot)
    assert len(files) == 2 * len(netboot.pis)
    for name, text in files.items():
        assert _fetch(proxy_site, proxy_site.address, name) == text
