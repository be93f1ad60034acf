"""Environments made by measure, valid by construction: for properties and benchmarks.

Owns generating them. Refuses to import the laws that judge them.
"""

import base64
from ipaddress import IPv4Network
from typing import Any

import yaml

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEwQKWl+41hxXToUoq3YF8SwFlFEDegINx94FlrJDcWB"
VERSIONS = {"talos": "v1.12.4", "kubernetes": "v1.34.2", "k3s": "v1.33.6+k3s1", "kube_vip": "v1.1.2"}


def lab(control_planes: int = 3, workers: int = 1, subnet: str = "10.0.0.0/16") -> dict[str, Any]:
    """An environment of flashed PCs in one VLAN, its router at .1, its VIP at .2, its nodes from .16 on."""
    net = IPv4Network(subnet)
    names = [f"cp-{i}" for i in range(control_planes)] + [f"worker-{i}" for i in range(workers)]
    assert 16 + len(names) < net.num_addresses - 1, f"{subnet} cannot hold {len(names)} nodes"
    switches = {f"switch-{i}": {"model": "48 ports", "ports": 48} for i in range((len(names) + 47) // 48)}
    router = str(net.network_address + 1)
    return {
        "name": "many",
        "domain": "example.com",
        "versions": dict(VERSIONS),
        "hardware": {"pc": pc()},
        "network": {
            "router": {"address": router},
            "resolvers": ["9.9.9.9"],
            "time_servers": ["time.example.com"],
            "vlans": {"lan": {"subnet": subnet, "gateway": router}},
            "racks": {"hall": {"switches": switches}},
        },
        "cluster": {
            "name": "arda",
            "vlan": "lan",
            "vip": str(net.network_address + 2),
            "talos_contract": "v1.12",
            "pods": "172.16.0.0/12",
            "services": "100.64.0.0/20",
            "schedulable_control_planes": workers == 0,
            "nodes": {name: node(name, index, net) for index, name in enumerate(names)},
        },
    }


def node(name: str, index: int, net: IPv4Network) -> dict[str, Any]:
    """A Talos node: its place in the list decides address, MAC and switch port."""
    return {
        "class": "pc",
        "role": "control-plane" if name.startswith("cp-") else "worker",
        "address": str(net.network_address + 16 + index),
        "mac": mac(0, index),
        "reach": "router-reservation",
        "boot": "flashed",
        "port": f"switch-{index // 48}/{index % 48 + 1}",
    }


def mac(kind: int, index: int) -> str:
    """A locally administered MAC."""
    return f"02:{kind:02x}:00:{index >> 16 & 255:02x}:{index >> 8 & 255:02x}:{index & 255:02x}"


def pc() -> dict[str, Any]:
    """A hardware class with a disk for the system and one for data."""
    disks = {
        "nvme": {"kind": "nvme", "size_gb": 256, "role": "system"},
        "sata": {"kind": "ssd", "size_gb": 4000, "role": "data"},
    }
    talos = {"extensions": ["siderolabs/iscsi-tools", "siderolabs/util-linux-tools"]}
    return {
        "arch": "amd64",
        "firmware": "uefi",
        "memory_gib": 16,
        "watts": 65,
        "nics": ["eno1"],
        "disks": disks,
        "talos": talos,
    }


def pi() -> dict[str, Any]:
    """A Raspberry Pi with a card and an NVMe."""
    disks = {
        "sd": {"kind": "sd", "size_gb": 64, "role": "system"},
        "nvme": {"kind": "nvme", "size_gb": 128, "role": "data"},
    }
    return {"arch": "arm64", "firmware": "raspberry-pi", "board": "raspberry-pi-5"} | {
        "memory_gib": 8,
        "watts": 15,
        "nics": ["eth0"],
        "disks": disks,
    }


def host_key(index: int) -> str:
    """A host key of its own for each Pi."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + bytes([index + 1]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def add_bootstrap(raw: dict[str, Any], servers: int, agents: int, first: int, vip: int) -> None:
    """Give a lab Pis, from offset `first` of its subnet on, their VIP at offset `vip`."""
    net = IPv4Network(raw["network"]["vlans"]["lan"]["subnet"])
    raw["hardware"]["pi"] = pi()
    nodes = {}
    for index in range(servers + agents):
        server = index < servers
        nodes[f"vala-{index}" if server else f"maia-{index}"] = {
            "class": "pi",
            "role": "server" if server else "agent",
            "boot": ["sd", "nvme"] if server else ["nvme"],
            "address": str(net.network_address + first + index),
            "mac": mac(1, index),
            "serial": f"{index + 1:016x}",
            "host_key": host_key(index),
        }
    raw["bootstrap"] = {
        "name": "ainur",
        "vlan": "lan",
        "vip": str(net.network_address + vip),
        "ingress": str(net.network_address + vip + 2),
        "ssh": {"user": "ilmarin", "authorized_keys": [KEY]},
        "nodes": nodes,
    }


def chart(name: str, namespace: str = "") -> str:
    """A folder's kustomization that pins a chart."""
    told = {"name": name, "repo": "https://charts.example.com", "version": "1.0.0", "releaseName": name}
    told |= {"namespace": namespace or name, "includeCRDs": True}
    return yaml.safe_dump({"helmCharts": [told | ({"valuesFile": "values.yaml"} if name == "cilium" else {})]})


VISITORS = """
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata: { name: visitors }
spec:
  targetRefs: [{ group: gateway.networking.k8s.io, kind: Gateway, name: outside }]
  clientIPDetection: { xForwardedFor: { numTrustedHops: 1 } }
"""
"""Who a visitor is, where Cloudflare stands before the gateway."""


def tree(*, bgp: bool = False, gateways: bool = True) -> dict[str, str]:
    """The GitOps folders such a lab needs. Without gateways nobody else makes their controller's namespace."""
    folders = {f"{cluster}/seed/argo-cd/kustomization.yaml": chart("argo-cd") for cluster in ("arda", "ainur")}
    values = (
        "kubeProxyReplacement: true\nk8sServiceHost: localhost\nk8sServicePort: 7445\n"
        "routingMode: native\nipv4NativeRoutingCIDR: 172.16.0.0/12\nloadBalancer: { algorithm: maglev }\n"
        "hubble: { tls: { auto: { method: cronJob } } }\nipam: { mode: kubernetes }\nautoDirectNodeRoutes: true\n"
        "cgroup: { autoMount: { enabled: false }, hostRoot: /sys/fs/cgroup }\nk8sClientRateLimit: { qps: 100 }\n"
        "securityContext: { capabilities: { ciliumAgent: [NET_ADMIN], cleanCiliumState: [NET_ADMIN] } }\n"
        f"l2announcements: {{ enabled: {str(not bgp).lower()} }}\nbgpControlPlane: {{ enabled: {str(bgp).lower()} }}\n"
    )
    seeds = {
        "arda/seed/cilium/kustomization.yaml": chart("cilium", "kube-system"),
        "arda/seed/cilium/values.yaml": values,
        "arda/seed/envoy-gateway/kustomization.yaml": chart("envoy-gateway"),
        "arda/seed/cloudflared/kustomization.yaml": "resources: []\n",
    }
    if gateways:
        seeds["arda/seed/cloudflared/kustomization.yaml"] = "namespace: envoy-gateway\nresources: [visitors.yaml]\n"
        seeds["arda/seed/cloudflared/visitors.yaml"] = VISITORS
    else:
        seeds["arda/seed/envoy-gateway/kustomization.yaml"] += "resources: [namespace.yaml]\n"
        seeds["arda/seed/envoy-gateway/namespace.yaml"] = (
            "apiVersion: v1\nkind: Namespace\nmetadata: { name: envoy-gateway }\n"
        )
    return folders | seeds
