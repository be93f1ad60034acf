"""A sync of Argo CD as a whole: what keeps all of it out, and when it is tried no more."""

from pathlib import Path
from typing import Any

import pytest

from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import body
from tests.rehearsal.folders import hold, tree, with_argo

OPTIONS = "argocd.argoproj.io/sync-options"
SKIP = "SkipDryRunOnMissingResource=true"
GARDEN = "garden.example.com"
MISSING = f"The Kubernetes API could not find {GARDEN}/Flower for requested resource"
OPEN = {"clusterResourceWhitelist": [{"group": "*", "kind": "*"}]}


def flower(**annotations: str) -> Any:
    made = body("Flower", "rose", api=f"{GARDEN}/v1", spec={})
    made["metadata"]["annotations"] = annotations
    return made


def definition() -> Any:
    names = {"kind": "Flower", "plural": "flowers", "singular": "flower"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    versions = [{"name": "v1", "served": True, "storage": True, "schema": schema}]
    spec = {"group": GARDEN, "scope": "Namespaced", "names": names, "versions": versions}
    return body("CustomResourceDefinition", f"flowers.{GARDEN}", api="apiextensions.k8s.io/v1", spec=spec)


def beside(root: Path, *objects: Any, **over: Any) -> Cluster:
    """One app that holds a ConfigMap `plain`, and these."""
    tree(root, "apps/one")
    hold(root, "one", body("ConfigMap", "plain"), *objects)
    return with_argo(root, rules=OPEN, **over)[0]


def said(cluster: Cluster) -> str:
    (application,) = cluster.objects("Application")
    return "; ".join(each["message"] for each in application["status"]["conditions"])


def stands(cluster: Cluster, kind: str = "ConfigMap", name: str = "plain") -> bool:
    return cluster.get(kind, "apps", name) is not None


def test_an_object_whose_kind_nobody_serves_keeps_out_the_whole_folder(tmp_path: Path) -> None:
    cluster = beside(tmp_path, flower())
    assert f"one or more synchronization tasks are not valid: Flower rose: {MISSING}" in said(cluster)
    assert not stands(cluster)


@pytest.mark.parametrize(
    ("annotations", "policy"),
    [({OPTIONS: f"Prune=false, {SKIP}"}, {}), ({}, {"syncOptions": ["CreateNamespace=true", SKIP]})],
)
def test_an_object_that_may_wait_for_its_kind_lets_the_rest_through(
    tmp_path: Path, annotations: dict[str, str], policy: dict[str, Any]
) -> None:
    cluster = beside(tmp_path, flower(**annotations), policy=policy)
    assert 'one or more objects failed to apply, reason: Flower rose: no matches for kind "Flower"' in said(cluster)
    assert stands(cluster)


def test_a_kind_that_the_same_folder_defines_is_there_in_time(tmp_path: Path) -> None:
    cluster = beside(tmp_path, flower(), definition())
    assert said(cluster) == ""
    assert stands(cluster, "Flower", "rose")


def test_a_sync_that_failed_as_often_as_its_limit_is_tried_no_more_until_git_moves(tmp_path: Path) -> None:
    """A kind that comes after the last try comes too late, until somebody pushes."""
    cluster = beside(tmp_path, flower(), policy={"retry": {"limit": 2, "backoff": {"duration": "10s", "factor": 2}}})
    cluster.world.clock.let_pass(31)
    cluster.create(definition(), "somebody")
    assert said(cluster).startswith("Failed last sync attempt: one or more synchronization tasks are not valid")
    assert said(cluster).endswith("(retried 2 times)")
    assert not stands(cluster)
    hold(tmp_path, "one", body("ConfigMap", "plain"), flower(moved="on"))
    cluster.work()
    assert said(cluster) == ""
    assert stands(cluster)


@pytest.mark.parametrize(
    ("policy", "seconds", "healed"),
    [
        ({"retry": {"limit": 2, "backoff": {"duration": "10s", "factor": 2}}}, 29, True),
        ({}, 154, True),
        ({}, 156, False),
        ({"retry": {"limit": 0}}, 0, False),
        ({"retry": {"limit": -1, "backoff": {"duration": "10s"}}}, 1_000_000, True),
        ({"retry": {"limit": 3, "backoff": {"duration": "1m", "maxDuration": "1m30s"}}}, 239, True),
        ({"retry": {"limit": 3, "backoff": {"duration": "1m", "maxDuration": "1m30s"}}}, 241, False),
    ],
)
def test_what_comes_while_a_sync_is_tried_heals_it(
    tmp_path: Path, policy: dict[str, Any], seconds: float, healed: bool
) -> None:
    cluster = beside(tmp_path, flower(), policy=policy)
    cluster.world.clock.let_pass(seconds)
    cluster.create(definition(), "somebody")
    assert stands(cluster, "Flower", "rose") is healed
