"""Argo CD's seed: one project and one ApplicationSet a category, so that a new app is a new folder and nothing else.

Owns the objects. Refuses to delete what runs: removing a category from the data leaves its applications' resources.
"""

from typing import Any

from model.gitops import AUTHORITY_KEY, AUTHORITY_SECRET, TRUST, GitopsClusterPlan, MirrorPlan
from model.gitops import project as name_of

Manifest = dict[str, Any]

HERE = "https://kubernetes.default.svc"
"""The cluster Argo CD runs on."""
SYNC_OPTIONS = ("CreateNamespace=true", "ServerSideApply=true", "SkipDryRunOnMissingResource=true")
"""The last: an object whose kind another app brings waits for it by itself, not with all that lies beside it."""
RETRY = {
    "limit": -1,
    "refresh": True,
    "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"},
}
"""Without end, because nothing else orders apps. `refresh`: each try takes what is in Git by then; else a folder that
never applies keeps out its own correction (Argo CD 3.2, #11494)."""


OWN_KINDS = ("AppProject", "Application", "ApplicationSet")
"""What no folder holds: with one of its own, an app would write its limits itself."""
NO_APP_S = {"": ("Node",), "certificates.k8s.io": ("CertificateSigningRequest",)}
"""API group → cluster-wide kinds that are machines' and kubelets' business. What charts bring is all allowed, such as
CRDs, roles and classes: a new app is a new folder and nothing else."""


def project(plan: GitopsClusterPlan, category: str) -> Manifest:
    """The project of a category's applications: this repository, this cluster, its own namespaces and new ones."""
    closed = [{"server": HERE, "namespace": f"!{name}"} for name in plan.closed[category]]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name_of(plan.cluster, category), "namespace": plan.chart.namespace},
        "spec": {
            "description": f"What {category} runs on {plan.cluster}",
            "sourceRepos": [plan.repository],
            # One that says no wins over all that say yes (Argo CD, "Projects")
            "destinations": [{"server": HERE, "namespace": "*"}, *closed],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
            "clusterResourceBlacklist": [{"group": g, "kind": k} for g, kinds in NO_APP_S.items() for k in kinds],
            "namespaceResourceBlacklist": [{"group": "argoproj.io", "kind": kind} for kind in OWN_KINDS],
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


def authority(plan: GitopsClusterPlan, root: Any) -> Manifest:
    """The lab's own authority (PEM, or an Output of it), as its login names it: no secret, in a Secret all the same."""
    # Argo CD reads only Secrets that say they are its own
    labels = {"app.kubernetes.io/part-of": "argocd"}
    metadata = {"name": AUTHORITY_SECRET, "namespace": plan.chart.namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {AUTHORITY_KEY: root}}


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
                    "project": name_of(plan.cluster, category),
                    "source": {
                        "repoURL": plan.repository,
                        "targetRevision": plan.revision,
                        "path": "{{ .path.path }}",
                    },
                    "destination": {"server": HERE, "namespace": category},
                    "syncPolicy": {
                        "automated": {"prune": True, "selfHeal": True},
                        "syncOptions": [*SYNC_OPTIONS],
                        "retry": RETRY,
                    },
                },
            },
        },
    }
