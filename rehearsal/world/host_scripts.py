"""What the Pis' own scripts leave behind, by their places in ``/usr/local/lib/ilmarin``.

Owns the effect of each and what it refuses, from the headings of the scripts themselves, which are tried for real
elsewhere. It refuses to run them: no disk, key or download of this machine is touched.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rehearsal.world import host_units, talos_secrets
from rehearsal.world.host_units import Host
from rehearsal.world.ssh import public_line

if TYPE_CHECKING:
    from rehearsal.world import World

FOLDER = "/usr/local/lib/ilmarin"
SETTINGS = "/etc/ilmarin/node.env"
NVME = "/var/lib/longhorn/disks/nvme1"
HERE = "/var/lib/ilmarin"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
BROUGHT = "/boot/firmware/ilmarin-host-key"
CA = "/etc/ilmarin/ca.crt"
CONFIG = "/etc/rancher/k3s/config.yaml"
ETCD = "/var/lib/rancher/k3s/server/db"
AGENTS_TOKEN = f"{HERE}/k3s-agent-token"
MADE = f"{HERE}/k3s-made"
_RELEASES = "https://github.com/k3s-io/k3s/releases/download"
_ON_THE_CARD = ("user-data", "meta-data", "network-config", "vendor-data", "config.txt", "cmdline.txt")
_BOUND = {"/etc/rancher/node": "rancher-node", "/var/lib/rancher": "rancher", "/var/lib/kubelet": "kubelet"}

Settings = dict[str, str]
Script = Callable[["World", Host, Settings], str | None]


def settings(host: Host) -> Settings:
    """``KEY=value`` of ``node.env``; empty where there is none."""
    text = host["files"].get(SETTINGS, {}).get("content", "")
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def _script(name: str, needs: str, effect: Script) -> host_units.Program:
    def run(world: World, host: Host, _words: list[str]) -> str | None:
        found = settings(host)
        if not found:
            return f"ilmarin-{name}: {SETTINGS} is missing, which cloud-init writes"
        missing = [key for key in needs.split() if not found.get(key)]
        if missing:
            return f"ilmarin-{name}: {missing[0]} is missing in {SETTINGS}: render the seed again"
        trouble = effect(world, host, found)
        return f"ilmarin-{name}: {trouble}" if trouble else None

    return run


def _put(world: World, host: Host, path: str, content: str, mode: str = "0644") -> None:
    world.hosts.write(host, host_units.real(host, path), content, mode=mode)


def _there(host: Host, path: str) -> bool:
    return host_units.real(host, path) in host["files"]


def _hostname(world: World, host: Host, told: Settings) -> None:
    host["hostname"] = told["NODE"]
    _put(world, host, "/etc/hostname", f"{told['NODE']}\n")


def _nvme(world: World, host: Host, told: Settings) -> str | None:
    if told["NVME"] == "no":
        return None
    fault = world.faults.disk(f"host/{host['name']}/nvme")
    if not host["nvme"] or fault == "absent":
        return f"no NVMe on {told['NODE']} (/dev/nvme*n1), and the plan gives it one: seat the HAT's ribbon"
    if fault and not host.get("formatted"):
        return f"/dev/nvme0n1 is neither blank nor ours, and nothing on it was touched. It carries: {fault}"
    host["formatted"] = True
    host["mounts"] = [NVME]
    host["dirs"] = sorted({*host["dirs"], NVME})
    return None


def _keep(_world: World, host: Host, told: Settings) -> str | None:
    host["dirs"] = sorted({*host["dirs"], HERE})
    host["shut"] = [HERE]
    if told["CARD"] == "yes" or told["NVME"] == "no":
        return None
    if NVME not in host["mounts"]:
        return f"{NVME} is not mounted, so {told['NODE']} would forget: see `journalctl -u ilmarin-nvme`"
    keep = told.get("KEEP", "")
    if not keep.startswith(f"{NVME}/"):
        return f"KEEP in {SETTINGS} is {keep}: a netbooted Pi remembers beneath {NVME} only"
    host["shut"] = [HERE, keep]
    host["binds"] = {HERE: keep} | {path: f"{keep}/{name}" for path, name in _BOUND.items()}
    return None


def _host_keys(world: World, host: Host, told: Settings) -> str | None:
    kept = f"{HERE}/ssh/ssh_host_ed25519_key"
    if told["CARD"] == "yes":
        if not _there(host, HOST_KEY):
            brought = host["files"].pop(BROUGHT, None)
            found = host["files"].get(kept) or brought
            _put(world, host, HOST_KEY, found["content"] if found else _new_key(host), "0600")
        _put(world, host, kept, host["files"][HOST_KEY]["content"], "0600")
    else:
        if told["NVME"] != "no" and HERE not in host["binds"]:
            return f"{HERE} does not outlive a reboot, and a key made now would be another one tomorrow"
        if not _there(host, kept):
            _put(world, host, kept, _new_key(host), "0600")
        _put(world, host, HOST_KEY, host["files"][host_units.real(host, kept)]["content"], "0600")
    host["host_key"] = host["files"][HOST_KEY]["content"]
    return None


def _new_key(host: Host) -> str:
    """A public line in place of a pair, another one each time."""
    host["keys_made"] = host.get("keys_made", 0) + 1
    return public_line(f"{host['name']} {host['keys_made']}")


def _clock(world: World, host: Host) -> str | None:
    """Why nothing may be signed or judged by this host's clock."""
    return world.faults.clock(f"host/{host['name']}", world.clock.now)


