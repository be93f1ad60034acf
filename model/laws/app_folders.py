"""Laws of an app's folder: one way to write an app, and every file in it reached, by one path, as kustomize allows.

Owns the form of `<cluster>/<category>/<app>/`. Refuses what the objects in it need (`closure`), and Flux' own order
(`flux`).
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.reading import items, kustomization, mapping, named_files, reached
from model.environment import Environment
from model.laws.closure import UNREADABLE, few, graphs, place, said
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.tree import Tree, apps, documents

KUSTOMIZATION = "kustomization.yaml"
BESIDE = (".gitkeep", "README.md", "OWNERS", ".gitignore", ".sops.yaml")
"""Files that belong to nobody's app."""


def _argo(env: Environment) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(cluster, categories) where Argo CD makes an Application of each folder."""
    yield from ((cluster, categories) for cluster, categories, gitops in reconciled(env) if gitops.engine == "argocd")


def _kustomizations(env: Environment, tree: Tree) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(cluster, file, content) of every kustomization that an app is made of, each once a cluster."""
    for graph in graphs(env, tree):
        for file in sorted({file for app in graph.apps for file in app.files}):
            if posixpath.basename(file).lower().startswith("kustomization"):
                yield graph.cluster, file, next(iter(documents(tree[file])), {})


def _named(document: Mapping[str, Any], key: str) -> Iterator[str]:
    yield from (one for one in items(document.get(key)) if isinstance(one, str) and "://" not in one)


@tree_law("gitops-app-form", unless=UNREADABLE)
def app_is_a_kustomization(env: Environment, tree: Tree) -> Iterator[Breach]:
    """An app of Argo CD is a folder with a kustomization.yaml: what lies beside it is then named, not guessed at."""
    for cluster, categories in _argo(env):
        for category, app in apps(tree, cluster):
            folder = f"{cluster}/{category}/{app}"
            if category in categories and not app.startswith(".") and f"{folder}/{KUSTOMIZATION}" not in tree:
                beside = sorted(path.removeprefix(f"{folder}/") for path in tree if path.startswith(f"{folder}/"))
                files = ", ".join(one for one in beside if one.endswith((".yaml", ".yml")))[:90] or "its manifests"
                message = f"{said(env, folder)} has no {KUSTOMIZATION}"
                yield Breach(f"gitops.clusters.{cluster}", message, f"add one, with resources: [{files}]")


