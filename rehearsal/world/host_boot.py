"""A Raspberry Pi's way from power-on to its units: its card or the network, cloud-init, systemd.

Owns what happens at a boot, what a reboot leaves of a host, and what keeps one from coming up. It refuses to own what a
seed says (``host_seed``), what is on the wire (``netboot_pi``), and units (``host_units``).
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rehearsal.world import host_scripts, host_seed, host_units, netboot_pi
from rehearsal.world.host_units import Host
from rehearsal.world.ssh import public_line

if TYPE_CHECKING:
    from rehearsal.world import World

_SEED = ("user-data", "meta-data", "vendor-data", "network-config")
_SHELL = frozenset("|&;<>$`(){}*?~\n")


def racked(name: str, node: dict[str, Any]) -> Host:
    """A Pi with its parts, before anybody switched it on."""
    return {
        "name": name,
        "address": str(node["address"]),
        "power": True,
        "role": node["role"],
        "serial": str(node.get("serial", "")).lower()[-8:],
        "sd": "sd" in node["boot"],
        "nvme": "nvme" in node["boot"],
        "card": None,
        "stage": "off",
        "reason": "",
        **_blank(),
    }


def _blank() -> dict[str, Any]:
    """What is in a system that has just been laid out."""
    return {
        "instance": None,
        "hostname": "ubuntu",
        "host_key": None,
        "users": {},
        "files": {},
        "dirs": ["/etc", "/etc/systemd/system", "/tmp", "/var/lib", "/var/lib/cloud"],
        "mounts": [],
        "installed": False,  # its packages
        "shut": [],  # folders that are 0700
        "binds": {},
        "services": {},
        "cloud_init": "pending",
        "cloud_init_told": [],
        "told": [],
        "refused": {},
        "k3s": None,
    }


def settle(world: World, host: Host) -> None:
    """Let a Pi come as far as its surroundings allow; one that runs tries again what systemd tries again."""
    cut_off = world.faults.outage(f"host/{host['name']}", world.clock.now)
    if not host["power"] or cut_off:
        _stand(host, "off" if not host["power"] else "unreachable", cut_off or "it is switched off")
        if not host["power"]:
            down(world, host)
        return
    if host["stage"] == "unreachable" and host["instance"] is not None:
        _stand(host, "running", "")
    if host["stage"] == "running":
        host_units.retry(world, host)
        return
    found = _source(world, host)
    if isinstance(found, str):
        _stand(host, "firmware", found)
    else:
        _boot(world, host, found)


def _stand(host: Host, stage: str, reason: str) -> None:
    host.update(stage=stage, reason=reason)


def _source(world: World, host: Host) -> dict[str, str] | str:
    """The files of the seed that a Pi boots with, or why it does not boot."""
    if host["card"] is None and host["sd"]:
        host["card"] = world.cards.get(host["name"])
    if host["card"] is not None:
        return dict(host["card"])
    found = netboot_pi.seed(world, host)
    if isinstance(found, str) and host["sd"]:
        return f"its card is blank (`./lab render` writes one), and from the network: {found}"
    return found


def down(world: World, host: Host) -> None:
    """The power is gone: of a card's system its files stay, of a netbooted one what lies on its NVMe."""
    if host["instance"] is None:
        return
    if host["card"] is None:
        nvme = f"{host_scripts.NVME}/"
        kept = {path: file for path, file in host["files"].items() if path.startswith(nvme)}
        host.update(_blank(), files=kept)
    else:
        for state in host["services"].values():
            state.update(active=False, failed=None)
        host.update(mounts=[], binds={}, k3s=None)
    _stand(host, "off", "")
    world.hosts.route_all()


