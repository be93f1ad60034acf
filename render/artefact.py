"""The GitOps folders as one OCI artefact, byte for byte the same wherever it is made.

Owns which files it holds, its layer, configuration and manifest, in the form that Flux' own client gives them (`flux
push artifact`; fluxcd/pkg, `oci/client/push.go`). Refuses the disk, Git and the registry: `cli.artefact` has those.
"""

import binascii
import hashlib
import io
import json
import posixpath
import struct
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.cncf.flux.config.v1+json"
CONTENT_TYPE = "application/vnd.cncf.flux.content.v1.tar+gzip"
ANNOTATION = "org.opencontainers.image."
"""What the names of `created`, `source` and `revision` begin with (OCI image specification, annotations)."""

_SHARED = "gitops/shared/"
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_STORED = 0xFFFF
"""The longest block that DEFLATE stores (RFC 1951, 3.2.4)."""


@dataclass(frozen=True)
class Artefact:
    """What is pushed, every blob of it."""

    files: tuple[str, ...]
    """Paths as in the repository, sorted."""
    layer: bytes
    config: bytes
    manifest: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest: what Flux calls the revision, after the tag."""
        return digest(self.manifest)


def digest(content: bytes) -> str:
    """A blob's name in a registry."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def belonging(environment: str, listing: Mapping[str, bytes]) -> dict[str, bytes]:
    """Of a repository's `path → content`, the files under gitops/ that an environment's artefact holds.

    All of its own folder, and whichever folders of gitops/shared/ its kustomizations reach, directly or through each
    other. Paths stay those of the repository: a path in a Kustomization is the same in Git and in the artefact.
    """
    own = f"gitops/{environment}/"
    found = {path: content for path, content in listing.items() if path.startswith(own)}
    wanted = list(found)
    while wanted:
        for folder in _reached(wanted.pop(), found):
            new = {path: each for path, each in listing.items() if path.startswith(folder) and path not in found}
            found |= new
            wanted += new
    return dict(sorted(found.items()))


def _reached(path: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """The folders of gitops/shared/ that a kustomization names, in whichever of its fields."""
    folder, _, name = path.rpartition("/")
    if name not in _KUSTOMIZATIONS:
        return
    try:
        texts = list(_texts(yaml.safe_load(files[path])))
    except (yaml.YAMLError, ValueError, RecursionError):  # a law of the folders says so
        return
    for text in texts:
        aim = posixpath.normpath(posixpath.join(folder, text.rpartition("=")[2]))
        if aim.startswith(_SHARED):
            yield _SHARED + aim.removeprefix(_SHARED).partition("/")[0] + "/"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def pack(files: Mapping[str, bytes], *, created: str, source: str, revision: str) -> Artefact:
    """The artefact of `files` (path → content). The same arguments give the same bytes on every machine.

    `created` is RFC 3339, `source` the repository's address, `revision` what of it was packed.
    """
    tarball = _tar(files)
    layer = _gzip(tarball)
    # As go-containerregistry fills it; nothing of it is read by Flux, but a registry may look whether it is there
    config = _json({"architecture": "", "config": {}, "os": "", "rootfs": _rootfs(tarball)})
    manifest = {
        "annotations": {
            f"{ANNOTATION}created": created,
            f"{ANNOTATION}revision": revision,
            f"{ANNOTATION}source": source,
        },
        "config": _descriptor(CONFIG_TYPE, config),
        "layers": [_descriptor(CONTENT_TYPE, layer)],
        "mediaType": MANIFEST_TYPE,
        "schemaVersion": 2,
    }
    return Artefact(tuple(sorted(files)), layer, config, _json(manifest))


def _rootfs(tarball: bytes) -> dict[str, object]:
    return {"diff_ids": [digest(tarball)], "type": "layers"}


def _descriptor(kind: str, content: bytes) -> dict[str, object]:
    return {"digest": digest(content), "mediaType": kind, "size": len(content)}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


def _tar(files: Mapping[str, bytes]) -> bytes:
    """Sorted; nobody's, readable, and of the epoch: a clone has its own times, owners and modes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _gzip(content: bytes) -> bytes:
    """gzip (RFC 1952) that stores: compressed bytes differ from one zlib to the next, and with them the digest."""
    pieces = [b"\x1f\x8b\x08\x00" + b"\x00" * 4 + b"\x00\xff"]
    for start in range(0, max(len(content), 1), _STORED):
        block = content[start : start + _STORED]
        last = start + _STORED >= len(content)
        pieces += [struct.pack("<BHH", last, len(block), len(block) ^ _STORED), block]
    return b"".join([*pieces, struct.pack("<II", binascii.crc32(content), len(content) & 0xFFFFFFFF)])
