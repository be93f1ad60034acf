"""Who serves what machines boot, and the workstation's part of it: what its owner copied there and started.

Owns the address that machines are sent to, the workstation's files by the names that the ConfigMaps have, and the
refusal of two who answer at once. Refuses the cluster's own services, which are ``netboot``'s.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.world import World

NAME = "workstation"
_FOLDERS = {"boot": "boot", "pi-boot": "pi-boot", "seeds": "pi-seed"}
_FILES = {"dnsmasq.conf": "dnsmasq", "ganesha.conf": "pi-nfs", "boot.list": "boot-downloads"}
"""Below ``srv/``: folder or file → the ConfigMap that holds the same on the cluster."""


def serves(world: World) -> bool:
    """Whether the stack file says that the workstation does."""
    return _netboot(world).get("served_by") == NAME


def address(world: World) -> str:
    """Where machines are to be sent."""
    return str(_netboot(world).get(NAME if serves(world) else "address"))


def files(world: World) -> dict[str, dict[str, str]]:
    """ConfigMap's name → file → text, of what lies on the workstation."""
    found: dict[str, dict[str, str]] = {}
    for path, text in world.cards.get(NAME, {}).items():
        folder, _, name = path.removeprefix("srv/").rpartition("/")
        held = _FOLDERS.get(folder) or _FILES.get(name)
        if path.startswith("srv/") and held:
            found.setdefault(held, {})[name] = text
    return found


def silent(world: World) -> str | None:
    """Why nobody boots from the workstation: nothing is started there, or the cluster's dnsmasq answers as well."""
    if not {"dnsmasq", "boot"} <= set(files(world)):
        return "the workstation serves nothing: nothing of workstation/srv was copied there"
    cluster = world.kubernetes.clusters.get(str((world.environment.get("bootstrap") or {}).get("name")))
    published = cluster.get("ConfigMap", "netboot", "dnsmasq") if cluster else None
    text = str(((published or {}).get("data") or {}).get("dnsmasq.conf", ""))
    if re.search(r"^(?:dhcp-range|dhcp-boot|pxe-service|enable-tftp)\b", text, re.MULTILINE):
        return "two boot servers answer: the workstation, and the bootstrap cluster's dnsmasq"
    return None


def _netboot(world: World) -> dict[str, Any]:
    return (world.environment.get("network") or {}).get("netboot") or {}
