"""What a Raspberry Pi without a card finds on the wire when its EEPROM asks to boot.

Owns the Pi's own walk: the offer that it takes, the folder of its serial, the two texts there, the NFS root that they
name. It refuses to own the firmware and kernel beside them, which the builder brings, and what cloud-init then does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from rehearsal.world import netboot_desk, netboot_files
from rehearsal.world.netboot import NAMESPACE, SCRIPTS, WORKLOADS, absent, runs_on

if TYPE_CHECKING:
    from rehearsal.world import World
    from rehearsal.world.kube_cluster import Cluster

SEEDS = "pi-seed"
"""The ConfigMap of the seeds: ``<folder>_<file>``, served at ``/pi/<folder>/<file>``."""
TEXTS = ("config.txt", "cmdline.txt")
_IDENTITY = "RPi"
"""Option 97 of every Pi begins with it, after a zero byte (RPi4, RPi5)."""
_MENU = "Raspberry Pi Boot"
"""What the EEPROM wants to read in option 43; any other offer it passes over."""


def unbootable(world: World) -> Iterator[str]:
    """``<pi>: …`` of every Pi that boots from the network and would not come up again, once the boot services were
    published; one that writes its own card among them."""
    bootstrap: dict[str, Any] = world.environment.get("bootstrap") or {}
    cluster = world.kubernetes.clusters.get(str(bootstrap.get("name")))
    if cluster is None or cluster.get("ConfigMap", NAMESPACE, "pi-boot") is None:
        return
    maps = _maps(world, cluster)
    workloads = [body for kind in WORKLOADS for body in cluster.objects(kind)]
    mounted = any(runs_on(body, "pi-boot") for body in workloads)
    unserved = None if mounted else f"no workload mounts ConfigMap {NAMESPACE}/pi-boot for TFTP"
    for name, pi in (bootstrap.get("nodes") or {}).items():
        if "sd" not in (pi.get("boot") or ()) or pi.get("stamp"):
            reason = unserved or reason_not_to_boot(maps, netboot_desk.address(world), pi)
            if reason:
                yield f"{name}: would not come up again: {reason}"


def reason_not_to_boot(maps: dict[str, dict[str, str]], server: str, pi: dict[str, Any]) -> str | None:
    """Why a Pi that is to boot from ``server`` stops, with what the ConfigMaps hold by name; ``None`` when it gets as
    far as its kernel's NFS root."""
    refused = _offer(maps["dnsmasq"].get("dnsmasq.conf", ""), str(pi["mac"]).lower(), server)
    if refused:
        return refused
    folder = str(pi["serial"]).lower()[-8:]
    missing = [name for name in TEXTS if f"{folder}_{name}" not in maps["pi-boot"]]
    if missing:
        return f"TFTP has no {folder}/{missing[0]}"
    config, cmdline = (maps["pi-boot"][f"{folder}_{name}"] for name in TEXTS)
    named = re.search(r"^cmdline=(\S+)", config, re.MULTILINE)
    if named and named[1] != "cmdline.txt":
        return f"config.txt names {named[1]}, which TFTP does not have"
    if "arm_64bit=0" in config:
        return "config.txt asks for 32 bits, and the kernel has 64"
    return _root(cmdline, maps["pi-nfs"].get("ganesha.conf", ""), server, IPv4Address(str(pi["address"])))


def seed(world: World, host: dict[str, Any], url: str | None = None) -> dict[str, str] | str:
    """The files of the seed that a Pi without a card boots with (or those below ``url``), or why it does not boot."""
    bootstrap: dict[str, Any] = world.environment.get("bootstrap") or {}
    cluster = world.kubernetes.clusters.get(str(bootstrap.get("name")))
    if cluster is None:
        return "no boot server answers: the bootstrap cluster does not stand"
    for needed, configured in (("dnsmasq", "dnsmasq"), ("pi-netboot", SCRIPTS)):
        ours = None if netboot_desk.serves(world) else absent(cluster, needed, configured)
        trouble = world.faults.outage("boot-http", world.clock.now) or ours
        if trouble:
            return f"no boot server answers: {trouble}"
    if netboot_desk.serves(world) and (silent := netboot_desk.silent(world)):
        return f"no boot server answers: {silent}"
    maps, server = _maps(world, cluster), netboot_desk.address(world)
    pi = bootstrap["nodes"][host["name"]]
    reason = reason_not_to_boot(maps, server, pi)
    if reason:
        return reason
    asked = url or _told(maps["pi-boot"][f"{host['serial']}_cmdline.txt"])
    found = re.fullmatch(rf"http://{re.escape(server)}/pi/([0-9a-f]{{8}}(?:-card)?)/", asked)
    if not found:
        return f"its cloud-init asks for {asked or 'no seed'}, and {server} serves http://{server}/pi/<folder>/"
    prefix = f"{found[1]}_"
    files = {name.removeprefix(prefix): text for name, text in maps[SEEDS].items() if name.startswith(prefix)}
    lacking = [name for name in ("user-data", "meta-data") if name not in files]
    return f"{asked}{lacking[0]}: 404: ConfigMap {NAMESPACE}/{SEEDS} has no {prefix}{lacking[0]}" if lacking else files


def image(world: World, url: str) -> str | None:
    """Why ``url`` of a card's whole system is not to be had; ``None``: it is served."""
    server = netboot_desk.address(world)
    cluster = world.kubernetes.clusters.get(str((world.environment.get("bootstrap") or {}).get("name")))
    path = url.removeprefix(f"http://{server}/")
    if cluster is None or not re.fullmatch(r"pi/[0-9a-f]{12}\.img\.xz", path):
        return f"404: {server} serves pi/<image>.img.xz, and not that"
    if netboot_desk.serves(world):
        listed = netboot_desk.files(world).get("boot-downloads", {}).get("boot.list", "")
        return None if path in listed else f"404: {path} is not in the workstation's boot.list"
    return netboot_files.lacks(world, cluster, path)


