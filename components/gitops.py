"""GitOps' seed: the engine, and what tells it which folders are this cluster's.

Owns the seed. Refuses what runs on the cluster: from here on that is Git's.
"""

from collections.abc import Sequence

import pulumi

from components.bindings import helm, kubernetes
from model.gitops import GitopsClusterPlan
from render import argocd, manifests

ARGOCD = "iluvatar:gitops:ArgoCD"
FLUX = "iluvatar:gitops:Flux"


class ArgoCD(pulumi.ComponentResource):
    """Argo CD on one cluster, with its project and one ApplicationSet a category."""

    seeded: list[pulumi.Resource]
    """The ApplicationSets: from here on Argo CD works by itself."""

    def __init__(
        self,
        name: str,
        plan: GitopsClusterPlan,
        *,
        provider: kubernetes.Provider,
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(ARGOCD, name, None, opts)
        key = plan.cluster

        def options(*waits: pulumi.Resource, kept: bool = False) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(waits), retain_on_delete=kept)

        # Argo CD runs here, and it is Argo CD's from now on: a destroyed stack leaves it standing
        body = manifests.namespace(plan.chart.namespace)
        namespace = kubernetes.KubernetesObject(f"gitops-namespace-{key}", body, options(*after, kept=True))
        release = helm.seed(f"gitops-argo-cd-{key}", plan.chart, options(namespace), adopted=True)
        project = kubernetes.KubernetesObject(f"gitops-project-{key}", argocd.project(plan), options(release))
        self.seeded = [
            kubernetes.KubernetesObject(
                f"gitops-apps-{key}-{category}", argocd.application_set(plan, category, folder), options(project)
            )
            for category, folder in plan.categories
        ]
        self.register_outputs({})


class Flux(pulumi.ComponentResource):
    """Flux on one cluster: its operator, and the instance that names the root artefact."""

    def __init__(
        self,
        name: str,
        plan: GitopsClusterPlan,
        *,
        provider: kubernetes.Provider,
        after: Sequence[pulumi.Resource],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(FLUX, name, None, opts)
        # Flux runs here, and it is Flux's own from now on: a destroyed stack leaves it standing
        kept = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(after), retain_on_delete=True)
        body = manifests.namespace(plan.chart.namespace)
        namespace = kubernetes.KubernetesObject(f"gitops-namespace-{plan.cluster}", body, kept)
        waits = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[namespace])
        operator = helm.seed(f"gitops-flux-operator-{plan.cluster}", plan.chart, waits, adopted=True)
        if plan.instance:
            waits = pulumi.ResourceOptions(parent=self, provider=provider, depends_on=[operator])
            helm.seed(f"gitops-flux-instance-{plan.cluster}", plan.instance, waits, adopted=True)
        self.register_outputs({})
