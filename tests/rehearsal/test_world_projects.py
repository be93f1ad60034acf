"""Argo CD's projects on the rack: where an application may write, and what, in Argo CD's own words."""

from pathlib import Path
from typing import Any

import pytest

from rehearsal.world.kube_projects import reaches
from rehearsal.world.kubernetes import trouble_of
from tests.rehearsal.clusters import ARGO, body
from tests.rehearsal.folders import hold, tree, with_argo

HERE = "https://kubernetes.default.svc"


def destinations(*namespaces: str) -> dict[str, Any]:
    return {"spec": {"destinations": [{"server": HERE, "namespace": name} for name in namespaces]}}


@pytest.mark.parametrize(
    ("namespaces", "reached"),
    [
        (("*",), True),
        (("apps",), True),
        (("app-*",), False),
        (("*", "!apps"), False),
        (("!apps", "*"), False),
        (("*", "!kube-*"), True),
        (("!kube-system",), False),
        ((), False),
    ],
)
def test_a_destination_that_says_no_wins_over_all_that_say_yes(namespaces: tuple[str, ...], reached: bool) -> None:
    assert reaches(destinations(*namespaces), HERE, "apps") is reached
    assert not reaches(destinations(*namespaces), "https://elsewhere.example.com", "apps")


def test_an_application_into_a_closed_namespace_is_not_made(tmp_path: Path) -> None:
    tree(tmp_path, "apps/one")
    cluster, made = with_argo(tmp_path, namespace="kube-system")
    assert cluster.objects("Application") == []
    assert "namespace 'kube-system' do not match any of the allowed destinations" in str(trouble_of(cluster, made))


@pytest.mark.parametrize(
    ("rules", "thing", "said"),
    [
        ({}, body("ConfigMap", "x", "kube-system"), "namespace kube-system is not permitted in project 'p'"),
        (
            {"namespaceResourceBlacklist": [{"group": "argoproj.io", "kind": "AppProject"}]},
            body("AppProject", "x", "apps", api=ARGO, spec={}),
            "resource argoproj.io:AppProject is not permitted in project p",
        ),
        ({}, body("Namespace", "x"), "resource :Namespace is not permitted in project p"),
        (
            {
                "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                "clusterResourceBlacklist": [{"group": "", "kind": "Node"}],
            },
            body("Node", "x"),
            "resource :Node is not permitted in project p",
        ),
    ],
)
def test_an_object_that_the_project_does_not_allow_is_refused_by_name(
    tmp_path: Path, rules: dict[str, Any], thing: dict[str, Any], said: str
) -> None:
    tree(tmp_path, "apps/one")
    hold(tmp_path, "one", body("ConfigMap", "fits"), thing)
    cluster, _ = with_argo(tmp_path, rules=rules)
    (application,) = cluster.objects("Application")
    assert said in application["status"]["conditions"][0]["message"]
    assert cluster.get("ConfigMap", "apps", "fits") is None, "one object that may not be keeps out all beside it"
    assert cluster.get(thing["kind"], thing["metadata"].get("namespace"), "x") is None
