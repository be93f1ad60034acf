"""The Talos cluster's plan: every node's image, disks, links and order, decided from the shape in `model.arda`.

Owns what follows from the cluster's data. Refuses text: the machine configuration is `render.talos`'.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from model.arda import Cluster, ClusterNode
from model.disks import install_selector, volume_match
from model.ea import Network
from model.hardware import HardwareClass
from model.images import Image, image
from model.settings import NodeSettings, settings_of
from model.storage import Storage


@dataclass(frozen=True)
class DataDisk:
    """A disk that a storage system uses on a node."""

    system: str
    """Name of the storage system."""
    kind: str
    """What the system is: `longhorn`, `rook-ceph`, `openebs`."""
    match: str | None
    """CEL expression by which Talos picks the disk; None for a folder on the system disk."""
    size_gb: int
    """Size as sold, GB."""


@dataclass(frozen=True)
class VlanLink:
    """A further VLAN of a node, tagged on the link that carries its own address."""

    vlan: str
    tag: int
    link: str
    """Name of the tagged link, `eno1.20`."""
    address: str
    prefix: int


@dataclass(frozen=True)
class BgpPlan:
    """How LoadBalancer addresses are announced by BGP."""

    asn: int
    """The cluster's own AS number."""
    peers: tuple[tuple[str, int], ...]
    """(address, AS number) of each neighbour."""


@dataclass(frozen=True)
class ClusterNodePlan:
    """One Talos machine, every value decided."""

    name: str
    role: Literal["control-plane", "worker"]
    state: Literal["member", "leaving", "lost"]
    """Whether it stays, or goes with the next `up`."""
    address: str
    prefix: int
    """Prefix length of its subnet."""
    gateway: str
    mtu: int
    mac: str
    link: str
    """The link that carries the address: the class's first card, or the bond."""
    vlans: tuple[VlanLink, ...]
    image: Image
    boot: Literal["netboot", "flashed"]
    install: Mapping[str, str]
    """Talos disk selector of the disk it is installed to."""
    data: tuple[DataDisk, ...]
    settings: NodeSettings
    """What the layers come to."""
    watchdog: str | None
    kernel_ip: str | None
    """The kernel's `ip=` argument, for a node that has its address by it before it has its configuration."""


@dataclass(frozen=True)
class ClusterPlan:
    """The Talos cluster, every value decided. Nodes are sorted: control planes first, then by name; those that leave
    are among them until their entry is gone."""

    name: str
    endpoint: str
    """URL of the Kubernetes API, `https://<vip>:6443`."""
    vip: str
    talos: str
    contract: str
    """Talos minor that the secrets were made with, `v1.12`."""
    kubernetes: str
    subnet: str
    pods: str
    services: str
    pool: str | None
    adopt_secrets: str | None
    """Path of the secrets bundle of a cluster that stood before this program came."""
    snapshots: str
    """Folder on the machine that runs `pulumi` for etcd's snapshots."""
    may_drop: tuple[str, ...]
    """Running extensions that an upgrade may take away."""
    schedulable_control_planes: bool
    disk_encryption: bool
    l2_announcements: bool
    bgp: BgpPlan | None
    nodes: tuple[ClusterNodePlan, ...]
    images: tuple[Image, ...]
    """One a hardware class in use, and the one that unknown machines boot; sorted by class."""

    @property
    def control_planes(self) -> tuple[ClusterNodePlan, ...]:
        """In the order in which they are touched; the first one is bootstrapped. None that leaves or is lost."""
        return tuple(node for node in self.members if node.role == "control-plane")

    @property
    def workers(self) -> tuple[ClusterNodePlan, ...]:
        """Sorted by name. None that leaves or is lost."""
        return tuple(node for node in self.members if node.role == "worker")

    @property
    def members(self) -> tuple[ClusterNodePlan, ...]:
        """Every node that stays: the only ones to be configured, waited for, upgraded or asked."""
        return tuple(node for node in self.nodes if node.state == "member")

    @property
    def going(self) -> tuple[ClusterNodePlan, ...]:
        """Every node that leaves or is lost, control planes first."""
        return tuple(node for node in self.nodes if node.state != "member")


BOND = "bond0"
"""The link that several cards become."""


