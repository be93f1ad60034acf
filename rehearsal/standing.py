"""What stands in the World, in a person's words.

Owns the looking. Refuses to judge it: whether it should stand is the plan's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rehearsal.world import World
from rehearsal.world.kube_cluster import Cluster

Object = dict[str, Any]


def standing(world: World) -> list[tuple[str, list[str]]]:
    """What stands, by place: `(where, sentences)`, clusters first."""
    found = [(name, list(_cluster(cluster))) for name, cluster in sorted(world.kubernetes.clusters.items())]
    cloudflare = [line.removeprefix("cloudflare/") for line in world.cloudflare.leftovers()]
    kinds: dict[str, list[str]] = {}
    for line in cloudflare:
        kind, _, name = line.partition("/")
        kinds.setdefault(kind, []).append(name)
    if kinds:
        found.append(
            ("Cloudflare", [f"{_plural(kind, len(names))} {', '.join(names)}" for kind, names in kinds.items()])
        )
    return found


def _cluster(cluster: Cluster) -> Iterator[str]:
    """A cluster: who is in it and who is not ready, what GitOps runs on it, where it can be reached."""
    yield f"Kubernetes {cluster.version} at {cluster.record['server']}"
    yield _told("node", cluster.objects("Node"), _is_ready, "Ready")
    applications = cluster.objects("Application")
    if applications:
        yield _told("application", applications, _is_synced, "Synced and Healthy")
    gateways = cluster.objects("Gateway")
    if gateways:
        yield _told("gateway", gateways, _is_programmed, "Programmed")


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
