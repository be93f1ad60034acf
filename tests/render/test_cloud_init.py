"""The Pis' seeds: nothing secret, nothing twice, every script where its unit looks for it, one cluster for all."""

import configparser
import re
from typing import Any

import pytest
import yaml

from model.ainur import KEEP, BootstrapNodePlan
from model.plan import Plan
from render import cloud_init, cloud_init_files, files, k3s_config, kube_vip, pi_boot, pi_card
from tests.labs import planned, raw, shipped_plan

SECRETS = re.compile(r"PRIVATE KEY|BEGIN |K10[0-9a-f]{10}|(?i:passwd|password|secret|token) *[:=] *\S")
ALLOWED = ("lock_passwd: true", "ALL=(ALL) NOPASSWD:ALL", "token-file: /var/lib/ilmarin/k3s-token")


def with_cards(count: int) -> Plan:
    """homelab with so many servers, each with a card."""
    edited = raw("homelab")
    nodes = edited["bootstrap"]["nodes"]
    for index in range(2, count + 1):
        number = 60 + index
        nodes[f"vala-{index}"] = nodes["vala-1"] | {
            "address": f"192.168.1.{number}",
            "mac": f"02:00:00:00:01:{number}",
            "serial": f"10000000a1b2c3{number}",
            "port": f"usw-pro-24/{3 + index}",
        }
    return planned(edited)


ENABLE = ["systemctl", "enable", cloud_init_files.TARGET]
AGENT = {"node-name", "node-ip", "flannel-iface", "resolv-conf", "node-label", "kubelet-arg"} | {
    "server",
    "token-file",
}
ONE, THREE = shipped_plan("homelab"), with_cards(3)
NODES = [pytest.param(plan, node, id=f"{len(plan.bootstrap.nodes)}-{node.name}")
         for plan in (ONE, THREE) if plan.bootstrap for node in plan.bootstrap.nodes]  # fmt: skip


READ: dict[tuple[int, str], dict[str, Any]] = {}
"""What was read once, by plan and node: reading so much YAML takes a second."""


def user_data(plan: Plan, node: BootstrapNodePlan) -> dict[str, Any]:
    key = (id(plan), node.name)
    if key not in READ or not (plan is ONE or plan is THREE):
        READ[key] = yaml.safe_load(cloud_init.seed(plan, node)["user-data"])
    return READ[key]


