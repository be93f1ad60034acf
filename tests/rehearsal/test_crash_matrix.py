"""A run that is killed, wherever that happens, is brought to its end by the next one.

A sample of the moments; all of them: `./lab rehearse STACK --crash-matrix --of up|edit|destroy`. Each clean run is
lived once.
"""

import json
import os
from pathlib import Path
from typing import Protocol

import pytest
import yaml

from model.findings import Finding
from rehearsal.crash import Clean, Of, live_clean, live_cut, matrix, sample
from rehearsal.crash_edit import edited_lab, later_charts
from rehearsal.crash_portrait import differences, portrait
from rehearsal.rack import open_rack
from rehearsal.world_process import Staging
from stacks.judgement import judge
from stacks.resuming import CLEAR
from tests.rehearsal.lives import shipped, without_gitops

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
"""Where a person is needed when an `up` was cut: always in the sample."""
ASKING_AFTER_AN_EDIT = ("cloudflare/DnsRecord/delete/after/edge-record-example-com",)
ASKING_IN_A_DESTROY = ("cloudflare/DnsRecord/delete/after/edge-record-example-com",)
"""Cloudflare does not forgive a second delete, and its provider passes that on."""
ASKING_WITHOUT_GITOPS = ("kubernetes/Release/update/midway/cilium-release",)
"""Where no GitOps engine takes the charts over, this program upgrades them itself, and may be cut in the middle."""


class Live(Protocol):
    """A run without a cut of a lab, lived once: its first up, the up after an edit, its destroy."""

    def __call__(self, name: str, of: Of = "up") -> Clean: ...


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Live:
    lived: dict[tuple[str, Of], Clean] = {}

    def live(name: str, of: Of = "up") -> Clean:
        if (name, of) not in lived:
            folder = tmp_path_factory.mktemp(name)
            lab = without_gitops(folder) if name == "shire" else shipped(name)
            lived[name, of] = live_clean(folder / "matrix", lab, engine, of)
        return lived[name, of]

    return live


@pytest.mark.parametrize(
    ("name", "of", "always"),
    [
        ("homelab", "up", ASKING),
        ("turing", "up", ()),
        ("homelab", "edit", ASKING_AFTER_AN_EDIT),
        ("homelab", "destroy", ASKING_IN_A_DESTROY),
        ("shire", "edit", ASKING_WITHOUT_GITOPS),
    ],
)
def test_a_sample_of_all_moments_converges(
    name: str, of: Of, always: tuple[str, ...], clean: Live, capsys: pytest.CaptureFixture[str]
) -> None:
    lived = clean(name, of)
    points = sorted({*sample(lived.points, 2, SEED), *always})
    with capsys.disabled():
        print(f"\n{name}, {of}: CRASH_SEED={SEED} draws {len(points)} of {len(lived.points)}: {', '.join(points)}")
    verdicts = list(matrix(lived, points, workers=2))
    wrong = {verdict.point: verdict.trouble for verdict in verdicts if not verdict.converged}
    assert not wrong, json.dumps(wrong, indent=1)
    assert len(verdicts) == len(points) >= 2
    asked = {verdict.point for verdict in verdicts if verdict.typed}
    assert asked >= set(always), "these stop, and say what to type"


def test_the_moments_are_each_create_s_before_and_after(clean: Live) -> None:
    points = clean("turing").points
    made = {point.split("/")[1] for point in points}
    assert made >= {"Secrets", "Bootstrap", "ConfigurationApply", "Kubeconfig", "Release", "Namespace"}
    for point in points:
        package, kind, operation, moment, name = point.split("/", 4)
        assert operation == "create"
        assert moment in ("before", "after", "midway")
        assert f"{package}/{kind}/create/before/{name}" in points
        assert f"{package}/{kind}/create/after/{name}" in points


def test_a_moment_that_never_comes_is_no_success(clean: Live) -> None:
    verdict = live_cut(clean("turing"), "talos/Bootstrap/create/after/nobody", 999)
    assert not verdict.converged
    assert not verdict.struck


def test_the_state_has_no_second_file_beside_it_that_a_kill_could_halve(clean: Live) -> None:
    """Incident: an engine killed while it wrote `homelab.json.attrs` left it empty; no engine read the state again."""
    backend = clean("turing").folder / "clean" / "turing" / "backend"
    assert list(backend.rglob("turing.json")), "the state is there"
    assert list(backend.rglob("*.attrs")) == []


def test_the_engine_s_memory_of_a_cut_ends_when_told(clean: Live, tmp_path: Path) -> None:
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


def test_an_edit_touches_several_kinds_and_a_destroy_all_of_them(clean: Live) -> None:
    edited = {"/".join(point.split("/")[:3]) for point in clean("homelab", "edit").points}
    assert edited >= {
        "talos/ConfigurationApply/update",
        "kubernetes/Gateway/update",
        "kubernetes/ConfigMap/update",
        *(f"cloudflare/DnsRecord/{operation}" for operation in ("create", "update", "delete")),
    }
    destroyed = {point.split("/")[2] for point in clean("homelab", "destroy").points}
    assert destroyed == {"delete"}


def test_a_helm_upgrade_of_this_program_s_is_cut_in_its_middle_too(clean: Live) -> None:
    points = clean("shire", "edit").points
    moments = [f"kubernetes/Release/update/{moment}/cilium-release" for moment in ("before", "midway", "after")]
    assert [point for point in points if "/Release/" in point] == moments


def test_the_originals_are_only_read_and_a_copy_is_edited(tmp_path: Path) -> None:
    lab = shipped("pitower")
    before = lab.stack_file.read_bytes()
    changed = edited_lab(lab, tmp_path / "edited")
    assert lab.stack_file.read_bytes() == before
    environment = yaml.safe_load(changed.stack_file.read_text())["config"]["iluvatar:environment"]
    assert [
        finding for finding in judge(environment, "pitower", set(), changed.gitops).findings if blocks(finding)
    ] == []
    assert later_charts("  version: 1.18.4\n") == "  version: 1.18.5\n"


def blocks(finding: Finding) -> bool:
    return finding.grade == "error" and "secret" not in finding.code


def world(**cloudflare: object) -> dict[str, object]:
    """A World's data with nothing but what stands at Cloudflare."""
    empty = {"machines": {}, "talos": {}, "kubernetes": {}, "factory": {"schematics": {}}}
    return {
        "journal": [],
        "sections": empty | {"cloudflare": {"records": {}, "tunnels": {}, "settings": {}} | cloudflare},
    }


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
