"""An environment: one lab, one stack, one YAML file. The object at the door.

Owns the whole shape and the versions. Refuses secrets: they are separate stack keys, read at composition.
"""

from pydantic import Field

from model.ainur import Bootstrap
from model.arda import Cluster
from model.ea import Network
from model.edge import Edge, wants_dns_token
from model.fields import Hostname, Name, Shape, Version
from model.gitops import Gitops
from model.hardware import HardwareClass
from model.storage import Storage


class Versions(Shape):
    """Releases of what runs on the machines themselves."""

    talos: Version | None = None
    """Talos Linux; REQUIRED with a cluster."""
    kubernetes: Version | None = None
    """Kubernetes on the Talos cluster; REQUIRED with a cluster."""
    k3s: Version | None = None
    """k3s on the bootstrap cluster; REQUIRED with one."""
    kube_vip: Version | None = None
    """kube-vip, which holds the bootstrap cluster's addresses; REQUIRED with one."""


class Environment(Shape):
    """One lab, as its owner wrote it."""

    name: Name
    """The stack's name."""
    domain: Hostname
    """The lab's public domain; the internal zone is `<name>.<domain>`."""
    versions: Versions
    """Releases of what runs on the machines."""
    hardware: dict[Name, HardwareClass] = Field(min_length=1)
    """Hardware classes by name."""
    network: Network
    """Eä."""
    bootstrap: Bootstrap | None = None
    """Ainur. Left out: no bootstrap cluster; every machine is flashed."""
    cluster: Cluster | None = None
    """Arda. Left out: no Talos cluster yet."""
    edge: Edge = Edge()
    """The way in."""
    storage: Storage = Storage()
    """Where data lives."""
    gitops: Gitops | None = None
    """Left out: nothing is reconciled from Git."""

    @property
    def seeds_dns_token(self) -> bool:
        """Whether cert-manager's token at Cloudflare is a secret of the stack: no store of secrets serves the apps."""
        reconciled = self.gitops is not None and self.cluster is not None and self.cluster.name in self.gitops.clusters
        stored = self.gitops is not None and self.gitops.secrets is not None
        return reconciled and not stored and self.edge.cloudflare is not None and wants_dns_token(self.edge)
