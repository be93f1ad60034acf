"""What no run may do to a World, and who is to blame: only what the program took away is its doing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.faults import Fault, Faults
from rehearsal.standins.shell import Outcome, execute
from rehearsal.world import ACTING
from render import gates
from render.talosctl import BASE, ETCD
from tests.labs import shipped_plan
from tests.rehearsal.talos_labs import ADDRESSES, Bench, Lab
from tests.rehearsal.worlds import a_world, lab

PLANES = ("cp-1", "cp-2", "cp-3")
SLOW = Fault("slow", "machine/*", seconds=300.0)


class Standing(Lab):
    """Three control planes and a worker that stand; Ceph's disks are on the control planes."""

    def __init__(self, *faults: Fault) -> None:
        environment = lab()
        node = environment["cluster"]["nodes"]["cp-1"]
        environment["cluster"]["nodes"]["cp-3"] = node | {"address": "10.0.0.103", "mac": "02:00:00:00:00:03"}
        system = {"kind": "rook-ceph", "disk": "sata", "nodes": list(PLANES), "replicas": 3}
        environment["storage"] = {"systems": {"ceph": system}}
        super().__init__(a_world(environment))
        with self.doing("first-up"):
            for name in ("cp-1", "cp-2", "cp-3", "worker-1"):
                self.apply(name)
            self.world.talos.bootstrap(ADDRESSES["cp-1"], None, self.client)
        assert self.broken() == [], "coming up breaks nothing"
        self.world.faults = Faults(list(faults))

    @contextmanager
    def doing(self, resource: str) -> Iterator[None]:
        """What is done inside is done by the program, for `resource`."""
        token = ACTING.set(resource)
        try:
            with self.world.change():
                yield
        finally:
            ACTING.reset(token)

    def reboot(self, name: str) -> None:
        with self.doing(f"arda-apply-{name}"):
            self.world.talos.reboot(name)

    def reconfigure(self, name: str) -> None:
        """A configuration that reboots; the call returns when the reboot begins."""
        with self.doing(f"arda-apply-{name}"):
            self.apply(name, self.config(name).replace("  install:", "  udev: {rules: [a]}\n  install:"))

    def wait(self, name: str, text: str) -> Outcome:
        """The program waits for `name` by a command of its owner's machine."""
        token = ACTING.set(f"arda-back-{name}")
        try:
            return execute(self.world, self.world.hosts.workstation, "operator", text, Bench(self).talosconfig())
        finally:
            ACTING.reset(token)

    def switch_off(self, *names: str) -> None:
        for name in names:
            with self.world.change():
                self.world.machines.switch(name, on=False)

    def broken(self) -> list[str]:
        return self.world.invariants.broken()


def test_two_control_planes_that_reboot_at_once_are_told_with_who_did_it() -> None:
    at = Standing(SLOW)
    at.reboot("cp-1")
    assert at.broken() == []
    at.reboot("cp-2")
    assert "arda-apply-cp-2: control planes cp-1 and cp-2 of main are down at once" in at.broken()
    assert "arda-apply-cp-2: etcd of main has 1 of 3 members: no majority" in at.broken()
    assert "arda-apply-cp-2: 1 nodes of ceph are up, and it stops below 2" in at.broken()


def test_one_after_the_other_breaks_nothing() -> None:
    at = Standing(SLOW)
    for name in PLANES:
        at.reboot(name)
        at.world.clock.let_pass(301)
    assert at.broken() == []


def gate(name: str) -> str:
    """The graph's own text by which a control plane is waited for after its configuration."""
    cluster = shipped_plan("homelab").cluster
    assert cluster
    node = cluster.control_planes[0]
    return gates.back(cluster, node, standing=True).replace(node.address, ADDRESSES[name])


def only_asks_etcd(name: str) -> str:
    """A text that is content when Talos' API and etcd answer."""
    at = ADDRESSES[name]
    return (
        f"{BASE}{ETCD}sleep 20\nuntil t -e {at} -n {at} version && ! etcd_trouble {at} | grep -q .; do sleep 20; done"
    )


@pytest.mark.parametrize(("text", "together"), [(only_asks_etcd, True), (gate, False)])
def test_a_control_plane_that_still_stops_its_pods_is_not_taken_for_one_that_is_back(
    text: Callable[[str], str], together: bool
) -> None:
    """Talos' API and etcd answer for a while into a reboot; who asks only them takes two control planes down."""
    at = Standing(SLOW)
    for name in PLANES:
        at.reconfigure(name)
        done = at.wait(name, text(name))
        assert done.code == 0, done.stderr
    at.world.clock.let_pass(100)
    assert any("are down at once" in why for why in at.broken()) == together
    assert together or at.broken() == []


def test_what_somebody_switches_off_is_not_the_program_s_doing() -> None:
    at = Standing()
    at.switch_off("cp-1", "cp-2")
    assert at.broken() == []


def test_a_reboot_beside_a_dead_machine_is() -> None:
    at = Standing(SLOW)
    at.switch_off("cp-1")
    at.reboot("cp-2")
    assert any("no majority" in why for why in at.broken())


def test_an_outage_beside_a_reboot_is_not() -> None:
    at = Standing(SLOW, Fault("outage", "machine/cp-2", at=0.0, seconds=1e9))
    with at.world.change():
        pass  # somebody sees the outage
    at.world.faults = Faults([SLOW, Fault("outage", "machine/cp-2", at=1e6, seconds=1e9)])
    at.reboot("cp-1")
    at.world.data["clock"] = 2e6
    with at.doing("arda-apply-cp-1"):
        pass
    assert at.broken() == []


def test_a_voter_that_leaves_beside_a_dead_one_takes_the_majority_with_it() -> None:
    at = Standing()
    at.switch_off("cp-3")
    with at.doing("arda-leave-cp-2"):
        next(iter(at.world.talos.clusters.values()))["members"].remove("cp-2")
    assert [why for why in at.broken() if "etcd" in why] == [
        "arda-leave-cp-2: etcd of main has 1 of 2 members: no majority"
    ]


def test_a_machine_that_is_wiped_takes_a_copy_with_it() -> None:
    at = Standing()
    with at.doing("arda-leave-cp-3"):
        at.world.talos.reset(ADDRESSES["cp-3"], None, at.client, graceful=True, reboot=False)
    assert at.broken() == ["arda-leave-cp-3: 2 nodes hold disks of ceph, which keeps its data on 3"]


@pytest.mark.parametrize("kind", ["longhorn", "openebs"])
def test_longhorn_goes_on_with_one_copy_and_local_volumes_promise_nothing(kind: str) -> None:
    at = Standing(SLOW)
    at.world.environment["storage"]["systems"]["ceph"]["kind"] = kind
    at.reboot("cp-1")
    at.reboot("worker-1")
    assert at.broken() == []


def test_what_was_broken_is_remembered_and_journaled(tmp_path: Path) -> None:
    at = Standing(SLOW)
    at.world.file = tmp_path / "world.json"
    at.reboot("cp-1")
    at.reboot("cp-2")
    again = a_world(at.world.environment, file=at.world.file)
    assert again.invariants.broken() == at.broken() != []
    assert {entry["subject"] for entry in again.entries() if entry["kind"] == "invariants"} == set(at.broken())
