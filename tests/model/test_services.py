"""Which Services are judged to have no pods, and where nothing is said because somebody else may make them."""

from typing import Any

import pytest
import yaml

from model.laws import examine
from tests.model import cases

CLUSTER, FOLDER = "ainur", "ainur/source/git-mirror"
SELECTS = {"app": "mirror"}


def service(**spec: Any) -> dict[str, Any]:
    body = {"selector": SELECTS, "ports": [{"port": 80}]} | spec
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "mirror"}, "spec": body}


def workload(kind: str = "Deployment", **labels: str) -> dict[str, Any]:
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "c", "image": "example.com/c:v1.2.3"}]},
    }
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    if kind == "CronJob":
        spec = {"schedule": "0 4 * * *", "jobTemplate": {"spec": {"template": template}}}
    api = "batch/v1" if kind == "CronJob" else "apps/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "mirror"}, "spec": spec}


def judged(*objects: Any, **kustomization: Any) -> list[str]:
    """What is said of the Services of an app with these objects."""
    files = {
        f"{FOLDER}/kustomization.yaml": yaml.safe_dump({"resources": ["all.yaml"]} | kustomization),
        f"{FOLDER}/all.yaml": yaml.safe_dump_all(objects),
    }
    found = examine(cases.stack("homelab"), cases.small_tree("homelab") | files).findings
    return [one.hint for one in found if one.code == "gitops-service-pods"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "CronJob"])
def test_a_service_has_the_pods_of_whichever_workload_carries_its_labels(kind: str) -> None:
    assert judged(service(), workload(kind, app="mirror", more="of it")) == []
    assert judged(service(), workload(kind, app="other")) == ["pods there have app: other"]


def test_a_service_without_any_pod_beside_it_is_told_what_to_write() -> None:
    assert judged(service()) == ["write the labels of its pods' template"]


@pytest.mark.parametrize("spec", [{"selector": {}}, {"type": "ExternalName", "externalName": "git.example.com"}])
def test_a_service_that_chooses_no_pods_needs_none(spec: dict[str, Any]) -> None:
    assert judged(service(**spec)) == []


@pytest.mark.parametrize(
    "kustomization",
    [
        {"labels": [{"pairs": SELECTS, "includeTemplates": True}]},
        {"helmCharts": [{"name": "thing", "repo": "https://charts.example.com", "version": "1.2.3"}]},
        {"patches": [{"patch": "[{op: add, path: /spec/template/metadata/labels/app, value: mirror}]"}]},
        {
            "replacements": [
                {"source": {"kind": "Service"}, "targets": [{"fieldPaths": ["spec.template.metadata.labels"]}]}
            ]
        },
    ],
)
def test_where_a_chart_or_a_kustomization_may_label_pods_nothing_is_said(kustomization: dict[str, Any]) -> None:
    told = judged(service(), workload(app="other"), **{"namespace": "source"} | kustomization)
    assert told == []


def test_where_an_operator_may_make_pods_nothing_is_said() -> None:
    cluster = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "db"}, "spec": {}}
    assert judged(service(), cluster) == []


@pytest.mark.parametrize(
    ("api", "kind", "rule"),
    [
        ("gateway.networking.k8s.io/v1", "HTTPRoute", {"backendRefs": [{"name": "mirror", "port": 80}]}),
        (
            "networking.k8s.io/v1",
            "Ingress",
            {"http": {"paths": [{"backend": {"service": {"name": "mirror", "port": {"number": 80}}}}]}},
        ),
    ],
)
def test_a_service_that_somebody_outside_is_led_to_is_the_routes_own_law(api: str, kind: str, rule: Any) -> None:
    route = {"apiVersion": api, "kind": kind, "metadata": {"name": "r"}, "spec": {"rules": [rule]}}
    assert judged(service(), route) == []
