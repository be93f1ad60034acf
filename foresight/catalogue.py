"""The catalogue: every app of a lab's clusters, with its versions, its names, what it keeps and its secrets.

Owns that list, out of the folders as Git has them. Refuses what a chart makes by itself: of a chart it says the
version, and the volumes that its values ask for.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from model.closure.clusters import closure
from model.closure.reading import items, mapping
from model.closure.things import App, Held
from model.environment import Environment
from model.tree import Tree

NOTHING = "-"
_PODS = ("CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet")
_ROUTES = ("GRPCRoute", "HTTPRoute", "TLSRoute")


class Entry(NamedTuple):
    """One app; every field but the first three in words, several parted by commas."""

    cluster: str
    category: str
    app: str
    versions: tuple[str, ...]
    """`image:tag` without its registry, `name version` of a chart."""
    exposure: tuple[str, ...]
    """Who reaches it, under which name."""
    storage: tuple[str, ...]
    """Class and size of each volume, a share's server and folder."""
    copies: tuple[str, ...]
    """Who takes copies of what it keeps."""
    secrets: tuple[str, ...]
    """Items of the vault, or how else its Secrets come to be."""


def catalogue(env: Environment, tree: Tree) -> tuple[Entry, ...]:
    """Every app of every cluster that GitOps reconciles, by cluster, category and name; an empty category as one entry
    without an app."""
    found: list[Entry] = []
    for cluster, own in env.gitops.clusters.items() if env.gitops else ():
        there = [_entry(env, app) for app in closure(env, tree, cluster).apps if app.name]
        empty = set(own.categories) - {one.category for one in there}
        found += [*there, *(Entry(cluster, category, "", (), (), (), (), ()) for category in empty)]
    return tuple(sorted(found, key=lambda one: one[:3]))


def _entry(env: Environment, app: App) -> Entry:
    own = [held for held in app.objects if not held.patch]
    parts = (_versions(app), _exposure(env, own), _storage(app), _copies(own), _secrets(app))
    return Entry(app.cluster, app.category, app.name, *(tuple(dict.fromkeys(part)) for part in parts))


def _spec(held: Held) -> Mapping[str, Any]:
    return mapping(held.body.get("spec"))


def _versions(app: App) -> Iterator[str]:
    yield from (f"{chart.name} {chart.version}" for _, chart in app.charts)
    for held in app.objects:
        for key in ("initContainers", "containers") if held.kind in _PODS and not held.patch else ():
            for one in items(_pod(held).get(key)):
                image = str(mapping(one).get("image") or "").partition("@")[0]
                if image:
                    yield image.rpartition("/")[2]
        if held.kind == "Cluster" and _spec(held).get("imageName"):
            yield str(_spec(held)["imageName"]).rpartition("/")[2]


def _pod(held: Held) -> Mapping[str, Any]:
    spec = _spec(held)
    if held.kind == "CronJob":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    return mapping(mapping(spec.get("template")).get("spec"))


def _exposure(env: Environment, own: list[Held]) -> Iterator[str]:
    for held in own:
        spec = _spec(held)
        if held.kind in _ROUTES:
            for parent in items(spec.get("parentRefs")):
                gateway = env.edge.gateways.get(str(mapping(parent).get("name")))
                who = "external" if gateway and gateway.audience == "public" else "internal"
                yield from (f"{who}: {host}" for host in items(spec.get("hostnames")))
        elif held.kind == "Ingress":
            yield from (f"internal: {mapping(rule).get('host')}" for rule in items(spec.get("rules")))
        elif held.kind == "Service" and spec.get("type") == "LoadBalancer":
            said = mapping(mapping(held.body.get("metadata")).get("annotations"))
            address = said.get("lbipam.cilium.io/ips") or said.get("kube-vip.io/loadbalancerIPs")
            yield f"internal: {address or 'an address of the pool'}"


def _storage(app: App) -> Iterator[str]:
    for held in app.objects:
        spec = _spec(held)
        nfs = mapping(spec.get("nfs")) if held.kind == "PersistentVolume" else {}
        if nfs:
            yield f"NFS {nfs.get('server')}:{nfs.get('path')}"
        elif held.kind == "PersistentVolumeClaim" and spec.get("storageClassName") != "":
            yield _claim(spec)
        elif held.kind == "StatefulSet":
            yield from (_claim(mapping(mapping(one).get("spec"))) for one in items(spec.get("volumeClaimTemplates")))
        elif held.kind == "Cluster" and not held.patch:
            yield _database(app, held)
    for _, chart in app.charts:
        yield from _asked(chart.values)


def _claim(spec: Mapping[str, Any]) -> str:
    size = mapping(mapping(spec.get("resources")).get("requests")).get("storage", "")
    return f"{spec.get('storageClassName') or 'default class'} {size}".rstrip()


def _database(app: App, held: Held) -> str:
    """A database's volumes; what its component says of all of them stands in a patch."""
    every = [_spec(held), *(_spec(one) for one in app.objects if one.patch and one.kind == held.kind)]
    stated = [mapping(spec.get("storage")) for spec in every]
    kind = next((one["storageClass"] for one in stated if one.get("storageClass")), "default class")
    count = next((spec["instances"] for spec in every if spec.get("instances")), 1)
    return f"{count} x {kind} {next((one['size'] for one in stated if one.get('size')), '')}".rstrip()


def _asked(values: Mapping[str, Any]) -> Iterator[str]:
    """Volumes that a chart's values ask for: whatever has a class and a size, as a claim or as charts write it."""
    waiting: list[object] = [values]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Mapping):
            if "storageClassName" in here and "resources" in here:
                yield _claim(here)
            elif here.get("storageClass") and here.get("size"):
                yield f"{here['storageClass']} {here['size']}"
            waiting += here.values()
        elif isinstance(here, list):
            waiting += here


def _copies(own: list[Held]) -> Iterator[str]:
    told = {"ReplicationSource": "restic to the NAS", "ScheduledBackup": "snapshots", "RecurringJob": "snapshots"}
    for held in own:
        if held.kind in told:
            yield told[held.kind]
        elif held.kind == "CronJob" and held.name.endswith("-dump"):
            yield "dumps to the NAS"


def _secrets(app: App) -> Iterator[str]:
    for held in app.objects:
        if held.kind == "ExternalSecret":
            fields: dict[str, list[str]] = {}
            for one in items(_spec(held).get("data")):
                remote = mapping(mapping(one).get("remoteRef"))
                fields.setdefault(str(remote.get("key")), []).append(str(remote.get("property", "")))
            yield from (f"vault: {item} ({', '.join(names)})" for item, names in fields.items())
        elif held.kind == "SealedSecret":
            yield f"sealed: {held.name}"
        elif held.kind == "Job" and held.name == "first-secret":
            yield "made on the cluster: first-secret"


def markdown(entries: Iterable[Entry]) -> str:
    """The catalogue of a lab as a page shows it, a table a cluster."""
    lines: list[str] = []
    cluster = ""
    for one in entries:
        if one.cluster != cluster:
            cluster = one.cluster
            lines += ["", f"### {cluster}", ""] if lines else [f"### {cluster}", ""]
            lines += [
                "| category | app | version | reached | keeps | copies | secrets |",
                "|---|---|---|---|---|---|---|",
            ]
        cells = (", ".join(part) or NOTHING for part in one[3:])
        name = f"`{one.app}`" if one.app else NOTHING
        lines.append(f"| {one.category} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)
