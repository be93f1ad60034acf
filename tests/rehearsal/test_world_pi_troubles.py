"""What goes wrong with a Pi: reboots, cuts, disks, servers that are away, clocks; each ends well, or says why."""

import pytest

from rehearsal.faults import Fault
from rehearsal.standins.shell import Outcome
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from rehearsal.world.hosts import NODE_TOKEN
from tests.rehearsal.lab_keys import HOST_KEY
from tests.rehearsal.pis import a_lab, join, reach, run, serve
from tests.rehearsal.seeds import NVME, card, seed, settings, unit
from tests.rehearsal.worlds import boot_list, place

READY = "sudo k3s kubectl wait --for=condition=Ready --timeout=1s node/maia-1"
YEAR = "a year behind"


def _failed(world: World, part: str, name: str = "maia-1") -> str:
    return str(world.hosts.records[name]["services"].get(part, {}).get("failed"))


def _standing(*faults: Fault, served: dict[str, str] | None = None) -> World:
    """A lab with its first Vala, its boot services and maia-1 joined."""
    world = a_lab(None, *faults)
    serve(world, served)
    assert join(world) == Outcome("", "", 0)
    return world


# Reboots


def test_a_netbooted_pi_comes_back_by_itself_with_what_its_nvme_kept() -> None:
    world = _standing()
    pi = world.hosts.records["maia-1"]
    key = pi["host_key"]
    world.hosts.write(pi, "/etc/gone", "x")
    world.hosts.reboot(pi)
    assert run(world, READY).code == 1
    assert run(world, "test -e /etc/gone; echo $?", "maia-1", hostKey=key).stdout == "1\n"
    assert run(world, READY).code == 0
    assert all(path.startswith(f"{NVME}/") for path in pi["files"] if path.endswith(("k3s-token", "/password")))


def test_a_pi_without_what_binds_its_memory_is_refused_when_it_comes_back() -> None:
    """k3s knows the name, and this one's password is new."""
    entries = {"keep.sh": None, "ilmarin-keep.service": unit("hostname"), "ilmarin-host-keys.service": None}
    told = {"node.env": "".join(f"{k}={v}\n" for k, v in settings("maia-1", NVME="no").items())}
    served = seed("maia-1", placed=entries | told, ssh_genkeytypes=["ed25519"])
    world = _standing(served=served)
    world.hosts.reboot(world.hosts.records["maia-1"])
    refused = join(world)
    assert "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password'" in refused.stderr


def test_a_pi_with_a_card_keeps_its_files_and_its_cluster() -> None:
    world = _standing()
    pi = world.hosts.records["vala-1"]
    token = run(world, f"sudo cat {NODE_TOKEN}").stdout
    world.hosts.write(pi, "/etc/mine", "x")
    world.hosts.reboot(pi)
    assert world.hosts.silence("boot") is not None
    assert run(world, f"cat /etc/mine; sudo cat {NODE_TOKEN}", hostKey=HOST_KEY).stdout == f"x{token}"
    assert world.hosts.silence("boot") is None
    assert run(world, READY).code == 0


def test_a_host_that_is_cut_off_is_reached_again_afterwards() -> None:
    world = _standing(Fault("outage", "host/maia-1", at=400.0, seconds=300.0, message="its cable is out"))
    world.clock.let_pass(max(0.0, 410.0 - world.clock.now))
    with pytest.raises(Refusal, match="maia-1 stands at 'unreachable': its cable is out"):
        reach(world, "maia-1")
    assert run(world, "hostname", "maia-1", dialErrorLimit=-1).stdout == "maia-1\n"


# Cuts


@pytest.mark.parametrize(
    "part", ["ilmarin-nvme", "ilmarin-keep", "ilmarin-host-keys", "ilmarin-pki", "ilmarin-k3s", "k3s"]
)
def test_a_first_vala_whose_power_goes_in_any_unit_comes_up_at_the_next_boot(part: str) -> None:
    world = a_lab(None, Fault("cut", f"host/vala-1/{part}"))
    assert run(world, "systemctl is-active k3s", dialErrorLimit=-1, hostKey=HOST_KEY).stdout == "active\n"
    assert any("lose power" in entry["operation"] for entry in world.entries())


IMAGE = f"pi/{'1' * 12}.img.xz"
STAMP = {
    "IMAGE_URL": f"http://10.0.0.59/{IMAGE}",
    "IMAGE_SHA256": "1" * 64,
    "SEED_URL": "http://10.0.0.59/pi/a1b2c351-card/",
    "CARD": "no",
}
LISTED = f"{IMAGE} sha256:{'1' * 64} https://images.example.org/ubuntu.img.xz\n"


