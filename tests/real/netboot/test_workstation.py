"""The workstation as boot server, brought up by the very commands of its page, word for word.

What the page fetches is no part: `fetch.sh` and `pi-system.sh` have tests of their own (test_fetching, test_pi_system),
and packages are installed by whoever runs this.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from render import workstation
from tests.labs import ROOT, planned, raw
from tests.real.netboot import firmware
from tests.real.netboot.lan import OUTSIDE_ROOT, lan
from tests.real.netboot.site import Site

pytestmark = pytest.mark.real

DESK, AINUR, ROUTER = "192.168.1.66", "192.168.1.59", "192.168.1.1"
VALINOR, MAIA, SERIAL = "02:00:00:00:02:01", "02:00:00:00:01:51", "10000000a1b2c351"
MADE_ELSEWHERE = ("apt-get", "systemctl", "fetch.sh", "pi-system.sh")
"""Words of the commands that install packages, and that fetch: neither is done here."""
SERVERS = ("nginx", "dnsmasq", "ganesha.nfsd")
STAYS_ROOT = {"nginx": " -g 'user root;'", "dnsmasq": " --user=root --group="} if OUTSIDE_ROOT else {}
"""In a user namespace nobody but root exists, so they cannot change to the users that they would."""


class Desk(Site):
    """A workstation with the rendered folder, and its page."""

    folder: Path
    page: str

    def commands(self) -> list[str]:
        """What the page has typed, in its order."""
        return [line.strip().partition("        #")[0] for line in self.page.splitlines() if line.startswith("    ")]

    def typed(self, command: str) -> list[str]:
        """A command in the rendered folder; the one who types it is root already."""
        return ["env", "PATH=/run/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh", "-c", f"cd {self.folder}\n{command}"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Iterator[Desk]:
    edited = raw("homelab")
    edited["network"]["netboot"]["served_by"] = "workstation"
    plan = planned(edited)
    place = tmp_path_factory.mktemp("rendered")
    for path, text in workstation.files(plan).items():
        file = place / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    machines = {
        "desk": {"lab": [f"{DESK}/24"]},
        "router": {"lab": [f"{ROUTER}/24", *(f"{one}/32" for one in plan.network.resolvers)]},
        "client": {"lab": []},
    }
    for tool in ("dnsmasq", "nginx", "curl"):
        require_tool(tool)
    with lan(machines, tmp_path_factory.mktemp("desk"), require_tool) as net:
        made = Desk(net, plan, require_tool)
        made.folder = place / workstation.FOLDER
        made.page = (made.folder / "README.md").read_text()
        net.write("/run/bin/sudo", '#!/bin/sh\nexec "$@"\n')
        net.path("/run/bin/sudo").chmod(0o755)
        # What its packages bring, Debian itself, and what fetch.sh begins with
        for kept in ("/var/log/nginx", "/var/lib/nginx", "/var/lib/misc", "/srv/tftp"):
            net.path(kept).mkdir(parents=True, exist_ok=True)
        made.start_router()
        for command in made.commands():
            if not any(word in command for word in MADE_ELSEWHERE) and not any(
                f"sudo {one}" in command for one in SERVERS
            ):
                net.run("desk", *made.typed(command))
        yield made


@pytest.fixture(scope="module")
def serving(desk: Desk) -> Desk:
    """Its servers run, each as the page starts it."""
    for name in ("nginx", "dnsmasq"):
        (command,) = [one for one in desk.commands() if one.startswith(f"sudo {name}")]
        desk.net.start(name, "desk", *desk.typed(command + STAYS_ROOT.get(name, "")))
    desk.net.wait("dnsmasq answers", lambda: "TFTP root is" in desk.net.log("dnsmasq"))
    desk.net.wait("nginx listens", lambda: ":80 " in desk.net.run("desk", "ss", "-Hltn"))
    return desk


def test_the_page_s_commands_are_all_known_here(desk: Desk) -> None:
    """A command that is added to the page is typed by this test, or is one of those that it says it does not type."""
    words = [command.removeprefix("sudo ").split()[0] for command in desk.commands()]
    assert set(words) == {"apt-get", "systemctl", "rm", "mkdir", "sh", "nginx", "dnsmasq", "ganesha.nfsd"}
    for script in re.findall(r"~/lab/(\S+\.sh)", desk.page):
        assert (ROOT / script).is_file(), script


@pytest.mark.parametrize(
    "command", ["dnsmasq --test --conf-file=/srv/dnsmasq.conf", "nginx -t -e stderr -c /srv/nginx.conf"]
)
def test_its_servers_read_their_files(desk: Desk, command: str) -> None:
    done = desk.net.attempt("desk", *desk.typed(command + STAYS_ROOT.get(command.split()[0], "")))
    assert done.returncode == 0, done.stderr
    assert "syntax check OK" in done.stderr or "test is successful" in done.stderr


def test_its_nfs_server_reads_its_file(desk: Desk, require_tool: Callable[[str], str]) -> None:
    require_tool("ganesha.nfsd")
    if OUTSIDE_ROOT:
        pytest.skip("rpcbind becomes a user that a user namespace has not")
    desk.net.start("rpcbind", "desk", require_tool("rpcbind"), "-f")
    desk.net.wait("rpcbind listens", lambda: desk.net.path("/run/rpcbind.sock").exists())
    for folder in ("/srv/nfs", "/var/lib/nfs/ganesha", "/run/ganesha"):
        desk.net.path(folder).mkdir(parents=True, exist_ok=True)
    (command,) = [one for one in desk.commands() if "ganesha.nfsd" in one]
    desk.net.start("ganesha", "desk", *desk.typed(command))
    desk.net.wait("Ganesha listens", lambda: ":2049" in desk.net.run("desk", "ss", "-Hltn"), seconds=30)


def test_a_uefi_machine_is_sent_to_the_workstation_and_to_nobody_else(serving: Desk) -> None:
    asked = firmware.request("discover", firmware.uefi(VALINOR, 7), enough=2, seconds=3)
    offers = serving.ask("client", asked)
    (ours,) = [offer for offer in offers if offer["server"] == DESK]
    assert [offer["server"] for offer in offers if offer["address"] != "0.0.0.0"] == [ROUTER], "it leases nothing"
    told = str(ours) + str([bytes.fromhex(value) for value in ours["options"].values()])
    assert ours["next_server"] == DESK
    assert AINUR not in told


def test_ipxe_is_told_the_workstation_s_script_and_gets_it(serving: Desk) -> None:
    asked = firmware.request("discover", firmware.ipxe(VALINOR, 7), enough=2, seconds=3)
    (ours,) = [offer for offer in serving.ask("client", asked) if offer["server"] == DESK]
    assert ours["file"] == f"http://{DESK}/boot.ipxe"
    got = serving.net.run("desk", "curl", "--silent", "--fail", ours["file"])
    assert got == (serving.folder / "srv/boot/boot.ipxe").read_text()


def test_a_pi_is_sent_there_and_finds_its_seed(serving: Desk) -> None:
    asked = firmware.request("discover", firmware.pi(MAIA, SERIAL, 5), enough=2, seconds=3)
    (ours,) = [offer for offer in serving.ask("client", asked) if offer["server"] == DESK]
    assert "Raspberry Pi Boot" in ours["boot_options"]["9"]
    assert ours["next_server"] == DESK
    for name in ("meta-data", "user-data", "vendor-data"):
        got = serving.net.run("desk", "curl", "--silent", "--fail", f"http://{DESK}/pi/{SERIAL[-8:]}/{name}")
        assert got == (serving.folder / f"srv/seeds/{SERIAL[-8:]}_{name}").read_text()


def test_it_serves_when_the_page_s_own_question_is_answered(serving: Desk) -> None:
    question = re.search(r"It serves when `(curl [^`]+)` answers", serving.page)
    assert question
    assert serving.net.run("desk", *serving.typed(question[1])).startswith("#!ipxe")
