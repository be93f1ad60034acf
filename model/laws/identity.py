"""Laws of one login: issuer, clients and redirects say the same in every folder of Ainur and at its API server.

Owns what OpenID Connect compares letter by letter. Refuses to know the applications: a client is who names an issuer.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from model.ainur import OIDC_CLIENT, issuer
from model.environment import Environment
from model.laws.folders import reconciled
from model.laws.hosts import hosts_of
from model.laws.registry import Breach, tree_law
from model.laws.words import listed, nearest
from model.tree import Tree, apps, documents

ISSUER_KEYS = ("issuer", "issuerURL", "issuerUrl", "providerURL")
"""How Dex, Argo CD (its `oidc.config`, YAML inside a string), Headlamp and Omni call it."""
CLIENT_KEYS = ("clientID", "clientId")


class Said(NamedTuple):
    """A mapping that names an issuer."""

    app: str
    """`<category>/<app>`."""
    path: str
    """The file, below `gitops/<environment>/`."""
    issuer: str
    body: Mapping[str, Any]


def _clusters(env: Environment) -> Iterator[str]:
    """The bootstrap cluster, where it is reconciled: whose API server believes a login."""
    for cluster, _, _ in reconciled(env):
        if env.bootstrap and cluster == env.bootstrap.name:
            yield cluster


def _said(tree: Tree, cluster: str) -> Iterator[Said]:
    for category, app in apps(tree, cluster):
        folder = f"{cluster}/{category}/{app}/"
        for path in sorted(tree):
            if path.startswith(folder) and path.endswith((".yaml", ".yml")) and _names_one(tree[path]):
                for body in _mappings(documents(tree[path])):
                    key = next((key for key in ISSUER_KEYS if str(body.get(key, "")).startswith("http")), None)
                    if key:
                        yield Said(f"{category}/{app}", path, str(body[key]), body)


def _names_one(text: str) -> bool:
    return any(key in text for key in ISSUER_KEYS)


def _mappings(value: object) -> Iterator[Mapping[str, Any]]:
    """Every mapping inside, YAML in strings too; not Dex' connectors, whose issuers are others."""
    if isinstance(value, dict):
        yield value
        for key, inner in value.items():
            if key != "connectors":
                yield from _mappings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _mappings(inner)
    elif isinstance(value, str) and "\n" in value and _names_one(value):
        yield from _mappings(documents(value))


def _file(env: Environment, path: str) -> str:
    return f"gitops/{env.name}/{path}"


@tree_law(
    "oidc-issuer", unless=("gitops-yaml", "name-dns", "name-domain-wildcard", "name-duplicate", "bootstrap-oidc-host")
)
def one_issuer(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Dex, its clients and the API server name one issuer, equal to the last slash: a token is refused where it is
    another, and nothing says why."""
    for cluster in _clusters(env):
        if env.bootstrap is None:
            return
        right = issuer(env.bootstrap, f"{env.name}.{env.domain}")
        for said in _said(tree, cluster):
            if said.issuer != right:
                message = f"{_file(env, said.path)} names the issuer {said.issuer[:80]}, and the API server {right}"
                hint = f"write {right}" + (", without a slash at its end" if said.issuer.rstrip("/") == right else "")
                yield Breach(f"gitops.clusters.{cluster}", message, hint, "bootstrap", ("domain", "cluster.name"))


def _where(uri: str) -> tuple[str, str]:
    """(scheme, host) of an address; empty where it is none."""
    try:
        parts = urlsplit(uri)
        return parts.scheme, parts.hostname or ""
    except ValueError:
        return "", ""


def _dex(tree: Tree, cluster: str) -> tuple[str, dict[str, list[str]]] | None:
    """(file, client → its redirects) of whoever has static clients."""
    for said in _said(tree, cluster):
        clients = said.body.get("staticClients")
        if isinstance(clients, list):
            return said.path, {str(one.get("id")): _redirects(one) for one in clients if isinstance(one, dict)}
    return None


def _redirects(client: Mapping[str, Any]) -> list[str]:
    found = client.get("redirectURIs")
    return [str(uri) for uri in found] if isinstance(found, list) else []


@tree_law("oidc-client", unless=("gitops-yaml",))
def clients_are_known(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A client of Dex is one of its clients, and Dex knows whom the API server takes tokens for."""
    for cluster in _clusters(env):
        dex = _dex(tree, cluster)
        if dex is None:
            continue
        path, clients = dex
        asked = [(f"{_file(env, said.path)} logs in", client) for said, client in _clients(tree, cluster)]
        for who, client in [("the API server takes tokens", OIDC_CLIENT), *asked]:
            if client not in clients:
                message = f"{who} as '{client[:40]}', which {_file(env, path)} does not know"
                yield Breach(f"gitops.clusters.{cluster}", message, nearest(client, clients))


def _clients(tree: Tree, cluster: str) -> Iterator[tuple[Said, str]]:
    for said in _said(tree, cluster):
        client = next((str(said.body[key]) for key in CLIENT_KEYS if said.body.get(key)), None)
        if client:
            yield said, client


@tree_law("oidc-redirect", unless=("gitops-yaml", "oidc-client"))
def redirects_lead_home(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Dex sends a login back to the client's own host, over https, or to the person's own machine: where it does not,
    nobody can log in, or a stranger's page gets the code."""
    for cluster in _clusters(env):
        dex = _dex(tree, cluster)
        for said, client in _clients(tree, cluster) if dex else ():
            known = dex[1].get(client, []) if dex else []
            own = hosts_of(tree, f"{cluster}/{said.app}")
            for problem in _problems(known, own, str(said.body.get("callbackURL") or "")):
                message = f"{_file(env, dex[0] if dex else '')}: client {client} {problem}"
                hint = f"its own host is {listed(sorted(own))}" if own else f"give {said.app} an Ingress"
                yield Breach(f"gitops.clusters.{cluster}", message[:230], hint)


def _problems(known: list[str], own: set[str], callback: str) -> Iterator[str]:
    if not any(_where(uri)[1] in own for uri in known):
        yield f"has no redirect to {listed(sorted(own)) or 'it'}"
    for uri in known:
        scheme, host = _where(uri)
        local = scheme == "http" and host in ("localhost", "127.0.0.1")
        if not local and (scheme != "https" or host not in own):
            yield f"is sent back to {uri[:80]}, which is not its own host over https"
    if callback and callback not in known:
        yield f"asks to be sent back to {callback[:80]}, which is none of its redirects"