def _stamping(*faults: Fault, listed: str = LISTED, lacks: str = "", **over: str) -> World:
    """maia-1 has a blank card in it, and its seed says what to write there."""
    told = "".join(f"{key}={value}\n" for key, value in settings("maia-1", **STAMP | over).items())
    service = unit("host-keys").replace("host-keys.sh", "stamp.sh").replace("ilmarin-keep", "ilmarin-host-keys")
    placed = {
        "node.env": told,
        "/usr/local/lib/ilmarin/stamp.sh": "#!/bin/sh\n",
        "/etc/systemd/system/ilmarin-stamp.service": service,
    }
    units = [["systemctl", "daemon-reload"], ["systemctl", "enable", "ilmarin.target"]]
    names = ("hostname", "nvme", "keep", "host-keys", "stamp")
    units += [["systemctl", "enable", f"ilmarin-{each}"] for each in names] + [["systemctl", "start", "ilmarin.target"]]
    world = a_lab(None, *faults)
    serve(world, seed("maia-1", placed=placed, runcmd=units) | {"meta-data": "instance-id: maia-1-stamping\n"})
    cluster = world.kubernetes.clusters["boot"]
    served = (cluster.get("ConfigMap", "netboot", "pi-seed") or {})["data"]
    config = {"NODE": "maia-1", "CARD": "yes", "KEEP": "/var/lib/ilmarin"}
    node_env = "".join(f"{key}={value}\n" for key, value in settings("maia-1", **config).items())
    on_it = seed("maia-1", placed={"node.env": node_env}) | dict.fromkeys(("vendor-data", "network-config"), "{}\n")
    on_it |= {"config.txt": "arm_64bit=1\n", "cmdline.txt": "root=LABEL=writable\n"}
    served |= {f"a1b2c351-card_{name}": text for name, text in on_it.items() if name != lacks}
    place(cluster, "ConfigMap", "netboot", "pi-seed", data=served)
    place(cluster, "ConfigMap", "netboot", "boot-downloads", data={"boot.list": boot_list() + listed})
    world.hosts.records["maia-1"]["sd"] = True
    return world


def test_a_card_that_is_cut_while_it_is_stamped_is_stamped_again_and_keeps_the_host_key() -> None:
    world = _stamping(Fault("cut", "host/maia-1/ilmarin-stamp"))
    pi = world.hosts.records["maia-1"]
    world.hosts.settle()
    assert (pi["card"], pi["stage"]) == (None, "off")
    world.hosts.settle()
    assert pi["card"] is not None
    key = pi["card"]["ilmarin-host-key"]
    assert run(world, "hostname", "maia-1", hostKey=key).stdout == "maia-1\n"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault("disk", "host/maia-1/sd", message="vfat, ext4"),
            "neither blank nor stamped by this, and nothing on it was",
        ),
        (Fault("outage", "download/images.example.org", seconds=9e9), "The card boots nothing until it came"),
    ],
)
def test_a_card_with_anything_on_it_is_not_touched(fault: Fault, words: str) -> None:
    world = _stamping(fault)
    reach(world, "maia-1")
    assert words in _failed(world, "ilmarin-stamp")
    assert world.hosts.records["maia-1"]["card"] is None


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"IMAGE_URL": "http://10.0.0.59/ubuntu.img.xz"}, "404: 10.0.0.59 serves pi/<image>.img.xz, and not that"),
        ({"listed": ""}, f"the builder's list does not name {IMAGE}"),
        ({"listed": LISTED.replace("sha256:1", "sha256:2")}, f"is not the hash that {IMAGE} is named by"),
        ({"lacks": "config.txt"}, "/pi/a1b2c351-card/config.txt: 404. Tried again by itself"),
        ({"lacks": "user-data"}, "/pi/a1b2c351-card/user-data: 404"),
    ],
)
def test_what_is_not_served_is_not_written_to_a_card(wrong: dict[str, str], words: str) -> None:
    world = _stamping(**wrong)
    reach(world, "maia-1")
    assert words in _failed(world, "ilmarin-stamp")
    assert world.hosts.records["maia-1"]["card"] is None


def test_a_pi_that_writes_its_card_answers_at_the_port_that_its_seed_names() -> None:
    world = _stamping(Fault("disk", "host/maia-1/sd", message="vfat"))
    world.hosts.settle()
    world.hosts.write(world.hosts.records["maia-1"], "/etc/ssh/sshd_config.d/00.conf", "X no\nPort 2222\n")
    with pytest.raises(Refusal, match=r":22: connect: connection refused"):
        reach(world, "maia-1")
    assert reach(world, "maia-1", port=2222)["name"] == "maia-1"


