"""Power: what goes dark with what, and a shutdown that ends the lab in its order and tells nobody its password."""

import shutil
import subprocess
from collections.abc import Callable

import pytest

from model.environment import Environment
from model.power import dies_with, plan_power
from model.shutdown import ShutdownPlan
from render import nut
from tests.labs import raw, shipped_plan

PITOWER = shipped_plan("pitower").power


def _watched(lab: str, **ups: str) -> ShutdownPlan:
    """homelab's or pitower's UPS with a watcher and what a test says of it."""
    edited = raw(lab)
    rack, name = {"homelab": ("main", "rack-ups"), "pitower": ("tower", "eaton")}[lab]
    edited["network"]["racks"][rack]["ups"][name] |= {"watcher": "jetkvm"} if lab == "homelab" else {}
    edited["network"]["racks"][rack]["ups"][name] |= ups
    (found,) = plan_power(Environment.model_validate(edited)).shutdowns
    return found


def _source(lab: str, name: str):
    return next(one for one in shipped_plan(lab).power.sources if one.name == name)


def test_a_switch_takes_what_it_feeds_and_cuts_off_what_it_does_not() -> None:
    switch = _source("homelab", "usw-pro-24")
    assert switch.dies == ("maia-1", "maia-2", "vala-1")
    assert set(switch.cut_off) == {"jetkvm", *(f"{name}-{n}" for name in ("istari", "valinor") for n in (1, 2, 3))}
    assert (switch.watts, switch.load, switch.free_ports) == (400, 45, 14)


def test_what_dies_with_a_battery_is_followed_through_switches_and_supplies() -> None:
    assert {"pi-01", "ups-watcher", "tl-poe-24", "synology"} <= set(_source("pitower", "eaton").dies)
    edited = raw("turing")
    edited["network"]["racks"]["desk"]["ups"] = {"battery": {"model": "x", "watts": 200, "feeds": ["board"]}}
    environment = Environment.model_validate(edited)
    wanted = ("board", "talos-1", "talos-2", "talos-3", "talos-4", "turing-pi")
    assert dies_with(environment, "battery") == wanted
    assert plan_power(environment).sources[0].load == 70, "a supply draws what hangs on it"


def test_what_hangs_on_two_sources_dies_with_neither_alone() -> None:
    edited = raw("turing")
    edited["network"]["racks"]["desk"]["supplies"]["second"] = {"model": "x", "watts": 50, "feeds": ["talos-1"]}
    environment = Environment.model_validate(edited)
    assert "talos-1" not in dies_with(environment, "board")
    assert "talos-2" in dies_with(environment, "board")


def test_a_battery_s_load_counts_a_switch_with_all_that_it_feeds() -> None:
    assert _source("pitower", "eaton").load == 30 + 4 * 10 + 7 + 60


def test_workers_go_before_what_holds_data_that_before_control_planes_and_the_watcher_last() -> None:
    (shutdown,) = PITOWER.shutdowns
    turns = [step.what for step in shutdown.steps]
    assert turns == sorted(turns, key=["worker", "storage", "control plane", "watcher", "switch"].index)
    stages = {step.name: step.stage for step in shutdown.steps}
    assert stages["thinkpad-01"] < stages["ace-01"] < stages["synology"] < stages["pi-01"] < stages["ups-watcher"]


def test_in_a_lab_with_a_bootstrap_cluster_its_agents_go_after_the_control_planes_and_before_its_servers() -> None:
    shutdown = _watched("homelab")
    stages = {step.name: step.stage for step in shutdown.steps}
    assert stages["valinor-1"] < stages["maia-1"] < stages["vala-1"] < stages["jetkvm"]
    assert "ssh_off maia-1 ilmarin@192.168.1.51 &" in nut.files(shutdown)["shutdown-lab.sh"]


def test_a_pi_is_told_only_after_it_proved_itself_with_the_key_that_the_data_names() -> None:
    files = nut.files(_watched("homelab"))
    pis = raw("homelab")["bootstrap"]["nodes"].values()
    keys = {f"{pi['address']} {pi['host_key']}" for pi in pis if "host_key" in pi}
    assert {line for line in files["known_hosts"].splitlines() if not line.startswith("#")} == keys
    checked = "-o UserKnownHostsFile=/etc/nut/known_hosts -o StrictHostKeyChecking=yes"
    assert f'{checked} "$2" sudo systemctl poweroff' in files["shutdown-lab.sh"]


