"""The Raspberry Pis of the bootstrap cluster: SSH hosts with files, services and k3s.

Owns what is on each host and what its services do. It refuses to own the programs that act on it (``host_tools``) and
what runs in Kubernetes. A host is as its card and cloud-init left it: the owner wrote the cards, the workstation served
the first network boot of those without one.
"""

from __future__ import annotations

import copy
import hashlib
import secrets
from typing import TYPE_CHECKING, Any

from rehearsal.world import talos_secrets
from rehearsal.world.errors import Refusal
from rehearsal.world.ssh import admit
from rehearsal.world.talos import kubeconfig_text

if TYPE_CHECKING:
    from rehearsal.world import World

NVME = "/var/lib/longhorn/disks/nvme1"
KEPT_TOKEN = f"{NVME}/k3s-token"
NODE_TOKEN = "/var/lib/rancher/k3s/server/node-token"  # a path, not a secret
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
            self.records.setdefault(name, self._flashed(name, node))
            self.records[name]["address"] = str(node["address"])

    def _flashed(self, name: str, node: dict[str, Any]) -> dict[str, Any]:
        """A host as its card and cloud-init left it."""
        server = node["role"] == "server"
        return {
            "name": name,
            "address": str(node["address"]),
            "power": True,
            "role": node["role"],
            "user": self.bootstrap["ssh"]["user"],
            "host_key": node.get("host_key") or f"ssh-ed25519 {hashlib.sha256(name.encode()).hexdigest()}",
            "release": str((self.world.environment.get("versions") or {}).get("k3s")),
            "files": {"/etc/hostname": {"content": f"{name}\n", "mode": "0644", "owner": "root"}},
            "dirs": ["/etc", "/tmp", "/var/lib", "/var/lib/cloud", *([NVME] if "nvme" in node["boot"] else [])],
            "services": {
                "ssh": {"enabled": True, "active": True},
                "k3s" if server else "k3s-agent": {"enabled": False, "active": False},
            },
            "cloud_init": "pending",
        }

    def first_server(self) -> str | None:
        """The server that starts the cluster: the first by name; the others join it."""
        return min((name for name, host in self.records.items() if host["role"] == "server"), default=None)

    def log_in(self, connection: dict[str, Any]) -> dict[str, Any]:
        """The host that ``connection`` reaches, once it has booted. ``Refusal`` in SSH's words."""
        found = next((host for host in self.records.values() if host["address"] == connection["host"]), None)
        authorized = [*self.bootstrap.get("ssh", {}).get("authorized_keys", ()), *self.world.authorized_keys]
        admit(found, connection, authorized)
        if found is None:  # admit has refused already; this tells the type checker
            raise Refusal("no route to host")
        self._finish_cloud_init(found)
        return found

    def _finish_cloud_init(self, host: dict[str, Any]) -> None:
        if host["cloud_init"] == "done":
            return
        host["cloud_init"] = "done"
        self.world.journal("first boot", kind="hosts", subject=host["name"], duration_of="hosts.cloud-init")
        if host["name"] == self.first_server():
            self.start(host, "k3s")
            host["services"]["k3s"]["enabled"] = True

    # Services

    def start(self, host: dict[str, Any], service: str) -> str | None:
        """Start ``service``: the reason when it fails, ``None`` when it runs; ``KeyError`` without such a unit."""
        state = host["services"][service]
        if state["active"]:
            return None
        failure = self._start_k3s(host) if service in ("k3s", "k3s-agent") else None
        state["active"] = failure is None
        return failure

    def stop(self, host: dict[str, Any], service: str) -> None:
        """Stop ``service``. ``KeyError`` when there is no such unit."""
        host["services"][service]["active"] = False

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
        self._add_node(host)
        self.world.journal("join", kind="k3s", subject=host["name"], duration_of="k3s.join")
        return None

    def _stand_up(self, host: dict[str, Any]) -> None:
        name = str(self.bootstrap["name"])
        if NODE_TOKEN not in host["files"]:
            authority, certificate = talos_secrets.certificate(), talos_secrets.certificate()
            key = self.world.issue_secret(talos_secrets.key("EC PRIVATE KEY"))
            token = self.world.issue_secret(f"K10{secrets.token_hex(32)}::server:{secrets.token_hex(16)}")
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

    def is_dir(self, host: dict[str, Any], path: str) -> bool:
        """Whether ``path`` is a folder: one that was made, or that holds something."""
        folder = path.rstrip("/") or "/"
        held = [*host["files"], *host["dirs"]]
        return folder == "/" or folder in host["dirs"] or any(each.startswith(f"{folder}/") for each in held)
