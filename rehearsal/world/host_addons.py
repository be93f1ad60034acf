"""What k3s deploys by itself: the manifests folder of a server, kube-vip in it, and its own Traefik and storage.

Owns the reading of that folder, which addresses kube-vip holds, and the objects of k3s' own that others lean on. It
refuses to own who joins (``host_k3s``), and which Service gets which address (``kube_services``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from rehearsal.world.errors import Refusal
from rehearsal.world.host_units import Host, real
from rehearsal.world.kube_cluster import Body, Cluster

_DEPLOY = "deploy@k3s"
"""The field manager of k3s' deploy controller."""


def manifests(host: Host, data: str) -> Iterator[tuple[str, Body]]:
    """``(path, object)`` of everything in the manifests folder; a file that is no YAML is passed over."""
    folder = real(host, f"{data}/server/manifests")
    for path, file in sorted(host["files"].items()):
        if path.startswith(f"{folder}/") and path.endswith((".yaml", ".yml")):
            try:
                documents = list(yaml.safe_load_all(file["content"]))
            except yaml.YAMLError:
                continue
            yield from ((path, body) for body in documents if isinstance(body, dict))


def addresses(host: Host, data: str) -> list[str]:
    """The addresses of the control plane that kube-vip holds on this server: those its environment names."""
    found = []
    for _, body in manifests(host, data):
        pod = ((body.get("spec") or {}).get("template") or {}).get("spec") or body.get("spec") or {}
        for container in pod.get("containers") or ():
            told = {each["name"]: each.get("value") for each in container.get("env") or ()}
            if "kube-vip" in str(container.get("image")) and told.get("cp_enable") == "true" and told.get("address"):
                found.append(str(told["address"]))
    return found


def deploy(cluster: Cluster, host: Host, data: str, disabled: list[str]) -> None:
    """Put k3s' own add-ons and what the folder holds into the cluster; what is refused is told on the host."""
    cluster.register(("HelmChartConfig",), "k3s")
    refused = host.setdefault("refused", {})
    for path, body in manifests(host, data):
        try:
            cluster.apply(body, _DEPLOY)
            refused.pop(path, None)
        except Refusal as refusal:
            refused[path] = refusal.message
    if "local-storage" not in disabled:
        cluster.place(_LOCAL_PATH, _DEPLOY)
    if "traefik" not in disabled:
        cluster.place(_traefik(cluster), _DEPLOY)


_LOCAL_PATH: Body = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {
        "name": "local-path",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "rancher.io/local-path",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def _traefik(cluster: Cluster) -> Body:
    """Traefik's Service, with what a HelmChartConfig of its name says (k3s documentation, "Helm")."""
    config = cluster.get("HelmChartConfig", "kube-system", "traefik") or {}
    values: dict[str, Any] = yaml.safe_load((config.get("spec") or {}).get("valuesContent") or "") or {}
    told = values.get("service") or {}
    metadata: Body = {"name": "traefik", "namespace": "kube-system"}
    if told.get("annotations"):
        metadata["annotations"] = dict(told["annotations"])
    ports = [{"name": "web", "port": 80}, {"name": "websecure", "port": 443}]
    spec = {"type": "LoadBalancer", "ports": ports, "selector": {"app.kubernetes.io/name": "traefik"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec | (told.get("spec") or {})}
