"""Laws of Arda: quorum, how each node is reached and booted, its disks.

Owns the Talos cluster's machines. Refuses Cilium's options (`cilium`), and who has which address (`network`).
"""

import re
from collections.abc import Iterator

from model.disks import rivals, told_apart
from model.environment import Environment
from model.laws.claims import members, talos_nodes
from model.laws.registry import Breach, law
from model.laws.words import listed, nearest

LEAVING = ("leaving-control-planes-together", "leaving-quorum", "leaving-quorum-even")
"""What is said of the control planes that stay while one goes."""


def control_planes(env: Environment) -> list[str]:
    """Names of the control planes that stay."""
    return [name for name, node in members(env) if node.role == "control-plane"]


@law("cluster-quorum-none", unless=("leaving-last-control-plane",))
def has_control_plane(env: Environment) -> Iterator[Breach]:
    """The cluster has a control plane."""
    if env.cluster and not control_planes(env):
        first = next(iter(env.cluster.nodes))
        message = "no node is a control plane: there would be no API and no etcd"
        yield Breach("cluster.nodes", message, f"give three nodes role: control-plane, {first} for one")


@law("cluster-quorum-even", unless=LEAVING)
def control_planes_odd(env: Environment) -> Iterator[Breach]:
    """Control planes are an odd number: four survive no more failures than three."""
    count = len(control_planes(env))
    if count > 2 and count % 2 == 0:
        message = (
            f"{count} control planes survive no more failures than {count - 1}, and every write waits for one more"
        )
        yield Breach("cluster.nodes", message, f"nearest: {count - 1}, the other one role: worker")


@law("cluster-quorum-many", unless=("cluster-quorum-even",))
def control_planes_few(env: Environment) -> Iterator[Breach]:
    """Control planes are seven at most: etcd asks all of them about every write."""
    count = len(control_planes(env))
    if count > 7:
        yield Breach(
            "cluster.nodes",
            f"{count} control planes: every write waits for most of them",
            "nearest: 7, the others role: worker",
        )


@law("cluster-quorum-two", "warning", unless=LEAVING)
def control_planes_not_two(env: Environment) -> Iterator[Breach]:
    """Two control planes are worse than one: either's failure stops both."""
    if len(control_planes(env)) == 2:
        yield Breach("cluster.nodes", "two control planes: if either fails, both stop", "one, or better three")


@law("cluster-quorum-one", "warning")
def control_plane_not_alone(env: Environment) -> Iterator[Breach]:
    """A single control plane is down at every update of its own."""
    planes = control_planes(env)
    if len(planes) == 1:
        yield Breach(
            "cluster.nodes",
            f"{planes[0]} is the only control plane: its updates stop the API",
            "three survive one failure",
        )


@law("cluster-nowhere-to-run")
def workloads_have_a_place(env: Environment) -> Iterator[Breach]:
    """There is a worker, or workloads may run on control planes."""
    if env.cluster and not env.cluster.schedulable_control_planes and all(n.role != "worker" for _, n in members(env)):
        message = "no node is a worker, and control planes take no workloads: nothing could run"
        yield Breach("cluster.schedulable_control_planes", message, "set it to true", "cluster.nodes")


@law("cluster-reach-leased", unless=("network-vlan-unknown",))
def reservation_is_kept_by_who_leases(env: Environment) -> Iterator[Breach]:
    """A node's address is reserved where leases are made: with us when our dnsmasq is the VLAN's DHCP server, else with
    the router."""
    vlan = env.network.vlans.get(env.cluster.vlan) if env.cluster else None
    if env.cluster is None or vlan is None:
        return
    ours = vlan.dhcp is not None and vlan.dhcp.mode == "server"
    wrong, right = ("router-reservation", "our-reservation") if ours else ("our-reservation", "router-reservation")
    who = "our dnsmasq" if ours else "the router"
    for name, node in talos_nodes(env):
        if node.reach == wrong:
            message = f"{name} has reach: {wrong}, and {who} makes the leases on VLAN {env.cluster.vlan}"
            path = f"cluster.nodes.{name}.reach"
            yield Breach(path, message, f"did you mean {right}?", f"network.vlans.{env.cluster.vlan}.dhcp")


@law("cluster-reach-static")
def static_needs_flashing(env: Environment) -> Iterator[Breach]:
    """A node with a static address was flashed with it: an image from the network carries none."""
    for name, node in talos_nodes(env):
        if node.reach == "static" and node.boot == "netboot":
            message = f"{name} boots from the network and would have its address from its own disk"
            hint = "set boot: flashed, or reach: router-reservation or kernel-argument"
            yield Breach(f"cluster.nodes.{name}.reach", message, hint, f"cluster.nodes.{name}.boot")


@law("cluster-netboot-missing")
def netbooting_node_has_boot_services(env: Environment) -> Iterator[Breach]:
    """A node that boots from the network finds boot services there."""
    for name, node in talos_nodes(env):
        if node.boot == "netboot" and env.network.netboot is None:
            message = f"{name} boots from the network, where nothing answers"
            yield Breach(
                f"cluster.nodes.{name}.boot", message, "set boot: flashed, or add network.netboot", "network.netboot"
            )


