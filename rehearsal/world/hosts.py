"""The Raspberry Pis of the bootstrap cluster: SSH hosts with files, services and k3s.

Owns which hosts there are, who gets in, their files, and where their cluster's API is found. It refuses to own how
one boots (``host_boot``), its units and k3s (``host_units``, ``host_k3s``), and what acts on it (``host_tools``).

Where the rack hands over no cards, each host is as its card and cloud-init left it, and joins as told.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from rehearsal.world import host_boot, host_units, netboot_pi, talos_secrets
from rehearsal.world.errors import Refusal
from rehearsal.world.ssh import admit
from rehearsal.world.talos import kubeconfig_text

if TYPE_CHECKING:
    from rehearsal.world import World

_DIALS = 13.0
"""Seconds: the command provider's ten dials (pulumi-command, ``connection.go``)."""
_FOR_EVER = 1800.0
"""Seconds for which a connection without a limit is dialled: the timeout that its commands have."""
NVME = "/var/lib/longhorn/disks/nvme1"
KEPT_TOKEN = "/var/lib/ilmarin/k3s-token"  # on a netbooted Pi a folder of its NVMe
ROOT_CERTIFICATE = "/var/lib/ilmarin/pki/root.crt"
NODE_TOKEN = "/var/lib/rancher/k3s/server/node-token"  # a path, not a secret
KUBECONFIG = "/etc/rancher/k3s/k3s.yaml"
CLIENT_CERTIFICATE = "/var/lib/rancher/k3s/server/tls/client-admin.crt"
_WORKSTATION: dict[str, Any] = {
    "name": "workstation",
    "role": "workstation",
    "files": {},
    "dirs": ["/tmp"],
    "services": {},
    "cloud_init": "disabled",
}


