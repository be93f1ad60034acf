"""Arda, the Talos cluster that runs the workloads. Valinor is its control plane, the Istari its workers.

Owns the realm's shape. Refuses the CNI's and the gateways' content, which are the edge's and GitOps'.
"""

from typing import Literal

from pydantic import Field

from model.fields import Address, Asn, Contract, Flag, Mac, Name, Range, Shape, Subnet, Text
from model.layers import TalosLayer, TalosLayers


class DiskIdentity(Shape):
    """Which of a node's disks is meant, where its kind alone does not tell."""

    serial: Text | None = None
    """Serial number as Talos reports it."""
    wwid: Text | None = None
    """World-wide id as Talos reports it."""
    by_id: Text | None = None
    """Name under `/dev/disk/by-id/`: for a data disk as good as the others, and what Ceph asks for."""


class ClusterNode(Shape):
    """One machine of the Talos cluster."""

    hardware: Name = Field(alias="class")
    """Its hardware class."""
    role: Literal["control-plane", "worker"]
    """`control-plane` runs etcd and the API; `worker` does not."""
    state: Literal["member", "leaving", "lost"] = "member"
    """`leaving`: the next `up` takes it out of the cluster and wipes it; then delete its entry. `lost`: the machine is
    dead, and the cluster forgets it without asking it."""
    address: Address
    """Its address."""
    mac: Mac
    """MAC of its first network card."""
    reach: Literal["router-reservation", "our-reservation", "kernel-argument", "static"]
    """How it has its address before it has its configuration."""
    boot: Literal["netboot", "flashed"] = "netboot"
    """`netboot`: Ainur boots it. `flashed`: the owner wrote the image onto its disk or card."""
    port: Text | None = None
    """Its switch port, `switch/number`."""
    poe: Flag = False
    """Whether the switch port feeds it."""
    disks: dict[Name, DiskIdentity] = Field(default_factory=dict)
    """Identity of its disks, by the class's names for them."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Kubernetes labels of the node, besides those of the layers that reach it."""
    vlans: dict[Name, Address] = Field(default_factory=dict)
    """Its addresses in further VLANs, tagged on the link that carries its own."""
    talos: TalosLayer = TalosLayer()
    """Its own settings of Talos, above every layer of `cluster.talos`."""


class BgpPeer(Shape):
    """A BGP neighbour that LoadBalancer addresses are announced to."""

    address: Address
    """The neighbour."""
    asn: Asn
    """Its AS number."""


class Bgp(Shape):
    """Announce LoadBalancer addresses by BGP instead of L2."""

    asn: Asn
    """The cluster's own AS number."""
    peers: tuple[BgpPeer, ...] = Field(min_length=1)
    """Neighbours."""


class Cni(Shape):
    """What of Cilium's behaviour is the lab's choice."""

    load_balancer_mode: Literal["snat", "dsr", "hybrid"] = "snat"
    """`dsr` answers the client directly; it breaks addresses that are reached through a VPN subnet router."""
    routing: Literal["native", "tunnel"] = "native"
    """`native` needs all nodes in one VLAN."""
    maglev: Flag = True
    """Consistent hashing of connections."""
    hubble: Flag = True
    """Flow visibility."""
    gateway_api: Flag = False
    """Whether Cilium serves gateways itself; not together with Envoy's."""
    l2_announcements: Flag = True
    """Answer ARP for LoadBalancer addresses."""
    default_deny: Flag = False
    """Whether every namespace that Git puts pods into must be closed by network policies but for what they open."""
    bgp: Bgp | None = None
    """Announce by BGP."""


class Upgrades(Shape):
    """What the owner decides about upgrades of Talos and Kubernetes."""

    snapshots: Text = "~/iluvatar-snapshots"
    """Folder on the machine that runs `pulumi` for etcd's snapshot before an upgrade; it holds the cluster's secrets,
    so not one inside a Git checkout."""
    may_drop: tuple[Text, ...] = ()
    """Extensions that run now and that an upgrade may take away, such as `iscsi-tools`; any other stops it."""


class Cluster(Shape):
    """The Talos cluster."""

    name: Name
    """The cluster's name."""
    vlan: Name
    """VLAN its nodes stand in."""
    vip: Address
    """Address of the Kubernetes API, held by the leading control plane."""
    pods: Subnet
    """Pod addresses."""
    services: Subnet
    """Service addresses."""
    load_balancer_pool: Range | None = None
    """Addresses for Services of type LoadBalancer, gateways included."""
    schedulable_control_planes: Flag = False
    """Whether workloads may run on control planes."""
    disk_encryption: Flag = False
    """Whether Talos encrypts its partitions (TPM where secure boot is on)."""
    cni: Cni = Cni()
    """Cilium's choices."""
    talos_contract: Contract
    """Talos minor the cluster's secrets were made with, `v1.2`. It stays when Talos is upgraded; never lower it."""
    adopt_secrets: Text | None = None
    """Of a cluster that stood before this program came: path of its secrets bundle (`talosctl gen secrets`) on the
    machine that runs `pulumi`. It is read once; the line stays, and says that nobody bootstraps it."""
    upgrades: Upgrades = Upgrades()
    """What an upgrade may do, and where it puts etcd's snapshot."""
    talos: TalosLayers = TalosLayers()
    """Settings of Talos in layers: all nodes, then role, then hardware class; then the node's own."""
    nodes: dict[Name, ClusterNode] = Field(min_length=1)
    """Its machines by host name."""