@law("cluster-netboot-vlan", unless=("network-vlan-unknown", "network-netboot-vlan"))
def node_hears_the_boot_services(env: Environment) -> Iterator[Breach]:
    """Nodes that boot from the network stand in the VLAN where boot services answer: DHCP does not cross a router."""
    boot, cluster = env.network.netboot, env.cluster
    if (
        boot
        and cluster
        and boot.vlan != cluster.vlan
        and any(node.boot == "netboot" for node in cluster.nodes.values())
    ):
        message = f"nodes boot from the network in VLAN {cluster.vlan}, and boot services answer in {boot.vlan}"
        yield Breach("cluster.vlan", message, f"did you mean {boot.vlan}?", "network.netboot.vlan")


@law("cluster-netboot-firmware", unless=("cluster-netboot-missing", "hardware-firmware-arch"))
def firmware_netboots_talos(env: Environment) -> Iterator[Breach]:
    """A node that boots from the network has firmware that starts iPXE: a Pi's or U-Boot's does not start Talos so."""
    for name, node in talos_nodes(env):
        hardware = env.hardware.get(node.hardware)
        if node.boot == "netboot" and hardware and hardware.firmware not in ("uefi", "bios"):
            message = f"{name} starts by {hardware.firmware}, which boots no Talos image from the network"
            path = f"hardware.{node.hardware}.firmware"
            yield Breach(f"cluster.nodes.{name}.boot", message, "set boot: flashed", path)


@law("cluster-disk-unknown", unless=("hardware-class-unknown",))
def node_disk_exists(env: Environment) -> Iterator[Breach]:
    """A disk that a node identifies is one of its class."""
    for name, node in talos_nodes(env):
        hardware = env.hardware.get(node.hardware)
        for disk in node.disks:
            if hardware and disk not in hardware.disks:
                path = f"cluster.nodes.{name}.disks.{disk}"
                message = f"{name} identifies disk '{disk}', which its class {node.hardware} does not have"
                yield Breach(path, message, nearest(disk, hardware.disks), f"hardware.{node.hardware}.disks")


@law("cluster-disk-ambiguous", unless=("hardware-system-disk",))
def disk_selector_is_unique(env: Environment) -> Iterator[Breach]:
    """Talos finds each disk it uses by its kind, or the node gives its serial or wwid (a data disk's by-id name does
    too): of two disks it would take either. To Talos an `ssd` to install to is anything that does not rotate."""
    for name, node in talos_nodes(env):
        hardware = env.hardware.get(node.hardware)
        for disk, shape in hardware.disks.items() if hardware else ():
            others = rivals(hardware, disk) if hardware and shape.role != "never-touch" else []
            if others and not told_apart(node, disk, shape):
                message = (
                    f"{name} has {listed([disk, *others])}, and Talos could not tell {disk} by its kind {shape.kind}"
                )
                hint = f"add disks: {{ {disk}: {{ serial: … }} }}, from `talosctl get disks`"
                yield Breach(f"cluster.nodes.{name}.disks", message, hint, f"hardware.{node.hardware}.disks")
                break


@law("cluster-disk-identity-form")
def identities_are_plain(env: Environment) -> Iterator[Breach]:
    """A disk's serial, wwid or by-id name is one plain word, as Talos reports it: it is put into an expression."""
    for name, node in talos_nodes(env):
        for disk, identity in node.disks.items():
            for kind in ("serial", "wwid", "by_id"):
                value = getattr(identity, kind)
                if value and not re.fullmatch(r"[A-Za-z0-9._:/+=-]+", value):
                    path = f"cluster.nodes.{name}.disks.{disk}.{kind}"
                    yield Breach(path, f"'{value[:40]}' is no {kind} of a disk", "copy it from `talosctl get disks`")


@law("cluster-disk-path")
def by_id_is_stable(env: Environment) -> Iterator[Breach]:
    """A by-id name is one that stays with the disk: `sda` and `nvme0n1` change places at a boot."""
    for name, node in talos_nodes(env):
        for disk, identity in node.disks.items():
            text = (identity.by_id or "").removeprefix("/dev/disk/by-id/")
            if identity.by_id and ("/" in text or re.fullmatch(r"(sd[a-z]+|nvme\d+n\d+|mmcblk\d+)(p?\d+)?", text)):
                path = f"cluster.nodes.{name}.disks.{disk}.by_id"
                yield Breach(
                    path,
                    f"'{identity.by_id[:60]}' is no name that stays with a disk",
                    "take one from `ls -l /dev/disk/by-id/` on the node",
                )


@law("cluster-encryption", unless=("hardware-secure-boot",))
def encryption_has_a_seal(env: Environment) -> Iterator[Breach]:
    """Encrypted disks have secure boot under them: the TPM gives their key to whatever boots otherwise."""
    if env.cluster is None or not env.cluster.disk_encryption:
        return
    used = {node.hardware for _, node in talos_nodes(env)} & set(env.hardware)
    open_ones = sorted(name for name in used if not env.hardware[name].talos.secure_boot)
    if open_ones:
        message = f"disks are encrypted without secure boot on {listed(open_ones)}: the TPM gives the key to anyone"
        hint = "set talos.secure_boot: true on each class, or disk_encryption: false"
        yield Breach("cluster.disk_encryption", message, hint, f"hardware.{open_ones[0]}.talos.secure_boot")
