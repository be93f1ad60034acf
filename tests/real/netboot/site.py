"""The lab's boot network as it would stand: Ainur's servers with what is rendered and what Git ships, and a router.

Owns bringing them up in namespaces, each file at the path where the workload mounts it, each program with the user, the
capabilities and the read-only files that its container declares. Refuses to change a letter of what is under test: what
a test needs besides comes on the command line.
"""

import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from model.plan import Plan
from render import boot_files, downloads, nfs
from tests.labs import ROOT, raw
from tests.real.netboot import firmware
from tests.real.netboot.lan import OUTSIDE_ROOT, SCRATCH, Lan, lan

NETBOOT = ROOT / "gitops" / "homelab" / "ainur" / "netboot"
ELSEWHERE = "203.0.113.7"
"""What the forwarders answer to every question."""

LOADERS = {
    "undionly.kpxe": "/usr/lib/ipxe/undionly.kpxe",
    "snponly.efi": "/usr/lib/ipxe/snponly.efi",
}
"""iPXE's first-stage loaders as Debian's `ipxe` has them; it has none for arm64."""

NGINX_CONF = """\
{user}error_log stderr notice;
pid /run/nginx.pid;
events {{}}
http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"';
  access_log /dev/stdout main;
{temporary}  include /etc/nginx/conf.d/*.conf;
}}
"""
"""What the image's own nginx.conf says around the part that Git ships (nginx 1.29, docker image)."""

TEMPORARY = "".join(
    f"  {kind}_temp_path /var/cache/nginx/{kind.removesuffix('_body')}_temp;\n"
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)
"""Folders that the image's nginx makes and gives to its workers' user: built in there, elsewhere in Debian's."""

ACCESS = re.compile(r'"GET (\S+) HTTP/[\d.]+" (\d+)')
SENT = re.compile(r"sent (\S+) to \S+$", re.MULTILINE)


def _documents() -> list[dict[str, Any]]:
    return [one for file in sorted(NETBOOT.rglob("*.yaml")) for one in yaml.safe_load_all(file.read_text())]


def shipped_pods() -> list[dict[str, Any]]:
    """What each shipped workload runs."""
    return [one["spec"]["template"]["spec"] for one in _documents() if "template" in one.get("spec", {})]


