"""Laws of the names that Ainur's applications answer by: each in the zone that leads to them, and one application's.

Owns reading hosts out of Ingresses, routes and charts' values. Refuses the gateways of Arda (`edge`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.ainur import apps_zone
from model.closure.reading import mapping
from model.environment import Environment
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.tree import Tree, apps, documents

HOST_KEYS = ("host", "hostname", "domain")


def _strings(value: object) -> Iterator[str]:
    """Names in `host: x`, `hosts: [x]` and `hosts: [{host: x}]`; an alias may lead back to itself."""
    waiting, seen = [value], set[int]()
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            yield here
        elif id(here) not in seen and isinstance(here, list):
            waiting += here
        elif id(here) not in seen and isinstance(here, dict):
            waiting.append(next((here[key] for key in HOST_KEYS if key in here), None))
        seen.add(id(here))


def _named(value: object, *, inside: bool) -> Iterator[str]:
    """Hosts that a document names, as far as it lies in an Ingress: the object, or a chart's `ingress`."""
    waiting, seen = [(value, inside)], set[tuple[int, bool]]()
    while waiting:
        holder, within = waiting.pop()
        if (id(holder), within) in seen:
            continue
        seen.add((id(holder), within))
        if isinstance(holder, list):
            waiting += [(inner, within) for inner in holder]
        elif isinstance(holder, dict):
            here = within or holder.get("kind") == "Ingress"
            for key, inner in holder.items():
                if here and key in (*HOST_KEYS, "hosts"):
                    yield from _strings(inner)
                waiting.append((inner, here or key in ("ingress", "ingresses")))


def _global(document: Mapping[str, Any]) -> Iterator[str]:
    """Argo CD's chart: its Ingress, where it has one, has the host that stands at `global.domain`."""
    found, ingress = document.get("global"), mapping(mapping(document.get("server")).get("ingress"))
    if isinstance(found, dict) and isinstance(found.get("domain"), str) and ingress.get("enabled"):
        yield found["domain"]


def _routed(document: Mapping[str, Any]) -> Iterator[str]:
    """Hosts of an HTTPRoute."""
    if document.get("kind") == "HTTPRoute":
        yield from _strings(mapping(document.get("spec")).get("hostnames"))


def hosts_of(tree: Tree, folder: str) -> set[str]:
    """Every host that an app's folder asks an Ingress or a gateway for; `folder` is `<cluster>/<category>/<app>`."""
    found: set[str] = set()
    for path, text in tree.items():
        if path.startswith(f"{folder}/") and path.endswith((".yaml", ".yml")):
            for document in documents(text):
                found |= {*_named(document, inside=False), *_global(document), *_routed(document)}
    return found


def _hosts(env: Environment, tree: Tree) -> Iterator[tuple[str, str, set[str], str]]:
    """(cluster, app, its hosts, zone) of the bootstrap cluster's apps."""
    for cluster, categories, _ in reconciled(env):
        if env.bootstrap is None or cluster != env.bootstrap.name:
            continue
        zone = apps_zone(env.bootstrap, f"{env.name}.{env.domain}")
        for category, app in apps(tree, cluster):
            if category in categories:
                yield cluster, f"{category}/{app}", hosts_of(tree, f"{cluster}/{category}/{app}"), zone


@tree_law("gitops-host-zone", unless=("gitops-yaml", "name-dns", "name-domain-wildcard", "name-duplicate"))
def hosts_are_in_the_zone(env: Environment, tree: Tree) -> Iterator[Breach]:
    """An application of the bootstrap cluster has a name directly below its zone: only those names lead to it."""
    for cluster, app, hosts, zone in _hosts(env, tree):
        for host in sorted(hosts):
            name, _, rest = host.partition(".")
            if rest != zone or not name:
                message = f"gitops/{env.name}/{cluster}/{app} answers by {host[:80]}, which leads nowhere"
                hint = f"names of {cluster} are <name>.{zone}"
                missed_in = ("domain", "cluster.name")
                yield Breach(f"gitops.clusters.{cluster}", message, hint, "bootstrap.name", missed_in)


@tree_law("gitops-host-twice", unless=("gitops-yaml",))
def hosts_are_one_app_s(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A name belongs to one application: Traefik would give each request to either."""
    owners: dict[str, str] = {}
    for cluster, app, hosts, _ in _hosts(env, tree):
        for host in sorted(hosts):
            if owners.setdefault(host, app) != app:
                message = f"{owners[host]} and {app} both answer by {host}"
                yield Breach(f"gitops.clusters.{cluster}", message, "give one another name")
