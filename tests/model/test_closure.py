"""The closure's graph: what it reads out of the folders, in which order apps come up, and that nothing trips it."""

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.closure.charts import CHARTS, full_name
from model.closure.clusters import closure
from model.closure.graph import Graph, called
from model.closure.randomness import RANDOM
from model.closure.things import Thing
from model.environment import Environment
from model.laws import examine
from model.laws.closure import unmet
from model.tree import Chart, documents
from tests.labs import SHIPPED, raw, tree
from tests.model import cases
from tests.model.test_fuzz import ODD, places, walk


def graph(files: dict[str, str], lab: str = "homelab", cluster: str = "arda") -> Graph:
    return closure(Environment.model_validate(raw(lab)), cases.small_tree(lab) | files, cluster)


def needed(found: Graph, app: str) -> set[str]:
    return {str(need.thing) for need in found.needs if need.app == app}


@pytest.mark.parametrize("lab", SHIPPED)
def test_a_shipped_lab_closes_and_every_app_has_its_round(lab: str) -> None:
    environment = Environment.model_validate(raw(lab))
    for cluster in environment.gitops.clusters if environment.gitops else ():
        found = closure(environment, tree(lab), cluster)
        assert [str(need.thing) for need in unmet(found)] == []
        assert sorted(app for one in found.order for app in one) == sorted(map(called, found.apps))
        placed: set[str] = set()
        for one in found.order:
            for app in one:
                assert found.edges[app].keys() <= placed, f"{app} comes up before what it needs"
            placed.update(one)


def test_what_a_pod_names_is_needed_wherever_it_stands() -> None:
    pod = """
      serviceAccountName: gardener
      priorityClassName: system-node-critical
      containers:
        - name: c
          envFrom: [{ configMapRef: { name: a } }, { secretRef: { name: maybe, optional: true } }]
          env: [{ name: X, valueFrom: { secretKeyRef: { name: b, key: k } } }]
      volumes:
        - { name: v, persistentVolumeClaim: { claimName: c } }
        - { name: w, projected: { sources: [{ secret: { name: d } }, { configMap: { name: e } }] } }
        - { name: x, secret: { secretName: f } }
    """
    spec = {"jobTemplate": {"spec": {"template": {"spec": yaml.safe_load(pod)}}}}
    job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "j"}, "spec": spec}
    found = graph(
        {"arda/networking/j/kustomization.yaml": "resources: [j.yaml]", "arda/networking/j/j.yaml": yaml.safe_dump(job)}
    )
    names = ("ServiceAccount", "gardener"), ("ConfigMap", "a"), ("Secret", "b"), ("PersistentVolumeClaim", "c")
    names += ("Secret", "d"), ("ConfigMap", "e"), ("Secret", "f")
    named = {f"{kind} networking/{name}" for kind, name in names}
    assert needed(found, "networking/j") == named | {"Namespace networking"}


def test_components_prefixes_and_namespaces_are_followed() -> None:
    own = "namespace: kube-system\nnamePrefix: my-\nresources: [../../../../shared/base]"
    found = graph(
        {
            "arda/networking/one/kustomization.yaml": own,
            "../shared/base/kustomization.yaml": "resources: [map.yaml]\nconfigMapGenerator: [{ name: made }]",
            "../shared/base/map.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: map, namespace: elsewhere }",
        }
    )
    (app,) = (one for one in found.apps if one.name == "one")
    assert [(one.name, one.namespace, one.hashed) for one in app.objects] == [
        ("my-map", "kube-system", False),
        ("my-made", "kube-system", True),
    ]


def test_an_annotation_says_what_nobody_can_read() -> None:
    made = "metadata: { annotations: { iluvatar/provides: 'Secret networking/x, kind example.com/Thing' } }"
    found = graph({"arda/networking/one/kustomization.yaml": made})
    assert found.brought[Thing("Secret", "networking", "x")][0].app == "networking/one"
    assert Thing("kind", "", "example.com/Thing") in found.brought


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [("argo-cd", {}, "argo-cd-argocd"), ("argocd", {}, "argocd"), ("x", {"fullnameOverride": "y"}, "y")],
)
def test_objects_of_a_chart_are_called_as_helm_calls_them(release: str, values: dict[str, Any], name: str) -> None:
    """argo-helm's `argo-cd.fullname`: a release that holds the base name is not repeated."""
    assert full_name(Chart("argo-cd", "https://charts.example.com", "", release, "argocd", values)) == name


def test_every_fact_about_a_chart_says_where_it_is_from() -> None:
    assert all("/" in facts.source for facts in CHARTS.values())
    assert all("/" in row.source for rows in RANDOM.values() for row in rows)


OWN = {lab: tree(lab) for lab in SHIPPED}
TEXTS = [(lab, path) for lab in SHIPPED for path in OWN[lab] if path.endswith(".yaml")]


@given(data=st.data())
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_folder_holds_is_found_or_passes(data: st.DataObject) -> None:
    """One value of one manifest is something else: there are findings or none, never a traceback."""
    lab, path = data.draw(st.sampled_from(TEXTS))
    bodies = [dict(one) for one in documents(OWN[lab][path])]
    bodies = yaml.safe_load(yaml.safe_dump(bodies))
    ways = [one for one in places(bodies) if one]
    if not ways:
        return
    *way, last = data.draw(st.sampled_from(ways))
    walk(bodies, way)[last] = data.draw(st.sampled_from([one for one in ODD if one != "\ud800"]))
    text = yaml.safe_dump_all(one for one in bodies)
    examined = examine(raw(lab), {**OWN[lab], path: text})
    for finding in examined.findings:
        assert finding.message.isprintable()
        assert len(finding.message) < 700


@pytest.mark.parametrize("key", ["kind", "apiVersion", "metadata", "resources", "helmCharts", "patches", "namePrefix"])
@pytest.mark.parametrize("value", ["[[x]]", "{a: b}", "7", "true", "[null]", "2024-01-01", "[{a: 1}]"])
def test_a_kustomization_of_odd_types_is_told_and_trips_nothing(key: str, value: str) -> None:
    files = {"arda/kube-system/one/kustomization.yaml": f"namespace: kube-system\n{key}: {value}\n"}
    found = {one.code for one in examine(cases.stack("homelab"), cases.small_tree("homelab") | files).errors}
    well = (key, value) in (("metadata", "{a: b}"), ("patches", "[{a: 1}]"), ("helmCharts", "[{a: 1}]"))
    assert ("gitops-kustomization-form" in found) is (not well or key == "helmCharts")


def test_an_ingress_that_leads_back_to_itself_is_read_once() -> None:
    text = "kind: Ingress\nmetadata: {name: one}\nspec: &a {rules: [*a], host: &b [*b]}\n"
    files = {"ainur/storage/longhorn/ingress.yaml": text}
    assert examine(cases.stack("homelab"), cases.small_tree("homelab") | files).environment is not None
