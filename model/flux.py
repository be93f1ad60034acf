"""Flux' own side of GitOps: how its artefact is trusted, and where its root and its Kustomizations lead.

Owns the shapes and the names under which this program seeds what Flux asks for. Refuses the folders' laws
(`model.laws.flux`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.fields import Lines, Shape, Text
from model.tree import Tree, documents

ROOT = "flux"
"""The folder of a cluster that the instance itself applies."""
SOURCE = "flux-system"
"""What the root's source and Kustomization are called: like their namespace (flux-operator, "Cluster sync")."""
API = "kustomize.toolkit.fluxcd.io/"
"""What the apiVersion of its Kustomizations begins with; kustomize's own files are called so, too."""
VERIFY_SECRET = "cosign-key"
"""The Secret with the public key that artefacts are signed for."""
SOPS_SECRET = "sops-age"
"""The Secret with the age key that kustomize-controller decrypts with."""
LOGIN_SECRET = "registry-login"
"""The Secret with the login that source-controller pulls with."""


class Identity(Shape):
    """Who signs without a key: regular expressions over a certificate of Sigstore's (source-controller, "verify")."""

    issuer: Text
    """Whoever says who it is, such as ^https://token.actions.githubusercontent.com$."""
    subject: Text
    """Who it is, such as a workflow's address."""


class Verify(Shape):
    """Only an artefact that is signed with cosign is applied. One of the two."""

    key: Lines | None = None
    """The public key, as `cosign generate-key-pair` writes it. Its private half signs where artefacts are pushed."""
    identities: tuple[Identity, ...] = ()
    """Who may have signed, without a key."""

    @property
    def block(self) -> dict[str, Any]:
        """`spec.verify` of an OCIRepository."""
        if self.key is not None:
            return {"provider": "cosign", "secretRef": {"name": VERIFY_SECRET}}
        matches = [{"issuer": one.issuer, "subject": one.subject} for one in self.identities]
        return {"provider": "cosign", "matchOIDCIdentity": matches}


def in_tree(path: str) -> str:
    """A path inside the artefact, which is the repository's own, as a tree names it: below `gitops/<environment>/`."""
    return re.sub(r"^gitops/[^/]+/", "", path.removeprefix("./").strip("/"))


def kustomizations(tree: Tree, cluster: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(file, name, spec) of every Kustomization of Flux in a cluster's folders."""
    for path, text in sorted(tree.items()):
        inside, root = path.startswith(f"{cluster}/"), path.startswith(f"{cluster}/{ROOT}/")
        if not (inside and path.endswith((".yaml", ".yml")) and (root or API in text)):
            continue
        for one in documents(text):
            metadata, spec = one.get("metadata"), one.get("spec")
            flux = one.get("kind") == "Kustomization" and (root or str(one.get("apiVersion")).startswith(API))
            if flux and isinstance(metadata, dict) and isinstance(spec, dict):
                yield path, str(metadata.get("name")), spec


def roots(tree: Tree, cluster: str) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """Name → (file, spec) of every Kustomization in a cluster's root folder."""
    root = f"{cluster}/{ROOT}/"
    return {name: (path, spec) for path, name, spec in kustomizations(tree, cluster) if path.startswith(root)}


def waits_for(spec: Mapping[str, Any]) -> Iterator[str]:
    """The names that a Kustomization depends on."""
    listed = spec.get("dependsOn")
    for one in listed if isinstance(listed, list) else ():
        yield str(one.get("name")) if isinstance(one, dict) else str(one)
