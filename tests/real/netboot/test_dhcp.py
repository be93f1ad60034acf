"""A running dnsmasq, with what is rendered for homelab, answers each firmware what that firmware understands."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.real.netboot import firmware
from tests.real.netboot.firmware import Firmware
from tests.real.netboot.site import Site

pytestmark = pytest.mark.real

VALINOR, MAIA, UNKNOWN = "02:00:00:00:02:01", "02:00:00:00:01:51", "02:00:00:00:99:01"
SERIAL = "10000000a1b2c351"
PI, NETBOOT, ROUTER = "192.168.1.50", "192.168.1.59", "192.168.1.1"
SCRIPT = f"http://{NETBOOT}/boot.ipxe"

DIRECT = [
    pytest.param(firmware.bios(VALINOR), "undionly.kpxe", id="bios"),
    pytest.param(firmware.uefi(VALINOR, 7), "snponly.efi", id="uefi-x64"),
    pytest.param(firmware.uefi(VALINOR, 9), "snponly.efi", id="uefi-x64-9"),
    pytest.param(firmware.uefi(VALINOR, 11), "snponly-arm64.efi", id="uefi-arm64"),
    pytest.param(firmware.ipxe(VALINOR, 0), SCRIPT, id="ipxe-on-bios"),
    pytest.param(firmware.ipxe(VALINOR, 7), SCRIPT, id="ipxe-on-uefi"),
    pytest.param(firmware.bios(UNKNOWN), "undionly.kpxe", id="unknown-machine"),
]


@dataclass(frozen=True)
class Told:
    """What a firmware takes from all answers it got: an address, and where to load what from."""

    address: str
    server: str
    file: str


def _discover(site: Site, who: Firmware, enough: int, seconds: float = 4) -> list[dict[str, Any]]:
    return site.ask("client", firmware.request("discover", who, enough=enough, seconds=seconds))


def _loads(site: Site, who: Firmware, address: str, offer: dict[str, Any]) -> tuple[str, str]:
    """As PXE 2.1 has it: a menu's boot server is asked for the file, else the offer names it, else port 4011 does."""
    menu = offer["boot_options"].get("9", "").encode("latin-1")
    if not menu and offer["file"]:
        return offer["next_server"], offer["file"]
    (ack,) = site.ask(
        "client", firmware.request("proxy", who, server=offer["server"], address=address, item=menu[:2].hex())
    )
    return ack["next_server"], ack["file"]


def _told_by_proxy(site: Site, who: Firmware) -> Told:
    offers = _discover(site, who, enough=2)
    (lease,) = [offer for offer in offers if offer["address"] != "0.0.0.0"]
    (proxy,) = [offer for offer in offers if offer["address"] == "0.0.0.0"]
    assert lease["server"] == ROUTER
    assert proxy["server"] == PI
    assert bytes.fromhex(proxy["options"]["60"]).startswith(who.vendor[:9].encode()), "firmware ignores other answers"
    return Told(lease["address"], *_loads(site, who, lease["address"], proxy))


@pytest.mark.parametrize(("who", "file"), DIRECT)
def test_beside_the_router_each_firmware_is_told_its_loader(proxy_site: Site, who: Firmware, file: str) -> None:
    told = _told_by_proxy(proxy_site, who)
    assert (told.server, told.file) == (NETBOOT, file)


@pytest.mark.parametrize("architecture", [0, 7])
def test_ipxe_takes_the_proxy_s_offer_as_it_is(proxy_site: Site, architecture: int) -> None:
    """In QEMU a BIOS machine stopped at "Nothing to boot", a UEFI one did not.

    iPXE uses a proxyDHCP offer that has both a next server and a file; without the first it asks port 4011, whose
    answer lacked it too. dnsmasq fills it in by itself for UEFI only.
    """
    offers = _discover(proxy_site, firmware.ipxe(VALINOR, architecture), enough=2)
    (proxy,) = [offer for offer in offers if offer["server"] == PI]
    assert (proxy["next_server"], proxy["file"]) == (NETBOOT, SCRIPT)