def plan_cluster(
    cluster: Cluster,
    network: Network,
    storage: Storage,
    hardware: Mapping[str, HardwareClass],
    versions: tuple[str, str],
) -> ClusterPlan:
    """Decide the cluster. `versions` is (Talos, Kubernetes)."""
    talos, kubernetes = versions
    images = _images(cluster, network, hardware, talos)
    nodes = [
        _node(name, cluster, network, hardware[node.hardware], images[node.hardware], storage)
        for name, node in cluster.nodes.items()
    ]
    vlan = network.vlans[cluster.vlan]
    return ClusterPlan(
        name=cluster.name,
        endpoint=f"https://{cluster.vip}:6443",
        vip=str(cluster.vip),
        talos=talos,
        contract=cluster.talos_contract,
        kubernetes=kubernetes,
        subnet=str(vlan.subnet),
        pods=str(cluster.pods),
        services=str(cluster.services),
        pool=str(cluster.load_balancer_pool) if cluster.load_balancer_pool else None,
        adopt_secrets=cluster.adopt_secrets,
        snapshots=cluster.upgrades.snapshots,
        may_drop=cluster.upgrades.may_drop,
        schedulable_control_planes=cluster.schedulable_control_planes,
        disk_encryption=cluster.disk_encryption,
        l2_announcements=cluster.cni.l2_announcements,
        bgp=_bgp(cluster),
        nodes=tuple(sorted(nodes, key=lambda node: (node.role, node.name))),
        images=tuple(images[name] for name in sorted(images)),
    )


def _images(
    cluster: Cluster, network: Network, hardware: Mapping[str, HardwareClass], talos: str
) -> Mapping[str, Image]:
    classes = {node.hardware for node in cluster.nodes.values()}
    if network.netboot and network.netboot.default_class:
        classes.add(network.netboot.default_class)
    return {name: image(name, hardware[name], talos) for name in classes}


def _node(
    name: str, cluster: Cluster, network: Network, hardware: HardwareClass, made: Image, storage: Storage
) -> ClusterNodePlan:
    node, vlan = cluster.nodes[name], network.vlans[cluster.vlan]
    gateway = str(vlan.gateway)
    settings = settings_of(name, cluster, tuple(str(one) for one in network.resolvers), network.time_servers)
    link = BOND if settings.bond else hardware.nics[0]
    return ClusterNodePlan(
        name=name,
        role=node.role,
        state=node.state,
        address=str(node.address),
        prefix=vlan.subnet.prefixlen,
        gateway=gateway,
        mtu=hardware.mtu,
        mac=node.mac,
        link=link,
        vlans=tuple(_vlan(link, other, address, network) for other, address in sorted(node.vlans.items())),
        image=made,
        boot=node.boot,
        install=install_selector(node, hardware),
        data=tuple(_data_disks(name, node, hardware, storage)),
        settings=settings,
        watchdog=hardware.watchdog,
        kernel_ip=_kernel_ip(name, node, hardware, vlan.subnet, gateway) if node.reach == "kernel-argument" else None,
    )


def _vlan(link: str, name: str, address: IPv4Address, network: Network) -> VlanLink:
    vlan = network.vlans[name]
    tag = vlan.tag or 0
    return VlanLink(name, tag, f"{link}.{tag}", str(address), vlan.subnet.prefixlen)


def _bgp(cluster: Cluster) -> BgpPlan | None:
    bgp = cluster.cni.bgp
    return BgpPlan(bgp.asn, tuple((str(peer.address), peer.asn) for peer in bgp.peers)) if bgp else None


def _kernel_ip(name: str, node: ClusterNode, hardware: HardwareClass, subnet: IPv4Network, gateway: str) -> str:
    """`ip=<client>::<gateway>:<netmask>:<hostname>:<device>:off` (Linux, `nfsroot.rst`; Talos reads the same)."""
    return f"ip={node.address}::{gateway}:{subnet.netmask}:{name}:{hardware.nics[0]}:off"


def _data_disks(name: str, node: ClusterNode, hardware: HardwareClass, storage: Storage) -> list[DataDisk]:
    found = []
    for system_name, system in sorted(storage.systems.items()):
        disk = hardware.disks.get(system.disk or "")
        if disk is None or (system.nodes and name not in system.nodes):
            continue
        # OpenEBS' local volumes may share the system disk: a folder there, and no partition of their own
        shared = disk.role == "system" and system.kind == "openebs"
        if disk.role == "data" or shared:
            match = None if shared else volume_match(node, system.disk or "", disk)
            found.append(DataDisk(system_name, system.kind, match, disk.size_gb))
    return found
