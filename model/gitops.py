"""GitOps: which engine reconciles which folders of the repository on which cluster.

Owns the shape. The folders themselves are handed in as data (`model.tree`); nothing here reads a disk.
"""

from typing import Literal

from pydantic import Field

from model.fields import Name, Shape, Text


class GitopsCluster(Shape):
    """What one cluster reconciles."""

    categories: tuple[Name, ...] = ()
    """Folders under `gitops/<environment>/<cluster>/`; each app in one is a folder."""


class Gitops(Shape):
    """Who keeps the clusters as Git says."""

    engine: Literal["argocd", "flux"]
    """The engine."""
    repository: Text
    """Where the folders are fetched from: an https, ssh or oci address."""
    revision: Text = "main"
    """Branch or tag."""
    clusters: dict[Name, GitopsCluster] = Field(default_factory=dict)
    """By cluster name."""