@pytest.mark.parametrize("generation", [4, 5])
@pytest.mark.parametrize("mode", ["proxy", "server"])
def test_a_pi_sees_the_words_it_waits_for_and_no_loader(
    mode: str, generation: int, request: pytest.FixtureRequest
) -> None:
    site: Site = request.getfixturevalue(f"{mode}_site")
    offers = _discover(site, firmware.pi(MAIA, SERIAL, generation), enough=2 if mode == "proxy" else 1)
    (ours,) = [offer for offer in offers if offer["server"] == PI]
    assert "Raspberry Pi Boot" in ours["boot_options"]["9"]
    assert ours["next_server"] == NETBOOT, "where it asks TFTP"
    assert mode == "proxy" or bytes.fromhex(ours["options"]["66"]).rstrip(b"\0").decode() == NETBOOT
    assert not ours["file"], "its EEPROM knows the names it wants"
    assert "67" not in ours["options"]


@pytest.mark.parametrize("mode", ["proxy", "server"])
@pytest.mark.parametrize(("architecture", "loader"), [(16, "snponly.efi"), (19, "snponly-arm64.efi")])
def test_uefi_that_boots_by_http_is_told_a_url(
    mode: str, architecture: int, loader: str, request: pytest.FixtureRequest
) -> None:
    """Beside the router dnsmasq said nothing to these: as proxy it answers vendor class PXEClient, until told more."""
    site: Site = request.getfixturevalue(f"{mode}_site")
    offers = _discover(site, firmware.uefi(VALINOR, architecture), enough=2 if mode == "proxy" else 1)
    (ours,) = [offer for offer in offers if offer["server"] == PI]
    assert bytes.fromhex(ours["options"]["60"]) == b"HTTPClient", "what does not say so is passed over"
    named = bytes.fromhex(ours["options"].get("67", "")).rstrip(b"\0").decode() or ours["file"]
    assert named == f"http://{NETBOOT}/loaders/{loader}"


@pytest.mark.parametrize(("who", "file"), DIRECT)
def test_as_server_each_firmware_is_told_its_loader_with_its_address(server_site: Site, who: Firmware, file: str):
    (offer,) = _discover(server_site, who, enough=1)
    assert offer["next_server"] == NETBOOT
    named = bytes.fromhex(offer["options"].get("67", "")).rstrip(b"\0").decode() or offer["file"]
    assert named == file


@pytest.mark.parametrize("mode", ["proxy", "server"])
def test_every_reserved_machine_gets_its_own_address(mode: str, request: pytest.FixtureRequest) -> None:
    site: Site = request.getfixturevalue(f"{mode}_site")
    for host in site.plan.network.hosts:
        # dnsmasq never gives away the address it runs on, and vala-1 has its card and configuration anyway
        if host.reserve and host.mac and host.vlan == "lab" and host.address != PI:
            offers = _discover(site, firmware.plain(host.mac), enough=1)
            assert [offer["address"] for offer in offers] == [host.address], host.name


def test_as_server_a_lease_is_given_kept_on_disk_and_complete(server_site: Site) -> None:
    who = firmware.plain(UNKNOWN)
    (offer,) = _discover(server_site, who, enough=1, seconds=8)
    (ack,) = server_site.ask("client", firmware.request("lease", who, offer=offer))
    assert ack["kind"] == "ACK"
    assert 150 <= int(ack["address"].rpartition(".")[2]) <= 199
    assert bytes.fromhex(ack["options"]["3"]) == bytes([192, 168, 1, 1]), "its gateway"
    assert bytes.fromhex(ack["options"]["42"]) == bytes([192, 168, 1, 1]), "its clock; a name has no place there"
    assert UNKNOWN in server_site.net.path("/var/lib/dnsmasq/dnsmasq.leases").read_text()


def test_beside_the_router_only_the_router_leases(proxy_site: Site) -> None:
    (only,) = _discover(proxy_site, firmware.plain(UNKNOWN), enough=2, seconds=1.5)
    assert only["server"] == ROUTER


@pytest.mark.parametrize("mode", ["proxy", "server"])
def test_a_vlan_that_is_the_router_s_alone_hears_nothing(mode: str, request: pytest.FixtureRequest) -> None:
    site: Site = request.getfixturevalue(f"{mode}_site")
    before = _heard(site)
    asked = firmware.request("discover", firmware.bios(VALINOR), enough=1, seconds=1)
    assert site.ask("stranger", asked) == []
    assert _heard(site) > before, "the question did reach it"


def _heard(site: Site) -> int:
    """Packets that came in on the server's interface in that VLAN."""
    lines = site.net.run("server", "cat", "/proc/net/dev").splitlines()
    return next(int(line.split()[2]) for line in lines if "eth1:" in line)