class Hosts:
    """``section("hosts")``: name → ``{address, power, user, role, files, dirs, services, …}``.

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
            made = self._flashed(name, node) if world.cards is None else host_boot.racked(name, node)
            self.records.setdefault(name, made)
            self.records[name]["address"] = str(node["address"])

    def _flashed(self, name: str, node: dict[str, Any]) -> dict[str, Any]:
        """A host as its card and cloud-init left it."""
        server = node["role"] == "server"
        return {
            **host_boot.racked(name, node),
            "flashed": True,
            "stage": "running",
            "users": {self.bootstrap["ssh"]["user"]: list(self.bootstrap["ssh"].get("authorized_keys", ()))},
            "mounts": [NVME] if "nvme" in node["boot"] else [],
            "host_key": node.get("host_key") or f"ssh-ed25519 {hashlib.sha256(name.encode()).hexdigest()}",
            "release": str((self.world.environment.get("versions") or {}).get("k3s")),
            "files": {"/etc/hostname": {"content": f"{name}\n", "mode": "0644", "owner": "root"}},
            "dirs": ["/etc", "/tmp", "/var/lib", "/var/lib/cloud", *([NVME] if "nvme" in node["boot"] else [])],
            "services": {
                "ssh": {"enabled": True, "active": True},
                "k3s" if server else "k3s-agent": {"enabled": False, "active": False},
                "ilmarin-token": {"enabled": True, "active": False},
            },
            "cloud_init": "pending",
        }

    def first_server(self) -> str | None:
        """The server that starts the cluster: the first by name; the others join it."""
        return min((name for name, host in self.records.items() if host["role"] == "server"), default=None)

    def log_in(self, connection: dict[str, Any]) -> dict[str, Any]:
        """The host that ``connection`` reaches, dialled as long as it says; ``Refusal`` in SSH's words."""
        found = next((host for host in self.records.values() if host["address"] == connection["host"]), None)
        patience = _FOR_EVER if connection.get("dialErrorLimit") == -1 else _DIALS
        if found is not None:
            self.world.clock.wait_for(lambda: self.answers(found) is None, patience)
        keys = found["users"].get(connection.get("user", "root"), []) if found else []
        # The rack's own key stands beside the owner's: nobody here has the private half of that one
        admit(found, connection, [*keys, *(self.world.authorized_keys if keys else ())])
        if found is None:  # admit has refused already; this tells the type checker
            raise Refusal("no route to host")
        self._finish_cloud_init(found)
        return found

    def answers(self, host: dict[str, Any]) -> str | None:
        """Why nobody gets an answer of this host's SSH, having let it boot as far as it can; ``None``: it answers."""
        self.settle_one(host)
        if host["stage"] != "running":
            return f"{host['name']} stands at '{host['stage']}': {host['reason']}"
        return None if host["host_key"] else f"{host['name']} has no SSH host key yet"

    # Power

    def settle(self) -> None:
        """Let every host come as far as its surroundings allow."""
        for host in self.records.values():
            self.settle_one(host)

    def settle_one(self, host: dict[str, Any]) -> None:
        """Let one host come as far as it can; one as its card left it is there when it has power."""
        if not host.get("flashed"):
            host_boot.settle(self.world, host)
        else:
            host["stage"] = "running" if host["power"] else "off"

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

    # The cluster's API

    def runs(self, host: dict[str, Any], service: str) -> bool:
        """Whether a host is up and runs ``service``."""
        state = host["services"].get(service)
        return host["stage"] == "running" and bool(state and state["active"])

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
        members = [host for host in self.records.values() if "data" in host and host["role"] == "server"]
        if name != self.bootstrap.get("name") or not members:
            return None
        up = [host for host in members if self.runs(host, "k3s")]
        if len(up) * 2 > len(members):
            return None
        return f"dial tcp: connect: no route to host ({len(up)} of {len(members)} servers of {name} run)"

    def _finish_cloud_init(self, host: dict[str, Any]) -> None:
        if not host.get("flashed") or host["cloud_init"] == "done":
            return
        host["cloud_init"] = "done"
        self.world.journal("first boot", kind="hosts", subject=host["name"], duration_of="hosts.cloud-init")
        if host["name"] == self.first_server():
            self.write(host, ROOT_CERTIFICATE, "-----BEGIN CERTIFICATE-----\n")
            self.start(host, "k3s")
            host["services"]["k3s"]["enabled"] = True

    # Services

    def start(self, host: dict[str, Any], service: str) -> str | None:
        """Start ``service``: the reason when it fails, ``None`` when it runs; ``KeyError`` without such a unit."""
        if not host.get("flashed"):
            return host_units.start(self.world, host, service)
        state = host["services"][service]
        if state["active"]:
            return None
        if service == "ilmarin-token":
            return self.start(host, "k3s" if host["role"] == "server" else "k3s-agent")
        failure = self._start_k3s(host) if service in ("k3s", "k3s-agent") else None
        state["active"] = failure is None
        return failure

    def stop(self, host: dict[str, Any], service: str) -> None:
        """Stop ``service``. ``KeyError`` when there is no such unit."""
        host["services"][service]["active"] = False
        if not host.get("flashed"):
            self.route_all()

    def _start_k3s(self, host: dict[str, Any]) -> str | None:
        if host["name"] == self.first_server():
            self._stand_up(host)
            return None
        kept = host["files"].get(KEPT_TOKEN)
        if kept is None:
            return f"{KEPT_TOKEN} is missing"
        leader = self.records[self.first_server() or ""]
        made = leader["files"].get(NODE_TOKEN)
        if made is None or not leader["services"]["k3s"]["active"]:
            return "failed to get CA certs: dial tcp: connection refused"
        if kept["content"].strip() not in (made["content"].strip(), made["content"].strip().rpartition(":")[2]):
            return "failed to validate token: token CA hash does not match the Cluster CA certificate hash"
        if host["role"] == "server":
            self.write(host, KUBECONFIG, leader["files"][KUBECONFIG]["content"], mode="0600")
        self._add_node(host)
        self.world.journal("join", kind="k3s", subject=host["name"], duration_of="k3s.join")
        return None

    def _stand_up(self, host: dict[str, Any]) -> None:
        name = str(self.bootstrap["name"])
        if NODE_TOKEN not in host["files"]:
            authority, certificate = talos_secrets.certificate(), talos_secrets.certificate()
            key = self.world.issue_secret(talos_secrets.key("EC PRIVATE KEY"))
            token = self.world.issue_secret(f"K10{secrets.token_hex(32)}::server:{secrets.token_hex(16)}")
            self.write(host, CLIENT_CERTIFICATE, base64.b64decode(certificate).decode())
            text = kubeconfig_text("default", "https://127.0.0.1:6443", authority, certificate, key)
            self.write(host, NODE_TOKEN, f"{token}\n", mode="0600")
            self.write(host, KUBECONFIG, text, mode="0600")
            self.world.kubernetes.stand_up(
                name, server=f"https://{self.bootstrap['vip']}:6443", version=host["release"], credential=authority
            )
            self.world.journal("start first server", kind="k3s", subject=host["name"], duration_of="k3s.server")
        self._add_node(host)

    def _add_node(self, host: dict[str, Any]) -> None:
        labels = {"kubernetes.io/arch": "arm64", "node.kubernetes.io/instance-type": "k3s"}
        if host["role"] == "server":
            labels["node-role.kubernetes.io/control-plane"] = "true"
        name = str(self.bootstrap["name"])
        self.world.kubernetes.add_node(name, host["name"], address=host["address"], labels=labels, taints=[])

    # Files

    def write(self, host: dict[str, Any], path: str, content: str, *, mode: str = "0644", owner: str = "root") -> None:
        """Put a file there, its folders with it."""
        host["files"][path] = {"content": content, "mode": mode, "owner": owner}
        if "binds" in host and not host.get("flashed"):
            host_units.brought(self.world, host, path)

    def is_dir(self, host: dict[str, Any], path: str) -> bool:
        """Whether ``path`` is a folder: one that was made, or that holds something."""
        folder = path.rstrip("/") or "/"
        held = [*host["files"], *host["dirs"]]
        return folder == "/" or folder in host["dirs"] or any(each.startswith(f"{folder}/") for each in held)
