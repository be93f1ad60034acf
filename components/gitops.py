"""GitOps' seed: the engine, and what tells it which folders are this cluster's.

Owns the seed. Refuses what runs on the cluster: from here on that is Git's.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pulumi
from pulumi_command import local

from components.bindings import helm, kubernetes
from model.app_secrets import APPS, AppSecret, values
from model.flux import VERIFY_SECRET
from model.gitops import MIRROR_APP, GitopsClusterPlan
from model.onepassword import CREDENTIALS_SECRET, TOKEN_SECRET
from model.repository import REPOSITORY_SECRET
from render import app_secrets, argocd, flux, manifests, repository, vault

ARGOCD = "iluvatar:gitops:ArgoCD"
FLUX = "iluvatar:gitops:Flux"


class ArgoCD(pulumi.ComponentResource):
    """Argo CD on one cluster, with a project and an ApplicationSet a category."""

    seeded: list[pulumi.Resource]
    """The ApplicationSets: from here on Argo CD works by itself."""

    def __init__(
        self,
        name: str,
        plan: GitopsClusterPlan,
        *,
        provider: kubernetes.Provider,
        after: Sequence[pulumi.Resource],
        secrets: Mapping[str, pulumi.Input[str]],
        authority: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`secrets`: by the names in `model.onepassword` and `model.repository`, what opens the vault and the
        repository."""
        super().__init__(ARGOCD, name, None, opts)
        key = plan.cluster

        def options(*waits: pulumi.Resource, kept: bool = False) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(waits), retain_on_delete=kept)

        # Argo CD runs here, and it is Argo CD's from now on: a destroyed stack leaves it standing
        body = manifests.namespace(plan.chart.namespace)
        namespace = kubernetes.KubernetesObject(f"gitops-namespace-{key}", body, options(*after, kept=True))
        before: list[pulumi.Resource] = [namespace]
        if plan.mirror and authority is not None:
            # Before Argo CD, whose pods mount it; its values leave it out (configs.tls.create), so that one writes it
            body = argocd.trust(plan, plan.mirror, authority)
            before = [kubernetes.KubernetesObject(f"gitops-trust-{key}", body, options(namespace, kept=True))]
        if plan.believes_authority and authority is not None:
            body = argocd.authority(plan, authority)
            before.append(kubernetes.KubernetesObject(f"gitops-authority-{key}", body, options(namespace, kept=True)))
        before += self._given(plan, secrets, namespace, lambda *waits: options(*(waits or after), kept=True))
        release = helm.seed(f"gitops-argo-cd-{key}", plan.chart, options(*before), adopted=True)
        self.seeded = []
        for category, folder in plan.categories:
            body = argocd.project(plan, category)
            project = kubernetes.KubernetesObject(f"gitops-project-{key}-{category}", body, options(release))
            body = argocd.application_set(plan, category, folder)
            self.seeded.append(kubernetes.KubernetesObject(f"gitops-apps-{key}-{category}", body, options(project)))
        self.register_outputs({})

    def _given(
        self,
        plan: GitopsClusterPlan,
        secrets: Mapping[str, pulumi.Input[str]],
        namespace: pulumi.Resource,
        kept: Callable[..., pulumi.ResourceOptions],
    ) -> list[pulumi.Resource]:
        """Everything that is a person's to give."""
        opened = self._repository(plan, secrets, namespace, kept)
        opened += _seed(plan, secrets, kept)
        return opened + (self._vault(plan.cluster, secrets, kept) if plan.onepassword else [])

    def _repository(
        self,
        plan: GitopsClusterPlan,
        secrets: Mapping[str, pulumi.Input[str]],
        namespace: pulumi.Resource,
        kept: Callable[..., pulumi.ResourceOptions],
    ) -> list[pulumi.Resource]:
        """What a private repository asks of Argo CD, and of the mirror that runs here; before both, and it stays with
        them. The mirror's namespace is written here in any case, so that it has one writer whatever the repository."""
        found: list[pulumi.Resource] = []
        login = plan.login or plan.mirror_login
        shown = login and pulumi.Output.from_input(secrets[REPOSITORY_SECRET]).apply(
            partial(repository.whole, kind=login.kind)
        )
        if plan.login:
            body = repository.argo_cd(plan.login, plan.chart.namespace, shown)
            found.append(kubernetes.KubernetesObject(f"gitops-repository-{plan.cluster}", body, kept(namespace)))
        if plan.keeps_mirror:
            body = manifests.namespace(MIRROR_APP, "restricted")
            found.append(kubernetes.KubernetesObject(f"gitops-mirror-namespace-{plan.cluster}", body, kept()))
        if plan.mirror_login:
            body = repository.mirror(plan.mirror_login, shown)
            found.append(kubernetes.KubernetesObject(f"gitops-mirror-key-{plan.cluster}", body, kept(found[-1])))
        return found

    def _vault(
        self, key: str, secrets: Mapping[str, pulumi.Input[str]], kept: Callable[..., pulumi.ResourceOptions]
    ) -> list[pulumi.Resource]:
        """What Connect and its store start with. It is there before Argo CD, so that no app waits for a person; and it
        stays with them, for without it nothing out of the vault is renewed."""
        place = kubernetes.KubernetesObject(f"gitops-vault-{key}", vault.namespace(), kept())
        return [
            kubernetes.KubernetesObject(f"gitops-{each}-{key}", vault.secret(each, secrets[each]), kept(place))
            for each in (CREDENTIALS_SECRET, TOKEN_SECRET)
        ]


