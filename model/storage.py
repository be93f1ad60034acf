"""Storage systems: who owns which disk, and which class is the default.

Owns the shape. Refuses the systems' own configuration, which is GitOps'.
"""

from typing import Literal

from pydantic import Field

from model.fields import Address, Name, Positive, Shape, Text

LONGHORN_LABEL = "node.longhorn.io/create-default-disk"
"""Longhorn takes its folder on nodes with this label, and on no other (Longhorn documentation, "Default Disks")."""


class ErasureCoding(Shape):
    """Data and coding chunks of an erasure-coded pool."""

    data: Positive
    """Data chunks (k)."""
    coding: Positive
    """Coding chunks (m)."""


class StorageSystem(Shape):
    """One storage system of the cluster."""

    kind: Literal["longhorn", "rook-ceph", "openebs", "nfs"]
    """What it is."""
    disk: Name | None = None
    """The disk it uses on each of its nodes, by the class's name for it; OpenEBS may share the system disk."""
    nodes: tuple[Name, ...] = ()
    """The nodes whose disk it uses. Left out: every node whose class has that disk."""
    replicas: Positive = 1
    """Copies of each block."""
    erasure_coding: ErasureCoding | None = None
    """Erasure coding instead of copies, for object or file pools."""
    stores: tuple[Literal["block", "file", "object"], ...] = ()
    """What kinds of store it offers."""
    server: Address | None = None
    """Address of an NFS server."""
    export: Text | None = None
    """Exported path of an NFS server."""


class Storage(Shape):
    """Where data lives."""

    default: Name | None = None
    """The system whose class is the cluster's default."""
    systems: dict[Name, StorageSystem] = Field(default_factory=dict)
    """Systems by name."""
