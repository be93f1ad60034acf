"""GitOps: which engine reconciles which folders of the repository on which cluster.

Owns the shape. The folders themselves are handed in as data (`model.tree`); nothing here reads a disk.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from model.fields import Name, Shape, Text
from model.flux import LOGIN_SECRET, SOPS_SECRET, VERIFY_SECRET, Verify
from model.tree import Chart, Tree, seed


class GitopsCluster(Shape):
    """What one cluster reconciles."""

    categories: tuple[Name, ...] = ()
    """Folders under `gitops/<environment>/<cluster>/`; each app in one is a folder."""


class Gitops(Shape):
    """Who keeps the clusters as Git says."""

    engine: Literal["argocd", "flux"]
    """The engine."""
    repository: Text
    """Where the folders are fetched from: an https, ssh or oci address."""
    revision: Text = "main"
    """Branch or tag."""
    verify: Verify | None = None
    """Flux: whose signature an artefact must carry; without it any artefact at the tag is applied."""
    secrets: Literal["sops"] | None = None
    """How Secrets may lie in the folders: `sops` = encrypted for an age key, which is the secret `sopsAgeKey`."""
    registry_login: bool = False
    """Flux: the registry wants a login to pull, which is the secret `registryLogin`."""
    clusters: dict[Name, GitopsCluster] = Field(default_factory=dict)
    """By cluster name."""


@dataclass(frozen=True)
class GitopsClusterPlan:
    """The engine on one cluster, every value decided."""

    cluster: str
    engine: Literal["argocd", "flux"]
    repository: str
    revision: str
    chart: Chart
    """The engine's own chart, as the folder that will manage it pins it."""
    instance: Chart | None
    """Flux: the chart of the instance, which says what it reconciles. Argo CD has none."""
    verify_key: str | None
    """Flux: the public key that its artefacts are signed for."""
    sops: bool
    """Flux: whether it decrypts Secrets with an age key."""
    registry_login: bool
    """Flux: whether it logs in to pull."""
    categories: tuple[tuple[str, str], ...]
    """(category, folder in the repository), sorted."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Flux: names of the Secrets that it reads with, sorted; they are seeded before it and stay with it."""
        given = {VERIFY_SECRET: self.verify_key is not None, SOPS_SECRET: self.sops, LOGIN_SECRET: self.registry_login}
        return tuple(sorted(name for name, there in given.items() if there))

    @property
    def artefact(self) -> bool:
        """Whether the folders are fetched as an OCI artefact, which somebody must push."""
        return self.repository.startswith("oci://")


ENGINE_APP = {"argocd": "argo-cd", "flux": "flux-operator"}
"""The app folder that holds the engine itself."""
FLUX_INSTANCE_APP = "flux-instance"
"""The app folder that tells Flux what to reconcile (flux-operator, "FluxInstance")."""


def plan_gitops(gitops: Gitops, environment: str, tree: Tree) -> tuple[GitopsClusterPlan, ...]:
    """Decide what is seeded on each cluster.

    Errors: LookupError when the engine's folder is missing (a law says so first).
    """
    return tuple(
        GitopsClusterPlan(
            cluster=name,
            engine=gitops.engine,
            repository=gitops.repository,
            revision=gitops.revision,
            chart=seed(tree, name, ENGINE_APP[gitops.engine]),
            instance=seed(tree, name, FLUX_INSTANCE_APP) if gitops.engine == "flux" else None,
            verify_key=gitops.verify.key if gitops.verify else None,
            sops=gitops.secrets == "sops",
            registry_login=gitops.registry_login,
            categories=tuple((c, f"gitops/{environment}/{name}/{c}") for c in sorted(cluster.categories)),
        )
        for name, cluster in sorted(gitops.clusters.items())
    )
