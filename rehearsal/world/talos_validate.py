"""Whether a machine configuration suits the machine it is sent to.

Owns the judgement of a Talos node over a configuration: the validator's own rules and what only the metal knows, its
disks, links and architecture. It refuses to own decoding (``talos_config``).
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from rehearsal.world.factory import Factory, read_installer
from rehearsal.world.hardware import Disk, Machine
from rehearsal.world.talos_config import Document, main_document, of_kind

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_VIRTUAL = ("LinkAliasConfig", "VLANConfig", "BondConfig", "BridgeConfig", "DummyLinkConfig", "WireguardConfig")
_NAMED_BY_LINK = ("LinkConfig", "DHCPv4Config", "DHCPv6Config", "EthernetConfig")


def objections(documents: list[Document], machine: Machine, factory: Factory) -> list[str]:
    """Why ``machine`` refuses the configuration, in its validator's words; empty when it takes it."""
    main = main_document(documents)
    if not main.get("machine"):
        return ["machine instructions are required"]
    found = _sections(main) + _install(main["machine"].get("install") or {}, machine, factory)
    found += _hostname(documents, main["machine"]) + _links(documents, machine)
    return found + _legacy(documents, main["machine"])


def _sections(main: Document) -> list[str]:
    found = []
    if main.get("version") != "v1alpha1":
        found.append("invalid config version")
    machine, cluster = main["machine"], main.get("cluster") or {}
    kind = machine.get("type")
    if kind not in ("controlplane", "worker"):
        return [*found, f'unknown machine type "{kind or ""}"']
    if not machine.get("token"):
        found.append("trustd token is invalid")
    found += _keys(kind, machine.get("ca") or {}, cluster)
    endpoint = (cluster.get("controlPlane") or {}).get("endpoint")
    if not endpoint:
        found.append("cluster controlplane endpoint is required")
    elif urlsplit(endpoint).scheme != "https":
        found.append(f"invalid controlplane endpoint: {endpoint}")
    name = ((cluster.get("network") or {}).get("cni") or {}).get("name", "flannel")
    if name not in ("flannel", "custom", "none"):
        found.append('cni name should be one of ["flannel", "custom", "none"]')
    return found


def _keys(kind: str, authority: dict[str, Any], cluster: dict[str, Any]) -> list[str]:
    """Who may hold which authority's key: control planes sign, workers only trust."""
    wrong = {
        "issuing CA or some accepted CAs are required (.machine.ca, machine.acceptedCAs)": not authority.get("crt"),
        "issuing CA key is required for controlplane nodes (.machine.ca.key)": kind == "controlplane"
        and not authority.get("key"),
        "issuing Talos API CA key is not allowed on non-controlplane nodes (.machine.ca)": kind == "worker"
        and bool(authority.get("key")),
        "cluster CA key is not allowed on non-controlplane nodes (.cluster.ca)": kind == "worker"
        and bool((cluster.get("ca") or {}).get("key")),
        "etcd config is only allowed on control plane machines": kind == "worker" and bool(cluster.get("etcd")),
    }
    return [text for text, holds in wrong.items() if holds]


def _install(install: dict[str, Any], machine: Machine, factory: Factory) -> list[str]:
    if not install:
        return ['install instructions are required in "metal" mode']
    found = []
    if install.get("extraKernelArgs") and install.get("grubUseUKICmdline") is not False:
        found.append("install.extraKernelArgs and install.grubUseUKICmdline can't be used together")
    image = install.get("image") or ""
    name = read_installer(image)
    objection = "not a Talos installer" if name is None else factory.objection(name, machine.arch)
    if objection:
        found.append(f"failed to pull installer image {image}: {objection}")
    try:
        disks = install_disks(install, machine)
    except ValueError as error:
        return [*found, f"install disk selector is invalid: {error}"]
    if not disks:
        has = ", ".join(f"{disk.device} ({disk.type}, {disk.size // 10**9} GB)" for disk in machine.disks)
        found.append(f"no disks matched the expression of the install disk selector; the machine has {has}")
    if len(disks) > 1:
        several = ", ".join(disk.device for disk in disks)
        found.append(f"install disk selector matches {several}: which one is installed to is left to chance")
    return found


def install_disks(install: dict[str, Any], machine: Machine) -> list[Disk]:
    """The disks that ``machine.install`` may mean; a selector goes before a device name. Raises ``ValueError``."""
    selector = install.get("diskSelector")
    if selector:
        return [disk for disk in machine.disks if all(_matches(disk, name, want) for name, want in selector.items())]
    wanted = str(install.get("disk") or "")
    return [disk for disk in machine.disks if wanted in (disk.device, f"/dev/disk/by-id/{disk.wwid}")]


