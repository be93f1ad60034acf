"""The two boot servers of a lab: first the workstation serves, then it hands over, and two never answer."""

from pathlib import Path
from typing import Any

import pytest

from rehearsal.world import World, netboot, netboot_desk
from rehearsal.world.hardware import machines
from tests.labs import ROOT, raw
from tests.rehearsal.lives import Life, touched

pytestmark = pytest.mark.slow


def _by_workstation(environment: dict[str, Any]) -> None:
    environment["network"]["netboot"]["served_by"] = "workstation"


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Life:
    """A lab whose machines all came up from the workstation."""
    made = Life("homelab", tmp_path_factory.mktemp("homelab"), engine)
    made.edited(_by_workstation)
    run = made.run("up", fresh=True)
    assert run.well, run.errors()
    return made


def test_a_lab_comes_up_from_the_workstation_and_a_second_up_changes_nothing(life: Life) -> None:
    assert touched(life.run("up")) == {}


def test_the_hand_over_changes_dnsmasq_and_asks_at_the_other_address_then_nothing(life: Life, tmp_path: Path) -> None:
    handed = life.copied(tmp_path / "handed")
    handed.edited(lambda _: None)
    assert touched(handed.run("up")) == {"ea-files-dnsmasq": "update", "ea-netboot-answers": "update"}
    assert touched(handed.run("up")) == {}


def test_no_machine_boots_while_two_answer(life: Life) -> None:
    environment = raw("homelab")
    _by_workstation(environment)
    served = {"srv/dnsmasq.conf": "dhcp-boot=x\n", "srv/boot/boot.ipxe": "#!ipxe\n"}
    world = World(environment, file=life.rack() / "world.json", repository=ROOT, cards={netboot_desk.NAME: served})
    first = machines(environment)[0]
    assert "two boot servers" not in netboot.boot(world, first).reason
    published = world.kubernetes.clusters["ainur"].get("ConfigMap", "netboot", "dnsmasq")
    assert published
    published["data"]["dnsmasq.conf"] = "dhcp-range=set:lab,192.168.1.0,proxy\n"
    reason = netboot.boot(world, first).reason
    assert reason.endswith("two boot servers answer: the workstation, and the bootstrap cluster's dnsmasq")


def test_no_machine_boots_from_a_workstation_where_nothing_was_copied() -> None:
    environment = raw("homelab")
    _by_workstation(environment)
    reason = netboot.boot(World(environment), machines(environment)[0]).reason
    assert reason.endswith("the workstation serves nothing: nothing of workstation/srv was copied there")
