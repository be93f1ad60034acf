"""Seeds of simulated Pis, written by hand: nothing here comes from the renderer, so that it does not judge itself."""

from __future__ import annotations

from typing import Any

import yaml

from tests.rehearsal.lab_keys import HOST_KEY, KEY

NVME = "/var/lib/longhorn/disks/nvme1"
VIP = "10.0.0.58"
KEPT_TOKEN = "/var/lib/ilmarin/k3s-token"
AGENTS_TOKEN = "/var/lib/ilmarin/k3s-agent-token"
_ORDER = {"nvme": "", "keep": "nvme", "host-keys": "keep", "pki": "keep", "k3s": "keep hostname pki", "hostname": ""}
_K3S = {"k3s": "server", "k3s-agent": "agent"}


def unit(name: str) -> str:
    """The unit of one of the Pis' scripts."""
    after = " ".join(f"ilmarin-{each}.service" for each in _ORDER[name].split())
    needs = "Requires=ilmarin-keep.service\n" if name == "k3s" else ""
    return (
        f"[Unit]\nAfter={after}\n{needs}[Service]\nType=oneshot\nRemainAfterExit=yes\nRestart=on-failure\n"
        f"ExecStart=/usr/local/lib/ilmarin/{name}.sh\n[Install]\nWantedBy=ilmarin.target\n"
    )


TOKEN_UNIT = (
    "[Unit]\nRequires=ilmarin-k3s.service\nAfter=ilmarin-k3s.service\nConditionPathExists=/var/lib/ilmarin/k3s-token\n"
    "[Service]\nType=oneshot\nExecStart=/usr/local/lib/ilmarin/token.sh\n[Install]\nWantedBy=ilmarin.target\n"
)


def kube_vip(address: str = VIP) -> str:
    """As much of kube-vip's manifest as says which address it holds."""
    environment = [{"name": "cp_enable", "value": "true"}, {"name": "address", "value": address}]
    container = {"name": "kube-vip", "image": "ghcr.io/kube-vip/kube-vip:v1.0.0", "env": environment}
    labels = {"app": "kube-vip"}
    template = {"metadata": {"labels": labels}, "spec": {"hostNetwork": True, "containers": [container]}}
    spec = {"selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": "kube-vip", "namespace": "kube-system"}
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})


def settings(name: str, **over: str) -> dict[str, str]:
    """``node.env`` of a Pi: a name with ``vala`` is a server with a card, any other a netbooted agent."""
    server = name.startswith("vala")
    found = {
        "NODE": name,
        "ZONE": "lab.example.com",
        "LAB": "lab",
        "CARD": "yes" if server else "no",
        "NVME": "yes",
        "KEEP": "/var/lib/ilmarin" if server else f"{NVME}/ilmarin",
        "ROLE": "server" if server else "agent",
        "FIRST": "yes" if name == "vala-1" else "no",
        "API": f"https://{VIP}:6443",
        "K3S_VERSION": "v1.33.6+k3s1",
    }
    return found | over


def config(name: str) -> dict[str, Any]:
    """``config.yaml`` of k3s."""
    own = {"tls-san": [VIP], "disable": ["servicelb"], "agent-token-file": AGENTS_TOKEN}
    server: dict[str, Any] = own if name.startswith("vala") else {}
    join = {"server": f"https://{VIP}:6443", "token-file": KEPT_TOKEN}
    return {"node-name": name, **server, **({"cluster-init": True} if name == "vala-1" else join)}


def files(name: str, **over: Any) -> dict[str, str]:
    """Path → content of what a seed places; ``over`` by the last part of a path, ``None`` leaves it out."""
    scripts = ("hostname", "nvme", "keep", "host-keys", "pki", "k3s", "token")
    found = {f"/usr/local/lib/ilmarin/{each}.sh": "#!/bin/sh\n" for each in scripts}
    found |= {f"/etc/systemd/system/ilmarin-{each}.service": unit(each) for each in _ORDER}
    found |= {
        "/etc/systemd/system/ilmarin-token.service": TOKEN_UNIT,
        "/etc/systemd/system/ilmarin.target": "[Install]\nWantedBy=multi-user.target\n",
        "/etc/ilmarin/node.env": "".join(f"{key}={value}\n" for key, value in settings(name).items()),
        "/etc/rancher/k3s/config.yaml": yaml.safe_dump(config(name)),
    }
    for each, kind in _K3S.items():
        text = f"[Service]\nType=notify\nRestart=always\nExecStart=/usr/local/bin/k3s {kind}\n"
        found[f"/etc/systemd/system/{each}.service"] = text
    if name.startswith("vala"):
        found["/var/lib/rancher/k3s/server/manifests/kube-vip.yaml"] = kube_vip()
    replaced = {path.rpartition("/")[2]: path for path in found}
    for key, value in over.items():
        found[replaced.get(key, key)] = value
    return {path: content for path, content in found.items() if content is not None}


def seed(name: str, *, placed: dict[str, Any] | None = None, **over: Any) -> dict[str, str]:
    """A whole seed; ``placed`` is ``files``' ``over``, ``over`` replaces keys of user-data."""
    first = name == "vala-1"
    units = [f"ilmarin-{each}.service" for each in _ORDER if first or each != "pki"]
    units += [] if first else ["ilmarin-token.service"]
    entries = [
        {"path": path, "content": content, "permissions": "0755" if path.endswith(".sh") else "0644"}
        for path, content in sorted(files(name, **(placed or {})).items())
    ]
    told: dict[str, Any] = {
        "hostname": name,
        "users": [{"name": "op", "ssh_authorized_keys": [KEY.public]}],
        "ssh_genkeytypes": [],
        "write_files": entries,
        "runcmd": [
            ["systemctl", "daemon-reload"],
            ["systemctl", "enable", "ilmarin.target", *units],
            ["systemctl", "start", "ilmarin.target"],
        ],
    }
    text = "#cloud-config\n" + yaml.safe_dump(told | over)
    return {"user-data": text, "meta-data": f"instance-id: {name}\nlocal-hostname: {name}\n"}


def card(name: str, **over: Any) -> dict[str, str]:
    """What the owner's card carries: a seed, and the host key that the lab's file pins."""
    return seed(name, **over) | {"ilmarin-host-key": HOST_KEY}
