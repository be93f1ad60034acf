"""Flux' source-controller: what an OCIRepository or a GitRepository fetched.

Owns the fetch, an artefact's unpacking and the words for what goes wrong (source-controller 1.7,
``ocirepository_controller.go``; fluxcd/pkg ``tar``). It refuses to own the registry (``registry``), the charts there
are (``kube_charts``), and signatures: nobody signs on the rack, so whoever asks for one is refused.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import tarfile
import tempfile
from pathlib import Path

from rehearsal.world import kube_charts
from rehearsal.world.errors import Refusal
from rehearsal.world.kube_cluster import Body, Cluster


def keep_sources(cluster: Cluster) -> None:
    """Fetch what each source names. What was fetched before stays when it cannot be fetched again."""
    for kind, fetch in (("OCIRepository", _oci), ("GitRepository", _git)):
        for found in cluster.objects(kind):
            status = dict(found.get("status") or {})
            try:
                status["artifact"] = {"revision": fetch(cluster, found)}
                status["conditions"] = [ready(f"stored artifact for digest '{status['artifact']['revision']}'")]
            except Refusal as refusal:
                reason, _, message = refusal.message.partition(": ")
                status["conditions"] = [unready(reason, message)]
            cluster.set_status(found, status)


def ready(message: str, reason: str = "Succeeded") -> Body:
    """A condition Ready that is True."""
    return {"type": "Ready", "status": "True", "reason": reason, "message": message}


def unready(reason: str, message: str) -> Body:
    """A condition Ready that is False."""
    return {"type": "Ready", "status": "False", "reason": reason, "message": message}


def is_ready(found: Body) -> bool:
    """Whether an object of Flux' says that it is ready."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def said(found: Body) -> str:
    """Why an object of Flux' is not ready, empty when it is."""
    conditions = (found.get("status") or {}).get("conditions") or ()
    return next((f"{each['reason']}: {each['message']}" for each in conditions if each["status"] != "True"), "")


def folder_of(cluster: Cluster, source: Body) -> Path | None:
    """Where the files of a source's artefact lie, None when it fetched nothing, or a chart."""
    revision = ((source.get("status") or {}).get("artifact") or {}).get("revision", "")
    if source["kind"] == "GitRepository":
        return cluster.world.repository if revision else None
    repository, digest = source["spec"]["url"].removeprefix("oci://"), revision.partition("@")[2]
    manifest = cluster.world.registry.blob(repository, digest)
    if manifest is None:
        return None
    layer = cluster.world.registry.blob(repository, json.loads(manifest)["layers"][0]["digest"])
    return Path(_unpacked(layer).name) if layer else None


def _oci(cluster: Cluster, found: Body) -> str:
    """The revision of what an OCIRepository's tag names. ``Refusal`` as ``reason: message``."""
    spec = found["spec"]
    repository, tag = str(spec["url"]).removeprefix("oci://"), str((spec.get("ref") or {}).get("tag", "latest"))
    host, _, path = repository.partition("/")
    digest = cluster.world.registry.tagged(repository, tag)
    if digest is None and not _is_chart(str(spec["url"]), tag):
        raise Refusal(
            f"OCIArtifactPullFailed: failed to determine artifact digest: GET https://{host}/v2/{path}/manifests/{tag}:"
            " MANIFEST_UNKNOWN: manifest unknown"
        )
    login = (spec.get("secretRef") or {}).get("name")
    if login and cluster.get("Secret", found["metadata"]["namespace"], login) is None:
        raise Refusal(f'AuthenticationFailed: failed to get credential: secrets "{login}" not found')
    if spec.get("verify"):
        provider = spec["verify"]["provider"] + ("" if spec["verify"].get("secretRef") else " keyless")
        raise Refusal(
            f"VerificationError: failed to verify the signature using provider '{provider}': "
            f"no matching signatures were found for '{repository}@{digest}'"
        )
    if digest is None:
        return f"{tag}@chart"
    layer = cluster.world.registry.blob(repository, _layer(cluster, repository, digest))
    _unpacked(layer or b"")
    return f"{tag}@{digest}"


def _layer(cluster: Cluster, repository: str, digest: str) -> str:
    """The first layer is taken, whatever its media type, when nothing is selected."""
    layers = json.loads(cluster.world.registry.blob(repository, digest) or b"{}").get("layers")
    if not layers:
        raise Refusal("OCIArtifactLayerOperationFailed: no layers found in artifact")
    return str(layers[0]["digest"])


def _is_chart(url: str, tag: str) -> bool:
    try:
        kube_charts.fetch(url, None, tag)
    except Refusal:
        return False
    return True


@functools.cache
def _unpacked(layer: bytes) -> tempfile.TemporaryDirectory[str]:
    """The files of a layer, in a folder that lasts as long as this process."""
    failed = "OCIArtifactLayerOperationFailed: failed to extract layer contents from artifact: "
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
            members = tar.getmembers()
            for member in members:
                if not (member.isreg() or member.isdir()):
                    raise Refusal(f"{failed}tar file entry {member.name} contained unsupported file type")
                if member.name.startswith("/") or ".." in member.name.split("/"):
                    raise Refusal(f'{failed}tar contained invalid name error "{member.name}"')
            folder = tempfile.TemporaryDirectory(prefix="rack-artefact-")
            tar.extractall(folder.name, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise Refusal(f"{failed}requires gzip-compressed body: {error}") from error
    return folder


def _git(cluster: Cluster, found: Body) -> str:
    gitops = cluster.world.environment.get("gitops") or {}
    if found["spec"]["url"] != gitops.get("repository") or cluster.world.repository is None:
        url = found["spec"]["url"]
        raise Refusal(f"GitOperationFailed: failed to checkout and determine revision: repository not found: {url}")
    return f"{gitops.get('revision', 'main')}@sha1:{'0' * 40}"
