"""GitOps: which engine reconciles which folders of the repository on which cluster.

Owns the shape. The folders themselves are handed in as data (`model.tree`); nothing here reads a disk.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from model.app_secrets import AppSecret, SeededNamespace, SeedPlan, plan_seeds
from model.fields import Name, Shape, Text
from model.flux import LOGIN_SECRET, SOPS_SECRET, VERIFY_SECRET, Verify
from model.onepassword import runs_connect
from model.repository import Login
from model.tree import Chart, Tree, apps, seed, seeded


class GitopsCluster(Shape):
    """What one cluster reconciles."""

    categories: tuple[Name, ...] = ()
    """Folders under `gitops/<environment>/<cluster>/`; each app in one is a folder."""
    source: Literal["upstream", "mirror"] = "upstream"
    """Argo CD: `mirror` = the bootstrap cluster's copy of the repository, which answers while the way out is down."""
    seeds: dict[Name, SeededNamespace] = Field(default_factory=dict)
    """Namespaces with Secrets that apps ask for and only the owner knows; there before the engine."""


class Gitops(Shape):
    """Who keeps the clusters as Git says."""

    engine: Literal["argocd", "flux"]
    """The engine."""
    repository: Text
    """Where the folders are fetched from: an https, ssh or oci address."""
    revision: Text = "main"
    """Branch or tag."""
    credentials: Literal["deploy-key", "token"] | None = None
    """Argo CD: how a private repository lets it in. `deploy-key` (ssh) = a key, the secret `gitRepositoryKey`; `token`
    (https) = a token, the secret `gitRepositoryToken`. Left out: anybody may read the repository."""
    username: Name | None = None
    """What goes with a token. Left out: `git`, which GitHub and most others take with any token."""
    known_hosts: tuple[Text, ...] = ()
    """Over ssh: the server's host keys, as lines of known_hosts; whoever shows another is not believed."""
    verify: Verify | None = None
    """Flux: whose signature an artefact must carry; without it any artefact at the tag is applied."""
    secrets: Literal["sops", "onepassword"] | None = None
    """Where apps' Secrets come from. `sops` (Flux) = they lie in the folders, encrypted for an age key, the secret
    `sopsAgeKey`. `onepassword` (Argo CD) = out of a vault, by 1Password Connect, whose credentials and token are the
    secrets `onepasswordCredentials` and `onepasswordToken`. Left out: no app has one that it does not make itself."""
    registry_login: bool = False
    """Flux: the registry wants a login to pull, which is the secret `registryLogin`."""
    clusters: dict[Name, GitopsCluster] = Field(default_factory=dict)
    """By cluster name."""

    @property
    def app_secrets(self) -> tuple[AppSecret, ...]:
        """Everything that the stack secret `appSecrets` must hold."""
        seeds = [seed for one in self.clusters.values() for seed in plan_seeds(one.seeds)]
        return tuple(one for seed in seeds for one in seed.secrets)


MIRROR_APP = "git-mirror"
"""The app of the bootstrap cluster that mirrors the repository; its namespace and workload have this name, too. The
namespace is the program's: a private repository's key is there before the app."""


TRUST = "argocd-tls-certs-cm"
"""Whose certificates Argo CD believes, by host (Argo CD, "Repositories using self-signed TLS certificates")."""


AUTHORITY_SECRET, AUTHORITY_KEY = "lab-authority", "ca.crt"
"""The Secret beside Argo CD with the lab's own authority, where its login names it (`rootCA`): its values take a
certificate out of a Secret only (Argo CD, "Sensitive Data and SSO Client Secrets")."""


@dataclass(frozen=True)
class MirrorPlan:
    """The copy of the repository that a cluster reads."""

    upstream: str
    """What it is a copy of."""
    host: str
    """Its name in the bootstrap cluster's zone; its certificate is of the lab's own authority."""


