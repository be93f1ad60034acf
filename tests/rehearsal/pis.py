"""A lab of simulated Pis: the cards its owner wrote, and boot services that answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rehearsal.faults import Fault, Faults
from rehearsal.standins.shell import Outcome, execute
from rehearsal.world import World
from rehearsal.world.hosts import AGENT_TOKEN, KEPT_TOKEN, NODE_TOKEN
from tests.rehearsal.lab_keys import KEY
from tests.rehearsal.seeds import AGENTS_TOKEN, card, seed, settings
from tests.rehearsal.worlds import BOOT_TREE, DNSMASQ, boot_list, lab, place, with_boot_services

JOIN = f"sudo install -D -m 0600 /dev/stdin {KEPT_TOKEN} && sudo systemctl restart ilmarin-token"


def environment(servers: int = 1) -> dict[str, Any]:
    """The lab of ``worlds``, with as many servers."""
    found = lab()
    nodes = found["bootstrap"]["nodes"]
    for number in range(2, servers + 1):
        nodes[f"vala-{number}"] = {**nodes["vala-1"], "address": f"10.0.0.{50 + 3 * number}"}
    return found


def a_lab(cards: dict[str, dict[str, str]] | None = None, *faults: Fault, servers: int = 1) -> World:
    """A World whose owner wrote these cards; without any told, good ones of every server."""
    names = [f"vala-{number}" for number in range(1, servers + 1)]
    written = {name: card(name) for name in names} if cards is None else cards
    return World(environment(servers), cards=written, faults=Faults(list(faults)))


CONFIG_TXT = "arm_64bit=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\ncmdline=cmdline.txt\n"
CMDLINE = (
    "ip=dhcp root=/dev/nfs nfsroot=10.0.0.59:/srv/nfs/ubuntu,vers=3,tcp,ro ro overlayroot=tmpfs "
    "ds=nocloud;s=http://10.0.0.59/pi/a1b2c351/\n"
)
EXPORT = """\
EXPORT {
    Path = /srv/nfs;
    Access_Type = None;
    Squash = No_Root_Squash;
    Protocols = 3;
    CLIENT { Clients = 10.0.0.0/24; Access_Type = RO; }
}
"""
PI_BOOT = {"a1b2c351_config.txt": CONFIG_TXT, "a1b2c351_cmdline.txt": CMDLINE}
PI_OFFER = (
    'dhcp-match=set:pi,97,RPi5\npxe-service=tag:pi,0,"Raspberry Pi Boot"\ndhcp-boot=tag:pi,,,10.0.0.59\nenable-tftp\n'
)


def serve(world: World, served: dict[str, str] | None = None, repository: Path = BOOT_TREE, **over: Any) -> None:
    """Ainur's boot services answer, with this seed of maia-1 (a good one where none is told)."""
    cluster = with_boot_services(world, repository)
    found = seed("maia-1") if served is None else served
    place(
        cluster,
        "ConfigMap",
        "netboot",
        "dnsmasq",
        data={"dnsmasq.conf": DNSMASQ.replace("tag:bios,", "tag:bios,tag:!pi,") + PI_OFFER},
    )
    place(cluster, "ConfigMap", "netboot", "boot-downloads", data={"boot.list": boot_list()})
    place(cluster, "ConfigMap", "netboot", "pi-boot", data=over.get("pi_boot", PI_BOOT))
    place(cluster, "ConfigMap", "netboot", "pi-nfs", data={"ganesha.conf": EXPORT})
    place(cluster, "ConfigMap", "netboot", "pi-seed", data={f"a1b2c351_{name}": text for name, text in found.items()})


def reach(world: World, name: str = "vala-1", **over: Any) -> dict[str, Any]:
    """The host, once its owner has got in."""
    address = world.hosts.records[name]["address"]
    return world.hosts.log_in({"host": address, "user": "op", "privateKey": KEY.private, **over})


def run(world: World, text: str, name: str = "vala-1", stdin: str = "", **over: Any) -> Outcome:
    """What a command on a host printed, and how it ended."""
    return execute(world, reach(world, name, **over), "op", text, stdin)


def join(world: World, name: str = "maia-1") -> Outcome:
    """The program brings an agent its token."""
    return run(world, JOIN, name, run(world, f"sudo cat {AGENT_TOKEN}").stdout)


def prepare(world: World, name: str) -> None:
    """The program brings a further server what its k3s reads before the token."""
    agents = run(world, f"sudo cat {AGENTS_TOKEN}").stdout
    for path, content in (("/etc/ilmarin/ca.crt", "-----"), (AGENTS_TOKEN, agents)):
        assert run(world, f"sudo install -D -m 0600 /dev/stdin {path}", name, content).code == 0


def join_server(world: World, name: str) -> Outcome:
    """The program brings a server its token."""
    return run(world, JOIN, name, run(world, f"sudo cat {NODE_TOKEN}").stdout)


def told(world: World, name: str = "vala-1") -> str:
    return "\n".join(world.hosts.records[name]["told"])


def failed(world: World, unit: str, name: str = "vala-1") -> str:
    return str(world.hosts.records[name]["services"].get(unit, {}).get("failed"))


def env(name: str, **over: str) -> str:
    return "".join(f"{key}={value}\n" for key, value in settings(name, **over).items() if value)
