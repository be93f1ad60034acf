"""The Raspberry Pis of the bootstrap cluster: SSH hosts with files, services and k3s.

Owns which hosts there are, who gets in, their files, and where their cluster's API is found. It refuses to own how
one boots (``host_boot``), its units and k3s (``host_units``, ``host_k3s``), and what acts on it (``host_tools``).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rehearsal.world import host_boot, host_units, netboot_pi
from rehearsal.world.errors import Refusal
from rehearsal.world.ssh import admit, port

if TYPE_CHECKING:
    from rehearsal.world import World

_DIALS = 13.0
"""Seconds: the command provider's ten dials (pulumi-command, ``connection.go``)."""
_FOR_EVER = 1800.0
"""Seconds for which a connection without a limit is dialled: the timeout that its commands have."""
NVME = "/var/lib/longhorn/disks/nvme1"
KEPT_TOKEN = "/var/lib/ilmarin/k3s-token"  # on a netbooted Pi a folder of its NVMe
NODE_TOKEN = "/var/lib/rancher/k3s/server/node-token"  # a path, not a secret: the servers'
AGENT_TOKEN = "/var/lib/rancher/k3s/server/agent-token"  # the agents'; of servers without one of its own the servers'
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
_WORKSTATION: dict[str, Any] = {
    "name": "workstation",
    "role": "workstation",
    "files": {},
    "dirs": ["/tmp"],
    "services": {},
    "cloud_init": "disabled",
}