class Flux(pulumi.ComponentResource):
    """Flux on one cluster: an artefact to fetch, its operator, what it decrypts and logs in with, and the instance."""

    def __init__(
        self,
        name: str,
        plan: GitopsClusterPlan,
        environment: str,
        *,
        provider: kubernetes.Provider,
        after: Sequence[pulumi.Resource],
        secrets: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`secrets`: by the names in `model.flux`, what of it is secret."""
        super().__init__(FLUX, name, None, opts)
        key, namespace = plan.cluster, plan.chart.namespace

        def options(*waits: pulumi.Resource) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(waits))

        def kept(*waits: pulumi.Resource) -> pulumi.ResourceOptions:
            # Flux runs here, and it is Flux's own from now on: a destroyed stack leaves it standing, with its keys
            return pulumi.ResourceOptions(parent=self, provider=provider, depends_on=list(waits), retain_on_delete=True)

        # It waits for no machine: a registry that wants a login says so in the first minute, not in the last
        pushed = self._first_artefact(key, flux.first_artefact(environment, plan)) if plan.artefact else []
        place = kubernetes.KubernetesObject(f"gitops-namespace-{key}", manifests.namespace(namespace), kept(*after))
        given = {**secrets, **({VERIFY_SECRET: plan.verify_key} if plan.verify_key else {})}
        held = [
            kubernetes.KubernetesObject(f"gitops-{each}-{key}", flux.secret(each, namespace, given[each]), kept(place))
            for each in plan.keys
        ]
        held += _seed(plan, secrets, lambda *waits: kept(*(waits or after)))
        operator = helm.seed(f"gitops-flux-operator-{key}", plan.chart, options(place), adopted=True)
        if plan.instance:
            waits = options(operator, *held, *pushed)
            helm.seed(f"gitops-flux-instance-{key}", plan.instance, waits, adopted=True)
        self.register_outputs({})

    def _first_artefact(self, key: str, text: str) -> list[pulumi.Resource]:
        opts = pulumi.ResourceOptions(parent=self)
        return [local.Command(f"gitops-artefact-{key}", create=text, add_previous_output_in_env=False, opts=opts)]


def _seed(
    plan: GitopsClusterPlan, secrets: Mapping[str, pulumi.Input[str]], kept: Callable[..., pulumi.ResourceOptions]
) -> list[pulumi.Resource]:
    """The namespaces and Secrets that apps find there when they come; a destroyed stack leaves both with them."""
    found: list[pulumi.Resource] = []
    for seed in plan.seeds:
        body = manifests.namespace(seed.namespace, seed.level)
        place = kubernetes.KubernetesObject(f"gitops-seeds-{plan.cluster}-{seed.namespace}", body, kept())
        found.append(place)
        for one in seed.secrets:
            held = pulumi.Output.secret(secrets[APPS]).apply(partial(_values, one))
            name = f"gitops-seed-{plan.cluster}-{one.namespace}-{one.name}"
            found.append(kubernetes.KubernetesObject(name, app_secrets.secret(one, held), kept(place)))
    return found


def _values(one: AppSecret, text: str) -> dict[str, str]:
    try:
        return values(text, one)
    except ValueError as wrong:
        raise pulumi.RunError(str(wrong)) from None
