"""A lab that uses every key of every layer, as tests use it: for Talos itself, its schema, and the patch's laws.

Owns the one example. Refuses to be a valid shipped lab: its second cards are made up.
"""

from typing import Any

from tests.labs import raw

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBeDCCAR+gAwIBAgIUMadeUpForATestOnlyAndOfNobody0wCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
"""
ALL: dict[str, Any] = {
    "sysctls": {"net.core.rmem_max": 7500000, "vm.nr_hugepages": "1024"},
    "kernel_modules": {"nbd": ["max_part=8"], "nvme_tcp": []},
    "kubelet": {"maxPods": 200, "shutdownGracePeriod": "60s"},
    "labels": {"example.com/site": "attic"},
    "annotations": {"example.com/owner": "Ilúvatar"},
    "registry_mirrors": {
        "docker.io": {"endpoints": ["https://mirror.example.com", "http://192.168.1.2:5000"], "skip_fallback": True},
        "ghcr.io": {"endpoints": ["https://harbor.example.com/v2/ghcr"], "override_path": True},
    },
    "trusted_roots": {"lab-ca": CERTIFICATE},
    "cert_sans": ["k8s.example.com"],
    "machine": {
        "env": {"NO_PROXY": "192.168.0.0/16"},
        "udev": {"rules": ['SUBSYSTEM=="drm", KERNEL=="renderD*", GROUP="44", MODE="0660"']},
        "features": {"imageCache": {"localEnabled": False}},
        "kubelet": {"extraArgs": {"v": "2"}},
    },
    "documents": {
        "OOMConfig": {"sampleInterval": "500ms"},
        "EthernetConfig/eno1": {"rings": {"rx": 2048}},
        "StaticHostConfig/192.168.1.2": {"hostnames": ["nas", "nas.example.com"]},
        "VolumeConfig/EPHEMERAL": {"provisioning": {"maxSize": "100GiB"}},
    },
}
LAYERS: dict[str, Any] = {
    "all": ALL,
    "control_planes": {
        "cert_sans": ["api.example.com"],
        "cluster": {
            "apiServer": {"extraArgs": {"goaway-chance": "0.001"}},
            "etcd": {"extraArgs": {"listen-metrics-urls": "http://0.0.0.0:2381"}},
        },
    },
    "workers": {
        "taints": {"example.com/slow": "PreferNoSchedule"},
        "sysctls": {"vm.nr_hugepages": None},
        "machine": {"udev": {"rules": ['KERNEL=="nvme*", ATTR{queue/scheduler}="none"']}},
    },
    "classes": {
        "prodesk-400-g4": {
            "watchdog_timeout": "90s",
            "bond": {"links": ["eno1", "enp2s0"], "mode": "802.3ad", "lacp_rate": "fast", "hash_policy": "layer3+4"},
        },
    },
}


def layered() -> dict[str, Any]:
    """`homelab` with a word in every layer, a bond, further VLANs and every kind of volume."""
    lab = raw("homelab")
    hardware = lab["hardware"]["prodesk-400-g4"]
    hardware |= {"nics": ["eno1", "enp2s0"], "watchdog": "/dev/watchdog0"}
    lab["cluster"]["talos"] = LAYERS
    nodes = lab["cluster"]["nodes"]
    nodes["istari-1"] |= {
        "vlans": {"iot": "192.168.20.104", "management": "192.168.50.104"},
        "disks": {"sata": {"by_id": "ata-EXAMPLE_4TB_0001"}},
        "talos": {"labels": {"example.com/site": None}, "resolvers": ["192.168.1.1"], "time_servers": ["192.168.1.1"]},
    }
    lab["storage"]["systems"]["local"] = {"kind": "openebs", "disk": "nvme", "nodes": ["istari-2"]}
    return lab
