"""What stands in the World, in a person's words.

Owns the looking, and what does not come up of what GitOps was given. Refuses to judge the rest: whether it should stand
is the plan's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rehearsal.world import (
    World,
    hardware,
    host_units,
    kube_external_dns,
    kube_flux,
    kube_gateway,
    kube_sources,
    netboot_pi,
)
from rehearsal.world.cloudflare_door import SOLVERS
from rehearsal.world.kube_cluster import Cluster

Object = dict[str, Any]


def standing(world: World) -> list[tuple[str, list[str]]]:
    """What stands, by place: `(where, sentences)`, clusters first."""
    found = [(name, list(_cluster(cluster))) for name, cluster in sorted(world.kubernetes.clusters.items())]
    pis = list(_pis(world))
    if pis:
        found.insert(0, ("Raspberry Pis", pis))
    cloudflare = [line.removeprefix("cloudflare/") for line in world.cloudflare.leftovers()]
    kinds: dict[str, list[str]] = {}
    for line in cloudflare:
        kind, _, name = line.partition("/")
        kinds.setdefault(kind, []).append(name)
    told = [f"{_plural(kind, len(names))} {', '.join(names)}" for kind, names in kinds.items()]
    others = [
        name
        for kind, _, name in (line.partition(" ") for line in world.cloudflare.written_by(SOLVERS))
        if kind != "TXT"
    ]
    if others:
        told.append(f"{_plural('record', len(others))} of external-dns {', '.join(others)}")
    if told:
        found.append(("Cloudflare", told))
    return found


def unwell(world: World) -> list[str]:
    """What was made and does not come up, each with its reason: Pis, volumes, what GitOps was given.

    `<pi>: <unit> …`, `<machine>: volume <id> …`, `<cluster>: application <name> of <folder> …`,
    `<cluster>: Kustomization <name> of …`, `<cluster>: external-dns: …`.
    """
    found = [*_first_boots(world), *_volumes(world), *netboot_pi.unbootable(world)]
    for name, cluster in sorted(world.kubernetes.clusters.items()):
        for application in cluster.objects("Application"):
            if not _is_synced(application):
                place = (application["spec"].get("source") or {}).get("path", "?")
                which = f"{name}: application {application['metadata']['name']} of {place}"
                found.append(f"{which} is {_state(application)}")
        found += _flux(name, cluster)
        found += [f"{name}: {sentence}" for sentence in kube_external_dns.said(cluster)]
    return found


def _pis(world: World) -> Iterator[str]:
    """Ainur's first light: what each Pi booted from, which release it runs, what nobody can be sure of."""
    for name, host in sorted(world.hosts.records.items()):
        if host["stage"] != "running":
            yield f"{name} stands at '{host['stage']}': {host['reason']}"
            continue
        units = [unit for unit in ("k3s", "k3s-agent") if world.hosts.runs(host, unit)]
        source = "its card" if host["card"] else "the network"
        runs = f"runs {units[0]} {host.get('release', '')}" if units else "runs no k3s"
        waits = host["services"].get("ilmarin-token.path", {}).get("active") and not units
        yield f"{name} booted from {source}, {runs}{': it waits for the join token' if waits else ''}"


def _first_boots(world: World) -> Iterator[str]:
    """Units of a Pi that failed, what of its seed nobody could do, and manifests that its k3s could not deploy."""
    for name, host in sorted(world.hosts.records.items()):
        yield from (f"{name}: {sentence}" for sentence in (*host_units.troubles(host), *host["told"]))
        yield from (f"{name}: k3s could not deploy {path}: {why}" for path, why in sorted(host["refused"].items()))


def _flux(name: str, cluster: Cluster) -> Iterator[str]:
    """What of Flux' is not ready, each with its reason in Flux' words."""
    for kind in kube_flux.ROOTS:
        for each in cluster.objects(kind):
            why = kube_sources.said(each)
            if why:
                place = each["spec"].get("path") or each["spec"].get("url") or each["metadata"]["namespace"]
                yield f"{name}: {kind} {each['metadata']['name']} of {place} is not ready: {why}"


def _volumes(world: World) -> Iterator[str]:
    """Volumes that lie on no disk, and what that leaves out."""
    for node in world.talos.nodes():
        has = ", ".join(f"{disk.device} ({disk.kind}, serial {disk.serial})" for disk in node.machine.disks)
        for volume in node.volumes if node.running else ():
            if volume.phase == "failed":
                without = "no kubelet and no etcd" if volume.id == "EPHEMERAL" else "its mount stays away"
                yield (
                    f"{node.machine.name}: volume {volume.id} failed: {volume.error}: {without}; the machine has {has}"
                )


def retired(world: World) -> list[str]:
    """Machines and hosts that left the lab's data and run on, by their names among the World's leftovers."""
    bootstrap = world.environment.get("bootstrap") or {}
    known = {f"machine/{machine.name}" for machine in hardware.machines(world.environment)}
    known |= {f"host/{name}" for name in bootstrap.get("nodes") or ()}
    return [line for line in world.leftovers() if line.startswith(("machine/", "host/")) and line not in known]


def _state(application: Object) -> str:
    """Sync, health, and what Argo CD says about them."""
    status = application.get("status") or {}
    sync, health = status.get("sync") or {}, status.get("health") or {}
    said = [health.get("message"), *(each.get("message") for each in status.get("conditions") or ())]
    reason = "; ".join(each for each in said if each)
    state = f"{sync.get('status', 'Unknown')} and {health.get('status', 'Unknown')}"
    return f"{state}: {reason}" if reason else state


def _cluster(cluster: Cluster) -> Iterator[str]:
    """A cluster: who is in it and who is not ready, what GitOps runs on it, where it can be reached."""
    starting = ", whose API does not answer yet" if cluster.is_starting else ""
    yield f"Kubernetes {cluster.version} at {cluster.record['server']}{starting}"
    yield _told("node", cluster.objects("Node"), _is_ready, "Ready")
    applications = cluster.objects("Application")
    if applications:
        yield _told("application", applications, _is_synced, "Synced and Healthy")
    for kind in ("Kustomization", "HelmRelease"):
        found = cluster.objects(kind)
        if found:
            yield _told(kind, found, kube_sources.is_ready, "Ready")
    gateways = cluster.objects("Gateway")
    if gateways:
        waits = dict.fromkeys(each for found in gateways for each in kube_gateway.waits_for(found))
        yield "; ".join([_told("gateway", gateways, _is_programmed, "Programmed"), *waits])


def _told(kind: str, objects: list[Object], is_well: Callable[[Object], bool], well: str) -> str:
    names = [each["metadata"]["name"] for each in objects]
    ill = [each["metadata"]["name"] for each in objects if not is_well(each)]
    state = f"not {well}: {', '.join(ill)}" if ill else f"{'all ' if len(names) > 1 else ''}{well}"
    return f"{_plural(kind, len(names))} {', '.join(names)}: {state}"


def _plural(kind: str, number: int) -> str:
    return f"1 {kind}" if number == 1 else f"{number} {kind}s"


def _is_ready(node: Object) -> bool:
    return _condition(node, "Ready")


def _is_programmed(gateway: Object) -> bool:
    return _condition(gateway, "Programmed")


def _is_synced(application: Object) -> bool:
    status = application.get("status") or {}
    return (status.get("sync") or {}).get("status") == "Synced" and (status.get("health") or {}).get(
        "status"
    ) == "Healthy"


def _condition(body: Object, kind: str) -> bool:
    conditions = (body.get("status") or {}).get("conditions") or []
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)