def _packages(world: World, host: Host, _told: Settings) -> str | None:
    if not host.get("installed"):
        wrong = _clock(world, host)
        if wrong:
            return f"the clock is {wrong}, and no time server confirmed it: nothing is installed. Tried again by itself"
        host["installed"] = True
    return None


def _pki(world: World, host: Host, told: Settings) -> str | None:
    if told["FIRST"] != "yes":
        return None
    folder = f"{HERE}/pki"
    if not _there(host, f"{folder}/root.crt"):
        wrong = _clock(world, host)
        if wrong:
            return (
                f"the clock is {wrong}, and no time server confirmed it: nothing is signed by it. Tried again by itself"
            )
        for name in ("root", "intermediate"):
            key = world.issue_secret(base64.b64decode(talos_secrets.key("PRIVATE KEY")).decode())
            _put(world, host, f"{folder}/{name}.key", key, "0600")
            _put(world, host, f"{folder}/{name}.crt", "-----BEGIN CERTIFICATE-----\n")
        _put(world, host, f"{folder}/chain.crt", "-----BEGIN CERTIFICATE-----\n")
        _put(world, host, f"{folder}/root.sha256", "AB:CD\n")
    _put(world, host, CA, "-----BEGIN CERTIFICATE-----\n")
    return None


def _k3s(world: World, host: Host, told: Settings) -> str | None:
    version, releases = told["K3S_VERSION"], told.get("K3S_RELEASES", _RELEASES)
    binary = f"{HERE}/k3s/{version}/k3s"
    if not _there(host, binary):
        away = world.faults.outage(f"download/{urlsplit(releases).hostname}", world.clock.now)
        wrong = _clock(world, host)
        if wrong:
            away = f"curl: (60) SSL certificate problem: the clock is {wrong}"
        if away:
            return f"{releases}/{version} does not come: {away}. Tried again by itself"
        _put(world, host, binary, f"{version}\n", "0755")
    _put(world, host, "/usr/local/bin/k3s", f"{version}\n", "0755")
    changed, host["release"] = host.get("release") not in (None, version), version
    unit = "k3s" if told["ROLE"] == "server" else "k3s-agent"
    if told["FIRST"] != "yes":
        return _anew(world, host, unit) if changed and world.hosts.runs(host, unit) else None
    second = _second_cluster(world, host, told)
    if second:
        return second
    if not _there(host, AGENTS_TOKEN):
        if _there(host, ETCD):
            return f"{AGENTS_TOKEN} is missing, and {told['NODE']} has its cluster's data: k3s takes none later"
        _put(world, host, AGENTS_TOKEN, f"{world.issue_secret(secrets.token_hex(16))}\n", "0600")
    trouble = _anew(world, host, unit) if changed else world.hosts.start(host, unit)
    if trouble:
        return f"the API of {told['NODE']} does not answer. k3s said last: {trouble}"
    _put(world, host, MADE, "")
    return None


def _anew(world: World, host: Host, unit: str) -> str | None:
    """It runs from another binary from now on."""
    if world.hosts.runs(host, unit):
        world.hosts.stop(host, unit)
    return world.hosts.start(host, unit)


