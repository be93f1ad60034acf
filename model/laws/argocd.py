"""Laws of who may do what in Argo CD: who can log in is said, nobody may everything unasked, and no password is known.

Owns what its chart's values say of accounts and of roles. Refuses the login itself (`identity`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.clusters import closure
from model.closure.reading import mapping
from model.closure.things import ANYWHERE
from model.environment import Environment
from model.gitops import ENGINE_APP
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.laws.words import nearest
from model.tree import Tree, apps, chart, seeded

READER = "role:readonly"
"""The most that somebody may be whom no line of the policy names (Argo CD, "RBAC Configuration")."""

REFERENCE = re.compile(r"(?<![\w$])\$([a-z0-9][a-z0-9.-]*):[\w.-]+")
"""A value out of another Secret beside Argo CD: `$name:key` (Argo CD, "Sensitive Data and SSO Client Secrets")."""
CHART_S_OWN = ("argocd-secret", "argocd-server-tls")
"""Secrets that are Argo CD's own; the second is its Ingress'."""


def _values(env: Environment, tree: Tree) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(cluster, the folder in words, `configs` of the chart's values) of every Argo CD."""
    for cluster, categories, gitops in reconciled(env):
        for category, app in apps(tree, cluster) if gitops.engine == "argocd" else ():
            found = chart(tree, cluster, category, app) if category in categories else None
            if found and app == ENGINE_APP["argocd"]:
                folder = f"gitops/{env.name}/{cluster}/{category}/{app}"
                yield cluster, folder, mapping(found.values.get("configs"))


def _off(value: object) -> bool:
    return str(value).lower() == "false"


def _on(value: object) -> bool:
    return str(value).lower() == "true"


@tree_law("argocd-locked-out", "note", unless=("gitops-yaml",))
def somebody_can_log_in(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Who may log in to Argo CD is said: without its admin and without another login nobody gets in but by kubectl,
    which is safe, and no use to a browser."""
    for cluster, folder, configs in _values(env, tree):
        settings = mapping(configs.get("cm"))
        login = settings.get("oidc.config") or settings.get("dex.config")
        if _off(settings.get("admin.enabled", "true")) and not login:
            message = f"{folder}: admin.enabled is false, and there is no other login: kubectl's right opens it"
            hint = "argocd admin dashboard -n argocd; for a browser oidc.config in configs.cm (docs/gitops/argo-cd.md)"
            yield Breach(f"gitops.clusters.{cluster}", message[:239], hint)


@tree_law("argocd-open", unless=("gitops-yaml",))
def nobody_may_everything_unasked(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Whom no line of the policy names may read at most, and a stranger nothing: Argo CD writes the whole cluster."""
    for cluster, folder, configs in _values(env, tree):
        default = str(mapping(configs.get("rbac")).get("policy.default") or "")
        if default not in ("", READER):
            message = f"{folder}: whoever logs in is {default} (policy.default)"
            hint = 'policy.default: "", and a line of policy.csv for who may more'
            yield Breach(f"gitops.clusters.{cluster}", message[:239], hint)
        if _on(mapping(configs.get("cm")).get("users.anonymous.enabled")) and default:
            message = f"{folder}: whoever reaches Argo CD is {default}, without a login (users.anonymous.enabled)"
            yield Breach(f"gitops.clusters.{cluster}", message[:239], "take users.anonymous.enabled out")


@tree_law("argocd-password", unless=("gitops-yaml",))
def no_password_is_in_git(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The admin's password is one that Argo CD made: what stands in a folder, hashed too, its readers know."""
    for cluster, folder, configs in _values(env, tree):
        if mapping(configs.get("secret")).get("argocdServerAdminPassword"):
            message = f"{folder}: the admin's password is in Git (configs.secret.argocdServerAdminPassword)"
            hint = "take it out; Argo CD makes one, in the Secret argocd-initial-admin-secret"
            yield Breach(f"gitops.clusters.{cluster}", message[:239], hint)


@tree_law("argocd-reference", unless=("gitops-yaml", "gitops-cluster-unknown", "gitops-category-missing"))
def what_is_referred_to_is_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A value that stands for one in a Secret (`$name:key`) names one that somebody brings beside Argo CD: else the
    dollar and the name are themselves the value, and nothing says so."""
    for cluster, folder, configs in _values(env, tree):
        named, engine = set(REFERENCE.findall(repr(dict(configs)))), seeded(tree, cluster, ENGINE_APP["argocd"])
        if not named or engine is None:
            continue
        brought = closure(env, tree, cluster).brought
        known = {one.name for one in brought if one.kind == "Secret" and one.namespace in (engine.namespace, ANYWHERE)}
        for name in sorted(named - known - {*CHART_S_OWN}):
            message = f"{folder}: ${name[:60]}:… is a value in a Secret that nobody brings beside Argo CD"
            yield Breach(f"gitops.clusters.{cluster}", message[:239], nearest(name, known))
