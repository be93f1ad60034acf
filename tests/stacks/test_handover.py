"""The hand-over, as the program registers it: each seed is its folder's to the letter, the closure knows the rest."""

from collections.abc import Iterator

import pytest

from components.bindings.helm import GITS
from foresight.ledger import ledger, passing
from model.closure.standing import seeds, written
from model.closure.things import CLUSTER_WIDE, Thing
from model.environment import Environment
from model.tree import seeded
from tests.labs import SHIPPED, raw, tree
from tests.recording import Registered
from tests.stacks.test_graph import recorded

PROVIDERS = {"ainur": "bootstrap", "arda": "cluster"}
"""The first word of a Kubernetes provider's name → whose cluster it is."""


def env(lab: str) -> Environment:
    return Environment.model_validate(raw(lab))


def on_clusters(lab: str) -> Iterator[tuple[str, Registered]]:
    """(cluster, resource) of everything that the program puts into a cluster by a Kubernetes provider."""
    environment, recording = env(lab), recorded(lab)
    for resource in recording.resources.values():
        if resource.type.startswith("kubernetes:") and not resource.type.startswith("pulumi:"):
            realm = resource.provider.rpartition("::")[0].rpartition("::")[2].partition("-")[0]
            found = getattr(environment, PROVIDERS[realm])
            yield found.name, resource


def thing(resource: Registered) -> Thing:
    kind, metadata = resource.inputs["kind"], resource.inputs["metadata"]
    return Thing(kind, "" if kind in CLUSTER_WIDE else metadata["namespace"], metadata["name"])


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_closure_knows_every_object_that_the_program_writes(lab: str) -> None:
    """Else a folder could hold one of them too, and nobody would say that it has two writers."""
    registered: dict[str, set[Thing]] = {}
    for cluster, resource in on_clusters(lab):
        if not resource.type.endswith(":Release"):
            registered.setdefault(cluster, set()).add(thing(resource))
    environment = env(lab)
    assert set(registered) == set(environment.gitops.clusters if environment.gitops else ())
    assert registered == {name: set(written(environment, tree(lab), name)) for name in registered}


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_seed_is_what_its_folder_says_to_the_letter(lab: str) -> None:
    """Chart, version, values, release and namespace: what the engine renders later is what was installed."""
    environment, folders = env(lab), tree(lab)
    releases = [(name, resource) for name, resource in on_clusters(lab) if resource.type.endswith(":Release")]
    wanted = [(name, app) for realm in PROVIDERS.values() for name, app in _seeds_of(environment, realm)]
    assert len(releases) == len(wanted), "a seed without a folder, or a folder without its seed"
    charts = {(name, chart.release): chart for name, app in wanted if (chart := seeded(folders, name, app))}
    for name, resource in releases:
        chart = charts[name, resource.inputs["name"]]
        assert resource.inputs["chart"] == (f"{chart.repository}/{chart.name}" if chart.oci else chart.name)
        assert resource.inputs["version"] == chart.version
        assert resource.inputs["namespace"] == chart.namespace
        assert resource.inputs["values"] == dict(chart.values)
        assert resource.inputs.get("repositoryOpts", {}).get("repo") == (None if chart.oci else chart.repository)


def _seeds_of(environment: Environment, realm: str) -> Iterator[tuple[str, str]]:
    cluster = getattr(environment, realm)
    yield from ((cluster.name, app) for app in seeds(environment, cluster.name)) if cluster else ()


@pytest.mark.parametrize("lab", SHIPPED)
def test_what_passed_is_neither_reverted_nor_uninstalled(lab: str) -> None:
    for _, resource in on_clusters(lab):
        if resource.type.endswith(":Release"):
            assert resource.retain_on_delete, f"{resource.name} would be uninstalled"
            assert set(GITS) <= set(resource.ignore_changes), f"{resource.name} would be set back"


@pytest.mark.parametrize("lab", SHIPPED)
def test_the_ledger_has_each_object_once_and_one_writer_at_a_time(lab: str) -> None:
    rows = ledger(env(lab), tree(lab))
    places = [(row.cluster, row.what) for row in rows]
    assert len(places) == len(set(places))
    assert len(passing(rows)) == sum(resource.type.endswith(":Release") for _, resource in on_clusters(lab))
    assert all(row.when != "never" for row in passing(rows))
