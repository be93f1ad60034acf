"""Laws of 1Password: whoever says that Secrets come out of the vault runs what fetches them, and the engine is one that
this program hands the vault's key to.

Owns `gitops.secrets: onepassword`. Refuses SOPS (`plain_secrets`), and stores that nobody brings (`closure`).
"""

from collections.abc import Iterator

from model.environment import Environment
from model.laws.folders import reconciled
from model.laws.registry import Breach, law, tree_law
from model.laws.words import listed
from model.onepassword import CONNECT, OPERATOR, runs_connect
from model.tree import Tree, apps, chart

SHIPPED = "gitops/pitower/tower/security"
"""Where both folders are to be had."""


@law("gitops-onepassword-engine")
def vault_is_opened_for_argo_cd(env: Environment) -> Iterator[Breach]:
    """Connect's credentials and token are seeded before Argo CD; Flux has SOPS."""
    if env.gitops and env.gitops.secrets == "onepassword" and env.gitops.engine == "flux":
        message = "1Password's Secrets are seeded before Argo CD, and Flux reconciles here"
        yield Breach("gitops.secrets", message, "secrets: sops, leave it out, or engine: argocd", "gitops.engine")


_FOLDERS_FIRST = (
    *("gitops-yaml", "gitops-category-missing", "gitops-category-none", "gitops-cluster-unknown"),
    "gitops-onepassword-engine",
)


@tree_law("gitops-onepassword-folders", unless=_FOLDERS_FIRST)
def vault_is_read(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where Secrets come out of the vault, some cluster runs Connect and External Secrets: else the two seeds are
    written nowhere, and nothing asks for them."""
    if env.gitops is None or env.gitops.secrets != "onepassword":
        return
    found = list(reconciled(env))
    with_connect = [
        (cluster, categories) for cluster, categories, _ in found if runs_connect(tree, cluster, categories)
    ]
    if found and not with_connect:
        message = f"no cluster has a folder <category>/{CONNECT}: nothing asks the vault"
        hint = f"copy {OPERATOR}/ and {CONNECT}/ from {SHIPPED}/, or leave secrets out"
        yield Breach("gitops.secrets", message, hint, f"gitops.clusters.{found[0][0]}.categories")
    for cluster, categories in with_connect:
        running = {app: category for category, app in apps(tree, cluster) if category in categories}
        pinned = chart(tree, cluster, running[OPERATOR], OPERATOR) if OPERATOR in running else None
        path = f"gitops.clusters.{cluster}.categories"
        if pinned is None:
            message = (
                f"{cluster} runs {CONNECT}, and has no folder <category>/{OPERATOR} that pins the operator's chart"
            )
            yield Breach(path, message, f"copy {SHIPPED}/{OPERATOR} to one of {listed(categories)}", "gitops.secrets")
