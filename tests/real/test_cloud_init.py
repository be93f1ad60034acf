"""What cloud-init is given, judged by who will read it: cloud-init itself, netplan, sshd, systemd, a shell, k3s' flags.

`cloud-init schema` passes over a misspelt key at the top level, so keys are also held against its own schema, closed.
"""

import configparser
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from model.ainur import BootstrapNodePlan
from model.plan import Plan
from render import cloud_init, cloud_init_files, k3s_config, pi_card
from tests.labs import planned
from tests.render.test_cloud_init import NODES, ONE, user_data, written
from tests.stamped import stamped

pytestmark = pytest.mark.real

SCHEMAS = Path("/usr/lib/python3/dist-packages/cloudinit/config/schemas")
CARDS = [one for one in NODES if isinstance(one.values[1], BootstrapNodePlan) and one.values[1].persistent]

JOURNALD = {"SystemMaxUse", "RuntimeMaxUse", "MaxRetentionSec", "Storage"}
"""Of journald.conf(5)."""
K3S_AGENT = {
    *("config", "debug", "server", "token", "token-file", "data-dir", "node-name", "with-node-id", "node-label"),
    *("node-taint", "node-ip", "node-external-ip", "flannel-iface", "flannel-conf", "kubelet-arg", "kube-proxy-arg"),
    *(
        "protect-kernel-defaults",
        "rootless",
        "selinux",
        "snapshotter",
        "private-registry",
        "resolv-conf",
        "lb-server-port",
    ),
}
"""Options of `k3s agent` (its documentation's page of that name)."""
K3S_SERVER = K3S_AGENT | {
    *("bind-address", "https-listen-port", "advertise-address", "advertise-port", "tls-san", "tls-san-security"),
    *("cluster-cidr", "service-cidr", "cluster-dns", "cluster-domain", "flannel-backend", "write-kubeconfig"),
    *(
        "write-kubeconfig-mode",
        "kube-apiserver-arg",
        "kube-controller-manager-arg",
        "kube-scheduler-arg",
        "cluster-init",
    ),
    *("datastore-endpoint", "etcd-disable-snapshots", "etcd-snapshot-name", "etcd-snapshot-schedule-cron"),
    *("etcd-snapshot-retention", "etcd-snapshot-dir", "etcd-snapshot-compress", "disable", "disable-network-policy"),
    *("secrets-encryption", "agent-token", "agent-token-file", "embedded-registry", "supervisor-metrics"),
}
"""Options of `k3s server` (its documentation's page of that name), those of the agent included."""
OIDC = {f"oidc-{what}" for what in ("issuer-url", "client-id", "username-claim", "username-prefix", "groups-claim")}
OIDC |= {"oidc-groups-prefix", "oidc-ca-file"}
KUBELET = {"container-log-max-size", "container-log-max-files", "image-gc-high-threshold", "image-gc-low-threshold"}
KUBELET |= {"system-reserved"}


