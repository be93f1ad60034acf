"""A small World for tests, and the engine's side of a stand-in without an engine.

Owns a lab of its own, written by hand: nothing here comes from the model, so that what the World judges is judged
against something else than the program's own plan.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2

from rehearsal.faults import Faults
from rehearsal.standins.base import StandIn
from rehearsal.standins.servicer import Servicer
from rehearsal.standins.wire import decode, encode
from rehearsal.world import World
from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.lab_keys import HOST_KEY, KEY
from tests.rehearsal.seeds import card

_NODE = {"class": "pc", "reach": "router-reservation"}
_LAB: dict[str, Any] = {
    "name": "lab",
    "versions": {"talos": "v1.12.4", "kubernetes": "v1.34.2", "k3s": "v1.33.6+k3s1"},
    "hardware": {
        "pc": {
            "arch": "amd64",
            "firmware": "uefi",
            "nics": ["eno1"],
            "disks": {"nvme": {"kind": "nvme", "size_gb": 256}, "sata": {"kind": "ssd", "size_gb": 4000}},
        },
        "board": {
            "arch": "arm64",
            "firmware": "u-boot",
            "nics": ["end0"],
            "disks": {"emmc": {"kind": "emmc", "size_gb": 32}},
        },
    },
    "network": {
        "vlans": {"lab": {"dhcp": {"mode": "proxy", "range": "10.0.0.150-10.0.0.160"}}},
        "netboot": {"address": "10.0.0.59"},
    },
    "bootstrap": {
        "name": "boot",
        "vip": "10.0.0.58",
        "ssh": {"user": "op", "authorized_keys": [KEY.public]},
        "nodes": {
            "vala-1": {"role": "server", "boot": ["sd", "nvme"], "address": "10.0.0.50", "host_key": HOST_KEY},
            "maia-1": {
                "role": "agent",
                "boot": ["nvme"],
                "address": "10.0.0.51",
                "serial": "10000000a1b2c351",
                "mac": "02:00:00:00:01:51",
            },
        },
    },
    "cluster": {
        "name": "main",
        "vlan": "lab",
        "nodes": {
            "cp-1": {**_NODE, "role": "control-plane", "address": "10.0.0.101", "mac": "02:00:00:00:00:01"},
            "cp-2": {**_NODE, "role": "control-plane", "address": "10.0.0.102", "mac": "02:00:00:00:00:02"},
            "worker-1": {**_NODE, "role": "worker", "address": "10.0.0.104", "mac": "02:00:00:00:00:04"},
        },
    },
}

DNSMASQ = """\
dhcp-match=set:bios,option:client-arch,0
dhcp-match=set:efi64,option:client-arch,7
dhcp-match=set:efi64,option:client-arch,9
dhcp-userclass=set:ipxe,iPXE
dhcp-boot=tag:bios,tag:!ipxe,undionly.kpxe,,10.0.0.59
dhcp-boot=tag:efi64,tag:!ipxe,snponly.efi,,10.0.0.59
dhcp-boot=tag:ipxe,http://10.0.0.59/boot.ipxe
"""
FILES = ("kernel-amd64", "initramfs-amd64.xz")
PLAIN = "376567988ad370138ad8b2698212367b8edcb69b5fd68c80be1f2ec7d603b4ba"
MENU = "#!ipxe\nchain http://10.0.0.59/${net0/mac:hexhyp}.ipxe || chain http://10.0.0.59/unknown.ipxe\n"


def script(identity: str = PLAIN, arch: str = "amd64", arguments: str = "talos.platform=metal") -> str:
    """An iPXE script that boots Talos."""
    base = f"http://10.0.0.59/talos/{identity}/v1.12.4"
    return f"#!ipxe\nkernel {base}/kernel-{arch} {arguments}\ninitrd {base}/initramfs-{arch}.xz\nboot\n"


def boot_list(identity: str = PLAIN) -> str:
    """The builder's list: a loader for each kind of machine, and one image."""
    image, ipxe = f"{identity}/v1.12.4", f"sha256:{'1' * 64} https://downloads.example.org/ipxe.deb"
    lines = [f"talos/{image}/{name} first https://factory.talos.dev/image/{image}/{name}" for name in FILES]
    lines += [f"tftp/{name} {ipxe} usr/lib/ipxe/{name}" for name in ("undionly.kpxe", "snponly.efi")]
    return "".join(f"{line}\n" for line in lines)


BOOT_TREE = Path(__file__).parent / "fixtures" / "boot"
"""A repository whose folders run dnsmasq and the boot server."""


def lab() -> dict[str, Any]:
    """The lab's raw environment, the caller's own copy."""
    return copy.deepcopy(_LAB)


def a_world(environment: dict[str, Any] | None = None, file: Path | None = None, faults: Faults | None = None) -> World:
    """A World of ``environment``, whose owner wrote vala-1's card."""
    return World(environment or lab(), file=file, faults=faults, cards={"vala-1": card("vala-1")})


def _application(name: str, gitops: dict[str, Any]) -> dict[str, Any]:
    source = {"repoURL": gitops["repository"], "targetRevision": gitops["revision"], "path": f"gitops/lab/boot/{name}"}
    server = "https://kubernetes.default.svc"
    return {"project": "default", "source": source, "destination": {"server": server, "namespace": "netboot"}}


