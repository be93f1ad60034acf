"""The Pis' seeds: nothing secret, nothing twice, every script where its unit looks for it, one cluster for all."""

import configparser
import re

import pytest
import yaml

from model.ainur import BootstrapNodePlan
from model.plan import Plan
from render import cloud_init, cloud_init_files, files, pi_boot, pi_card
from tests.labs import raw
from tests.render.seeds import ENABLE, NODES, ONE, THREE, k3s, servers, settings, user_data, written

SECRETS = re.compile(r"PRIVATE KEY|BEGIN |K10[0-9a-f]{10}|(?i:passwd|password|secret|token) *[:=] *\S")
ALLOWED = (
    "lock_passwd: true",
    "ALL=(ALL) NOPASSWD:ALL",
    "token-file: /var/lib/ilmarin/k3s-token",
    "agent-token-file: /var/lib/ilmarin/k3s-agent-token",
)


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