def _boot(world: World, host: Host, files: dict[str, str]) -> None:
    seed = host_seed.read({name: files[name] for name in _SEED if name in files})
    new = host["instance"] != seed.instance or host["card"] is None
    _stand(host, "running", "")
    if new:
        if host["card"] is not None:
            host.update(_blank(), stage="running")
        host["instance"] = seed.instance
        _first_boot(world, host, seed, files)
    else:
        world.journal("boot", kind="hosts", subject=host["name"], duration_of="hosts.boot")
        for name in ("ssh", *host_units.ordered(host, host_units.enabled_for(host, "multi-user.target"))):
            if host["stage"] == "running":
                host_units.start(world, host, name)
    world.hosts.route_all()


def _first_boot(world: World, host: Host, seed: host_seed.Seed, files: dict[str, str]) -> None:
    """cloud-init's stages in their order: bootcmd, write_files, users and SSH, deferred files, runcmd."""
    world.journal("first boot", kind="hosts", subject=host["name"], duration_of="hosts.cloud-init")
    host.update(hostname=seed.hostname, cloud_init="done", cloud_init_told=list(seed.told))
    for sentence in seed.told:
        host_units.tell(world, host, f"cloud-init: {sentence}")
    if "ilmarin-host-key" in files:
        world.hosts.write(host, host_scripts.BROUGHT, files["ilmarin-host-key"], mode="0755")
    world.hosts.write(host, "/etc/hostname", f"{seed.hostname}\n")
    for command in seed.bootcmd:
        _command(world, host, command)
    _write(world, host, seed, deferred=False)
    host["users"] = {name: list(keys) for name, keys in seed.users.items()}
    _keys(world, host, seed)
    host["services"]["ssh"] = {"enabled": True, "active": True, "failed": None}
    _write(world, host, seed, deferred=True)
    for command in seed.runcmd:
        if host["stage"] == "running":
            _command(world, host, command)


def _keys(world: World, host: Host, seed: host_seed.Seed) -> None:
    """The host key that cloud-init leaves: the seed's own, else one that it makes at this boot, unless told not to."""
    made = public_line(f"{host['name']} {world.clock.now}") if "ed25519" in seed.generates else None
    line = seed.host_key or made
    if line:
        world.hosts.write(host, host_scripts.HOST_KEY, line, mode="0600")
        host["host_key"] = line


def _write(world: World, host: Host, seed: host_seed.Seed, *, deferred: bool) -> None:
    for each in seed.written:
        if each.deferred != deferred:
            continue
        if each.owner != "root" and each.owner not in host["users"]:
            _degraded(
                world,
                host,
                f'write_files: {each.path}: Unknown user or group: "getpwnam(): name not found: {each.owner!r}"',
            )
            return  # the module ends there, and what comes after it is not written
        before = host["files"].get(each.path, {}).get("content", "") if each.append else ""
        world.hosts.write(host, each.path, before + each.content, mode=each.mode, owner=each.owner)


def _command(world: World, host: Host, command: list[str] | str) -> None:
    """One entry of bootcmd or runcmd: a program that the rack knows, or a sentence about one that it does not."""
    from rehearsal.world.host_tools import Call, run, tools  # its programs need the World's rooms

    if isinstance(command, str):
        if set(command) & _SHELL:
            host_units.tell(
                world, host, f"cloud-init: the rack runs no shell text, and believes that it worked: {command!r}"
            )
            return
        command = shlex.split(command)
    words = [str(word) for word in command]
    if words[0] in host_units.programs():
        trouble = host_units.execute(world, host, "cloud-init", words)
        if trouble:
            _degraded(world, host, f"runcmd: {trouble}")
    elif words[0].rpartition("/")[2] in tools():
        words[0] = words[0].rpartition("/")[2]
        result = run(Call(world, host, "root", words, lambda: ""))
        if result.code:
            _degraded(world, host, f"runcmd: {' '.join(words)}: {result.stderr.strip()}")
    else:
        host_units.tell(world, host, f"cloud-init: the rack does not know {words[0]}, and believes that it worked")


def _degraded(world: World, host: Host, sentence: str) -> None:
    host["cloud_init_told"].append(sentence)
    host_units.tell(world, host, f"cloud-init: {sentence}")