def _workload(image: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The shipped container that runs an image or has a name, and its volumes by the path it mounts them at."""
    first = [(pod, pod["containers"][0]) for pod in shipped_pods()]
    pod = next(pod for pod, one in first if image in one["image"] or image == one["name"])
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    container = pod["containers"][0]
    return container, {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}


def contained(container: dict[str, Any]) -> list[str]:
    """What goes before a container's command, so that it may do what its manifest declares and no more.

    Where the manifest names no user, the image starts as root. All but its volumes is read-only.
    """
    declared = container["securityContext"]
    kept = [f"+{one.lower()}" for one in declared["capabilities"].get("add", ())]
    assert declared["capabilities"]["drop"] == ["ALL"], "what the runtime leaves otherwise is not known here"
    user, group = declared.get("runAsUser", 0), declared.get("runAsGroup", 0)
    # An ordinary user's namespace has no groups to clear
    groups = "--keep-groups" if OUTSIDE_ROOT else "--clear-groups"
    privileges = ["setpriv", f"--reuid={user}", f"--regid={group}", groups, "--inh-caps=-all"]
    privileges += [f"--bounding-set={','.join(['-all', *kept])}"]
    privileges += ["--no-new-privs"] if declared.get("allowPrivilegeEscalation") is False else []
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    lines = [f"mount --rbind {path} {path}" for path in mounts]
    sealed = [path for path, read_only in mounts.items() if read_only]
    if declared.get("readOnlyRootFilesystem"):
        sealed += [path for path in ("/", "/etc", *SCRATCH) if path not in mounts]
    lines += [f"mount -o remount,bind,ro {path}" for path in sealed]
    return ["unshare", "--mount", "sh", "-c", "\n".join(["set -e", *lines, 'exec "$@"']), "sh", *privileges]


def _generated() -> dict[str, dict[str, str]]:
    """ConfigMaps that kustomize makes of files beside its kustomization."""
    made: dict[str, dict[str, str]] = {}
    for file in sorted(NETBOOT.rglob("kustomization.yaml")):
        for one in yaml.safe_load(file.read_text()).get("configMapGenerator", ()):
            made[one["name"]] = {name: (file.parent / name).read_text() for name in one["files"]}
    return made


def _mounted(image: str, volume: str) -> str:
    """Where a shipped container mounts a volume."""
    return next(path for path, found in _workload(image)[1].items() if found["name"] == volume)


class Site:
    """A lab's boot services on the wire, and who can try them.

    `server` is a Pi that holds the netboot address. `router` leases where dnsmasq only adds boot options, and answers
    at the forwarders' addresses. `client` has no address until it is leased one, `desk` is a workstation, `stranger`
    stands on a VLAN that is the router's alone.
    """

    def __init__(self, net: Lan, plan: Plan, tool: Callable[[str], str]) -> None:
        assert plan.network.netboot
        self.net, self.plan, self.tool = net, plan, tool
        self.address = plan.network.netboot.address

    def _start(self, image: str, *more: str) -> None:
        """A shipped container: its ConfigMaps where it mounts them, its command word for word, its privileges.

        `more` are arguments that only the test wants; the name on PATH is a script that adds them.
        """
        wrapper = f"/run/bin/{image}"
        self.net.write(wrapper, f'#!/bin/sh\nexec {shlex.join([self.tool(image), *more])} "$@"\n')
        self.net.path(wrapper).chmod(0o755)
        container = self._laid(image)
        path = f"PATH=/run/bin:{os.defpath}"
        self.net.start(image, "server", *contained(container), "env", path, *container["command"])

    def _laid(self, image: str, instead: Mapping[str, Mapping[str, str]] | None = None) -> dict[str, Any]:
        """A shipped container whose volumes are where it mounts them; `instead`: ConfigMaps of the test's own."""
        container, volumes = _workload(image)
        published = {**{one["metadata"]["name"]: one["data"] for one in _documents() if one["kind"] == "ConfigMap"}}
        published |= {**_generated(), **boot_files.published(self.plan), **(instead or {})}
        for path, volume in volumes.items():
            if volume.get("hostPath", {}).get("type") == "Socket":
                continue  # whoever listens there has made it
            self.net.path(path).mkdir(parents=True, exist_ok=True)
            for name, text in published.get(volume.get("configMap", {}).get("name", ""), {}).items():
                self.net.write(f"{path}/{name}", text)
        return container

    def start_builder(self, downloads: str) -> None:
        """The builder as its container starts it, with a list of the test's own that names HTTP sources."""
        listed = {"boot-downloads": {"boot.list": downloads, boot_files.HASH: "of the list\n"}}
        container = self._laid("curl", listed)
        command = [*contained(container), "env", "FETCH_PROTOCOLS==http", *container["command"]]
        self.net.start("builder", "server", *command)

    def make_pi_system(self, image: bytes) -> None:
        """The Pis' folders and root out of an image, as the container does it, on the disk that the servers mount."""
        assert self.plan.network.netboot
        assert self.plan.network.netboot.pi_system
        container = self._laid("unpack")
        chroot = _mounted("unpack", "vala")
        disk = {_mounted("dnsmasq", "loaders"): "srv/tftp", nfs.FOLDER: "srv/nfs"}
        for path, inside in {"/usr": "usr", "/etc/alternatives": "etc/alternatives", **disk}.items():
            if path in disk:
                self.net.path(path).mkdir(parents=True, exist_ok=True)
            self.net.run("server", "mount", "--rbind", path, f"{chroot}/{inside}")
        self.net.write(f"{chroot}/srv/{downloads.pi_image(self.plan.network.netboot.pi_system)}", image)
        self.net.start("pi-system", "server", *contained(container), *container["command"])
        self.net.wait("it is ready", lambda: self.net.path("/run/whole").exists(), seconds=60)

    def start_nfs(self) -> None:
        """Ganesha as its container starts it, beside the Vala's rpcbind."""
        self.net.start("rpcbind", "server", self.tool("rpcbind"), "-f")
        self.net.wait("rpcbind listens", lambda: self.net.path("/run/rpcbind.sock").exists())
        self.tool("ganesha.nfsd")
        container = self._laid("ganesha")
        self.net.start("ganesha", "server", *contained(container), *container["command"])
        self.net.wait("Ganesha listens", lambda: ":2049" in self.net.run("server", "ss", "-Hltn"), seconds=30)

    def start_dnsmasq(self) -> None:
        """Ours, as its container starts it, with more to read in its log and iPXE's loaders where it looks."""
        for name, source in LOADERS.items():
            if Path(source).exists():
                self.serve_tftp(name, Path(source).read_bytes())
        self._start("dnsmasq", "--log-dhcp", "--log-queries", *(["--user=root", "--group="] if OUTSIDE_ROOT else []))
        self.net.wait("dnsmasq answers", lambda: "TFTP root is" in self.net.log("dnsmasq"))

    def start_router(self) -> None:
        """The owner's router, told what the plan says it must be told; DNS of the world behind it."""
        leases = [
            f"--dhcp-range={vlan.range.replace('-', ',')},12h"
            for vlan in self.plan.network.vlans
            if vlan.range and vlan.dhcp == "proxy"
        ]
        reserved = [f"--dhcp-host={host.mac},{host.address}" for host in self.plan.network.hosts if host.reserve]
        self.net.start(
            "router", "router", self.tool("dnsmasq"), "--conf-file=/dev/null", "--keep-in-foreground",
            "--user=root", "--group=", "--log-facility=-", "--log-queries", "--log-dhcp",
            "--no-ping", "--no-resolv", "--no-hosts",
            "--dhcp-leasefile=/run/router.leases", f"--address=/#/{ELSEWHERE}", *leases, *(reserved if leases else []),
        )  # fmt: skip
        self.net.wait("the router answers", lambda: "started, version" in self.net.log("router"))

    def start_nginx(self) -> None:
        """The boot server as its container starts it, inside what its image's own nginx.conf says."""
        # In a user namespace nobody but root exists, so the workers cannot change to another
        self.net.write(
            "/run/nginx.conf", NGINX_CONF.format(user="user root;\n" if OUTSIDE_ROOT else "", temporary=TEMPORARY)
        )
        self._start("nginx", "-e", "stderr", "-c", "/run/nginx.conf")
        self.net.wait("nginx answers", lambda: "start worker process" in self.net.log("nginx"))

    def serve_image(self, path: str, content: bytes) -> None:
        """A kernel or initramfs where the boot server mounts them; `path` as a script asks for it."""
        self.net.write(f"{_mounted('nginx', 'images')}/{path.removeprefix('talos/')}", content)

    def serve_seed(self, key: str, content: bytes) -> None:
        """A file of the ConfigMap of seeds, where the boot server mounts it."""
        self.net.write(f"{_mounted('nginx', 'seeds')}/{key}", content)

    def serve_pi_image(self, path: str, content: bytes) -> None:
        """The Pis' image where the boot server mounts it; `path` as the builder's list has it."""
        self.net.write(f"{_mounted('nginx', 'pi-image')}/{path.removeprefix('pi/')}", content)

    def serve_tftp(self, name: str, content: bytes) -> None:
        """A file under the TFTP root."""
        self.net.write(f"{_mounted('dnsmasq', 'loaders')}/{name}", content)

    def ask(self, machine: str, text: str) -> list[dict[str, Any]]:
        """What firmware in `machine` is answered; `text` from `firmware.request`."""
        return json.loads(self.net.run(machine, sys.executable, "-I", firmware.__file__, stdin=text))

    def fetched_by_http(self) -> list[str]:
        """What was asked of nginx and found, in order, each once."""
        asked = ACCESS.findall(self.net.log("nginx"))
        return list(dict.fromkeys(path for path, status in asked if status.startswith("2")))

    def fetched_by_tftp(self) -> list[str]:
        """What was asked of dnsmasq's TFTP and sent, in order, each once, as seen from its root."""
        sent = SENT.findall(self.net.log("dnsmasq"))
        root = f"{_mounted('dnsmasq', 'loaders')}/"
        return list(dict.fromkeys(path.removeprefix(root) for path in sent))


def leasing() -> dict[str, Any]:
    """homelab's raw data with a dnsmasq that leases itself, and a time server that DHCP can tell of."""
    edited = raw("homelab")
    edited["network"]["vlans"]["lab"]["dhcp"]["mode"] = "server"
    edited["network"]["time_servers"] = ["192.168.1.1", "time.cloudflare.com"]
    for node in edited["cluster"]["nodes"].values():
        node["reach"] = "our-reservation"
    return edited


@contextmanager
def site(plan: Plan, logs: Path, require_tool: Callable[[str], str]) -> Iterator[Site]:
    """A lab's boot network with its router; which of its own servers run is the test's to say."""
    network = plan.network
    assert network.netboot
    at = {host.name: f"{host.address}/24" for host in network.hosts}
    home = IPv4Network(next(vlan.subnet for vlan in network.vlans if vlan.name == "home"))
    machines = {
        "server": {"lab": [at["vala-1"], f"{network.netboot.address}/32"], "home": [f"{home[50]}/24"]},
        "router": {"lab": [at["router"], *(f"{address}/32" for address in network.resolvers)]},
        "client": {"lab": []},
        "desk": {"lab": [at["workstation"]]},
        "stranger": {"home": []},
    }
    for tool in ("dnsmasq", "nginx"):
        require_tool(tool)
    with lan(machines, logs, require_tool) as net:
        net.run("server", "ip", "route", "add", "default", "via", network.router)
        made = Site(net, plan, require_tool)
        made.start_router()
        yield made
