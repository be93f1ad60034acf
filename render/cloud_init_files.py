"""The files that cloud-init writes onto a Pi, and what it then starts.

Owns which script, unit and setting goes where. Refuses the scripts' contents (`render/pi`) and
what k3s is told (`render.k3s_config`).
"""

from importlib.resources import files as package
from typing import Any

import yaml

from model.ainur import BootstrapNodePlan, BootstrapPlan
from model.netboot import NetbootPlan
from model.plan import Plan
from render import coredns, downloads, k3s_config, kube_vip

SCRIPTS = "/usr/local/lib/ilmarin"
UNITS = "/etc/systemd/system"
TARGET = "ilmarin.target"
"""Wants every unit that is enabled here."""
SETTINGS = "/etc/ilmarin/node.env"

PACKAGES = (
    "ca-certificates",
    "curl",
    "dosfstools",
    "gdisk",
    "mtools",
    "nfs-common",  # the netbooted root, and volumes that several pods share
    "open-iscsi",  # Longhorn
    "openssh-server",
    "openssl",
    "parted",
    "util-linux",
    "xfsprogs",
    "xz-utils",
    "zstd",
)
"""What the scripts and Longhorn call, beside what Ubuntu's image has."""

STAMPING_JOBS = ("hostname", "packages", "nvme", "keep", "host-keys", "stamp")
"""What a Pi runs that came up from the network to write its card."""
STAMPING_PORT = 2222
"""Where SSH answers on such a Pi. Not at 22: `up` waits there for the system of the card, and would log in to one that
is about to go."""

SSHD = """\
# Written by Ilúvatar: by key only, one user, one host key, which outlives every boot.
PasswordAuthentication no
KbdInteractiveAuthentication no
AuthenticationMethods publickey
PermitRootLogin no
X11Forwarding no
AllowUsers {user}
HostKey /etc/ssh/ssh_host_ed25519_key
"""


def files(plan: Plan, cluster: BootstrapPlan, node: BootstrapNodePlan) -> list[dict[str, Any]]:
    """`write_files`, sorted by path; every path is absolute and comes once."""
    found = _for(jobs_of(node), node) | {
        SETTINGS: _file(settings(plan, cluster, node)),
        "/etc/ssh/sshd_config.d/00-ilmarin.conf": _file(SSHD.format(user=cluster.user)),
        k3s_config.FILE: _file(yaml.safe_dump(k3s_config.config(cluster, node), sort_keys=False), "0600"),
        k3s_config.RESOLVERS: _file("".join(f"nameserver {one}\n" for one in plan.network.resolvers)),
        f"{UNITS}/{node.unit}.service": _file(_ours("units", f"{node.unit}.service")),
    }
    if node.role == "server":
        manifests = kube_vip.files(cluster.vip, cluster.ingress, cluster.kube_vip)
        manifests |= coredns.files(plan.network.zone, plan.network.dns) if plan.network.dns else {}
        found |= {f"{kube_vip.FOLDER}/{name}": _file(text, "0600") for name, text in manifests.items()}
        # The API server asks the issuer for its keys by name, and must not need the cluster's own DNS for it
        found["/etc/hosts"] = {"content": f"{cluster.ingress} {_host(cluster.issuer)}\n", "append": True}
    return _sorted(found)


def stamping_files(
    plan: Plan, cluster: BootstrapPlan, node: BootstrapNodePlan, netboot: NetbootPlan
) -> list[dict[str, Any]]:
    """`write_files` of a Pi that came up from the network to write its card; `node` as it is then, without a card."""
    found = _for(STAMPING_JOBS, node) | {
        SETTINGS: _file(_settings(_everywhere(plan, node) | _to_stamp(node, netboot))),
        "/etc/ssh/sshd_config.d/00-ilmarin.conf": _file(f"{SSHD.format(user=cluster.user)}Port {STAMPING_PORT}\n"),
    }
    return _sorted(found)


def card_folder(node: BootstrapNodePlan) -> str:
    """Below `/pi/` at the boot server: the files of a card that its Pi writes itself."""
    return f"{node.folder}-card"


def _for(jobs: tuple[str, ...], node: BootstrapNodePlan) -> dict[str, dict[str, Any]]:
    """What every Pi has, and what its jobs need."""
    found = {f"{SCRIPTS}/{job}.sh": _file(_ours("scripts", f"{job}.sh"), "0755") for job in jobs}
    found |= {f"{UNITS}/{unit}": _file(_ours("units", unit)) for unit in (TARGET, *_units(jobs))}
    return found | {"/etc/systemd/journald.conf.d/ilmarin.conf": _file(journald(node))}