@tree_law("gitops-file-stray", unless=UNREADABLE)
def files_lie_in_apps(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A manifest lies in an app's folder: an ApplicationSet makes an Application of each folder of its category, and
    nobody reads what lies beside them."""
    for cluster, categories in _argo(env):
        for path in sorted(tree):
            parts = path.split("/")
            stray = parts[0] == cluster and (len(parts) == 2 or (len(parts) == 3 and parts[1] in categories))
            if stray and parts[-1] not in BESIDE and path.endswith((".yaml", ".yml", ".json")):
                message = f"nothing applies {said(env, path)}: it lies in no app's folder"
                where = "/".join(parts[:2]) if len(parts) == 3 else f"{cluster}/<category>"
                yield Breach(f"gitops.clusters.{cluster}", message, f"move it into {where}/<app>/, or remove it")


@tree_law("gitops-file-unused", "warning", unless=(*UNREADABLE, "gitops-app-form"))
def files_are_named(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Every YAML file of an app is named by its kustomization, or by one that it leads to: else nobody applies it."""
    for graph in graphs(env, tree):
        for app in graph.apps if env.gitops and env.gitops.engine == "argocd" else ():
            own = [path for path in sorted(tree) if path.startswith(f"{app.folder}/")]
            for path in own:
                if (
                    path.endswith((".yaml", ".yml"))
                    and path not in app.files
                    and posixpath.basename(path) not in BESIDE
                ):
                    message = f"nothing applies {said(env, path)}: no kustomization names it"
                    yield Breach(place(graph), message, f"name it in {app.folder}/{KUSTOMIZATION}, or remove it")


@tree_law("gitops-path-outside", unless=UNREADABLE)
def files_are_within(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A kustomization names files in or below its own folder, and folders anywhere: kustomize refuses any other file
    (its load restrictor), and so builds nothing of the app."""
    for cluster, file, document in _kustomizations(env, tree):
        folder = posixpath.dirname(file)
        named = [
            path for key in ("resources", "components") for one in _named(document, key) if (path := reached(file, one))
        ]
        for path in (*named, *named_files(document, file)):
            if path in tree and not path.startswith(f"{folder}/"):
                message = f"{said(env, file)} names the file {said(env, path)}, which is not below it"
                hint = f"name its folder, with a {KUSTOMIZATION} of its own, under resources or components"
                yield Breach(f"gitops.clusters.{cluster}", message[:239], hint)


@tree_law("gitops-component", unless=UNREADABLE)
def components_are_components(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What stands under `components` is of kind Component, and what stands under `resources` is not: kustomize refuses
    both the other way round."""
    for cluster, file, document in _kustomizations(env, tree):
        for key, wanted in (("resources", "Kustomization"), ("components", "Component")):
            for one in _named(document, key):
                path = reached(file, one)
                if key == "components" and path in tree:
                    message = f"{said(env, file)} names the file {one} under components, and a component is a folder"
                    yield Breach(f"gitops.clusters.{cluster}", message[:239], "name it under resources, or its folder")
                inner = kustomization(tree, path) if path else None
                kind = str(next(iter(documents(tree[inner])), {}).get("kind") or "Kustomization") if inner else wanted
                if kind != wanted:
                    message = f"{said(env, file)} names {one} under {key}, and it is a {kind}"
                    other = "components" if key == "resources" else "resources"
                    yield Breach(f"gitops.clusters.{cluster}", message[:239], f"name it under {other}")


@tree_law("gitops-kustomization-circle", unless=UNREADABLE)
def no_kustomization_names_itself(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No kustomization leads back to itself: kustomize stops with "cycle detected"."""
    for cluster, file, document in _kustomizations(env, tree):
        seen, waiting = set(), [(file, document)]
        while waiting:
            here, content = waiting.pop()
            for one in (*_named(content, "resources"), *_named(content, "components")):
                path = reached(here, one)
                inner = kustomization(tree, path) if path else None
                if inner == file:
                    message = f"{said(env, file)} leads back to itself, by way of {said(env, here)}"
                    yield Breach(f"gitops.clusters.{cluster}", message[:239], f"take {one} out there")
                elif inner and inner not in seen:
                    seen.add(inner)
                    waiting.append((inner, next(iter(documents(tree[inner])), {})))


@tree_law("gitops-reached-twice", unless=UNREADABLE)
def app_is_reached_once(env: Environment, tree: Tree) -> Iterator[Breach]:
    """An app's folder is reached by its own Application alone: a second one would write and prune the same objects."""
    for graph in graphs(env, tree):
        homes = {app.folder: app for app in graph.apps if app.name}
        for app in graph.apps:
            foreign = {"/".join(path.split("/")[:3]) for path in app.files} & homes.keys() - {app.folder}
            for folder in sorted(foreign if app.name else ()):
                message = f"{said(env, app.folder)} takes in {said(env, folder)}, which is an app of its own"
                hint = f"move what both need to gitops/shared/, or name nothing of {folder}"
                yield Breach(place(graph), message[:239], hint)


ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "Ingress", "Certificate", "Gateway")
"""Kinds whose names a visitor types."""
ENTRANCES = ("global", "ingress", "route", "httproute", "gateway", "httpRoute")
"""Parts of a chart's values that say the same."""
HOST_KEYS = ("hostnames", "hostname", "host", "hosts", "dnsNames", "domain")


@tree_law("gitops-host-outside", unless=(*UNREADABLE, "gitops-host-zone", "name-dns", "name-domain-wildcard"))
def hosts_are_in_the_domain(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A name under which an app answers lies in the environment's domain, which stands once, in the stack file. Folders
    stay plain YAML, so it stands in them again; where they differ, no record, certificate or gateway fits the name."""
    for graph in graphs(env, tree):
        yield from few(_strangers(env, graph))


def _strangers(env: Environment, graph: Any) -> Iterator[Breach]:
    for app in graph.apps:
        places = [(held.file, held.body.get("spec")) for held in app.objects if held.kind in ROUTES]
        places += [(file, chart.values.get(part)) for file, chart in app.charts for part in ENTRANCES]
        for file, body in places:
            for host in dict.fromkeys(_hosts(body)):
                if host != env.domain and not host.endswith((f".{env.domain}", ".svc", ".local", ".internal")):
                    old = ".".join(host.split(".")[-env.domain.count(".") - 1 :])
                    message = f"{said(env, file)} answers as {host[:80]}, which is not in {env.domain}"
                    hint = f"all at once: grep -rl '{old}' gitops/{env.name} | xargs sed -i 's/{old}/{env.domain}/g'"
                    yield Breach(place(graph), message, hint, "domain")


def _hosts(body: object) -> Iterator[str]:
    """Every host name under a key that holds one, however deep."""
    waiting: list[object] = [body]
    seen: set[int] = set()
    while waiting:
        here = waiting.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        inside = here.items() if isinstance(here, Mapping) else enumerate(here) if isinstance(here, list) else ()
        for key, value in inside:
            if key in HOST_KEYS:
                named = items(value) if isinstance(value, list) else [mapping(value).get("name", value)]
                yield from (one for one in named if isinstance(one, str) and _is_host(one))
            if isinstance(value, Mapping | list):
                waiting.append(value)


def _is_host(text: str) -> bool:
    letters = text.replace("*", "a").replace(".", "").replace("-", "")
    return "." in text and letters.isalnum() and not letters.isdecimal() and len(text) < 254
