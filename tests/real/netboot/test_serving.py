"""TFTP gives the loaders, and nginx, as Git ships its configuration, gives what is rendered."""

import re
from urllib.parse import urlsplit

import pytest
import yaml

from foresight.boot_stamp import ON_THE_CARD
from render import boot_files, downloads, ipxe
from tests.labs import planned, raw
from tests.real.netboot import firmware
from tests.real.netboot.site import LOADERS, Site
from tests.stamped import stamped

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def served(proxy_site: Site) -> Site:
    """With nginx."""
    proxy_site.start_nginx()
    return proxy_site


def _get(site: Site, path: str) -> tuple[str, str]:
    said = site.net.run("desk", "curl", "--silent", "--write-out", "\n%{http_code}", f"http://{site.address}{path}")
    body, _, status = said.rpartition("\n")
    return status, body


def test_tftp_sends_every_loader_whole_and_nothing_else(proxy_site: Site, tmp_path) -> None:
    for name in LOADERS:
        proxy_site.serve_tftp(name, name.encode() * 10_000)
    asked = [*LOADERS, "absent.efi", "../../etc/passwd"]
    answers = proxy_site.ask("desk", firmware.request("fetch", server=proxy_site.address, names=asked))
    sizes = {answer["name"]: answer["size"] for answer in answers}
    assert sizes == {**{name: len(name) * 10_000 for name in LOADERS}, "absent.efi": None, "../../etc/passwd": None}


def test_uefi_that_boots_by_http_finds_its_loader_and_nothing_else_of_tftp_s(served: Site) -> None:
    served.serve_tftp("snponly.efi", b"a loader")
    served.serve_tftp("a1b2c351/cmdline.txt", b"a Pi's")
    assert _get(served, "/loaders/snponly.efi") == ("200", "a loader")
    assert _get(served, "/loaders/a1b2c351/cmdline.txt")[0] == "404"
    assert _get(served, "/loaders/..%2f..%2fetc/passwd")[0] in ("400", "404")


def test_a_card_s_files_and_its_system_are_served_to_the_pi_that_writes_it(served: Site) -> None:
    """By the shipped configuration, out of the folders that the shipped container mounts."""
    netboot = planned(stamped()).network.netboot
    assert netboot
    assert netboot.pi_system
    texts = boot_files.seeds(planned(stamped()), netboot)
    for path, text in texts.items():
        served.serve_seed(boot_files.key(path), text.encode())
    served.serve_pi_image(downloads.pi_image(netboot.pi_system), b"a whole system")
    assert len([path for path in texts if "-card/" in path]) == len(ON_THE_CARD)
    for path, text in texts.items():
        assert _get(served, f"/pi/{path}") == ("200", text)
    told = texts["a1b2c352/user-data"]
    (image,) = re.findall(r"IMAGE_URL=http://[\d.]+(\S+)", told)
    assert _get(served, image) == ("200", "a whole system")
    (folder,) = re.findall(r"SEED_URL=http://[\d.]+(\S+)", told)
    assert _get(served, f"{folder}config.txt")[0] == "200"
    assert _get(served, f"{folder}ilmarin-host-key")[0] == "404", "no private key is served"


def test_every_script_is_served_as_it_was_rendered(served: Site) -> None:
    assert served.plan.network.netboot
    for name, script in ipxe.scripts(served.plan.network.netboot).items():
        assert _get(served, f"/{name}") == ("200", script)


def test_every_file_that_a_script_fetches_is_served(served: Site) -> None:
    """Kernels and initramfs are looked for where the boot server mounts them."""
    assert served.plan.network.netboot
    scripts = ipxe.scripts(served.plan.network.netboot).values()
    urls = {url for script in scripts for url in re.findall(r"^(?:kernel|initrd) (\S+)", script, re.MULTILINE)}
    assert urls
    for url in urls:
        assert urlsplit(url).hostname == served.address
        path = urlsplit(url).path
        served.serve_image(path.lstrip("/"), b"an image")
        assert _get(served, path) == ("200", "an image")


def test_a_machine_that_nobody_listed_is_written_down_with_the_entry_to_add(served: Site) -> None:
    """A machine in QEMU was not: its iPXE wrote the MAC's colons as %3A, which the boot server took for no MAC."""
    who = "name=machine-02-00-00-00-99-01&mac=02%3A00%3A00%3A00%3A99%3A01&serial=MXL1234"
    said = f"{who}&model=HP%20ProDesk%20(SFF)&arch=x86_64"
    assert _get(served, f"/unknown.ipxe?{said}")[0] == "200"
    assert _get(served, "/unknown.ipxe?mac=;rm")[0] == "200", "what is no MAC is not written down"
    arm = "mac=02%3A00%3A00%3A00%3A99%3A02&arch=arm64"
    assert _get(served, f"/unknown.ipxe?{arm}")[0] == "200"
    log = served.net.path("/var/log/discovered/discovered.log")
    served.net.wait("both are written down", lambda: log.read_text().count("\n") == 4)  # nginx answers before it writes
    heading, entry, *other = log.read_text().splitlines()
    assert other[1].startswith("# 02:00:00:00:99:02: nothing yet, no class under hardware"), (
        "homelab has no PC with arm64"
    )
    assert "model HP%20ProDesk%20(SFF), serial MXL1234, x86_64" in heading
    (name, values), *others = yaml.safe_load(entry).items()
    assert (name, values["mac"], others) == ("machine-02-00-00-00-99-01", "02:00:00:00:99:01", [])
    edited = raw("homelab")
    edited["cluster"]["nodes"] |= {name: {"address": "192.168.1.107", "port": "usw-pro-24/17"} | values}
    assert planned(edited).cluster, "the entry can be added as it stands, with an address and a port"


def test_what_is_not_there_is_not_found_and_no_listing_is_given(served: Site) -> None:
    assert _get(served, "/02-00-00-00-99-01.ipxe")[0] == "404"
    assert _get(served, "/")[0] in ("403", "404")
    assert _get(served, "/talos/")[0] in ("403", "404")
