"""Argo CD's seed: the project and one ApplicationSet a category, so that a new app is a new folder and nothing else.

Owns the objects. Refuses to delete what runs: removing a category from the data leaves its applications' resources.
"""

from typing import Any

from model.gitops import TRUST, GitopsClusterPlan, MirrorPlan

Manifest = dict[str, Any]

HERE = "https://kubernetes.default.svc"
"""The cluster Argo CD runs on."""


def project(plan: GitopsClusterPlan) -> Manifest:
    """The project of a cluster's applications: this repository, this cluster, nothing else."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": plan.cluster, "namespace": plan.chart.namespace},
        "spec": {
            "description": f"What runs on {plan.cluster}",
            "sourceRepos": [plan.repository],
            "destinations": [{"server": HERE, "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def trust(plan: GitopsClusterPlan, mirror: MirrorPlan, authority: Any) -> Manifest:
    """The mirror's host, with the authority (PEM, or an Output of it) that its certificate is of."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": TRUST,
            "namespace": plan.chart.namespace,
            "labels": {"app.kubernetes.io/name": TRUST, "app.kubernetes.io/part-of": "argocd"},
        },
        "data": {mirror.host: authority},
    }


def application_set(plan: GitopsClusterPlan, category: str, folder: str) -> Manifest:
    """One Application a folder of the category, named after the folder."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": category, "namespace": plan.chart.namespace},
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [
                {
                    "git": {
                        "repoURL": plan.repository,
                        "revision": plan.revision,
                        "directories": [{"path": f"{folder}/*"}],
                    }
                }
            ],
            # Deleting the set, or the stack that made it, must never delete what runs, nor its volumes
            "syncPolicy": {"preserveResourcesOnDeletion": True},
            "template": {
                "metadata": {"name": "{{ .path.basename }}", "labels": {"category": category}},
                "spec": {
                    "project": plan.cluster,
                    "source": {
                        "repoURL": plan.repository,
                        "targetRevision": plan.revision,
                        "path": "{{ .path.path }}",
                    },
                    "destination": {"server": HERE, "namespace": category},
                    "syncPolicy": {
                        "automated": {"prune": True, "selfHeal": True},
                        "syncOptions": ["CreateNamespace=true", "ServerSideApply=true"],
                    },
                },
            },
        },
    }