def with_boot_services(world: World, repository: Path | None = None) -> Cluster:
    """Ainur stands and serves boots out of ``repository``: gives its cluster, for a test to take something away."""
    world.hosts.log_in({"host": "10.0.0.50", "user": "op", "privateKey": KEY.private})
    cluster = world.kubernetes.clusters["boot"]
    cluster.register(("Application",), "argocd")
    world.repository = repository or BOOT_TREE
    world.environment.setdefault("gitops", {"repository": "https://git.example.org/lab.git", "revision": "main"})
    for application in ("dnsmasq", "pi-netboot"):
        place(
            cluster, "Application", "argocd", application, spec=_application(application, world.environment["gitops"])
        )
    place(cluster, "ConfigMap", "netboot", "dnsmasq", data={"dnsmasq.conf": DNSMASQ})
    place(cluster, "ConfigMap", "netboot", "boot", data={"boot.ipxe": MENU, "unknown.ipxe": script()})
    place(cluster, "ConfigMap", "netboot", "boot-downloads", data={"boot.list": boot_list()})
    return cluster


def place(cluster: Cluster, kind: str, namespace: str, name: str, **body: Any) -> None:
    """Put an object into a cluster past its API."""
    version = "argoproj.io/v1alpha1" if kind == "Application" else "v1"
    cluster.place(
        {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, **body}, "t"
    )


class Aborted(Exception):
    """A gRPC call ended with an error: its text."""


@dataclass
class Call:
    """The engine's side of one gRPC call, as a servicer sees it."""

    who: str = "ipv4:127.0.0.1:1"
    metadata: list[Any] = field(default_factory=list)

    def peer(self) -> str:
        return self.who

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata += metadata

    def abort(self, code: Any, details: str) -> None:
        raise Aborted(details)


class Engine:
    """Asks a stand-in what the engine would ask, with plain dicts."""

    def __init__(self, standin: StandIn, world: World) -> None:
        self.servicer = Servicer(standin, world)
        self.call: Any = Call()  # a servicer asks it for its peer, and to abort
        self.servicer.Configure(provider_pb2.ConfigureRequest(), self.call)

    @staticmethod
    def urn(token: str, name: str) -> str:
        return f"urn:pulumi:lab::iluvatar::{token}::{name}"

    def check(self, token: str, **news: Any) -> list[tuple[str, str]]:
        """Failures as ``(property, reason)``."""
        request = provider_pb2.CheckRequest(urn=self.urn(token, "it"), news=encode(news))
        answer = self.servicer.Check(request, self.call)
        return [(failure.property, failure.reason) for failure in answer.failures]

    def create(
        self, token: str, preview: bool = False, *, named: str = "it", **news: Any
    ) -> tuple[str, dict[str, Any], set[Any]]:
        """``(id, state, paths of secrets)``."""
        request = provider_pb2.CreateRequest(urn=self.urn(token, named), properties=encode(news), preview=preview)
        answer = self.servicer.Create(request, self.call)
        state, secrets = decode(answer.properties)
        return answer.id, state, set(secrets)

    def diff(self, token: str, olds: dict[str, Any], news: dict[str, Any]) -> provider_pb2.DiffResponse:
        request = provider_pb2.DiffRequest(
            id="x", urn=self.urn(token, "it"), old_inputs=encode(olds), olds=encode(olds), news=encode(news)
        )
        return self.servicer.Diff(request, self.call)

    def update(self, token: str, olds: dict[str, Any], news: dict[str, Any], preview: bool = False) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(
            id="x", urn=self.urn(token, "it"), olds=encode(olds), news=encode(news), preview=preview
        )
        return decode(self.servicer.Update(request, self.call).properties)[0]

    def delete(self, token: str, state: dict[str, Any]) -> empty_pb2.Empty:
        request = provider_pb2.DeleteRequest(id="x", urn=self.urn(token, "it"), properties=encode(state))
        return self.servicer.Delete(request, self.call)

    def read(self, token: str, known: str, **state: Any) -> provider_pb2.ReadResponse:
        request = provider_pb2.ReadRequest(id=known, urn=self.urn(token, "it"), properties=encode(state))
        return self.servicer.Read(request, self.call)

    def invoke(self, token: str, **args: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        """``(result, failures)``."""
        answer = self.servicer.Invoke(provider_pb2.InvokeRequest(tok=token, args=encode(args)), self.call)
        failures = [(failure.property, failure.reason) for failure in answer.failures]
        return decode(getattr(answer, "return"))[0], failures


def patch(name: str, address: str, *, vip: str | None = "10.0.0.100", **install: Any) -> str:
    """A node's configuration patch: what the world needs to know, no more."""
    chosen = install or {"diskSelector": {"type": "nvme"}}
    documents: list[dict[str, Any]] = [
        {
            "machine": {"install": {"image": f"factory.talos.dev/metal-installer/{PLAIN}:v1.12.4", **chosen}},
            "cluster": {"network": {"cni": {"name": "none"}}},
        },
        {"apiVersion": "v1alpha1", "kind": "HostnameConfig", "auto": "off", "hostname": name},
        {"apiVersion": "v1alpha1", "kind": "LinkConfig", "name": "eno1", "addresses": [{"address": f"{address}/24"}]},
    ]
    if vip:
        documents.append({"apiVersion": "v1alpha1", "kind": "Layer2VIPConfig", "name": vip, "link": "eno1"})
    return yaml.safe_dump_all(documents)