def _matches(disk: Disk, name: str, wanted: Any) -> bool:
    if name == "size":
        return _size_fits(disk.size, str(wanted))
    if name == "type" and wanted == "ssd":
        return disk.type != "hdd"  # anything that does not rotate: an NVMe and an SD card too
    values = {"type": disk.type, "serial": disk.serial, "wwid": disk.wwid, "name": disk.device, "busPath": None}
    value = values.get(name)
    return value is not None and fnmatch.fnmatchcase(value, str(wanted))


def _size_fits(size: int, condition: str) -> bool:
    found = re.fullmatch(r"\s*(<=|>=|<|>|==)?\s*([\d.]+)\s*([KMGT]?i?B?)\s*", condition, re.I)
    if not found:
        raise ValueError(f'failed to parse disk size condition "{condition}"')
    unit = found[3].upper()
    limit = float(found[2]) * _UNITS[unit if unit.endswith("B") or not unit else f"{unit}B"]
    answers = {"<=": size <= limit, ">=": size >= limit, "<": size < limit, ">": size > limit}
    return answers.get(found[1] or "==", size == limit)


def _hostname(documents: list[Document], machine: dict[str, Any]) -> list[str]:
    found = []
    legacy = (machine.get("network") or {}).get("hostname")
    for document in of_kind(documents, "HostnameConfig"):
        name, auto = str(document.get("hostname") or ""), document.get("auto", "off")
        if legacy:
            found.append("static hostname is already set in v1alpha1 config")
        if auto == "off" and not name:
            found.append("either 'auto' or 'hostname' must be set")
        if auto != "off" and name:
            found.append("'auto' and 'hostname' cannot be set at the same time")
        if auto not in ("off", "stable"):
            found.append(f"invalid value for 'auto': {auto}")
        if name and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9-]{1,63})*", name):
            found.append(f'invalid hostname "{name}"')
    return found


def _links(documents: list[Document], machine: Machine) -> list[str]:
    known = {*machine.nics, "lo"} | {str(each.get("name")) for kind in _VIRTUAL for each in of_kind(documents, kind)}
    wanted: list[tuple[str, str]] = []
    for kind in _NAMED_BY_LINK:
        wanted += [(kind, str(document.get("name", ""))) for document in of_kind(documents, kind)]
    wanted += [("VLANConfig", str(document.get("parent", ""))) for document in of_kind(documents, "VLANConfig")]
    for kind in ("BondConfig", "BridgeConfig"):
        wanted += [(kind, str(link)) for document in of_kind(documents, kind) for link in document.get("links") or ()]
    found = []
    for document in of_kind(documents, "Layer2VIPConfig"):
        if not _is_address(str(document.get("name", ""))):
            found.append("name must be a valid IP address")
        if not document.get("link"):
            found.append("link must be specified")
        else:
            wanted.append(("Layer2VIPConfig", str(document["link"])))
    for document in of_kind(documents, "LinkConfig"):
        for entry in document.get("addresses") or ():
            if not _is_interface(str(entry.get("address", ""))):
                found.append(f'LinkConfig {document.get("name")}: invalid address "{entry.get("address")}"')
    has = ", ".join(machine.nics)
    return found + [
        f'{kind}: link "{name}" does not exist, the machine has {has}' for kind, name in wanted if name not in known
    ]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_interface(text: str) -> bool:
    try:
        ipaddress.ip_interface(text)
    except ValueError:
        return False
    return "/" in text


def _legacy(documents: list[Document], machine: dict[str, Any]) -> list[str]:
    """Fields of the old document that clash with a new one, and a VIP where none may be."""
    network, found = machine.get("network") or {}, []
    for field, kind in (("nameservers", "ResolverConfig"), ("searchDomains", "ResolverConfig")):
        if network.get(field) and of_kind(documents, kind):
            found.append(f".machine.network.{field} is already set in v1alpha1 config")
    if machine.get("time") and of_kind(documents, "TimeSyncConfig"):
        found.append(".machine.time is already set in v1alpha1 config")
    vips = [interface for interface in network.get("interfaces") or () if interface.get("vip")]
    if machine.get("type") == "worker" and (vips or of_kind(documents, "Layer2VIPConfig")):
        found.append("virtual (shared) IP is not allowed on non-controlplane nodes")
    return found
