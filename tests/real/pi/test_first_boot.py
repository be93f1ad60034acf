"""A rendered seed's files, laid out as cloud-init does, and its scripts run in their units' order: a whole first boot.

What is not here: systemd, k3s itself, and cloud-init's own work; `test_cloud_init` has cloud-init judge the seed.
"""

import platform
import re

import pytest
import yaml

from model.ainur import BootstrapNodePlan
from render import cloud_init
from tests.labs import shipped_plan
from tests.real.pi.box import Box
from tests.real.pi.disks import Disks
from tests.real.pi.released import ASSETS, release
from tests.real.pi.served import Served
from tests.real.pi.test_nvme import SIZE

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() not in ASSETS, reason="k3s is released for x86_64 and arm64"),
]

PLAN = shipped_plan("homelab")
UNITS = "/etc/systemd/system"
POINT = "/var/lib/longhorn/disks/nvme1"


def nodes(role: str) -> BootstrapNodePlan:
    assert PLAN.bootstrap
    return next(node for node in PLAN.bootstrap.nodes if node.role == role)


def laid_out(pi: Box, node: BootstrapNodePlan, site: Served) -> list[str]:
    """Writes what `write_files` says, but for where k3s is downloaded; the units that `runcmd` enables."""
    config = yaml.safe_load(cloud_init.seed(PLAN, node)["user-data"])
    for entry in config["write_files"]:
        before = pi.read(entry["path"]) if entry.get("append") and pi.is_there(entry["path"]) else ""
        pi.write(entry["path"], before + entry["content"], int(entry.get("permissions", "0644"), 8))
    settings = "/etc/ilmarin/node.env"
    pi.write(settings, f"{pi.read(settings)}K3S_RELEASES={site.url}/k3s\n")
    return next(
        command[3:] for command in config["runcmd"] if command[:2] == ["systemctl", "enable"] and len(command) > 4
    )


def boot(pi: Box, enabled: list[str]) -> list[str]:
    """Run the scripts of these units, each after those that its unit names in `After`, or that name it in `Before`."""
    texts = {name: pi.read(f"{UNITS}/{name}") for name in enabled if name.endswith(".service")}
    waits: dict[str, set[str]] = {
        name: set(" ".join(re.findall("^After=(.*)$", text, re.M)).split()) for name, text in texts.items()
    }
    for name, text in texts.items():
        for later in " ".join(re.findall("^Before=(.*)$", text, re.M)).split():
            waits[later].add(name)
    ran: list[str] = []
    while waits:
        name = next(name for name in sorted(waits) if not waits[name] & set(waits))
        del waits[name]
        condition = re.search("^ConditionPathExists=(.*)$", texts[name], re.M)
        if not condition or pi.is_there(condition[1]):
            ran.append(name.removeprefix("ilmarin-").removesuffix(".service"))
            pi.works(ran[-1])
    return ran


def test_a_vala_comes_up_from_its_rendered_seed_and_the_next_boot_changes_nothing(
    pi: Box, plugged: Disks, site: Served
) -> None:
    node = nodes("server")
    assert PLAN.bootstrap
    release(site, PLAN.bootstrap.k3s)
    for flag, text in {"synchronised": "yes\n", "ready": "ok", "namespace": ""}.items():
        pi.write(f"/run/{flag}", text)
    plugged.plug("nvme0n1", SIZE)
    enabled = laid_out(pi, node, site)
    ran = boot(pi, enabled)
    assert ran.index("nvme") < ran.index("keep") < ran.index("host-keys")
    assert ran.index("keep") < ran.index("pki") < ran.index("k3s")
    pi.works("trust")  # its timer comes later
    kept = ("/etc/ssh/ssh_host_ed25519_key", "/var/lib/ilmarin/pki/root.crt", "/etc/ilmarin/ca.crt", "/etc/hosts")
    was = {path: pi.read(path) for path in kept}
    assert pi.tell("hostname").strip() == node.name
    assert pi.tell("/usr/local/bin/k3s", "--version").split()[2] == PLAN.bootstrap.k3s
    assert f"{PLAN.bootstrap.ingress} " in was["/etc/hosts"]
    config = yaml.safe_load(pi.read("/etc/rancher/k3s/config.yaml"))
    authority = next(flag for flag in config["kube-apiserver-arg"] if flag.startswith("oidc-ca-file="))
    assert pi.is_there(authority.partition("=")[2])
    pi.tell("umount", POINT)
    assert boot(pi, enabled) == ran
    pi.works("trust")
    assert {path: pi.read(path) for path in kept} == was


def test_a_maia_comes_up_waits_for_its_token_joins_and_rejoins_by_itself_when_its_root_forgot(
    pi: Box, plugged: Disks, site: Served
) -> None:
    node = nodes("agent")
    assert PLAN.bootstrap
    assert not node.persistent
    release(site, PLAN.bootstrap.k3s)
    plugged.plug("nvme0n1", SIZE)
    enabled = laid_out(pi, node, site)
    assert "token" not in boot(pi, enabled)
    config = yaml.safe_load(pi.read("/etc/rancher/k3s/config.yaml"))
    pi.write("/run/registered", "")
    pi.write(config["token-file"], "K10" + "ab" * 32 + "::node:0123456789abcdef\n", 0o600)
    pi.works("token")
    pi.write("/etc/rancher/node/password", "of-this-node")
    key = pi.read("/etc/ssh/ssh_host_ed25519_key")

    for place in ("/var/lib/kubelet", "/var/lib/rancher", "/etc/rancher/node", "/var/lib/ilmarin", POINT):
        pi.tell("umount", place)
    pi.tell("rm", "-rf", "/etc/ssh", "/etc/ilmarin", "/etc/rancher", "/usr/local/bin/k3s", "/run/units")
    site.files.clear()  # nor does it need the internet
    laid_out(pi, node, site)
    assert boot(pi, enabled)[-1] == "token"
    assert pi.read("/run/systemctl").splitlines()[-1] == "is-active --quiet k3s-agent"
    assert pi.read("/etc/ssh/ssh_host_ed25519_key") == key
    assert pi.read("/etc/rancher/node/password") == "of-this-node"