def test_a_ups_on_the_network_is_asked_at_its_address_and_one_on_usb_is_found() -> None:
    assert (
        "  driver = snmp-ups\n  port = 192.168.50.3\n" in nut.files(_watched("homelab", driver="snmp-ups"))["ups.conf"]
    )
    assert "  driver = usbhid-ups\n  port = auto\n" in nut.files(_watched("homelab"))["ups.conf"]


def test_the_time_a_shutdown_needs_counts_what_a_dark_machine_and_upsmon_take() -> None:
    shutdown, stages = _watched("pitower"), 3
    assert shutdown.seconds == 5 + 120 + 15 + 5 + stages * (20 + 60)
    text = "".join(nut.files(shutdown).values())
    assert [line for line in ("POLLFREQ 5", "HOSTSYNC 15", "FINALDELAY 5") if f"\n{line}\n" not in text] == []
    assert text.count("KILL 20 talosctl") == 2, "to be told, and to be asked at the installation"


def test_the_password_is_made_on_the_watcher_and_stands_in_no_file() -> None:
    files = nut.files(PITOWER.shutdowns[0])
    assert f"password = {nut.PASSWORD}\n" in files["upsd.users"]
    assert f" watcher {nut.PASSWORD} primary\n" in files["upsmon.conf"]
    assert "LISTEN 127.0.0.1 3493\n" in files["upsd.conf"]


def test_the_shutdown_tells_every_machine_once_and_in_the_plan_s_order(tmp_path) -> None:
    """Run for real, with shims that write down what they were asked."""
    (shutdown,) = PITOWER.shutdowns
    script = nut.shutdown_script(shutdown).replace("exec /sbin/shutdown", "echo off").replace("/etc/nut", str(tmp_path))
    for name, body in {"talosctl": 'echo "$6" >> "$LOG"', "sleep": 'echo "--" >> "$LOG"', "logger": ":"}.items():
        shim = tmp_path / name
        shim.write_text(f"#!/bin/sh\n{body}\n")
        shim.chmod(0o755)
    log = tmp_path / "log"
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(log)}
    ran = subprocess.run(
        ["sh", "-c", script, "shutdown-lab", "now"], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    told = [sorted(stage.split()) for stage in log.read_text().split("--") if stage.split()]
    by_stage: dict[int, list[str]] = {}
    for step in shutdown.steps:
        if step.way == "talos":
            by_stage.setdefault(step.stage, []).append(step.address)
    assert told == [sorted(addresses) for addresses in by_stage.values()]
    assert ran.stdout == "off -h +0\n"


def test_a_machine_that_hangs_holds_the_shutdown_no_longer_than_it_is_given(tmp_path) -> None:
    """The shutdown ignores TERM, so what it starts does too, and ssh would hang until TCP gives up."""
    script = nut.shutdown_script(_watched("homelab")).replace("exec /sbin/shutdown", "echo off")
    script = script.replace("--signal=KILL 20 ", "--signal=KILL 0.2 ")
    for name, body in {"ssh": "/bin/sleep 60", "talosctl": "/bin/sleep 60", "sleep": "true", "logger": "true"}.items():
        shim = tmp_path / name
        shim.write_text(f"#!/bin/sh\nexec {body}\n")
        shim.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    ran = subprocess.run(
        ["sh", "-c", script, "x", "now"], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout == "off -h +0\n"


@pytest.mark.real
@pytest.mark.parametrize("lab", ["homelab", "pitower"])
@pytest.mark.parametrize("name", ["shutdown-lab.sh", "install.sh"])
def test_shellcheck_finds_nothing(lab: str, name: str, tmp_path, require_tool: Callable[[str], str]) -> None:
    file = tmp_path / name
    file.write_text(nut.files(_watched(lab))[name])
    assert shutil.which("sh")
    result = subprocess.run(
        [require_tool("shellcheck"), str(file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stdout
