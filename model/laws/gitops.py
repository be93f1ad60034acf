"""Laws of GitOps: the repository can be fetched, and every cluster that is reconciled is there.

Owns `gitops`. Refuses the folders' content (`folders`).
"""

import re
from collections.abc import Iterator

from model.environment import Environment
from model.laws.registry import Breach, law
from model.laws.words import nearest

URL = re.compile(r"(https|ssh|oci)://(?P<login>[^/@\s]+@)?[A-Za-z0-9.-]+(:\d{1,5})?/[^\s]+")
SCP = re.compile(r"[a-z0-9_-]+@[A-Za-z0-9.-]+:[^\s/][^\s]*")


@law("gitops-repository")
def repository_is_a_url(env: Environment) -> Iterator[Breach]:
    """The repository is an address that the engine can fetch: https, ssh, or, with Flux, oci."""
    gitops = env.gitops
    if gitops is None:
        return
    url, path = gitops.repository, "gitops.repository"
    if not (URL.fullmatch(url) or SCP.fullmatch(url)):
        hint = "write it as https://git.example.com/owner/repository.git"
        yield Breach(path, f"'{url[:80]}' is no address that {gitops.engine} can fetch", hint)
    elif url.startswith("oci://") and gitops.engine != "flux":
        yield Breach(
            path,
            f"Argo CD keeps its folders in Git, and {url[:80]} is an OCI artefact",
            "use https, or engine: flux",
            "gitops.engine",
        )


@law("secret-in-url")
def url_carries_no_password(env: Environment) -> Iterator[Breach]:
    """No password or token stands in the repository's address."""
    match = URL.fullmatch(env.gitops.repository) if env.gitops else None
    login = match["login"] if match else None
    if match and login and (":" in login or match[1] == "https"):
        message = "the repository's address carries a login, in clear"
        yield Breach(
            "gitops.repository",
            message,
            f"did you mean {match[0].replace(login, '')[:80]}? credentials: token, and its secret",
        )


@law("gitops-revision")
def revision_is_a_ref(env: Environment) -> Iterator[Breach]:
    """The revision is a name that Git allows for a branch or tag (git-check-ref-format)."""
    text = env.gitops.revision if env.gitops else "main"
    bad = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)", text)
    if bad or text.startswith(("-", "/", ".")) or text.endswith(("/", ".")) or text == "@":
        near = re.sub(r"[^A-Za-z0-9/_-]+", "-", text).strip("-/")[:60] or "main"
        yield Breach("gitops.revision", f"'{text[:60]}' is no branch or tag", f"did you mean {near}?")


@law("gitops-revision-head", "warning")
def revision_is_named(env: Environment) -> Iterator[Breach]:
    """The revision is a branch or tag by name: HEAD is whatever the server says today."""
    if env.gitops and env.gitops.revision in ("HEAD", "latest"):
        yield Breach(
            "gitops.revision",
            f"{env.gitops.revision} is whatever the server says today",
            "name the branch, such as main",
        )


REALMS = ("cluster", "bootstrap")


def clusters(env: Environment) -> dict[str, str]:
    """Name → path of every cluster there is."""
    found = {env.bootstrap.name: "bootstrap.name"} if env.bootstrap else {}
    return found | ({env.cluster.name: "cluster.name"} if env.cluster else {})


@law("gitops-cluster-unknown")
def reconciled_cluster_exists(env: Environment) -> Iterator[Breach]:
    """A cluster that is reconciled is one of the environment's."""
    known = clusters(env)
    for name in env.gitops.clusters if env.gitops else ():
        if name not in known:
            against = next(iter(known.values()), "cluster")
            yield Breach(
                f"gitops.clusters.{name}",
                f"there is no cluster '{name}'",
                nearest(name, known),
                against,
                ("cluster", "bootstrap"),
            )


@law("gitops-cluster-missing", "warning", unless=("gitops-cluster-unknown",))
def every_cluster_is_reconciled(env: Environment) -> Iterator[Breach]:
    """Every cluster is reconciled from Git, once anything is."""
    for name in clusters(env) if env.gitops else ():
        if env.gitops and name not in env.gitops.clusters:
            yield Breach(
                "gitops.clusters",
                f"nothing is reconciled on {name}",
                f"add {name}: {{ categories: [...] }}",
                clusters(env)[name],
            )


@law("gitops-category-duplicate")
def category_once(env: Environment) -> Iterator[Breach]:
    """A category is named once: two ApplicationSets would fight over its applications."""
    for name, cluster in env.gitops.clusters.items() if env.gitops else ():
        for index, category in enumerate(cluster.categories):
            if category in cluster.categories[:index]:
                path = f"gitops.clusters.{name}.categories.{index}"
                yield Breach(path, f"{name} names {category} twice", "leave one out")


@law("gitops-category-none", "warning")
def cluster_has_categories(env: Environment) -> Iterator[Breach]:
    """A cluster that is reconciled has something to reconcile."""
    for name, cluster in env.gitops.clusters.items() if env.gitops else ():
        if not cluster.categories:
            yield Breach(f"gitops.clusters.{name}.categories", f"{name} reconciles no category", "name its folders")
