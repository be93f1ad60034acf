"""Time in the World: who waits, for how long, and what heals meanwhile. Nothing here sleeps."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from rehearsal.faults import Fault, Faults
from rehearsal.standins import talos
from rehearsal.standins.talos_patience import seconds_of
from rehearsal.world import World
from rehearsal.world.errors import Refusal
from tests.rehearsal.test_standin_talos import APPLY, BOOTSTRAP, KUBECONFIG, SECRETS, configuration
from tests.rehearsal.worlds import Aborted, Engine, a_world, lab, patch, with_boot_services

FIRST = "10.0.0.101"


class Node:
    """A control plane, the engine that configures it, and what the engine tells it."""

    def __init__(self, *faults: Fault, file: Path | None = None) -> None:
        self.world = a_world(faults=Faults(list(faults)), file=file)
        with_boot_services(self.world)
        self.engine = Engine(talos.stand_in(), self.world)
        _, made, _ = self.engine.create(SECRETS, talosVersion="v1.12")
        self.client, self.secrets = made["clientConfiguration"], made["machineSecrets"]
        self.text = configuration(self.engine, self.secrets)[0]
        self.news: dict[str, Any] = {
            "node": FIRST,
            "clientConfiguration": self.client,
            "machineConfigurationInput": self.text,
        }

    def apply(self, **over: Any) -> float:
        """Seconds of the World's time that applying took."""
        began = self.world.clock.now
        self.engine.create(APPLY, **self.news | over)
        return self.world.clock.now - began


def slow(seconds: float) -> Fault:
    return Fault("slow", "machine/cp-1", seconds=seconds)


def outage(seconds: float, at: float = 0.0) -> Fault:
    return Fault("outage", "machine/cp-1", at=at, seconds=seconds, message="its cable is pulled")


def test_a_machine_that_still_boots_is_waited_for_in_the_world_s_time():
    node = Node(slow(1200))
    began = time.monotonic()
    assert node.apply(timeouts={"create": "30m"}) >= 1200
    assert time.monotonic() - began < 5, "nobody slept"
    assert node.world.machines.records["cp-1"]["config"] is not None


def test_the_provider_s_own_ten_minutes_are_short_for_a_slow_machine():
    node = Node(slow(1200))
    began = node.world.clock.now
    with pytest.raises(Aborted) as refused:
        node.apply()
    said = str(refused.value)
    assert said.startswith("Error applying configuration: rpc error: code = Unavailable")
    assert "cp-1 stands at 'booting': it is slow, and boots for another" in said
    assert "tried again for 10m0s (the provider's own limit, timeouts.create is not set), and nothing changed" in said
    assert node.world.clock.now - began == 600


def test_the_program_s_own_limit_is_named():
    node = Node(slow(7200))
    with pytest.raises(Aborted, match=r"tried again for 1h0m0s \(timeouts\.create\)"):
        node.apply(timeouts={"create": "60m"})


def test_an_outage_is_waited_for_to_its_end():
    node = Node(outage(500))
    node.apply()
    assert node.world.clock.now >= 500


def test_what_a_node_calls_invalid_ends_at_once():
    node = Node()
    node.world.talos.settle()
    began = node.world.clock.now
    with pytest.raises(Aborted, match="InvalidArgument"):
        node.apply(machineConfigurationInput=node.text.replace("eno1", "eth0"))
    assert node.world.clock.now == began


def test_a_second_bootstrap_is_tried_for_ten_minutes():
    node = Node()
    node.apply()
    node.engine.create(BOOTSTRAP, node=FIRST, clientConfiguration=node.client)
    with pytest.raises(Aborted, match=r"AlreadyExists.*tried again for 10m0s"):
        node.engine.create(BOOTSTRAP, node=FIRST, clientConfiguration=node.client)


def test_a_kubeconfig_of_a_cluster_that_nobody_bootstraps_is_waited_for_in_vain():
    node = Node()
    node.apply()
    with pytest.raises(Aborted, match=r"not bootstrapped.*tried again for 2m0s \(timeouts\.create\)"):
        node.engine.create(KUBECONFIG, node=FIRST, clientConfiguration=node.client, timeouts={"create": "2m"})


def test_a_worker_waits_for_a_control_plane_that_still_boots():
    """Its configuration is taken in at once; what wants it running waits until a control plane signs for it."""
    node = Node(slow(300))
    patches = [patch("worker-1", "10.0.0.104", vip=None)]
    text = configuration(node.engine, node.secrets, machineType="worker", configPatches=patches)[0]
    worker: dict[str, Any] = node.news | {"node": "10.0.0.104", "machineConfigurationInput": text}
    _, state, _ = node.engine.create(APPLY, **worker)
    assert node.world.machines.records["worker-1"]["stage"] == "booting"
    with pytest.raises(Aborted, match=r"it waits for a control plane with its CA and token.*tried again for 10m0s"):
        node.engine.update(APPLY, state, worker)
    node.apply()
    assert node.world.machines.records["cp-1"]["stage"] == "booting"
    node.engine.update(APPLY, state, worker)
    assert node.world.machines.records["worker-1"]["stage"] == "running"


def test_a_timeout_that_is_no_duration_is_named():
    node = Node()
    failures = node.engine.check(APPLY, **node.news, timeouts={"create": "ten minutes"})
    assert [name for name, _ in failures] == ["timeouts.create"]
    assert 'such as "30s"' in failures[0][1]


def test_a_reset_is_asked_for_once_and_its_end_is_waited_for():
    node = Node(outage(10_000, at=5_000))
    _, state, _ = node.engine.create(APPLY, **node.news)
    on_destroy = {"reset": True, "graceful": False, "reboot": True}
    node.world.clock.let_pass(6_000)
    began = node.world.clock.now
    with pytest.raises(Aborted, match="Error resetting machine: rpc error: code = Unavailable"):
        node.engine.delete(APPLY, state | {"onDestroy": on_destroy})
    assert node.world.clock.now == began


def test_a_machine_that_does_not_come_back_from_its_reset_is_told():
    node = Node()
    _, state, _ = node.engine.create(APPLY, **node.news)
    cluster = node.world.kubernetes.clusters["boot"]
    cluster.delete("Application", "argocd", "dnsmasq")
    with pytest.raises(Aborted, match=r"has not come back in maintenance mode[\s\S]*tried again for 10m0s"):
        node.engine.delete(APPLY, state | {"onDestroy": {"reset": True, "graceful": False, "reboot": True}})


def test_time_outlives_the_process(tmp_path: Path):
    file = tmp_path / "world.json"
    world = World(lab(), file=file)  # nobody wrote a card: nothing boots meanwhile
    with world.change():
        world.clock.let_pass(1234.5)
    assert World(lab(), file=file).clock.now == 1234.5
    assert json.loads(file.read_text())["clock"] == 1234.5
    assert world.now() == "2026-01-01T00:20:34Z"


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("1h30m", 5400), ("2.5s", 2.5), ("500ms", 0.5)])
def test_a_duration_is_read_as_go_reads_it(text: str, seconds: float):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "10 m", "1d", "soon"])
def test_what_go_does_not_read_is_no_duration(text: str):
    with pytest.raises(Refusal, match="invalid duration"):
        seconds_of(text)
