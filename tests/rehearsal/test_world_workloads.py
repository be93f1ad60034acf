"""What the objects of a folder need to run, and a tunnel held by the cloudflared of one."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Cluster
from tests.rehearsal.clusters import CLOUDFLARE, body, make
from tests.rehearsal.folders import hold, tree, with_argo, workload

TOKEN, ACCOUNT = "t" * 40, CLOUDFLARE["account_id"]


@pytest.mark.parametrize(
    ("needs", "trouble"),
    [
        ({"volumes": [{"name": "v", "configMap": {"name": "gone"}}]}, 'configmap "gone" not found'),
        ({"volumes": [{"name": "v", "secret": {"secretName": "gone"}}]}, 'secret "gone" not found'),
        ({"volumes": [{"name": "v", "secret": {"secretName": "gone", "optional": True}}]}, None),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "gone"}}]}, '"gone" not found'),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "plain"}}]}, "has no default one"),
        ({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "fast"}}]}, '"fast" not found'),
        ({"env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]}, '"gone" not found'),
        ({"env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "here", "key": "k"}}}]}, None),
        ({"env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "here", "key": "x"}}}]}, "find key x"),
        ({"envFrom": [{"secretRef": {"name": "gone"}}]}, 'secret "gone" not found'),
    ],
)
def test_a_pod_starts_when_what_it_mounts_and_reads_is_there(tmp_path: Path, needs: Any, trouble: str | None):
    root = tree(tmp_path, "apps/one")
    container = {"name": "c", "image": "i"} | {name: needs[name] for name in needs if name != "volumes"}
    pod = {"containers": [container], "volumes": needs.get("volumes", [])}
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = {"plain": claim, "fast": claim | {"storageClassName": "fast"}}
    hold(
        root,
        "one",
        workload("Deployment", pod),
        body("ConfigMap", "here", data={"k": "v"}),
        *(body("PersistentVolumeClaim", name, spec=spec) for name, spec in claims.items() if name in str(needs)),
    )
    cluster, _ = with_argo(root)
    health = cluster.objects("Application")[0]["status"]["health"]
    assert (health["status"] == "Degraded") == (trouble is not None), health
    assert (trouble or "") in health.get("message", "")


def _cloudflared(root: Path, replicas: int) -> None:
    reference = {"secretKeyRef": {"name": "token", "key": "token"}}
    container = {
        "name": "c",
        "image": "cloudflare/cloudflared:1",
        "env": [{"name": "TUNNEL_TOKEN", "valueFrom": reference}],
    }
    made = workload("Deployment", {"containers": [container]})
    made["spec"]["replicas"] = replicas
    hold(root, "one", made)


def _tunnel(cluster: Cluster, secret: bytes) -> tuple[str, str]:
    """A tunnel whose secret is thirty-two times that byte: its id, and the token that runs it."""
    flare, drawn = cluster.world.cloudflare, base64.b64encode(secret * 32).decode()
    fields = {"name": f"lab-{secret.decode()}", "config_src": "cloudflare", "tunnel_secret": drawn}
    identity = flare.create_tunnel(TOKEN, ACCOUNT, fields)["id"]
    told = {"a": ACCOUNT, "t": identity, "s": drawn}
    return identity, base64.b64encode(json.dumps(told).encode()).decode()


def test_a_cloudflared_that_runs_holds_its_tunnel_until_it_is_scaled_down(tmp_path: Path):
    """Deleting the Secret or the stack's other objects first does not let go of the tunnel: Cloudflare's 1022."""
    root = tree(tmp_path, "apps/one")
    _cloudflared(root, replicas=2)
    cluster, _ = with_argo(root)
    assert 'secret "token" not found' in cluster.objects("Application")[0]["status"]["health"]["message"]
    identity, token = _tunnel(cluster, b"x")
    make(cluster, "Secret", "token", "apps", stringData={"token": token})
    cluster.delete("Secret", "apps", "token")
    with pytest.raises(Refusal, match="1022"):
        cluster.world.cloudflare.delete_tunnel(TOKEN, ACCOUNT, identity)
    _cloudflared(root, replicas=0)
    cluster.work()
    cluster.world.cloudflare.delete_tunnel(TOKEN, ACCOUNT, identity)


def test_a_cloudflared_with_another_tunnels_secret_is_named(tmp_path: Path):
    root = tree(tmp_path, "apps/one")
    _cloudflared(root, replicas=1)
    cluster, _ = with_argo(root)
    _, token = _tunnel(cluster, b"x")
    told = json.loads(base64.b64decode(token)) | {"s": base64.b64encode(b"y" * 32).decode()}
    wrong = base64.b64encode(json.dumps(told).encode()).decode()
    make(cluster, "Secret", "token", "apps", stringData={"token": wrong})
    health = cluster.objects("Application")[0]["status"]["health"]
    assert (health["status"], health["message"]) == ("Degraded", "cloudflared: Unauthorized: Invalid tunnel secret")
