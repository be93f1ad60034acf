"""The proof's reading of dnsmasq.conf and dnsmasq's own: both are asked the same, of files that we would never render.

So the proof is not believed because it agrees with our own templates: order, negation, menus, fallbacks, silence.
"""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network
from typing import Any

import pytest

from foresight import boot_dnsmasq, boot_firmware
from foresight.boot_firmware import Client
from foresight.boot_offer import Silence, answer
from render import dnsmasq
from tests.labs import planned, raw, shipped_plan
from tests.real.netboot import firmware
from tests.real.netboot.firmware import Firmware
from tests.real.netboot.site import Site, site

pytestmark = [pytest.mark.real, pytest.mark.slow]

MAC = "02:00:00:00:02:01"
OURS, CLIENT = "192.168.1.50", "192.168.1.180"
PIDS = "/run/variant.pid"

VARIANTS: dict[str, Callable[[str], str]] = {
    "as rendered": lambda conf: conf,
    "the last dhcp-boot that fits wins": lambda conf: f"{conf}dhcp-boot=tag:efi-x64,other.efi\ndhcp-boot=any.0\n",
    "a line without tags is the last resort": lambda conf: (
        _without(conf, "dhcp-boot=tag:lab,tag:!pi,tag:bios", "pxe-service=tag:lab,tag:!pi") + "dhcp-boot=any.0\n"
    ),
    "two services are a menu": lambda conf: (
        f'{conf}pxe-service=tag:efi-x64,X86-64_EFI,"More",more.efi\npxe-service=tag:bios,x86PC,"Disk",0\n'
    ),
    "a service's name without a dot": lambda conf: conf.replace("snponly.efi,192", "snponly,192").replace(
        "undionly.kpxe,192", "undionly,192"
    ),
    "iPXE is not known": lambda conf: _without(conf, "dhcp-userclass"),
    "no service at all": lambda conf: _without(conf, "pxe-service"),
    "a tag of tags, and who is ignored": lambda conf: (
        f"{conf}tag-if=set:gone,tag:efi-x64,tag:!ipxe\ndhcp-ignore=tag:gone\n"
    ),
    "a Pi by its vendor class": lambda conf: conf.replace(
        "dhcp-match=set:pi,97,RPi", "dhcp-vendorclass=set:pi,Arch:00000"
    ),
    "an identifier in hex": lambda conf: conf.replace("dhcp-match=set:pi,97,RPi", "dhcp-match=set:pi,97,00:52:*:69"),
}


def _without(conf: str, *starts: str) -> str:
    return "".join(line for line in conf.splitlines(keepends=True) if not line.startswith(starts))


def _clients() -> Iterator[tuple[str, Firmware, Client]]:
    """(name, what the test sends, what the proof thinks it sends)."""
    for kind, sent in (
        ("bios", firmware.bios(MAC)),
        ("uefi-x64", firmware.uefi(MAC, 7)),
        ("uefi-x64-9", firmware.uefi(MAC, 9)),
        ("raspberry-pi-5", firmware.pi(MAC, "10000000a1b2c351", 5)),
    ):
        yield kind, sent, boot_firmware.client(kind, MAC)  # type: ignore[arg-type] # these four are kinds
    for kind, architecture in (("bios", 0), ("uefi-x64", 7)):
        ipxe = boot_firmware.as_ipxe(boot_firmware.client(kind, MAC))  # type: ignore[arg-type] # so are these
        yield f"iPXE on {kind}", firmware.ipxe(MAC, architecture), ipxe


@pytest.fixture(scope="module", params=["proxy", "server"])
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, require_tool) -> Iterator[Site]:
    plan = shipped_plan("homelab")
    if request.param == "server":
        edited = raw("homelab")
        edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = "server"
        plan = planned(edited)
    with site(plan, tmp_path_factory.mktemp(request.param), require_tool) as made:
        yield made


@pytest.fixture
def running(lab: Site) -> Iterator[Callable[[str], None]]:
    """Start dnsmasq with a text; it ends with the test."""

    def start(conf: str) -> None:
        lab.net.write("/run/variant.conf", conf.replace("tftp-root=/srv/tftp", "tftp-root=/run"))
        lab.net.write("/var/lib/dnsmasq/dnsmasq.leases", "")
        lab.net.path("/var/lib/dnsmasq").chmod(0o777)
        lab.net.start(
            "variant", "server", lab.tool("dnsmasq"), "--conf-file=/run/variant.conf", "--keep-in-foreground",
            "--user=root", "--group=", "--log-facility=-", f"--pid-file={PIDS}", "--no-ping",
        )  # fmt: skip
        lab.net.wait("dnsmasq answers", lambda: lab.net.path(PIDS).exists())

    yield start
    lab.net.run("server", "sh", "-c", f"kill $(cat {PIDS})")
    lab.net.started.pop("variant").wait(timeout=10)


def _files(lab: Site, who: Firmware, reply: dict[str, Any]) -> set[str]:
    """Every file that a reply names, by itself or by its menu; an entry for the local disk is an empty name."""
    menu = bytes(reply["boot_options"].get("9", "").encode("latin-1"))
    # Where it leases and is asked for option 67, dnsmasq names the file there
    named = bytes.fromhex(reply["options"].get("67", "")).rstrip(b"\0").decode()
    found = {reply["file"], named} - {""}
    while menu:
        item, menu = menu[:2], menu[3 + menu[2] :]
        chosen = _ask_4011(lab, who, item.hex()) if item != b"\0\0" else []
        found |= {one["file"] for one in chosen} or {""}
    return found


def _ask_4011(lab: Site, who: Firmware, item: str = "") -> list[dict[str, Any]]:
    return lab.ask("client", firmware.request("proxy", who, server=OURS, address=CLIENT, item=item))


def _told(lab: Site, who: Firmware, proxy: bool) -> set[str] | None:
    """What dnsmasq tells; None when it says nothing."""
    replies = lab.ask("client", firmware.request("discover", who, enough=2 if proxy else 1, seconds=1.5))
    ours = [one for one in replies if one["server"] == OURS]
    if not ours:
        return None
    found = _files(lab, who, ours[0])
    if proxy and (who.arch >= 6 or not found):
        # UEFI goes on to port 4011, whatever the offer says
        for more in _ask_4011(lab, who):
            found |= _files(lab, who, more)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_dnsmasq_answers_what_the_proof_reads(lab: Site, running: Callable[[str], None], variant: str) -> None:
    conf = VARIANTS[variant](dnsmasq.configuration(lab.plan.network))
    read = boot_dnsmasq.read("dnsmasq.conf", conf)
    assert not read.troubles
    proxy = any(one.proxy for one in read.ranges)
    running(conf)
    told, foretold = {}, {}
    for name, sent, client in _clients():
        told[name] = _told(lab, sent, proxy)
        said = answer(read, client, IPv4Network("192.168.1.0/24"))
        foretold[name] = None if isinstance(said, Silence) else {one.name for one in said.files}
    assert told == foretold
