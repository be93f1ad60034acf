"""What the builder has brought to the boot servers: Talos' kernels, iPXE's loaders.

Owns whether a file is on the wire: a builder of the folder runs, its list names the file with the source that really
publishes it, it writes where a server reads, and the source has answered once. It refuses to run the builder's script
(``tests/real`` does), to know hashes, and to own the Pis' own system.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rehearsal.world import kube_pods
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_argocd import brought_by
from rehearsal.world.kube_cluster import Body, Cluster

if TYPE_CHECKING:
    from rehearsal.world import World

NAMESPACE = "netboot"
SCRIPTS = "boot"
"""The ConfigMap that tells who serves over HTTP; the Pis' image is read by others, too, who serve it to nobody."""
LIST = "boot-downloads"
"""The ConfigMap with the builder's list, and the list's name in it."""
KEY = "boot.list"
FACTORY = "factory.talos.dev"
_LOADER_MEMBER = {
    "undionly.kpxe": re.compile(r"(?:^|/)undionly\.kpxe$"),
    "snponly.efi": re.compile(r"(?:^|/)(?:snponly|snp)(?:-x86_64|-amd64|-x64)?\.efi$"),
    "snponly-arm64.efi": re.compile(r"(?:^|/)(?:(?:snponly|snp|ipxe)-(?:arm64|aarch64)|arm64-efi/snponly)\.efi$"),
}
"""What iPXE's own build and Debian's package call what is served under a name."""


def lacks(world: World, cluster: Cluster, path: str) -> str | None:
    """Why no boot server has ``path`` (``talos/…/<file>``, ``tftp/<loader>``, ``pi/<image>``); ``None``: it has.

    A file that was brought once stays, whatever happens to its source afterwards.
    """
    trouble = _unbuilt(cluster, path)
    if trouble:
        return trouble
    listed = cluster.get("ConfigMap", NAMESPACE, LIST) or {}
    return brought(world, {LIST: listed.get("data") or {}}, cluster.name, path)


def brought(world: World, published: dict[str, dict[str, str]], where: str, path: str) -> str | None:
    """Why the builder's script has not brought ``path`` to ``where``, with the list among what is ``published``."""
    lines = [line.split() for line in str(published.get(LIST, {}).get(KEY, "")).splitlines()]
    line = next((words for words in lines if words and words[0] == path), None)
    if line is None or len(line) < 3:
        return f"the builder's list does not name {path}"
    wrong = _wrong_source(world, path, line[1], line[2], line[3] if len(line) > 3 else "")
    if wrong:
        return f"the builder cannot bring {path}: {wrong}"
    kept: list[str] = world.section("netboot").setdefault("brought", [])
    here = f"{where} {' '.join(line)}"
    if here in kept:
        return None
    host = urlsplit(line[2]).hostname or ""
    down = world.faults.outage(f"download/{host}", world.clock.now)
    if down is not None:
        return f"the builder waits for {path}: {host}: {down}"
    kept.append(here)
    return None


def _unbuilt(cluster: Cluster, path: str) -> str | None:
    """Why nobody puts ``path`` where a server reads it."""
    workloads = _workloads(cluster)
    builders = [body for body in workloads if _mounted(body, LIST)]
    if not builders:
        return f"nobody puts {path} there: no workload of the boot services mounts ConfigMap {NAMESPACE}/{LIST}"
    stuck = [reason for body in builders if (reason := kube_pods.not_running(cluster, body))]
    if stuck:
        return f"nobody puts {path} there: {stuck[0]}"
    kind = path.partition("/")[0]
    written = {where for body in builders for where in _host_paths(body, kind, writable=True)}
    if not written:
        return f"nobody puts {path} there: the builder writes to no disk of the host at …/{kind}"
    servers = [body for body in workloads if body not in builders and (kind != "pi" or _mounted(body, SCRIPTS))]
    if any(written & _host_paths(body, None, writable=False) for body in servers):
        return None
    return f"nobody serves {path}: the builder writes to {', '.join(sorted(written))}, which no server mounts"


def _workloads(cluster: Cluster) -> list[Body]:
    found: list[Body] = []
    for application in cluster.objects("Application"):
        if application["metadata"]["name"] in ("dnsmasq", "pi-netboot"):
            try:
                brought = brought_by(cluster, application)
            except Refusal:
                continue
            found += [body for body in brought if body.get("kind") in ("DaemonSet", "Deployment", "StatefulSet")]
    return [body for body in found if body["metadata"].get("namespace") == NAMESPACE]


def _mounts(body: Body) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """``(mount, volume)`` of every container."""
    pod = body["spec"]["template"]["spec"]
    volumes = {each["name"]: each for each in pod.get("volumes") or ()}
    mounts = [mount for each in pod.get("containers") or () for mount in each.get("volumeMounts") or ()]
    return [(mount, volumes[mount["name"]]) for mount in mounts if mount["name"] in volumes]


def _mounted(body: Body, name: str) -> bool:
    return any((volume.get("configMap") or {}).get("name") == name for _, volume in _mounts(body))


def _host_paths(body: Body, last: str | None, *, writable: bool) -> set[str]:
    """The host's folders that a workload sees, those whose mount ends with ``last``, those it may write to."""
    return {
        volume["hostPath"]["path"]
        for mount, volume in _mounts(body)
        if "hostPath" in volume
        and (last is None or mount["mountPath"].rstrip("/").endswith(f"/{last}"))
        and not (writable and mount.get("readOnly"))
    }


def _wrong_source(world: World, path: str, check: str, url: str, member: str) -> str | None:
    address = urlsplit(url)
    if address.scheme != "https":
        return f"{url} is not fetched over TLS"
    if path.startswith("talos/"):
        wanted = f"/image/{path.removeprefix('talos/')}"
        if (address.hostname, address.path) != (FACTORY, wanted):
            return f"{url} is not where the factory has it, https://{FACTORY}{wanted}"
        schematic = path.split("/")[1]
        return None if world.factory.knows(schematic) else f'schematic ID "{schematic}" not found (404)'
    if not re.fullmatch(r"sha256:[0-9a-f]{64}|sums:https://\S+", check):
        return f"nothing judges {url}"
    if path.startswith("pi/"):
        named = check.removeprefix("sha256:")[:12]
        return None if path == f"pi/{named}.img.xz" else f"{check} is not the hash that {path} is named by"
    known = _LOADER_MEMBER.get(path.removeprefix("tftp/"))
    what = member or address.path
    return None if known and known.search(what) else f"{what} is not what is served as {path.removeprefix('tftp/')}"
