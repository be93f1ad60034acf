"""While the workstation serves what machines boot, every line that a machine is told names it, and Ainur tells none."""

import re
from typing import Any

from foresight.boot import prove
from foresight.boot_manifest import served
from model.environment import Environment
from model.plan import Plan
from render import boot_files, nginx, router, workstation
from render.files import files
from tests.labs import planned, raw, shipped_plan

VIP, DESK = "192.168.1.59", "192.168.1.66"


def _edited() -> dict[str, Any]:
    edited = raw("homelab")
    edited["network"]["netboot"]["served_by"] = "workstation"
    return edited


def _plan() -> Plan:
    return planned(_edited())


def test_nothing_that_the_workstation_serves_sends_a_machine_to_the_cluster() -> None:
    made = workstation.files(_plan())
    assert not [path for path, text in made.items() if VIP in text and not path.endswith("README.md")]
    assert f"dhcp-boot=tag:lab,tag:ipxe,http://{DESK}/boot.ipxe,,{DESK}" in made["workstation/srv/dnsmasq.conf"]
    assert f"nfsroot={DESK}:/srv/nfs/" in made["workstation/srv/pi-boot/a1b2c351_cmdline.txt"]
    assert f"ds=nocloud;s=http://{DESK}/pi/a1b2c351/" in made["workstation/srv/pi-boot/a1b2c351_cmdline.txt"]


def test_the_cluster_s_dnsmasq_is_silent_for_machines_that_boot_and_answers_names_all_the_same() -> None:
    lines = boot_files.published(_plan())["dnsmasq"]["dnsmasq.conf"].splitlines()
    assert not [line for line in lines if re.match(r"dhcp-|pxe-|enable-tftp|tftp-", line)]
    before = boot_files.published(shipped_plan("homelab"))["dnsmasq"]["dnsmasq.conf"].splitlines()
    assert [line for line in lines if line.startswith("host-record")] == [
        line for line in before if line.startswith("host-record")
    ]


def test_the_hand_over_changes_nothing_on_the_cluster_but_its_dnsmasq() -> None:
    before, after = boot_files.published(_plan()), boot_files.published(shipped_plan("homelab"))
    assert [name for name in after if before[name] != after[name]] == ["dnsmasq"]


def test_what_is_rendered_for_the_workstation_is_what_was_proved() -> None:
    edited = _edited()
    plan = planned(edited)
    proof = prove(Environment.model_validate(edited), plan)
    assert proof.sound
    judged, made = served(plan), files(plan)
    assert judged
    assert judged.address == DESK
    assert made["workstation/srv/dnsmasq.conf"] == judged.dnsmasq
    assert made["workstation/srv/ganesha.conf"] == judged.exports
    for path, content in judged.http.items():
        if content.kind == "script":
            assert made[f"workstation/srv/boot{path}"] == content.text
        elif content.kind == "text":
            folder, _, name = path.removeprefix("/pi/").partition("/")
            assert made[f"workstation/srv/seeds/{folder}_{name}"] == content.text
    assert {
        each for path, each in made.items() if path.endswith("cmdline.txt") and path.startswith("workstation/")
    } == {content.text for name, content in judged.tftp.items() if name.endswith("cmdline.txt")}


def test_the_workstation_s_folders_are_where_its_servers_look() -> None:
    made = workstation.files(_plan())
    conf, page = made["workstation/srv/nginx.conf"], made["workstation/README.md"]
    assert f"root {nginx.SCRIPTS};" in conf
    assert f"location /talos/ {{ root {workstation.ROOT}; }}" in conf
    assert f"fetch.sh {workstation.ROOT}/boot.list {workstation.ROOT}\n" in page
    assert f"pi-system.sh {workstation.ROOT}/pi-boot {workstation.ROOT}\n" in page


def test_the_router_is_told_where_pis_boot_and_when_that_moves() -> None:
    told = "\n".join(router.checklist(_plan().network))
    assert f"DHCP option 66 (TFTP server) {DESK}, for the Raspberry Pis; {VIP} from the hand-over on" in told
    assert f"forward homelab.example.com to {VIP}" in told


def test_there_is_no_workstation_folder_once_the_cluster_serves() -> None:
    assert workstation.files(shipped_plan("homelab")) == {}


def test_a_lab_whose_pis_all_have_cards_asks_for_no_nfs_server() -> None:
    edited = _edited()
    for pi in edited["bootstrap"]["nodes"].values():
        pi["boot"] = ["sd", "nvme"]
    made = workstation.files(planned(edited))
    assert not [path for path in made if "pi-boot" in path or "seeds" in path or "ganesha" in path]
    assert "nfs" not in made["workstation/README.md"]
