"""An `up` that is killed, wherever that happens, is brought to its end by the next one.

A sample of the moments; all of them: `./lab rehearse STACK --crash-matrix`. One clean run of each lab is lived once.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from rehearsal.crash import Clean, live_clean, live_cut, matrix, sample
from rehearsal.crash_portrait import differences, portrait
from rehearsal.locks import lift_dead
from rehearsal.rack import open_rack
from rehearsal.rack_folder import Lab
from rehearsal.world_process import Staging
from stacks.resuming import CLEAR
from tests.labs import ROOT

pytestmark = pytest.mark.slow
SEED = int(os.environ.get("CRASH_SEED", "1"))
"""Another sample: CRASH_SEED=7 make test."""
ASKING = (
    "talos/Bootstrap/create/after/arda-bootstrap",
    "kubernetes/Release/create/after/cilium-release",
    "kubernetes/Release/create/midway/cilium-release",
    "cloudflare/DnsRecord/create/after/edge-record-external-example-com",
    "cloudflare/ZeroTrustTunnelCloudflared/create/after/edge-tunnel-homelab",
)
"""Where a person is needed: always in the sample."""


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Callable[[str], Clean]:
    """A lab's run without a cut."""
    lived: dict[str, Clean] = {}

    def live(name: str) -> Clean:
        if name not in lived:
            lab = Lab(name, ROOT / f"Pulumi.{name}.yaml", ROOT / "gitops", ROOT / "__main__.py", name)
            lived[name] = live_clean(tmp_path_factory.mktemp(name) / "matrix", lab, engine)
        return lived[name]

    return live


@pytest.mark.parametrize(("name", "always"), [("homelab", ASKING), ("turing", ())])
def test_a_sample_of_all_moments_converges(
    name: str, always: tuple[str, ...], clean: Callable[[str], Clean], capsys: pytest.CaptureFixture[str]
) -> None:
    lived = clean(name)
    points = sorted({*sample(lived.points, 3, SEED), *always})
    with capsys.disabled():
        print(f"\n{name}: CRASH_SEED={SEED} draws {len(points)} of {len(lived.points)}: {', '.join(points)}")
    verdicts = list(matrix(lived, points, workers=2))
    wrong = {verdict.point: verdict.trouble for verdict in verdicts if not verdict.converged}
    assert not wrong, json.dumps(wrong, indent=1)
    assert len(verdicts) == len(points) >= 3
    asked = {verdict.point for verdict in verdicts if verdict.typed}
    assert asked >= set(always), "these stop, and say what to type"


def test_the_moments_are_each_create_s_before_and_after(clean: Callable[[str], Clean]) -> None:
    points = clean("turing").points
    made = {point.split("/")[1] for point in points}
    assert made >= {"Secrets", "Bootstrap", "ConfigurationApply", "Kubeconfig", "Release", "Namespace"}
    for point in points:
        package, kind, operation, moment, name = point.split("/", 4)
        assert operation == "create"
        assert moment in ("before", "after", "midway")
        assert f"{package}/{kind}/create/before/{name}" in points
        assert f"{package}/{kind}/create/after/{name}" in points


def test_a_moment_that_never_comes_is_no_success(clean: Callable[[str], Clean]) -> None:
    verdict = live_cut(clean("turing"), "talos/Bootstrap/create/after/nobody", 999)
    assert not verdict.converged
    assert not verdict.struck


def test_the_state_has_no_second_file_beside_it_that_a_kill_could_halve(clean: Callable[[str], Clean]) -> None:
    """Incident: an engine killed while it wrote `homelab.json.attrs` left it empty; no engine read the state again."""
    backend = clean("turing").folder / "clean" / "turing" / "backend"
    assert list(backend.rglob("turing.json")), "the state is there"
    assert list(backend.rglob("*.attrs")) == []


def test_the_engine_s_memory_of_a_cut_ends_when_told(clean: Callable[[str], Clean], tmp_path: Path) -> None:
    lived = clean("turing")
    point = "kubernetes/Namespace/create/after/*"
    faults = tmp_path / "faults.json"
    faults.write_text(json.dumps({"faults": [{"kind": "kill", "where": point}]}))
    with open_rack(tmp_path, lived.lab, lived.binary, fresh=True, doing="a test", staging=Staging(faults)) as rack:
        assert not rack.run("up").well
    with open_rack(tmp_path, lived.lab, lived.binary, fresh=False, doing="a test") as rack:
        assert rack.lifted, "the dead engine's lock is lifted"
        assert rack.run("up").well
        assert rack.state().get("pending_operations"), "the engine remembers a create that has been done again since"
        done = rack.type_in([CLEAR])
        assert done.code == 0, done.said
        assert not rack.state().get("pending_operations")
        assert rack.run("up").transcript.changed() == []


def test_a_destroy_that_was_cut_off_ends_after_a_refresh(clean: Callable[[str], Clean], tmp_path: Path) -> None:
    """Cloudflare does not forgive a second delete, and its provider passes that on."""
    lived = clean("homelab")
    shutil.copytree(lived.folder / "clean", tmp_path / "racks", symlinks=True)
    faults = tmp_path / "faults.json"
    point = "cloudflare/DnsRecord/delete/after/edge-record-example-com"
    faults.write_text(json.dumps({"faults": [{"kind": "kill", "where": point}]}))
    staging = Staging(faults)
    with open_rack(tmp_path / "racks", lived.lab, lived.binary, fresh=False, doing="a test", staging=staging) as rack:
        rack.unprotect()
        assert not rack.run("destroy").well
        assert lift_dead(rack.folder.backend)
        again = rack.run("destroy")
        assert any("81044" in error.message for error in again.errors())
        assert rack.run("refresh").well
        ended = rack.run("destroy")
        assert ended.well, ended.errors()
        assert not rack.state().get("resources")


def world(**cloudflare: object) -> dict[str, object]:
    """A World's data with nothing but what stands at Cloudflare."""
    empty = {"machines": {}, "talos": {}, "kubernetes": {}, "factory": {"schematics": {}}}
    return {"journal": [], "sections": empty | {"cloudflare": {"records": {}, "tunnels": {}} | cloudflare}}


RECORD = {"type": "A", "name": "a.example.com", "content": "10.0.0.1", "ttl": 1, "proxied": True}


def test_what_is_there_twice_is_seen():
    once, twice = portrait(world(records={"1": RECORD})), portrait(world(records={"1": RECORD, "2": RECORD}))
    assert differences(once, once) == []
    assert differences(once, twice) == ["2 times, not 1: record A a.example.com 10.0.0.1 1 proxied=True"]


def test_what_is_lost_is_seen():
    assert differences(portrait(world(records={"1": RECORD})), portrait(world()))[0].startswith("lost: record A")


def test_ids_drawn_by_chance_are_no_difference():
    def one(identity: str) -> dict[str, object]:
        pointing = RECORD | {"type": "CNAME", "content": f"{identity}.cfargotunnel.com"}
        tunnel = {"name": "homelab", "config_src": "cloudflare", "configuration": None}
        return world(records={identity[::-1]: pointing}, tunnels={identity: tunnel})

    assert differences(portrait(one("abc")), portrait(one("xyz"))) == []


def test_a_sample_is_its_seed_s():
    points = [str(number) for number in range(100)]
    assert sample(points, 5, 3) == sample(points, 5, 3)
    assert sample(points, 5, 3) != sample(points, 5, 4)
    assert sample(points, 500, 3) == points
