"""Laws of what the GitOps folders hold: every file that is named is there, images are pinned, no secret is a default.

Owns the committed objects. Refuses the folders' form (`folders`) and everything that a chart renders.
"""

import base64
import binascii
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from model.closure.reading import KUSTOMIZATIONS, kustomization, named_files, reached
from model.environment import Environment
from model.laws.folders import reconciled
from model.laws.registry import Breach, tree_law
from model.laws.words import nearest
from model.tree import Tree, documents

DEFAULTS = frozenset(
    ("12345", "admin", "change-me", "changeme", "example", "letmein", "passw0rd", "password", "secret", "ubuntu")
) | {"prom-operator"}
"""What charts and installers come with; `prom-operator` is Grafana's in kube-prometheus-stack."""
SECRET_KEY = re.compile(
    r"[\w.-]*(password|passwd|secret[-_]?key|api[-_]?token|client[-_]?secret)", re.IGNORECASE | re.ASCII
)
REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@|(?!\.{1,2}/)[\w-]+(\.[\w-]+)+/|.*[?]")
"""What kustomize fetches from elsewhere: a URL, a login at a host, a host's name before a path, a query."""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _reached(tree: Tree, cluster: str) -> list[str]:
    """Every file of a cluster, and what its kustomizations name in the shared folder."""
    found = [path for path in sorted(tree) if path.startswith(f"{cluster}/")]
    known = set(found)
    for path in found:  # grows as kustomizations name more
        if posixpath.basename(path) not in KUSTOMIZATIONS:
            continue
        for target in _targets(tree, path):
            whole = kustomization(tree, target) or target
            if whole in tree and whole not in known:
                known.add(whole)
                found.append(whole)
    return found


def _targets(tree: Tree, file: str) -> Iterator[str]:
    """Where everything leads that one kustomization names, as far as the tree reaches."""
    for document in documents(tree[file]):
        for key in ("resources", "components", "bases"):
            for target in _list(document.get(key)):
                path = reached(file, target) if isinstance(target, str) and not REMOTE.match(target) else None
                if path is not None:
                    yield path
        yield from named_files(document, file)


def _said(env: Environment, path: str) -> str:
    """A file as the checkout has it."""
    return posixpath.normpath(f"gitops/{env.name}/{path}")


def _clusters(env: Environment, tree: Tree) -> Iterator[tuple[str, list[str]]]:
    """(cluster, every file that it is made of), of every cluster that is reconciled."""
    for cluster, _, _ in reconciled(env):
        yield cluster, _reached(tree, cluster)


@tree_law("gitops-resource-missing", unless=("gitops-yaml",))
def what_is_named_is_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What a kustomization names, in its lab's folders or the shared one, is there: else nothing of its folder is
    applied. A folder that is named has a kustomization itself."""
    for cluster, files in _clusters(env, tree):
        for file in files:
            if posixpath.basename(file) not in KUSTOMIZATIONS:
                continue
            for target in _targets(tree, file):
                if target not in tree and kustomization(tree, target) is None:
                    folder = posixpath.dirname(target)
                    beside = {posixpath.basename(path) for path in tree if posixpath.dirname(path) == folder}
                    message = f"{_said(env, file)} names {_said(env, target)}, which is not there"
                    near = nearest(posixpath.basename(target), beside - set(KUSTOMIZATIONS))
                    yield Breach(f"gitops.clusters.{cluster}", message[:230], near)


def _mappings(document: object) -> Iterator[tuple[str, dict[Any, Any]]]:
    """(dotted place, mapping) of every mapping inside a document, once each however many aliases lead to it."""
    waiting: list[tuple[str, object]] = [("", document)]
    seen: set[int] = set()
    while waiting:
        place, here = waiting.pop()
        if not isinstance(here, (dict, list)) or id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, dict):
            yield place, here
        items = here.items() if isinstance(here, dict) else enumerate(here)
        waiting += [(f"{place}.{key}".lstrip("."), one) for key, one in items]


def _objects(tree: Tree, files: list[str], mark: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file, document) of the YAML files that hold a mark; the others are not parsed, which is slow."""
    for file in files:
        if file.endswith((".yaml", ".yml")) and re.search(mark, tree[file], re.IGNORECASE):
            yield from ((file, document) for document in documents(tree[file]))


def unpinned(image: str) -> bool:
    """Whether an image is whatever its registry says today."""
    name, _, tag = image.rpartition("/")[2].partition(":")
    return "@" not in name and "@" not in tag and tag in ("", "latest")


def _pinned_elsewhere(tree: Tree, files: list[str]) -> set[str]:
    """Images whose tag a kustomization gives."""
    entries = [
        one
        for file in files
        if posixpath.basename(file) in KUSTOMIZATIONS
        for document in documents(tree[file])
        for one in _list(document.get("images"))
    ]
    given = (one for one in entries if isinstance(one, dict) and (one.get("newTag") or one.get("digest")))
    return {str(one.get("name")) for one in given if one.get("digest") or one.get("newTag") != "latest"}


@tree_law("gitops-image-unpinned", unless=("gitops-yaml",))
def images_are_pinned(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A container's image has a tag that stays, or a digest: `latest` is another program after every restart."""
    for cluster, files in _clusters(env, tree):
        given = _pinned_elsewhere(tree, files)
        for file, document in _objects(tree, files, "image"):
            for _, holder in _mappings(document):
                for image in _images(holder):
                    if unpinned(image) and image.rpartition(":latest")[0] not in given and image not in given:
                        message = f"{_said(env, file)} runs {image[:80]}, which is another one every day"
                        yield Breach(f"gitops.clusters.{cluster}", message, "give its tag, under a # renovate: line")


def _images(holder: dict[Any, Any]) -> Iterator[str]:
    """Images of a pod's containers, and of a chart's `{repository, tag: latest}`."""
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in _list(holder.get(kind)):
            if isinstance(container, dict) and isinstance(container.get("image"), str):
                yield container["image"]
    if isinstance(holder.get("repository"), str) and holder.get("tag") == "latest":
        yield f"{holder['repository']}:latest"


@tree_law("secret-default", unless=("gitops-yaml",))
def no_known_secrets(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No well-known default password or token stands in the folders, in clear or as a Secret's base64."""
    for cluster, files in _clusters(env, tree):
        for file, document in _objects(tree, files, "passw|secret|token"):
            coded = document.get("data") if document.get("kind") == "Secret" else None
            for place, holder in _mappings(document):
                for key, value in _secrets(holder):
                    known = _decoded(value) if holder is coded else value
                    if known.lower() in DEFAULTS:
                        where = f"{place}.{key}".lstrip(".")[:80]
                        message = f"{_said(env, file)}: {where} is a default that everybody knows"
                        hint = "let the service make its own, or name a Secret"
                        yield Breach(f"gitops.clusters.{cluster}", message, hint)


def _secrets(holder: dict[Any, Any]) -> Iterator[tuple[str, str]]:
    """(key, value) of what a mapping calls a secret: its keys, and a container's `{name: …, value: …}`.

    An ExternalSecret's `secretKey` names a key, and what is in it is in the vault.
    """
    if "remoteRef" in holder:
        return
    pairs = [*holder.items(), (holder.get("name"), holder.get("value"))]
    for key, value in pairs:
        if isinstance(key, str) and isinstance(value, (str, int)) and SECRET_KEY.fullmatch(key):
            yield key, str(value)


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""