def written(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    return {one["path"]: one["content"] for one in user_data(plan, node)["write_files"]}


def k3s(plan: Plan, node: BootstrapNodePlan) -> dict[str, Any]:
    return yaml.safe_load(written(plan, node)[k3s_config.FILE])


def settings(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    lines = written(plan, node)[cloud_init_files.SETTINGS].splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def servers(plan: Plan) -> list[BootstrapNodePlan]:
    assert plan.bootstrap
    return [node for node in plan.bootstrap.nodes if node.role == "server"]


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_no_seed_holds_a_secret(plan: Plan, node: BootstrapNodePlan) -> None:
    """The scripts are the same for every lab, and hold none by being in its repository."""
    data = dict(user_data(plan, node))
    data["write_files"] = [one for one in data["write_files"] if not one["path"].startswith(cloud_init_files.SCRIPTS)]
    texts = cloud_init.seed(plan, node) | {"user-data": yaml.safe_dump(data, width=10_000, default_style="|")}
    for name, text in texts.items():
        lines = [line.strip(' "') for line in text.splitlines()]
        found = [line for line in lines if SECRETS.search(line) and line not in ALLOWED and line[:1] != "#"]
        assert not found, name


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_the_first_line_says_cloud_config_and_the_rest_is_yaml(plan: Plan, node: BootstrapNodePlan) -> None:
    seed = cloud_init.seed(plan, node)
    assert set(seed) == {"user-data", "vendor-data", "meta-data", *(["network-config"] if node.persistent else [])}
    for name in ("user-data", "vendor-data"):
        assert seed[name].splitlines()[0] == "#cloud-config"
    for name, text in seed.items():
        assert isinstance(yaml.safe_load(text), dict), name
    assert not set(yaml.safe_load(seed["user-data"])) & set(yaml.safe_load(seed["vendor-data"])), "one would be lost"
    assert "packages" not in yaml.safe_load(seed["vendor-data"]), "tried once, by a clock that may be wrong"
    assert yaml.safe_load(seed["user-data"])["ssh_deletekeys"] is not node.persistent, "a card's key is pinned"


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_every_path_is_absolute_and_written_once(plan: Plan, node: BootstrapNodePlan) -> None:
    paths = [one["path"] for one in user_data(plan, node)["write_files"]]
    assert len(paths) > 15
    assert paths == sorted(set(paths))
    assert all(path.startswith("/") and ".." not in path and "//" not in path for path in paths)


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_every_script_that_a_unit_runs_is_placed_and_may_run(plan: Plan, node: BootstrapNodePlan) -> None:
    modes = {one["path"]: one.get("permissions") for one in user_data(plan, node)["write_files"]}
    run = set()
    for path, text in written(plan, node).items():
        if path.startswith(cloud_init_files.UNITS):
            run |= set(re.findall(rf"{cloud_init_files.SCRIPTS}/[a-z0-9-]+\.sh", text))
    assert len(run) >= 6
    assert run <= set(modes)
    assert {modes[path] for path in run} == {"0755"}


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_every_unit_that_is_enabled_is_placed_and_says_when_it_is_wanted(plan: Plan, node: BootstrapNodePlan) -> None:
    placed = written(plan, node)
    (enabled,) = [line[2:] for line in user_data(plan, node)["runcmd"] if line[:3] == ENABLE]
    for unit in enabled:
        assert "[Install]" in placed[f"{cloud_init_files.UNITS}/{unit}"], unit
    assert ("ilmarin-token.path" in enabled) is not node.first
    assert ("ilmarin-pki.service" in enabled) is node.first, "the root CA is made once, on one machine"


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_every_setting_that_a_script_must_have_is_told(plan: Plan, node: BootstrapNodePlan) -> None:
    told = settings(plan, node)
    asked: set[str] = set()
    for path, text in written(plan, node).items():
        if path.startswith(cloud_init_files.SCRIPTS) and not path.endswith("/stamp.sh"):
            asked |= {
                key for line in re.findall(r"^for key in ([A-Z0-9_ ]+); do", text, re.MULTILINE) for key in line.split()
            }
    assert len(asked) >= 6
    assert asked <= set(told)
    for key, value in told.items():
        assert re.fullmatch(r"[A-Za-z0-9._:/+@,=-]+", value), f"{key} would need quotes"


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_a_pi_is_called_as_the_data_calls_it_everywhere(plan: Plan, node: BootstrapNodePlan) -> None:
    data, meta = user_data(plan, node), yaml.safe_load(cloud_init.seed(plan, node)["meta-data"])
    names = {data["hostname"], meta["local-hostname"], settings(plan, node)["NODE"], k3s(plan, node)["node-name"]}
    assert names == {node.name}
    assert data["fqdn"] == f"{node.name}.{plan.network.zone}"


def test_two_pis_are_two_instances() -> None:
    assert THREE.bootstrap
    ids = [yaml.safe_load(cloud_init.seed(THREE, node)["meta-data"])["instance-id"] for node in THREE.bootstrap.nodes]
    assert len(set(ids)) == len(ids) == 5


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_one_logs_in_by_key_only_and_no_default_user_is_made(plan: Plan, node: BootstrapNodePlan) -> None:
    data = user_data(plan, node)
    assert [user["name"] for user in data["users"]] == ["ilmarin"], "no `default`, which is Ubuntu's own"
    assert data["users"][0]["lock_passwd"] is True
    assert data["users"][0]["ssh_authorized_keys"] == raw("homelab")["bootstrap"]["ssh"]["authorized_keys"]
    assert data["ssh_pwauth"] is False
    assert data["disable_root"] is True
    assert not {"chpasswd", "password", "ssh_keys"} & set(data)
    sshd = written(plan, node)["/etc/ssh/sshd_config.d/00-ilmarin.conf"].splitlines()
    assert {"PasswordAuthentication no", "PermitRootLogin no", "AllowUsers ilmarin"} <= set(sshd)


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_sshd_answers_with_the_kept_key_or_not_at_all(plan: Plan, node: BootstrapNodePlan) -> None:
    """cloud-init makes a key before the kept one is in its place: whoever pinned that would refuse the next boot."""
    made = user_data(plan, node)["ssh_genkeytypes"]
    keys = re.findall(r"^HostKey (.*)$", written(plan, node)["/etc/ssh/sshd_config.d/00-ilmarin.conf"], re.MULTILINE)
    assert keys == ["/etc/ssh/ssh_host_ed25519_key"]
    assert "ed25519" not in made


def test_a_netbooted_pi_s_link_is_left_as_the_kernel_has_it() -> None:
    """Its root is mounted over that link: a new configuration would hang the machine."""
    assert ONE.network.netboot
    for pi in ONE.network.netboot.pis:
        words = pi_boot.cmdline(ONE.network.netboot, pi).split()
        assert {"ip=dhcp", "network-config=disabled"} <= set(words)


def test_a_card_has_its_address_from_the_data_on_the_card_of_that_mac() -> None:
    (server,) = servers(ONE)
    told = yaml.safe_load(cloud_init.seed(ONE, server)["network-config"])
    (link,) = told["ethernets"].values()
    assert told["version"] == 2
    assert link["addresses"] == ["192.168.1.50/24"]
    assert link["match"] == {"macaddress": "02:00:00:00:01:50"}
    assert link["routes"] == [{"to": "default", "via": "192.168.1.1"}]
    assert link["dhcp4"] is False


def test_one_server_starts_the_cluster_and_everybody_else_joins_it() -> None:
    for plan in (ONE, THREE):
        assert plan.bootstrap
        told = {node.name: k3s(plan, node) for node in plan.bootstrap.nodes}
        assert [name for name, one in told.items() if one.get("cluster-init")] == ["vala-1"]
        for name, one in told.items():
            assert "token" not in one
            assert "agent-token" not in one
            joined = (one.get("server"), one.get("token-file"))
            assert joined == ((None, None) if name == "vala-1" else ("https://192.168.1.58:6443", f"{KEEP}/k3s-token"))


def test_servers_agree_on_what_k3s_wants_alike_on_all() -> None:
    """k3s refuses a server that joins with other values ("critical configuration value mismatch")."""
    alike = ("disable", "secrets-encryption", "tls-san", "kube-apiserver-arg", "flannel-backend", "cluster-cidr")
    told = [{key: k3s(THREE, node).get(key) for key in alike} for node in servers(THREE)]
    assert len(told) == 3
    assert told[0] == told[1] == told[2]
    why = "ports 80 and 443 are the boot server's; the default StorageClass is Longhorn's"
    assert told[0]["disable"] == ["servicelb", "local-storage"], why
    assert "192.168.1.58" in (told[0]["tls-san"] or ()), (
        "who asks for the API at its VIP must be shown a certificate for it"
    )


def test_an_agent_is_told_nothing_that_only_a_server_knows() -> None:
    """k3s agent ends with "flag provided but not defined" at a server's key."""
    assert THREE.bootstrap
    for node in THREE.bootstrap.nodes:
        if node.role == "agent":
            assert set(k3s(THREE, node)) <= AGENT
            assert not [path for path in written(THREE, node) if "/server/manifests/" in path]


def test_snapshots_of_etcd_lie_on_another_disk_than_etcd_where_there_is_one() -> None:
    for node in servers(THREE):
        told = k3s(THREE, node)
        assert told["etcd-snapshot-dir"].startswith("/var/lib/longhorn/disks/nvme1/")
        assert told["etcd-snapshot-retention"] > 5
    edited = raw("homelab")
    edited["bootstrap"]["nodes"]["vala-1"]["boot"] = ["sd"]
    plan = planned(edited)
    assert "etcd-snapshot-dir" not in k3s(plan, servers(plan)[0])


def test_the_issuer_is_the_plan_s_to_the_last_letter_and_its_host_is_known_without_the_cluster() -> None:
    assert ONE.bootstrap
    issuer = ONE.bootstrap.issuer
    assert issuer == "https://dex.ainur.homelab.example.com"
    for node in servers(THREE):
        assert f"oidc-issuer-url={issuer}" in k3s(THREE, node)["kube-apiserver-arg"]
        assert f"192.168.1.57 {issuer.removeprefix('https://')}\n" == written(THREE, node)["/etc/hosts"]
    edited = raw("homelab")
    edited["bootstrap"]["oidc_host"] = "login.ainur.homelab.example.com"
    plan = planned(edited)
    assert (
        "oidc-issuer-url=https://login.ainur.homelab.example.com" in k3s(plan, servers(plan)[0])["kube-apiserver-arg"]
    )


def test_only_a_pi_with_nvme_is_a_disk_of_the_cluster_s_storage() -> None:
    edited = raw("homelab")
    edited["bootstrap"]["nodes"]["vala-1"]["boot"] = ["sd", "poe"]
    plan = planned(edited)
    assert plan.bootstrap
    for node in plan.bootstrap.nodes:
        labels = k3s(plan, node)["node-label"]
        assert ("node.longhorn.io/create-default-disk=true" in labels) is node.nvme
        assert ("ilmarin.io/order=vala" in labels) is (node.role == "server")


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_pods_inherit_resolvers_and_no_search_domain(plan: Plan, node: BootstrapNodePlan) -> None:
    """With ndots:5 they ask below such a domain first, and the public wildcard above the zone answers all."""
    given = written(plan, node)[k3s(plan, node)["resolv-conf"]]
    assert [line.split() for line in given.splitlines()] == [["nameserver", one] for one in plan.network.resolvers]
    if node.persistent:
        netplan = yaml.safe_load(cloud_init.seed(plan, node)["network-config"])
        assert netplan["ethernets"][node.link]["nameservers"] == {"addresses": list(plan.network.resolvers)}


def test_ainur_s_pods_ask_dnsmasq_for_the_lab_s_names() -> None:
    """The Pis' own resolvers are public and know none of them: a login that cannot find Dex fails."""
    for node in servers(THREE):
        config_map = yaml.safe_load(written(THREE, node)[f"{kube_vip.FOLDER}/ilmarin-coredns.yaml"])
        where = config_map["kind"], config_map["metadata"]["namespace"], config_map["metadata"]["name"]
        assert where == ("ConfigMap", "kube-system", "coredns-custom")
        ((name, block),) = config_map["data"].items()
        assert name.endswith(".server")
        assert block.split() == (
            ["homelab.example.com:53", "{", "errors", "cache", "30", "forward", ".", "192.168.1.59", "}"]
        )


def test_kube_vip_lies_where_k3s_looks_before_it_starts() -> None:
    manifests = {path: text for path, text in written(ONE, servers(ONE)[0]).items() if "/server/manifests/" in path}
    objects = [one for text in manifests.values() for one in yaml.safe_load_all(text)]
    assert {"DaemonSet", "HelmChartConfig"} <= {one["kind"] for one in objects}
    assert all(path.startswith("/var/lib/rancher/k3s/server/manifests/") for path in manifests)


@pytest.mark.parametrize(("plan", "node"), NODES)
def test_logs_are_bounded_and_a_netbooted_pi_writes_none_to_a_disk_it_lacks(
    plan: Plan, node: BootstrapNodePlan
) -> None:
    read = configparser.ConfigParser()
    read.optionxform = str  # pyright: ignore[reportAttributeAccessIssue] # configparser's own way to keep capitals
    read.read_string(written(plan, node)["/etc/systemd/journald.conf.d/ilmarin.conf"])
    journal = dict(read["Journal"])
    assert ("SystemMaxUse" in journal) is node.persistent
    assert (journal.get("Storage") == "volatile") is not node.persistent
    assert any(one.startswith("container-log-max-size=") for one in k3s(plan, node)["kubelet-arg"])


def test_a_card_s_command_line_is_one_line_with_its_own_root_and_memory_for_pods() -> None:
    card = pi_card.files(ONE, servers(ONE)[0])
    assert card["cmdline.txt"].count("\n") == 1
    assert {"root=LABEL=writable", "cgroup_enable=memory"} <= set(card["cmdline.txt"].split())
    assert "dtparam=pciex1" in card["config.txt"].splitlines(), "its NVMe hangs there"
    assert pi_card.HOST_KEY not in card


def test_every_pi_has_its_folder_and_none_has_both_kinds() -> None:
    made = files.files(THREE)
    assert THREE.bootstrap
    for node in THREE.bootstrap.nodes:
        kinds = {path.split("/")[2] for path in made if path.startswith(f"ainur/{node.name}/")}
        assert kinds == ({"card"} if node.persistent else {"netboot"})
