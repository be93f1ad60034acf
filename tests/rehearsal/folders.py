"""Folders as Argo CD finds them, and a cluster that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import ARGO, REPOSITORY, body, make, seed, talos_cluster


def tree(root: Path, *apps: str) -> Path:
    for app in apps:
        folder = root / "gitops" / "lab" / "main" / app
        folder.mkdir(parents=True)
        (folder / "kustomization.yaml").write_text("resources: [thing.yaml]\n", encoding="utf-8")
        thing = body("ConfigMap", app.replace("/", "-"))
        (folder / "thing.yaml").write_text(yaml.safe_dump(thing), encoding="utf-8")
    return root


def application_set(**over: Any) -> dict[str, Any]:
    """The spec of an ApplicationSet; ``over`` replaces what its generator or its template says."""
    generator = {"repoURL": REPOSITORY, "revision": "main", "directories": [{"path": "gitops/lab/main/apps/*"}]}
    spec = {
        "project": over.get("project", "p"),
        "source": {"repoURL": REPOSITORY, "targetRevision": "main", "path": "{{ .path.path }}"},
        "destination": {
            "server": over.get("server", "https://kubernetes.default.svc"),
            "namespace": over.get("namespace", "apps"),
        },
        "syncPolicy": {
            "syncOptions": ["CreateNamespace=true"],
            "automated": {"prune": True, "selfHeal": True},
            **over.get("policy", {}),
        },
    }
    return {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "syncPolicy": {"preserveResourcesOnDeletion": over.get("preserved", True)},
        "generators": [{"git": generator | over.get("generator", {})}],
        "template": {"metadata": {"name": over.get("name", "{{ .path.basename }}")}, "spec": spec},
    }


def with_argo(root: Path, **over: Any) -> tuple[Cluster, Any]:
    """A cluster that runs it; ``rules`` go into its project, the rest of ``over`` into its ApplicationSet."""
    cluster = talos_cluster(root)
    seed(cluster, "cilium", "argo-cd")
    project = {
        "sourceRepos": [REPOSITORY],
        "destinations": [{"server": "https://kubernetes.default.svc", "namespace": "apps"}],
    }
    make(cluster, "AppProject", "p", "argocd", api=ARGO, spec=project | over.get("rules", {}))
    return cluster, make(cluster, "ApplicationSet", "apps", "argocd", api=ARGO, spec=application_set(**over))


def workload(kind: str, pod: dict[str, Any]) -> dict[str, Any]:
    labels = {"app": "thing"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return body(kind, "thing", api="apps/v1", spec={"selector": {"matchLabels": labels}, "template": template})


def hold(root: Path, app: str, *objects: Any) -> None:
    """Let the folder of ``app`` hold these objects."""
    file = root / "gitops/lab/main/apps" / app / "thing.yaml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
