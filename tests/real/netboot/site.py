"""The lab's boot network as it would stand: Ainur's servers with what is rendered and what Git ships, and a router.

Owns bringing them up in namespaces, each file at the path where the workload mounts it. Refuses to change a letter of
what is under test: what a test needs besides comes on the command line.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import yaml

from model.plan import Plan
from render import dnsmasq, ipxe
from tests.labs import ROOT
from tests.real.netboot import firmware
from tests.real.netboot.lan import OUTSIDE_ROOT, Lan, lan

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
daemon off;
events {{}}
http {{
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                  '"$http_referer" "$http_user_agent" "$http_x_forwarded_for"';
  access_log /var/log/nginx/access.log main;
  include /etc/nginx/conf.d/*.conf;
}}
"""
"""What the image's own nginx.conf says around the part that Git ships (nginx 1.29, docker image)."""

ACCESS = re.compile(r'"GET (\S+) HTTP/[\d.]+" (\d+)')
SENT = re.compile(r"sent (\S+) to \S+$", re.MULTILINE)
ABSENT = re.compile(r"file (\S+) not found", re.MULTILINE)


def _manifests(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((NETBOOT / name).read_text()))


def _pod(name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A shipped DaemonSet's first container, and where it mounts each volume."""
    daemon = next(one for one in _manifests(name) if one["kind"] == "DaemonSet")
    container = daemon["spec"]["template"]["spec"]["containers"][0]
    return container, {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}


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

    def start_dnsmasq(self) -> None:
        """Ours, as its container starts it, with more to read in its log."""
        container, mounts = _pod("dnsmasq/daemonset.yaml")
        self.net.write(f"{mounts['configuration']}/dnsmasq.conf", dnsmasq.configuration(self.plan.network))
        self.net.path(mounts["leases"]).mkdir(parents=True, exist_ok=True)
        for name, source in LOADERS.items():
            if Path(source).exists():
                self.net.write(f"{mounts['loaders']}/{name}", Path(source).read_bytes())
        more = ["--log-dhcp", "--log-queries", *(["--user=root"] if OUTSIDE_ROOT else [])]
        script = str(container["command"][-1]).replace("exec dnsmasq", f"exec {self.tool('dnsmasq')} {' '.join(more)}")
        self.net.start("dnsmasq", "server", "sh", "-c", script)
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
            "router", "router", self.tool("dnsmasq"), "--conf-file=/dev/null", "--keep-in-foreground", "--user=root",
            "--log-facility=-", "--log-queries", "--log-dhcp", "--no-ping", "--no-resolv", "--no-hosts",
            "--dhcp-leasefile=/run/router.leases", f"--address=/#/{ELSEWHERE}", *leases, *(reserved if leases else []),
        )  # fmt: skip
        self.net.wait("the router answers", lambda: "started, version" in self.net.log("router"))

    def start_nginx(self) -> None:
        """The boot server with the part that Git ships, serving what is rendered."""
        _, mounts = _pod("pi-netboot/http.yaml")
        assert self.plan.network.netboot
        shipped = next(one for one in _manifests("pi-netboot/http.yaml") if one["kind"] == "ConfigMap")
        for name, text in shipped["data"].items():
            self.net.write(f"{mounts['server']}/{name}", text)
        for name, script in ipxe.scripts(self.plan.network.netboot).items():
            self.net.write(f"{mounts['scripts']}/{name}", script)
        self.net.path("/var/log/nginx").mkdir(exist_ok=True)
        self.net.path("/var/lib/nginx").mkdir(exist_ok=True)
        # In a user namespace nobody but root exists, so the workers cannot change to another
        self.net.write("/run/nginx.conf", NGINX_CONF.format(user="user root;\n" if OUTSIDE_ROOT else ""))
        command = [self.tool("nginx"), "-e", "stderr", "-c", "/run/nginx.conf"]
        self.net.run("server", *command, "-t")
        self.net.start("nginx", "server", *command)
        self.net.wait("nginx answers", lambda: "start worker process" in self.net.log("nginx"))

    def serve_image(self, path: str, content: bytes) -> None:
        """A kernel or initramfs where the boot server mounts them; `path` as a script asks for it."""
        _, mounts = _pod("pi-netboot/http.yaml")
        self.net.write(f"{mounts['images']}/{path.removeprefix('talos/')}", content)

    def serve_tftp(self, name: str, content: bytes) -> None:
        """A file under the TFTP root."""
        _, mounts = _pod("dnsmasq/daemonset.yaml")
        self.net.write(f"{mounts['loaders']}/{name}", content)

    def ask(self, machine: str, text: str) -> list[dict[str, Any]]:
        """What firmware in `machine` is answered; `text` from `firmware.request`."""
        return json.loads(self.net.run(machine, sys.executable, "-I", firmware.__file__, stdin=text))

    def fetched_by_http(self) -> list[str]:
        """What was asked of nginx and found, in order, each once."""
        log = self.net.path("/var/log/nginx/access.log").read_text()
        return list(dict.fromkeys(path for path, status in ACCESS.findall(log) if status.startswith("2")))

    def fetched_by_tftp(self) -> list[str]:
        """What was asked of dnsmasq's TFTP and sent, in order, each once, as seen from its root."""
        _, mounts = _pod("dnsmasq/daemonset.yaml")
        sent = SENT.findall(self.net.log("dnsmasq"))
        return list(dict.fromkeys(path.removeprefix(mounts["loaders"]).lstrip("/") for path in sent))


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