class Hosts:
    """``section("hosts")``: name → ``host_boot.racked``'s record.

    ``workstation`` (a section of its own) is where the program itself runs: a host nobody logs in to.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.bootstrap: dict[str, Any] = world.environment.get("bootstrap") or {}
        self.records: dict[str, dict[str, Any]] = world.section("hosts")
        self.workstation: dict[str, Any] = world.section("workstation")
        for key, value in _WORKSTATION.items():
            self.workstation.setdefault(key, copy.deepcopy(value))
        for name, node in (self.bootstrap.get("nodes") or {}).items():
            self.records.setdefault(name, host_boot.racked(name, node))
            self.records[name]["address"] = str(node["address"])

    def log_in(self, connection: dict[str, Any]) -> dict[str, Any]:
        """The host that ``connection`` reaches, dialled as long as it says; ``Refusal`` in SSH's words."""
        found = next((host for host in self.records.values() if host["address"] == connection["host"]), None)
        patience = _FOR_EVER if connection.get("dialErrorLimit") == -1 else _DIALS
        if found is not None:
            self.world.clock.wait_for(lambda: self.answers(found, int(connection.get("port") or 22)) is None, patience)
        keys = found["users"].get(connection.get("user", "root"), []) if found else []
        # The rack's own key stands beside the owner's: nobody here has the private half of that one
        admit(found, connection, [*keys, *(self.world.authorized_keys if keys else ())])
        if found is None:  # admit has refused already; this tells the type checker
            raise Refusal("no route to host")
        return found

    def answers(self, host: dict[str, Any], at: int = 22) -> str | None:
        """Why nobody gets an answer of this host's SSH, having let it boot as far as it can; ``None``: it answers."""
        self.settle_one(host)
        if host["stage"] != "running":
            return f"{host['name']} stands at '{host['stage']}': {host['reason']}"
        if not host["host_key"]:
            return f"{host['name']} has no SSH host key yet"
        return None if port(host) == at else f"{host['name']} answers SSH at port {port(host)}, and not at {at}"

    # Power

    def settle(self) -> None:
        """Let every host come as far as its surroundings allow."""
        for host in self.records.values():
            self.settle_one(host)

    def settle_one(self, host: dict[str, Any]) -> None:
        """Let one host come as far as it can."""
        host_boot.settle(self.world, host)

    def reboot(self, host: dict[str, Any]) -> None:
        """It is told to boot again; what is only in its memory is gone. It boots when somebody looks."""
        host_boot.down(self.world, host)

    def power_cut(self, host: dict[str, Any], doing: str) -> None:
        """Its power is cut and comes back, in the middle of what ``doing`` does."""
        self.world.journal(f"lose power in {doing}", kind="hosts", subject=host["name"], duration_of="hosts.told")
        host_boot.down(self.world, host)

    def served_seed(self, host: dict[str, Any], url: str) -> dict[str, str] | str:
        """The seed that is served below ``url``, or why none is."""
        return netboot_pi.seed(self.world, host, url)

    def served_image(self, url: str) -> str | None:
        """Why the system of a card is not to be had at ``url``."""
        return netboot_pi.image(self.world, url)

    # The cluster's API

    def runs(self, host: dict[str, Any], service: str) -> bool:
        """Whether a host is up and runs ``service``."""
        state = host["services"].get(service)
        return host["stage"] == "running" and bool(state and state["active"])

    def server_at(self, url: str) -> bool:
        """Whether a server of k3s answers ``/ping`` at ``url``: its own address, or one that its kube-vip holds."""
        at = urlsplit(url).hostname
        servers = [host for host in self.records.values() if host["k3s"] and self.runs(host, "k3s")]
        return any(at in (host["address"], *host["k3s"]["vip"]) for host in servers)

    def route(self, name: str) -> None:
        """Where the API of the cluster ``name`` is asked for: the address that kube-vip holds, else a server's own."""
        servers = [host for host in self.records.values() if host["k3s"] and self.runs(host, "k3s")]
        held = [address for host in servers for address in host["k3s"]["vip"]]
        found = next(iter([*held, *(host["address"] for host in servers)]), None)
        if found is not None and name in self.world.kubernetes.records:
            self.world.kubernetes.records[name]["server"] = f"https://{found}:6443"

    def route_all(self) -> None:
        """After a host went or came: where the API is, and whose kubelets are heard."""
        name = str(self.bootstrap.get("name"))
        self.route(name)
        self.away(name)

    def away(self, name: str) -> None:
        """Tell the cluster ``name`` which of its kubelets are not heard."""
        cluster = self.world.kubernetes.clusters.get(name)
        if cluster is not None:
            units = {"server": "k3s", "agent": "k3s-agent"}
            gone = [h for h in self.records.values() if h.get("node") and not self.runs(h, units[h["role"]])]
            cluster.record["away"] = [host["node"] for host in gone]
            cluster.work()

    def silence(self, name: str) -> str | None:
        """Why the API of the cluster ``name`` does not answer though it stands; ``None`` when it does."""
        members = [host for host in self.records.values() if host.get("member")]
        if name != self.bootstrap.get("name") or not members:
            return None
        up = [host for host in members if self.runs(host, "k3s")]
        if len(up) * 2 > len(members):
            return None
        return f"dial tcp: connect: no route to host ({len(up)} of {len(members)} servers of {name} run)"

    # Services

    def start(self, host: dict[str, Any], service: str) -> str | None:
        """Start ``service``: the reason when it fails, ``None`` when it runs; ``KeyError`` without such a unit."""
        return host_units.start(self.world, host, service)

    def stop(self, host: dict[str, Any], service: str) -> None:
        """Stop ``service``. ``KeyError`` when there is no such unit."""
        host["services"][service]["active"] = False
        self.route_all()

    # Files

    def write(self, host: dict[str, Any], path: str, content: str, *, mode: str = "0644", owner: str = "root") -> None:
        """Put a file there, its folders with it."""
        host["files"][path] = {"content": content, "mode": mode, "owner": owner}
        if "services" in host:
            host_units.brought(self.world, host, path)

    def is_dir(self, host: dict[str, Any], path: str) -> bool:
        """Whether ``path`` is a folder: one that was made, or that holds something."""
        folder = path.rstrip("/") or "/"
        held = [*host["files"], *host["dirs"]]
        return folder == "/" or folder in host["dirs"] or any(each.startswith(f"{folder}/") for each in held)