def _second_cluster(world: World, host: Host, told: Settings) -> str | None:
    """Why ``cluster-init`` would make another cluster: no data is here, and a server answers or one was made before."""
    config = host["files"].get(CONFIG, {}).get("content", "")
    if _there(host, ETCD) or any(line.startswith("server:") for line in config.splitlines()):
        return None
    asked = [told["API"], *(f"https://{each}:6443" for each in told.get("SERVERS", "").split(",") if each)]
    found = next((at for at in asked if world.hosts.server_at(at)), None)
    if found:
        return (
            f"a cluster answers at {found}, and {told['NODE']} has none of its data (a new card?): k3s would start a "
            "second one beside it. Let it join instead"
        )
    if told.get("NVME", "no") != "no" and NVME not in host["mounts"]:
        return f"{NVME} is not mounted, and only its snapshots of etcd would say whether {told['NODE']} made a cluster"
    if _there(host, MADE):
        return (
            f"{told['NODE']} made a cluster before ({MADE}), and etcd's data is gone: k3s would start another one, "
            "which nobody here joins. Restore a snapshot"
        )
    return None


def _token(world: World, host: Host, told: Settings) -> str | None:
    unit = "k3s" if told["ROLE"] == "server" else "k3s-agent"
    if told["FIRST"] == "yes":
        return None
    if not _there(host, f"{HERE}/k3s-token"):
        again = f"`pulumi up --replace '**::ainur-join-{told['NODE']}'`"
        return f"{HERE}/k3s-token is empty or missing: have the program bring it again: {again}"
    if told["ROLE"] == "server" and not _there(host, CA):
        return f"{CA} is missing, and the API server of {told['NODE']} needs it: the program brings it with the token"
    if told["ROLE"] == "server" and not _there(host, AGENTS_TOKEN):
        return f"{AGENTS_TOKEN} is missing, and {told['NODE']} would let agents join with the servers' token"
    trouble = world.hosts.start(host, unit)
    return f"{told['NODE']} was refused by {told['API']}: {trouble}" if trouble else None


def _trust(_world: World, _host: Host, _told: Settings) -> None:
    """What it gives the cluster comes with its timer (``host_trust``)."""


def _stamp(world: World, host: Host, told: Settings) -> str | None:
    if host["card"]:
        return None
    if not host["sd"]:
        return f"no card in {told['NODE']} (/dev/mmcblk0): put one in and reboot"
    foreign = world.faults.disk(f"host/{host['name']}/sd")
    if foreign:
        return (
            f"/dev/mmcblk0 is neither blank nor stamped by this, and nothing on it was touched. It carries: {foreign}"
        )
    away = world.faults.outage(f"download/{urlsplit(told['IMAGE_URL']).hostname}", world.clock.now)
    away = away or world.hosts.served_image(told["IMAGE_URL"])
    if away:
        return f"{told['IMAGE_URL']} does not come: {away}. The card boots nothing until it came. Tried again by itself"
    found = world.hosts.served_seed(host, told["SEED_URL"])
    if isinstance(found, str):
        return f"the card's seed does not come: {found}. Tried again by itself"
    lacking = [name for name in _ON_THE_CARD if name not in found]
    if lacking:
        return f"the card's seed does not come: {told['SEED_URL']}{lacking[0]}: 404. Tried again by itself"
    host["card"] = found | {"ilmarin-host-key": host["files"][HOST_KEY]["content"]}
    world.journal("stamp the card", kind="hosts", subject=host["name"], duration_of="hosts.stamp")
    world.hosts.reboot(host)
    return None


PROGRAMS: dict[str, host_units.Program] = {
    f"{FOLDER}/{name}.sh": _script(name, needs, effect)
    for name, needs, effect in (
        ("hostname", "NODE ZONE", _hostname),
        ("packages", "NODE PACKAGES", _packages),
        ("nvme", "NVME NODE CARD", _nvme),
        ("keep", "CARD NVME NODE KEEP", _keep),
        ("host-keys", "CARD NVME NODE", _host_keys),
        ("pki", "FIRST NODE LAB ZONE", _pki),
        ("k3s", "NODE ROLE FIRST K3S_VERSION API", _k3s),
        ("token", "NODE ROLE FIRST API", _token),
        ("trust", "FIRST NODE LAB", _trust),
        ("stamp", "NODE IMAGE_URL IMAGE_SHA256 SEED_URL", _stamp),
    )
}