# Disks


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("absent", "no NVMe on maia-1 (/dev/nvme*n1), and the plan gives it one"),
        ("ext4, label photos", "neither blank nor ours, and nothing on it was touched. It carries: ext4, label photos"),
    ],
)
def test_a_pi_whose_nvme_cannot_be_used_says_so_and_joins_nobody(what: str, words: str) -> None:
    world = a_lab(None, Fault("disk", "host/maia-1/nvme", message=what))
    serve(world)
    with pytest.raises(Refusal, match="connection refused"):  # without its memory it makes no host key
        reach(world, "maia-1")
    assert words in _failed(world, "ilmarin-nvme")
    assert "is not mounted, so maia-1 would forget" in _failed(world, "ilmarin-keep")
    assert "does not outlive a reboot" in _failed(world, "ilmarin-host-keys")
    assert "Dependency failed: ilmarin-keep" in _failed(world, "ilmarin-k3s")


def test_a_vala_without_its_nvme_still_runs_the_cluster_that_it_made() -> None:
    world = a_lab()
    reach(world)
    world.hosts.records["vala-1"]["nvme"] = False
    world.hosts.reboot(world.hosts.records["vala-1"])
    assert run(world, f"systemctl is-active k3s; mountpoint {NVME}").stdout == f"active\n{NVME} is not a mountpoint\n"


def test_a_vala_without_its_nvme_makes_no_cluster_for_it_may_have_made_one_before() -> None:
    world = a_lab(None, Fault("disk", "host/vala-1/nvme", message="absent"))
    reach(world)
    assert f"{NVME} is not mounted" in _failed(world, "ilmarin-k3s", "vala-1")


def test_a_pi_that_is_told_to_remember_elsewhere_is_refused() -> None:
    told = "".join(f"{key}={value}\n" for key, value in settings("maia-1", KEEP="/srv").items())
    world = a_lab()
    serve(world, seed("maia-1", placed={"node.env": told}, ssh_genkeytypes=["ed25519"]))
    reach(world, "maia-1")
    assert f"a netbooted Pi remembers beneath {NVME} only" in _failed(world, "ilmarin-keep")


# Servers that are away, and clocks


def test_a_maia_waits_ten_minutes_for_the_boot_services_and_comes_up() -> None:
    world = a_lab(None, Fault("outage", "boot-http", at=0.0, seconds=600.0, message="bootstrap-http is down"))
    serve(world)
    world.hosts.settle()
    assert "no boot server answers: bootstrap-http is down" in world.hosts.records["maia-1"]["reason"]
    assert run(world, "hostname", "maia-1", dialErrorLimit=-1).stdout == "maia-1\n"
    assert world.clock.now >= 600.0
    assert join(world) == Outcome("", "", 0)


def test_k3s_is_fetched_once_its_server_answers_and_asked_for_no_more() -> None:
    world = a_lab(None, Fault("outage", "download/github.com", at=0.0, seconds=600.0, message="timed out"))
    reach(world)
    assert "does not come: timed out. Tried again by itself" in _failed(world, "ilmarin-k3s", "vala-1")
    world.clock.let_pass(600.0)
    assert run(world, "systemctl is-active k3s").stdout == "active\n"


def test_nothing_is_signed_or_fetched_by_a_clock_that_is_wrong_by_a_year() -> None:
    world = a_lab(None, Fault("clock", "host/vala-1", seconds=900.0, message=YEAR))
    reach(world)
    assert f"the clock is {YEAR}, and no time server confirmed it: nothing is signed by it" in _failed(
        world, "ilmarin-pki", "vala-1"
    )
    assert "SSL certificate problem" in _failed(world, "ilmarin-k3s", "vala-1")
    assert "boot" not in world.kubernetes.clusters
    world.clock.let_pass(900.0)
    assert run(world, "systemctl is-active k3s").stdout == "active\n"


def test_a_maia_whose_clock_is_wrong_joins_once_a_time_server_was_heard() -> None:
    world = a_lab()
    serve(world)
    reach(world, "maia-1")
    began = world.clock.now
    world.faults.faults.append(Fault("clock", "host/maia-1", at=began, seconds=300.0, message=YEAR))
    refused = join(world)
    assert "x509: certificate has expired or is not yet valid" in refused.stderr
    world.clock.let_pass(300.0)
    assert join(world) == Outcome("", "", 0)


def test_the_lab_s_authority_comes_into_the_namespace_once_that_stands() -> None:
    timer = "[Timer]\nOnActiveSec=10s\n[Install]\nWantedBy=ilmarin.target\n"
    written = card("vala-1", placed={"/etc/systemd/system/ilmarin-trust.timer": timer})
    text = written["user-data"].replace("- ilmarin.target\n", "- ilmarin.target\n  - ilmarin-trust.timer\n")
    world = a_lab({"vala-1": written | {"user-data": text}})
    reach(world)
    cluster = world.kubernetes.clusters["boot"]
    assert cluster.get("Secret", "cert-manager", "lab-ca-intermediate") is None
    cluster.place({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "cert-manager"}}, "t")
    pair = cluster.get("Secret", "cert-manager", "lab-ca-intermediate") or {}
    assert set(pair["data"]) == {"tls.crt", "tls.key"}
    assert cluster.get("ConfigMap", "cert-manager", "lab-ca") is not None