def _maps(world: World, cluster: Cluster) -> dict[str, dict[str, str]]:
    """What Pis are served, by the ConfigMap that holds it on the cluster."""
    there = netboot_desk.files(world) if netboot_desk.serves(world) else {}
    names = ("dnsmasq", "pi-boot", "pi-nfs", SEEDS)
    return {name: there.get(name, {}) if there else _data(cluster.get("ConfigMap", NAMESPACE, name)) for name in names}


def _told(cmdline: str) -> str:
    """Where the kernel's command line sends cloud-init (its documentation, "NoCloud", ``ds=nocloud;s=``)."""
    found = re.search(r"(?:^|\s)ds=nocloud(?:-net)?;s=(\S+)", cmdline)
    return found[1] if found else ""


def _data(found: dict[str, Any] | None) -> dict[str, str]:
    return (found or {}).get("data") or {}


def _offer(conf: str, mac: str, server: str) -> str | None:
    """Why the EEPROM passes over what dnsmasq offers."""
    tags = {
        tag for tag, said in re.findall(r"^dhcp-match=set:([^,\s]+),97,(\S+)$", conf, re.M) if said in _IDENTITY + "5"
    }
    tags |= {tag for tag, of in re.findall(r"^dhcp-mac=set:([^,\s]+),(\S+)$", conf, re.M) if of.lower() == mac}
    tags |= set(re.findall(r"^dhcp-match=set:([^,\s]+),option:client-arch,0$", conf, re.M))
    tags |= set(re.findall(r"^dhcp-range=set:([^,\s]+),", conf, re.M))
    offered = [rest for rest in _fitting(conf, "pxe-service", tags) if rest.partition(",")[0] in ("0", "x86PC")]
    if not any(_MENU in rest for rest in offered):
        return f'no offer says "{_MENU}" to it'
    loaders = [rest for rest in _fitting(conf, "dhcp-boot", tags) if rest.partition(",")[0]]
    if loaders:
        return f"it is offered {loaders[0].partition(',')[0]}, which no Pi starts"
    servers = [rest.split(",")[-1] for rest in _fitting(conf, "dhcp-boot", tags)]
    if server not in servers:
        return f"no offer sends it to {server} for TFTP"
    return None if re.search(r"^enable-tftp$", conf, re.M) else "dnsmasq serves no TFTP"


def _fitting(conf: str, directive: str, tags: set[str]) -> Iterator[str]:
    """What follows the tags of every line of a directive whose tags fit."""
    for line in re.findall(rf"^{directive}=(.+)$", conf, re.M):
        words = line.split(",")
        wanted = [word.removeprefix("tag:") for word in words if word.startswith("tag:")]
        if all((tag[1:] not in tags) if tag.startswith("!") else (tag in tags) for tag in wanted):
            yield ",".join(word for word in words if not word.startswith("tag:"))


def _root(cmdline: str, exported: str, server: str, address: IPv4Address) -> str | None:
    """Why the kernel finds no root with its command line."""
    if len(cmdline.strip().splitlines()) != 1:
        return "cmdline.txt is more than a line: the firmware reads the first only"
    words: dict[str, str] = {}
    for word in cmdline.split():
        name, _, value = word.partition("=")
        words[name] = value
    if words.get("root") != "/dev/nfs" or words.get("ip") != "dhcp":
        return "its kernel is told neither root=/dev/nfs nor ip=dhcp, both of which an NFS root needs"
    where, _, options = words.get("nfsroot", "").partition(",")
    host, _, path = where.partition(":")
    if host != server:
        return f"its root is at {host or 'no server'}, and {server} is who serves"
    if not {"vers=3", "v3", "nfsvers=3"} & set(options.split(",")):
        return "the kernel mounts NFS version 2 unless told vers=3, and nobody serves that"
    if "ro" not in cmdline.split() and words.get("overlayroot") != "tmpfs":
        return "it would write to the system that all Pis share"
    return _export(exported, path, address)


def _export(conf: str, path: str, address: IPv4Address) -> str | None:
    """Why Ganesha gives the Pi at ``address`` no ``path``, read-only and with root left as root."""
    blocks = [block for block in re.split(r"^EXPORT \{$", conf, flags=re.M)[1:] if f"{path}/".startswith(_path(block))]
    if not blocks:
        return f"{path} is not exported"
    own, _, clients = blocks[0].partition("CLIENT {")
    if "Access_Type = None;" not in own:
        return f"{path} is exported to the whole world"
    if "Access_Type = RO;" not in clients:
        return f"{path} is exported to nobody for reading alone"
    if "Squash = No_Root_Squash;" not in own or "Protocols = 3;" not in own:
        return f"{path} is not exported to root by NFS 3"
    named = re.search(r"Clients = ([^;]+);", clients)
    who = [one.strip() for one in named[1].split(",")] if named else []
    if {"*", "0.0.0.0/0"} & set(who):
        return f"{path} is exported to the whole world"
    if any(address in IPv4Network(one, strict=False) for one in who):
        return None
    return f"{path} is exported to {', '.join(who) or 'nobody'}, and its address is {address}"


def _path(block: str) -> str:
    found = re.search(r"^\s*Path = ([^;]+);$", block, re.M)
    return f"{found[1].rstrip('/')}/" if found else "//"
