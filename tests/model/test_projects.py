"""A category's apps write their own namespaces and new ones, and nobody else's."""

from typing import Any

import pytest

from model.environment import Environment
from model.plan import plan
from model.projects import closed
from model.tree import Tree
from render import argocd
from tests.labs import raw, tree

SYSTEM = {"kube-system", "kube-public", "kube-node-lease", "default"}
MADE = SYSTEM | {"argocd", "networking", "cert-manager", "home-automation", "longhorn-system", "personal-data"}
"""What Kubernetes and `pulumi up` bring on Arda."""


def env(lab: str) -> Environment:
    return Environment.model_validate(raw(lab))


def limits(lab: str, cluster: str, more: Tree | None = None) -> dict[str, set[str]]:
    return {name: set(each) for name, each in closed(env(lab), {**tree(lab), **(more or {})}, cluster).items()}


def folder(category: str, namespace: str, note: str = "") -> Tree:
    notes = f"metadata: {{ annotations: {{ iluvatar/provides: {note} }} }}\n" if note else ""
    thing = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: thing }\n"
    return {
        f"arda/{category}/thing/kustomization.yaml": f"{notes}namespace: {namespace}\nresources: [thing.yaml]\n",
        f"arda/{category}/thing/thing.yaml": thing,
    }


def test_what_kubernetes_and_the_program_bring_is_closed_but_to_its_own_category() -> None:
    own = {
        "certificates": {"cert-manager"},
        "games": set(),
        "gitops": {"argocd"},
        "home-automation": {"home-automation"},
        "kube-system": {"kube-system"},
        "networking": {"networking"},
        "personal-data": {"personal-data"},
        "sites": set(),
        "storage": {"longhorn-system", "kube-system"},
    }
    assert limits("homelab", "arda") == {category: MADE - named for category, named in own.items()}


@pytest.mark.parametrize(
    ("more", "opened"),
    [
        (folder("networking", "kube-system"), {"kube-system"}),
        (folder("networking", "networking", "Role kube-system/leader"), {"kube-system"}),
        (folder("networking", "whoami"), set()),
    ],
)
def test_a_folder_opens_what_it_names_to_its_category_and_to_no_other(more: Tree, opened: set[str]) -> None:
    before, after = limits("homelab", "arda"), limits("homelab", "arda", more)
    assert before["networking"] - after["networking"] == opened
    assert {**after, "networking": ()} == {**before, "networking": ()}


def test_a_chart_that_writes_into_kube_system_opens_it_to_its_category() -> None:
    """The Services of etcd, the scheduler and CoreDNS, which Prometheus looks for there."""
    closed_to = limits("pitower", "tower")
    assert "kube-system" not in closed_to["monitoring"]
    assert "kube-system" in closed_to["media"]


def test_an_app_with_a_namespace_of_its_own_changes_no_project() -> None:
    """A new app is a new folder and nothing else: no `up` stands between."""
    fresh = folder("networking", "whoami")
    told = [plan(env("homelab"), each).gitops_on("arda") for each in (tree("homelab"), {**tree("homelab"), **fresh})]
    assert [argocd.project(one, "networking") for one in told if one] == 2 * [project("networking")]


def project(category: str) -> dict[str, Any]:
    planned = plan(env("homelab"), tree("homelab")).gitops_on("arda")
    assert planned is not None
    return argocd.project(planned, category)


def test_a_project_is_its_repository_s_and_lets_no_folder_write_its_own_limits() -> None:
    spec = project("gitops")["spec"]
    assert spec["sourceRepos"] == ["https://git-mirror.ainur.homelab.example.com/iluvatar.git"]
    assert {one["namespace"] for one in spec["destinations"]} == {"*", *(f"!{one}" for one in MADE - {"argocd"})}
    assert {"group": "argoproj.io", "kind": "AppProject"} in spec["namespaceResourceBlacklist"]
    assert {"group": "", "kind": "Node"} in spec["clusterResourceBlacklist"]


def test_flux_has_no_projects() -> None:
    assert closed(env("turing"), tree("turing"), "rk1") == {}