def _sorted(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"path": path, **one} for path, one in sorted(found.items())]


def settings(plan: Plan, cluster: BootstrapPlan, node: BootstrapNodePlan) -> str:
    """What the scripts read (`render/pi/README.md` says which reads what): KEY=value lines, none of them secret."""
    joins = {"ROLE": node.role, "FIRST": _yes(node.first), "API": cluster.api, "K3S_VERSION": cluster.k3s}
    others = ",".join(one.address for one in cluster.valar[1:])
    return _settings(_everywhere(plan, node) | joins | ({"SERVERS": others} if node.first and others else {}))


def _everywhere(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    return {
        "NODE": node.name,
        "LAB": plan.name,
        "ZONE": plan.network.zone,
        "CARD": _yes(node.persistent),
        "NVME": _yes(node.nvme),
        "KEEP": node.keep,
        "PACKAGES": ",".join(PACKAGES),
    }


def _to_stamp(node: BootstrapNodePlan, netboot: NetbootPlan) -> dict[str, str]:
    """What goes onto the card. Without an image nobody could write it: a law has said so."""
    if netboot.pi_system is None:
        return {}
    served = f"http://{netboot.address}"
    return {
        "IMAGE_URL": f"{served}/{downloads.pi_image(netboot.pi_system)}",
        "IMAGE_SHA256": netboot.pi_system.sha256,
        "SEED_URL": f"{served}/pi/{card_folder(node)}/",
    }


def _settings(told: dict[str, str]) -> str:
    return "".join(f"{key}={value}\n" for key, value in told.items())


def journald(node: BootstrapNodePlan) -> str:
    """On a card little is kept; on a netbooted Pi the journal lives in memory, so less."""
    kept = "SystemMaxUse=200M" if node.persistent else "Storage=volatile\nRuntimeMaxUse=48M"
    return f"# Written by Ilúvatar\n[Journal]\n{kept}\nMaxRetentionSec=1month\n"


def commands(node: BootstrapNodePlan) -> list[list[str]]:
    """`runcmd`: systemd learns what was placed, enables what this node needs, and runs it in its own order.

    cloud-init is done when that has ended, well or not. A joining Pi's k3s does not count: it waits for a token that is
    brought only when cloud-init is done.
    """
    return [
        ["systemctl", "daemon-reload"],
        ["systemctl", "restart", "systemd-journald"],
        ["systemctl", "enable", "--now", "fstrim.timer"],
        ["systemctl", "enable", TARGET, *_enabled(jobs_of(node))],
        ["systemctl", "start", TARGET],
    ]


def stamping_commands() -> list[list[str]]:
    """`runcmd` of a Pi that came up from the network to write its card. It reboots by itself when that is done.

    Ubuntu's SSH is started by a socket, whose port follows sshd's configuration at a daemon-reload.
    """
    return [
        ["systemctl", "daemon-reload"],
        ["systemctl", "restart", "systemd-journald"],
        ["systemctl", "restart", "ssh.socket"],
        ["systemctl", "enable", TARGET, *_enabled(STAMPING_JOBS)],
        ["systemctl", "start", TARGET],
    ]


def jobs_of(node: BootstrapNodePlan) -> tuple[str, ...]:
    """The scripts that this node runs, in the order in which a boot runs them. Each has a unit, or two, of its name."""
    own = ("pki", "k3s", "trust") if node.first else ("k3s", "token")
    return ("hostname", "packages", "nvme", "keep", "host-keys", *own)


def _units(jobs: tuple[str, ...]) -> list[str]:
    """Their units: what runs a script, after what makes it run other than a boot."""
    triggers = {"pki": "timer", "trust": "timer", "token": "path"}
    return [f"ilmarin-{job}.{kind}" for job in jobs for kind in filter(None, (triggers.get(job), "service"))]


def _enabled(jobs: tuple[str, ...]) -> list[str]:
    """Of those the ones that say when they are wanted: a trigger runs the script of its name."""
    return [unit for unit in _units(jobs) if unit != "ilmarin-trust.service"]


def _ours(folder: str, name: str) -> str:
    return package("render").joinpath("pi", folder, name).read_text(encoding="utf-8")


def _file(content: str, permissions: str = "0644") -> dict[str, Any]:
    return {"content": content, "permissions": permissions}


def _yes(condition: bool) -> str:
    return "yes" if condition else "no"


def _host(url: str) -> str:
    return url.removeprefix("https://")
