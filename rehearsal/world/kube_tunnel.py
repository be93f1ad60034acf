"""cloudflared: the near end of a Cloudflare tunnel, where one runs.

Owns which tunnels the pods of a cluster hold connected. It refuses to own the tunnels (``cloudflare``) and whether pods
run (``kube_pods``). A pod reads its token when it starts: what becomes of the Secret later does not disconnect it. One
whose tunnel was deleted ends, and the next reads the token as it is then.
"""

from __future__ import annotations

from typing import Any

from rehearsal.world import kube_pods, kube_secrets
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster

_IMAGE = "cloudflare/cloudflared"
_VARIABLE = "TUNNEL_TOKEN"


def keep_tunnels(cluster: Cluster) -> None:
    """Controller: whoever runs cloudflared is connected, whoever no longer does is not."""
    held: dict[str, str] = cluster.record.setdefault("tunnels", {})
    running = {}
    for found in cluster.objects("Deployment"):
        place = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
        container = _container(found)
        if container is None or found["spec"].get("replicas", 1) == 0:
            continue
        if place in held and cluster.world.cloudflare.stands(held[place]):
            running[place] = held[place]
        elif kube_pods.not_running(cluster, found) is None:
            told = _token(cluster, found, container)
            tunnel = _connected(cluster, found, told) if told else None
            if tunnel:
                running[place] = tunnel
    for tunnel in set(held.values()) - set(running.values()):
        cluster.world.cloudflare.disconnect(tunnel)
    cluster.record["tunnels"] = running


def trouble_of(found: Body) -> str | None:
    """Why a cloudflared ends as soon as it starts, in its own words; ``None`` when it does not."""
    for condition in (found.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Available" and condition["status"] == "False":
            return str(condition["message"])
    return None


def _container(found: Body) -> Body | None:
    containers: list[Body] = found["spec"]["template"]["spec"]["containers"]
    return next((each for each in containers if str(each.get("image", "")).startswith(_IMAGE)), None)


def _token(cluster: Cluster, found: Body, container: Body) -> str | None:
    told: dict[str, Any] = next((each for each in container.get("env") or () if each["name"] == _VARIABLE), {})
    reference = (told.get("valueFrom") or {}).get("secretKeyRef")
    if not reference:
        return str(told["value"]) if told.get("value") else None
    return kube_secrets.value_of(cluster, found["metadata"]["namespace"], reference)


def _connected(cluster: Cluster, found: Body, token: str) -> str | None:
    try:
        tunnel = cluster.world.cloudflare.connect(token)
    except Refusal as refusal:
        condition = {"type": "Available", "status": "False", "message": f"cloudflared: {refusal.message}"}
        cluster.set_status(found, {"conditions": [condition]})
        return None
    cluster.set_status(found, {"conditions": [{"type": "Available", "status": "True", "message": ""}]})
    return tunnel
