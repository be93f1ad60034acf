"""The life of every shipped lab with the real engine: up, nothing to do, an edit, a refusal, a destroy.

One `up` per lab is lived once; every other test goes on from a copy of that rack.
"""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rehearsal.rack import open_rack
from rehearsal.rack_folder import Lab
from rehearsal.world import kube_folders
from rehearsal.world.kube_cluster import PROGRAM, Cluster
from tests.labs import ROOT, SHIPPED, planned, raw
from tests.rehearsal.lives import Life, every_event, in_clear, touched

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stood(tmp_path_factory: pytest.TempPathFactory, engine: Path) -> Callable[[str], Life]:
    """A lab after its first `up`; made once, never changed."""

    @functools.cache
    def stand(name: str) -> Life:
        life = Life(name, tmp_path_factory.mktemp(name), engine)
        life.edited(lambda _: None)
        with every_event(life.events):
            return life.risen()

    return stand


@pytest.fixture
def living(stood: Callable[[str], Life], tmp_path: Path) -> Callable[[str], Life]:
    """A copy of a lab that stands, to be changed freely."""
    return lambda name: stood(name).copied(tmp_path / name)


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_second_up_changes_nothing(lab: str, living: Callable[[str], Life]) -> None:
    assert touched(living(lab).run("up")) == {}


@pytest.mark.parametrize("lab", SHIPPED)
def test_an_engine_that_was_seeded_finds_itself_in_its_folder_and_changes_nothing(
    lab: str, living: Callable[[str], Life]
) -> None:
    """The hand-over of the engine itself: its folder, as the engine reads it, is what Helm installed, and nothing that
    the program wrote beside it is in that folder."""
    life = living(lab)
    before = {name: dict(found.releases) for name, found in life.world().kubernetes.clusters.items()}
    engines = 0
    for name, found in life.world().kubernetes.clusters.items():
        for app in ("argo-cd", "flux-operator", "flux-instance"):
            engines += _adopted(found, name, app)
    assert engines == len(raw(lab)["gitops"]["clusters"]) * (2 if raw(lab)["gitops"]["engine"] == "flux" else 1)
    life.change(lambda world: [found.work() for found in world.kubernetes.clusters.values()])
    assert touched(life.run("up")) == {}
    assert {name: dict(found.releases) for name, found in life.world().kubernetes.clusters.items()} == before


def _adopted(found: Cluster, cluster: str, app: str) -> int:
    """1 when this engine's chart runs on a cluster, is what its folder names, and its own engine is content."""
    release = next((one for one in found.releases.values() if one["chart"] == app), None)
    if release is None:
        return 0
    seeded = {key: release[key] for key in ("chart", "namespace", "version", "values")}
    if app == "argo-cd":
        (application,) = [one for one in found.objects("Application") if one["metadata"]["name"] == app]
        assert application["status"]["sync"]["status"] == "Synced", f"{cluster}: {application['status']}"
        assert application["status"]["health"]["status"] == "Healthy"
        documents = kube_folders.read(ROOT / application["spec"]["source"]["path"])
        ((chart, entry),) = kube_folders.charts(documents)
        place = entry.get("namespace") or application["spec"]["destination"]["namespace"]
        named = {"chart": chart.name, "namespace": place, "version": entry["version"], "values": entry["values"]}
        wrote = {(one["kind"], one["metadata"]["name"]) for one in found.written_by(PROGRAM)}
        held = {(one["kind"], one["metadata"]["name"]) for one in documents if "apiVersion" in one}
        assert not wrote & held, "two writers of one object"
    else:
        named_so = {one["spec"].get("releaseName"): one for one in found.objects("HelmRelease", release["namespace"])}
        helm = named_so[release["name"]]
        assert helm["status"]["conditions"][0]["status"] == "True", helm["status"]
        source = found.get("OCIRepository", release["namespace"], helm["spec"]["chartRef"]["name"]) or {}
        chart_name = str(source["spec"]["url"]).rpartition("/")[2]
        named = {"chart": chart_name, "namespace": release["namespace"], "version": source["spec"]["ref"]["tag"]}
        named["values"] = helm["spec"].get("values") or {}
    assert seeded == named, f"{cluster}: what was seeded is not what {app}'s folder says"
    return 1


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_refresh_finds_the_world_as_the_state_says(lab: str, living: Callable[[str], Life]) -> None:
    assert touched(living(lab).run("refresh")) == {}


