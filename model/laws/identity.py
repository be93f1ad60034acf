"""Laws of one login: issuer, clients and redirects say the same in every folder, at Dex, and at Ainur's API server.

Owns what OpenID Connect compares letter by letter, and that Arda's Argo CD finds Dex and believes it. Refuses to know
the applications: a client is who names an issuer.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from model.ainur import OIDC_CLIENT, issuer
from model.closure.reading import mapping
from model.environment import Environment
from model.gitops import AUTHORITY_KEY, AUTHORITY_SECRET, ENGINE_APP, login_of
from model.laws.bootstrap_apps import aliases
from model.laws.folders import reconciled
from model.laws.hosts import hosts_of
from model.laws.registry import Breach, tree_law
from model.laws.words import listed, nearest
from model.tree import Tree, apps, chart, documents, seeded

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


def _right(env: Environment) -> str:
    return issuer(env.bootstrap, f"{env.name}.{env.domain}") if env.bootstrap else ""


def _all_said(env: Environment, tree: Tree) -> Iterator[tuple[str, Said]]:
    """(cluster, who names an issuer) wherever it must be Dex: on the bootstrap cluster; and elsewhere Argo CD, where
    there is a Dex, and whoever names a host of the lab's own zone. Others may log in where they like."""
    for home in _clusters(env):
        bound = f"/{ENGINE_APP['argocd']}" if _dex(tree, home) else "/"
        for cluster, _, _ in reconciled(env):
            for said in _said(tree, cluster):
                within = f".{_where(said.issuer)[1]}".endswith(f".{env.name}.{env.domain}")
                if cluster == home or within or said.app.endswith(bound):
                    yield cluster, said


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
    right = _right(env)
    for cluster, said in _all_said(env, tree):
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
    for home in _clusters(env):
        dex = _dex(tree, home)
        if dex is None:
            continue
        path, clients = dex
        asked = [(at, f"{_file(env, said.path)} logs in", client) for at, said, client in _clients(env, tree)]
        for cluster, who, client in [(home, "the API server takes tokens", OIDC_CLIENT), *asked]:
            if client not in clients:
                message = f"{who} as '{client[:40]}', which {_file(env, path)} does not know"
                yield Breach(f"gitops.clusters.{cluster}", message, nearest(client, clients))


def _clients(env: Environment, tree: Tree) -> Iterator[tuple[str, Said, str]]:
    """(cluster, who logs in, as which client)."""
    for cluster, said in _all_said(env, tree):
        client = next((str(said.body[key]) for key in CLIENT_KEYS if said.body.get(key)), None)
        if client:
            yield cluster, said, client


@tree_law("oidc-client-shared", unless=("gitops-yaml", "oidc-client"))
def each_has_a_client_of_its_own(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No two applications log in as one client: a token that one is given, the other would take."""
    owners: dict[str, str] = {}
    for cluster, said, client in _clients(env, tree):
        own = f"{cluster}/{said.app}"
        if owners.setdefault(client, own) != own:
            message = f"{_file(env, said.path)} logs in as '{client[:40]}', and so does {owners[client]}"
            yield Breach(f"gitops.clusters.{cluster}", message, "give it a client of its own in Dex' staticClients")


@tree_law("oidc-redirect", unless=("gitops-yaml", "oidc-client"))
def redirects_lead_home(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Dex sends a login back to the client's own host, over https, or to the person's own machine: where it does not,
    nobody can log in, or a stranger's page gets the code."""
    for home in _clusters(env):
        dex = _dex(tree, home)
        for cluster, said, client in _clients(env, tree) if dex else ():
            known = dex[1].get(client, []) if dex else []
            own = hosts_of(tree, f"{cluster}/{said.app}")
            for problem in _problems(known, own, _callback(tree, cluster, said)):
                message = f"{_file(env, dex[0] if dex else '')}: client {client} {problem}"
                hint = f"its own host is {listed(sorted(own))}" if own else f"give {said.app} an Ingress or HTTPRoute"
                yield Breach(f"gitops.clusters.{cluster}", message[:230], hint)


def _callback(tree: Tree, cluster: str, said: Said) -> str:
    """Where a client asks to be sent back to; Argo CD's is made of the name that its values give it."""
    category, _, app = said.app.partition("/")
    engine = chart(tree, cluster, category, app) if app == ENGINE_APP["argocd"] else None
    domain = mapping(engine.values.get("global")).get("domain") if engine else None
    return f"https://{domain}/auth/callback" if domain else str(said.body.get("callbackURL") or "")


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


@tree_law(
    "oidc-argocd", unless=("gitops-yaml", "oidc-issuer", "name-dns", "name-domain-wildcard", "gitops-mirror-name")
)
def argo_cd_reaches_dex(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Argo CD on another cluster finds the issuer, whose name public resolvers do not know, and believes its
    certificate, which is of the lab's own authority: else every login ends in an error that names neither."""
    for home in _clusters(env):
        for cluster, _, _ in reconciled(env):
            engine = seeded(tree, cluster, ENGINE_APP["argocd"]) if cluster != home else None
            asked = next(iter(documents(login_of(engine.values))), {}).get("issuer") if engine else None
            if engine and env.bootstrap and asked == _right(env):
                yield from _unreached(env, cluster, engine.values, str(env.bootstrap.ingress))


def _unreached(env: Environment, cluster: str, values: Mapping[str, Any], address: str) -> Iterator[Breach]:
    path, host = f"gitops.clusters.{cluster}", _where(_right(env))[1]
    if aliases(values).get(host) != address:
        message = f"{cluster}'s Argo CD is not told where its issuer {host} is; it answers at {address}"
        hint = f"in its values: global.hostAliases: [{{ip: {address}, hostnames: [{host}]}}]"
        yield Breach(path, message[:230], hint[:190], "bootstrap.ingress")
    login = next(iter(documents(login_of(values))), {})
    if login.get("rootCA") != f"${AUTHORITY_SECRET}:{AUTHORITY_KEY}":
        message = f"{cluster}'s Argo CD does not believe the certificate of its issuer {host}, which the lab signed"
        hint = f"in its oidc.config: rootCA: ${AUTHORITY_SECRET}:{AUTHORITY_KEY}"
        yield Breach(path, message[:230], hint, "bootstrap")