@dataclass(frozen=True)
class GitopsClusterPlan:
    """The engine on one cluster, every value decided."""

    cluster: str
    engine: Literal["argocd", "flux"]
    repository: str
    """Where this cluster fetches from: the repository, or its mirror."""
    revision: str
    mirror: MirrorPlan | None
    """Argo CD: whose first content is brought before the engine is seeded. None: it reads the repository itself."""
    chart: Chart
    """The engine's own chart, as the folder that will manage it pins it."""
    login: Login | None
    """Argo CD: how it is let in to a private repository. None: it need not show anything, as at the mirror."""
    keeps_mirror: bool
    """Whether the Git mirror runs here."""
    mirror_login: Login | None
    """How the Git mirror that runs here is let in upstream."""
    instance: Chart | None
    """Flux: the chart of the instance, which says what it reconciles. Argo CD has none."""
    verify_key: str | None
    """Flux: the public key that its artefacts are signed for."""
    sops: bool
    """Flux: whether it decrypts Secrets with an age key."""
    registry_login: bool
    """Flux: whether it logs in to pull."""
    onepassword: bool
    """Argo CD: whether 1Password Connect runs here, which starts with Secrets that are no app's to bring."""
    seeds: tuple[SeedPlan, ...]
    """Namespaces with Secrets that apps ask for; they stay with them."""
    believes_authority: bool
    """Argo CD: whether its login names the lab's own authority, which is then seeded."""
    categories: tuple[tuple[str, str], ...]
    """(category, folder in the repository), sorted."""
    closed: Mapping[str, tuple[str, ...]]
    """Argo CD: category → namespaces that its apps may not write (`model.projects`)."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Flux: names of the Secrets that it reads with, sorted; they are seeded before it and stay with it."""
        given = {VERIFY_SECRET: self.verify_key is not None, SOPS_SECRET: self.sops, LOGIN_SECRET: self.registry_login}
        return tuple(sorted(name for name, there in given.items() if there))

    @property
    def artefact(self) -> bool:
        """Whether the folders are fetched as an OCI artefact, which somebody must push."""
        return self.repository.startswith("oci://")


def project(cluster: str, category: str) -> str:
    """The AppProject of a category; not its name alone, for Argo CD makes one called `default` itself."""
    return f"{cluster}-{category}"


def login_of(values: Mapping[str, Any]) -> str:
    """What the values of Argo CD's chart say of its login at an issuer: YAML in a string; empty without."""
    found: object = values
    for key in ("configs", "cm", "oidc.config"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) else ""


def names_authority(tree: Tree, cluster: str) -> bool:
    """Whether the login of a cluster's Argo CD is trusted by the lab's own authority."""
    engine = seeded(tree, cluster, ENGINE_APP["argocd"])
    return engine is not None and f"${AUTHORITY_SECRET}:" in login_of(engine.values)


ENGINE_APP = {"argocd": "argo-cd", "flux": "flux-operator"}
"""The app folder that holds the engine itself."""
FLUX_INSTANCE_APP = "flux-instance"
"""The app folder that tells Flux what to reconcile (flux-operator, "FluxInstance")."""


def plan_gitops(
    gitops: Gitops,
    environment: str,
    tree: Tree,
    apps_zone: str | None,
    closed: Mapping[str, Mapping[str, tuple[str, ...]]],
) -> tuple[GitopsClusterPlan, ...]:
    """Decide what is seeded on each cluster. `apps_zone`: of the bootstrap cluster's applications; `closed` by cluster.

    Errors: LookupError when the engine's folder is missing (a law says so first).
    """
    login = _login(gitops)
    mirror = MirrorPlan(gitops.repository, f"{MIRROR_APP}.{apps_zone}") if apps_zone else None
    return tuple(
        GitopsClusterPlan(
            cluster=name,
            engine=gitops.engine,
            repository=_mirrored(mirror) if mirror and cluster.source == "mirror" else gitops.repository,
            revision=gitops.revision,
            mirror=mirror if cluster.source == "mirror" else None,
            chart=seed(tree, name, ENGINE_APP[gitops.engine]),
            login=login if not mirror or cluster.source == "upstream" else None,
            keeps_mirror=gitops.engine == "argocd" and runs_mirror(tree, name, cluster.categories),
            mirror_login=login if runs_mirror(tree, name, cluster.categories) else None,
            instance=seed(tree, name, FLUX_INSTANCE_APP) if gitops.engine == "flux" else None,
            verify_key=gitops.verify.key if gitops.verify else None,
            sops=gitops.secrets == "sops",
            registry_login=gitops.registry_login,
            onepassword=gitops.secrets == "onepassword" and runs_connect(tree, name, cluster.categories),
            seeds=plan_seeds(cluster.seeds),
            believes_authority=gitops.engine == "argocd" and apps_zone is not None and names_authority(tree, name),
            categories=tuple((c, f"gitops/{environment}/{name}/{c}") for c in sorted(cluster.categories)),
            closed=closed[name],
        )
        for name, cluster in sorted(gitops.clusters.items())
    )


def runs_mirror(tree: Tree, cluster: str, categories: Collection[str]) -> bool:
    """Whether a cluster reconciles a folder with the Git mirror, whose namespace and key are then seeded."""
    return any(app == MIRROR_APP and category in categories for category, app in apps(tree, cluster))


def _login(gitops: Gitops) -> Login | None:
    if gitops.credentials is None:
        return None
    return Login(gitops.credentials, gitops.repository, gitops.username or "git", gitops.known_hosts)


def _mirrored(mirror: MirrorPlan) -> str:
    """The mirror's URL: the repository keeps its last name."""
    name = mirror.upstream.rstrip("/").replace(":", "/").rpartition("/")[2].removesuffix(".git")
    return f"https://{mirror.host}/{name}.git"