@pytest.mark.parametrize("lab", SHIPPED)
def test_no_secret_that_the_world_issued_is_in_clear_anywhere(lab: str, stood: Callable[[str], Life]) -> None:
    life = stood(lab)
    secrets = [secret for secret in life.world().issued_secrets() if len(secret) >= 8]
    assert len(secrets) > 10, "a World that issued nothing proves nothing"
    assert in_clear(life, secrets) == []
    assert "arda-secrets" in "\n".join(life.events), "the events were not heard"


def test_one_more_worker_is_one_more_configuration_and_the_network_s_files(living: Callable[[str], Life]) -> None:
    life = living("homelab")

    def add(environment: dict[str, Any]) -> None:
        one = dict(environment["cluster"]["nodes"]["istari-3"])
        one |= {"address": "192.168.1.107", "mac": "02:00:00:00:02:07", "port": "usw-pro-24/17"}
        environment["cluster"]["nodes"]["istari-4"] = one

    life.edited(add)
    refused = life.run("up")
    assert "gitops-approver-names" in "".join(error.message for error in refused.errors())
    life.approves("istari-3", "istari-4")
    assert touched(life.run("up")) == {
        "arda-apply-istari-4": "create",
        "arda-gate-nodes": "update",
        "arda-node-istari-4": "create",
        "arda-upgrade-istari-4": "create",
        "ea-files-boot": "update",
        "ea-files-boot-server": "update",
        "ea-files-dnsmasq": "update",
    }
    nodes = {node["metadata"]["name"] for node in life.world().kubernetes.clusters["arda"].objects("Node")}
    assert "istari-4" in nodes, "the new worker is part of the cluster"


def test_another_name_moves_one_record(living: Callable[[str], Life]) -> None:
    life = living("homelab")
    life.edited(lambda environment: environment["edge"]["records"][0].update(name="www.example.com"))
    assert touched(life.run("up")) == {
        "edge-record-example-com": "delete",
        "edge-record-www-example-com": "create",
    }


def test_another_gateway_address_touches_what_names_it(living: Callable[[str], Life]) -> None:
    life = living("homelab")
    life.edited(lambda environment: environment["edge"]["gateways"]["envoy-internal"].update(address="192.168.1.230"))
    assert touched(life.run("up")) == {
        "ea-files-dnsmasq": "update",
        "edge-gateway-envoy-internal": "update",
        "edge-record-internal-example-com": "update",
    }


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_destroy_is_refused_whole_while_machine_secrets_are_protected(
    lab: str, living: Callable[[str], Life]
) -> None:
    life = living(lab)
    before = (life.rack() / "world.json").read_bytes()
    run = life.run("destroy")
    assert run.refused
    assert any("arda-secrets" in error.message + error.subject for error in run.errors())
    assert (life.rack() / "world.json").read_bytes() == before, "a refused destroy touched the World"


@pytest.mark.parametrize("lab", SHIPPED)
def test_an_unlocked_destroy_leaves_exactly_what_the_plan_says(lab: str, living: Callable[[str], Life]) -> None:
    life = living(lab)
    run = life.run("destroy", unprotect=True)
    assert run.well, run.errors()
    assert tuple(life.world().leftovers()) == planned(raw(lab)).leftovers


def test_bad_data_stops_before_anything_is_touched(living: Callable[[str], Life]) -> None:
    life = living("homelab")
    life.edited(lambda environment: environment["cluster"].update(vip="192.168.1.101"))
    run = life.run("up")
    assert not run.well
    said = "\n".join(error.message for error in run.errors())
    assert "cluster.vip" in said
    assert not re.search("Traceback", said)
    assert run.transcript.changed() == []


def test_a_fourth_lab_lives_from_its_stack_file_and_folder_alone(tmp_path: Path, engine: Path) -> None:
    fourth = ROOT / "tests" / "fixtures" / "fourth"
    lab = Lab("shire", fourth / "Pulumi.shire.yaml", fourth / "gitops", ROOT / "__main__.py", "shire")
    with open_rack(tmp_path / "racks", lab, engine, fresh=True, doing="a test") as rack:
        assert set(touched(rack.run("up")).values()) == {"create"}
        assert touched(rack.run("up")) == {}