def _top_level() -> set[str]:
    """Every key that cloud-init's own schema knows at the top of a cloud-config."""
    schema = json.loads((SCHEMAS / "schema-cloud-config-v1.json").read_text())
    known: set[str] = set()
    for part in schema["allOf"]:
        known |= set(schema["$defs"][part["$ref"].rpartition("/")[2]].get("properties", {}))
    return known


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_cloud_init_reads_every_file(
    plan: Plan, node: BootstrapNodePlan, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    tool = require_tool("cloud-init")
    for name, text in cloud_init.seed(plan, node).items():
        if name in ("user-data", "vendor-data"):
            (tmp_path / name).write_text(text)
            judged = _run(tool, "schema", "--config-file", str(tmp_path / name))
            said = judged.stdout + judged.stderr
            assert judged.returncode == 0, said
            assert "deprecat" not in re.sub(r"Cloud config schema deprecations: *\n", "", said), said


def test_cloud_init_reads_the_seed_that_writes_a_card(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    plan = planned(stamped())
    assert plan.bootstrap
    seed = cloud_init.stamping_seed(plan, next(node for node in plan.bootstrap.nodes if node.stamped))
    tool = require_tool("cloud-init")
    assert set(yaml.safe_load(seed["user-data"])) <= _top_level()
    (tmp_path / "user-data").write_text(seed["user-data"])
    judged = _run(tool, "schema", "--config-file", str(tmp_path / "user-data"))
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_validator_sees_a_wrong_value(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    tool = require_tool("cloud-init")
    (tmp_path / "user-data").write_text("#cloud-config\nssh_genkeytypes: []\n")
    assert _run(tool, "schema", "--config-file", str(tmp_path / "user-data")).returncode != 0


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_no_key_is_unknown_to_cloud_init(
    plan: Plan, node: BootstrapNodePlan, require_tool: Callable[[str], str]
) -> None:
    require_tool("cloud-init")
    known, seed = _top_level(), cloud_init.seed(plan, node)
    assert len(known) > 60
    assert "write_file" not in known
    for data in (user_data(plan, node), yaml.safe_load(seed["vendor-data"])):
        assert set(data) <= known
    entry = json.loads((SCHEMAS / "schema-cloud-config-v1.json").read_text())["$defs"]["cc_write_files"]
    allowed = set(entry["properties"]["write_files"]["items"]["properties"])
    for one in user_data(plan, node)["write_files"]:
        assert set(one) <= allowed, one["path"]


@pytest.mark.parametrize(("plan", "node"), CARDS)
def test_netplan_makes_of_a_card_s_network_what_the_data_says(
    plan: Plan, node: BootstrapNodePlan, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """By way of cloud-init, which hands it to netplan, and netplan to networkd."""
    convert, netplan = require_tool("cloud-init"), require_tool("netplan")
    (tmp_path / "network-config").write_text(cloud_init.seed(plan, node)["network-config"])
    way = ("-p", str(tmp_path / "network-config"), "-k", "yaml", "-d", str(tmp_path), "-D", "ubuntu", "-O", "netplan")
    converted = _run(convert, "devel", "net-convert", *way)
    assert converted.returncode == 0, converted.stderr
    (tmp_path / "etc/netplan/50-cloud-init.yaml").chmod(0o600)
    made = _run(netplan, "generate", "--root-dir", str(tmp_path))
    assert made.returncode == 0, made.stderr
    assert not made.stderr, made.stderr
    network = (tmp_path / f"run/systemd/network/10-netplan-{node.link}.network").read_text()
    lines = set(network.splitlines())
    assert {f"PermanentMACAddress={node.mac}", f"Address={node.address}/24", "Gateway=192.168.1.1"} <= lines
    assert "DHCP" not in network


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_sshd_reads_its_settings_and_lets_nobody_in_by_password(
    plan: Plan, node: BootstrapNodePlan, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    sshd, keygen = require_tool("sshd"), require_tool("ssh-keygen")
    key, file = tmp_path / "key", tmp_path / "sshd_config"
    assert _run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)).returncode == 0
    text = written(plan, node)["/etc/ssh/sshd_config.d/00-ilmarin.conf"]
    # As on the Pi: ours is included first, and the first value that sshd finds for a word is the one that holds
    file.write_text(text.replace("/etc/ssh/ssh_host_ed25519_key", str(key)) + "\nPasswordAuthentication yes\n")
    judged = _run(sshd, "-T", "-f", str(file))
    assert judged.returncode == 0, judged.stderr
    said = set(judged.stdout.lower().splitlines())
    assert {"passwordauthentication no", "kbdinteractiveauthentication no", "permitrootlogin no"} <= said
    assert "authenticationmethods publickey" in said
    assert f"allowusers {ONE.bootstrap.user if ONE.bootstrap else ''}" in said
    key.unlink()
    assert "no hostkeys available" in _run(sshd, "-t", "-f", str(file)).stderr, "without the kept key it must not start"


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_systemd_reads_every_unit(
    plan: Plan, node: BootstrapNodePlan, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    """Its programs stand in: what they do is another test's."""
    analyze, units = require_tool("systemd-analyze"), []
    for path, text in written(plan, node).items():
        if path.startswith(cloud_init_files.UNITS):
            stands = re.sub(r"(/usr/local/(lib/ilmarin|bin)/[^ \n]+|/sbin/modprobe)", "/bin/true", text)
            (tmp_path / Path(path).name).write_text(stands)
            units.append(str(tmp_path / Path(path).name))
    assert len(units) >= 8
    command = [analyze, "--man=no", "--recursive-errors=no", "verify", *units]
    here = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"}
    judged = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=here)
    ours = [line for line in judged.stderr.splitlines() if "ilmarin" in line or "k3s" in line]
    assert not ours, ours
    assert judged.returncode == 0, judged.stderr


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_a_shell_reads_every_script_and_the_settings(plan: Plan, node: BootstrapNodePlan, tmp_path: Path) -> None:
    texts = {path: text for path, text in written(plan, node).items() if path.startswith(cloud_init_files.SCRIPTS)}
    assert len(texts) >= 6
    for path, text in texts.items():
        file = tmp_path / Path(path).name
        file.write_text(text)
        judged = _run("sh", "-n", str(file))
        assert judged.returncode == 0, f"{path}: {judged.stderr}"
    settings = tmp_path / "node.env"
    settings.write_text(written(plan, node)[cloud_init_files.SETTINGS])
    said = _run("sh", "-euc", f'. {settings}; echo "$NODE $ROLE $K3S_VERSION"')
    assert said.stdout.strip() == f"{node.name} {node.role} {plan.bootstrap.k3s if plan.bootstrap else ''}"
    assert not said.stderr


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_k3s_knows_every_option_that_it_is_given(plan: Plan, node: BootstrapNodePlan) -> None:
    told: dict[str, Any] = yaml.safe_load(written(plan, node)[k3s_config.FILE])
    assert set(told) <= (K3S_SERVER if node.role == "server" else K3S_AGENT)
    assert {one.partition("=")[0] for one in told["kubelet-arg"]} <= KUBELET
    assert {one.partition("=")[0] for one in told.get("kube-apiserver-arg", [])} <= OIDC
    for label in told["node-label"]:
        assert re.fullmatch(r"([a-z0-9.-]+/)?[A-Za-z0-9_.-]{1,63}=[A-Za-z0-9_.-]{0,63}", label)
        # NodeRestriction: a kubelet may not give itself one of these (Kubernetes documentation, "NodeRestriction")
        assert not label.startswith(("node-role.kubernetes.io/", "kubernetes.io/", "k8s.io/"))


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_journald_knows_every_setting(plan: Plan, node: BootstrapNodePlan) -> None:
    read = configparser.ConfigParser()
    read.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] # configparser's own way to keep capitals
    read.read_string(written(plan, node)["/etc/systemd/journald.conf.d/ilmarin.conf"])
    assert read.sections() == ["Journal"]
    assert set(read["Journal"]) <= JOURNALD


@pytest.mark.parametrize(("plan", "node"), CARDS)
def test_a_card_s_files_are_such_as_a_fat_partition_holds(plan: Plan, node: BootstrapNodePlan) -> None:
    for name, text in pi_card.files(plan, node).items():
        assert re.fullmatch(r"[a-z0-9.-]+", name)
        assert text.isascii() or name in ("user-data", "config.txt", "vendor-data"), "firmware reads bytes"
        assert "\r" not in text
