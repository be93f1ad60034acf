"""Laws of who answers on a segment: DHCP once and never twice, boots where they are heard, DNS without a circle.

Owns leases, boot services and what they hand out over the network. Refuses single addresses (`network`), ranges
(`ranges`), and which Pis run the services (`bootstrap`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from model.environment import Environment
from model.hardware import HardwareClass
from model.laws.claims import devices, subnet_of, talos_nodes
from model.laws.registry import Breach, law, tree_law
from model.laws.words import listed
from model.tree import Tree, documents

LOADERS: Mapping[tuple[str, str], str] = {
    ("bios", "amd64"): "bios",
    ("uefi", "amd64"): "efi-x64",
    ("uefi", "arm64"): "efi-arm64",
}
"""Firmware and architecture → the iPXE loader that starts there."""
SERVED_SECRET = re.compile(r"talos\.config=|(?i:passw|token|secret|api_?key)|://[^/\s]*@")
"""Kernel arguments that carry a secret, or lead to one without asking who comes."""


@law("network-dhcp-two-servers", unless=("network-vlan-unknown",))
def one_server(env: Environment) -> Iterator[Breach]:
    """One DHCP server leases on a VLAN: two would give one address to two machines."""
    for index, name in enumerate(env.network.router.leases or ()):
        vlan = env.network.vlans.get(name)
        if vlan and vlan.dhcp and vlan.dhcp.mode == "server":
            message = f"the router and our dnsmasq would both lease on VLAN {name}"
            hint = f"take {name} out, and off the router; or set mode: proxy"
            yield Breach(f"network.router.leases.{index}", message, hint, f"network.vlans.{name}.dhcp.mode")


@law("network-dhcp-no-server")
def some_server(env: Environment) -> Iterator[Breach]:
    """Somebody leases where dnsmasq only adds boot options, and where a machine's address is a reservation."""
    leases = env.network.router.leases
    if leases is None:
        return
    reserved = _reserved(env)
    for name, vlan in env.network.vlans.items():
        ours = vlan.dhcp is not None and vlan.dhcp.mode == "server"
        waiting = sorted(reserved.get(name, ()))
        if ours or name in leases or not (vlan.dhcp or waiting):
            continue
        who = f"{listed(waiting)} would wait for an address" if waiting else "dnsmasq only adds boot options there"
        yield Breach("network.router.leases", f"nobody leases on VLAN {name}, and {who}", f"add {name}")


def _reserved(env: Environment) -> dict[str, list[str]]:
    """Names of machines whose address is a reservation, by VLAN."""
    found: dict[str, list[str]] = {}
    if env.bootstrap:
        found.setdefault(env.bootstrap.vlan, []).extend(env.bootstrap.nodes)
    for name, node in talos_nodes(env):
        if env.cluster and node.reach in ("router-reservation", "our-reservation"):
            found.setdefault(env.cluster.vlan, []).append(name)
    for _, name, device in devices(env):
        if device.mac:
            found.setdefault(device.vlan, []).append(name)
    return found


@law("network-dhcp-nobody")
def dnsmasq_runs(env: Environment) -> Iterator[Breach]:
    """Where our dnsmasq is to answer, a bootstrap cluster runs it."""
    for name, vlan in env.network.vlans.items():
        if vlan.dhcp and env.bootstrap is None:
            message = f"our dnsmasq is to answer on VLAN {name}, and there is no bootstrap cluster to run it"
            hint = "leave dhcp out: the router alone leases then; or add bootstrap"
            yield Breach(f"network.vlans.{name}.dhcp", message, hint, "bootstrap")


@law("network-dhcp-deaf", unless=("network-vlan-unknown", "network-dhcp-nobody"))
def proxy_hears(env: Environment) -> Iterator[Breach]:
    """proxyDHCP is spoken in the VLAN where the bootstrap cluster stands: no router relays it beside its own."""
    for name, vlan in env.network.vlans.items():
        if vlan.dhcp and vlan.dhcp.mode == "proxy" and env.bootstrap and env.bootstrap.vlan != name:
            message = f"dnsmasq stands in VLAN {env.bootstrap.vlan} and never hears a machine of VLAN {name} ask"
            yield Breach(f"network.vlans.{name}.dhcp.mode", message, "leave dhcp out here", "bootstrap.vlan")


@law("network-dhcp-relay", unless=("network-vlan-unknown", "network-dhcp-nobody"))
def relay_has_an_address(env: Environment) -> Iterator[Breach]:
    """Where we lease on a VLAN that we do not stand in, the router relays to one address: the boot services'."""
    for name, vlan in env.network.vlans.items():
        away = vlan.dhcp and vlan.dhcp.mode == "server" and env.bootstrap and env.bootstrap.vlan != name
        if away and env.network.netboot is None:
            message = f"the router would relay DHCP of VLAN {name} to us, and no address of ours stays the same"
            hint = "add network.netboot, whose address moves with dnsmasq; or leave dhcp out here"
            yield Breach(f"network.vlans.{name}.dhcp.mode", message, hint, "network.netboot")


BOOT_ELSEWHERE = ("network-vlan-unknown", "network-netboot-nobody", "network-netboot-vlan", "cluster-netboot-vlan")


@law("network-netboot-silent", unless=BOOT_ELSEWHERE)
def boot_vlan_is_answered(env: Environment) -> Iterator[Breach]:
    """dnsmasq answers on the boot VLAN: a machine there would wait for a file's name that nobody tells it."""
    boot = env.network.netboot
    vlan = env.network.vlans.get(boot.vlan) if boot else None
    if boot and vlan and vlan.dhcp is None:
        message = f"machines boot from VLAN {boot.vlan}, and our dnsmasq is silent there"
        hint = f"add dhcp: {{ mode: proxy, range: … }} to VLAN {boot.vlan}, with the router's own scope"
        yield Breach("network.netboot.vlan", message, hint, f"network.vlans.{boot.vlan}.dhcp")


@law("network-netboot-tagged", unless=BOOT_ELSEWHERE)
def boot_vlan_reaches_firmware(env: Environment) -> Iterator[Breach]:
    """Firmware and iPXE send no VLAN tag: the boot VLAN reaches their ports untagged."""
    boot = env.network.netboot
    vlan = env.network.vlans.get(boot.vlan) if boot else None
    if boot and vlan and vlan.tag is not None and not boot.untagged_ports:
        message = f"VLAN {boot.vlan} has tag {vlan.tag}, and firmware that boots from the network sends none"
        hint = "make the machines' ports access ports of it and say untagged_ports: true; or leave tag out"
        yield Breach("network.netboot.vlan", message, hint, f"network.vlans.{boot.vlan}.tag")


@law("network-netboot-loader", unless=("hardware-class-unknown", "hardware-firmware-arch"))
def loader_is_there(env: Environment) -> Iterator[Breach]:
    """Every machine that boots from the network finds the loader of its firmware and architecture."""
    boot = env.network.netboot
    if boot is None:
        return
    booting = [(name, node.hardware) for name, node in talos_nodes(env) if node.boot == "netboot"]
    booting += [("an unknown machine", boot.default_class)] if boot.default_class else []
    missing: dict[str, list[str]] = {}
    for name, hardware in booting:
        loader = _loader(env.hardware.get(hardware))
        if loader and loader not in boot.loaders:
            missing.setdefault(loader, []).append(name)
    for loader, names in missing.items():
        verb = "starts" if len(names) == 1 else "start"
        message = f"{listed(names)} {verb} only from the loader {loader}, which TFTP does not have"
        yield Breach("network.netboot.loaders", message, f"add {loader}", "cluster.nodes")


def _loader(hardware: HardwareClass | None) -> str | None:
    return LOADERS.get((hardware.firmware, hardware.arch)) if hardware else None


@law("network-netboot-default-arch", "warning", unless=("hardware-class-unknown", "network-netboot-class"))
def unknown_are_like_the_known(env: Environment) -> Iterator[Breach]:
    """The image for unknown machines runs on machines like those that boot from the network already."""
    boot = env.network.netboot
    default = env.hardware.get(boot.default_class or "") if boot else None
    booting = [env.hardware[node.hardware] for _, node in talos_nodes(env) if node.hardware in env.hardware]
    known = {hardware.arch for hardware in booting if hardware.firmware in ("bios", "uefi")}
    if boot and default and known and default.arch not in known:
        path = "network.netboot.default_class"
        message = f"an unknown machine would get the {default.arch} image of {boot.default_class}, and yours are"
        hint = "name a class of their architecture: on any other the loader boots the local disk"
        yield Breach(path, f"{message} {listed(sorted(known))}", hint, f"hardware.{boot.default_class}.arch")


@law("network-resolver-loop", unless=("address-duplicate",))
def resolver_is_not_ourselves(env: Environment) -> Iterator[Breach]:
    """dnsmasq forwards names that are not ours to somebody else: itself would ask itself for ever."""
    ours = {env.network.netboot.address: "network.netboot.address"} if env.network.netboot else {}
    if env.bootstrap:
        ours[env.bootstrap.vip] = "bootstrap.vip"
        ours |= {pi.address: f"bootstrap.nodes.{name}.address" for name, pi in env.bootstrap.nodes.items()}
    for index, address in enumerate(env.network.resolvers):
        if address in ours:
            message = f"resolver {address} is our own dnsmasq, which would forward to itself"
            hint = f"name the router {env.network.router.address}, or a public resolver"
            yield Breach(f"network.resolvers.{index}", message, hint, ours[address])


@law("cluster-reach-argument")
def kernel_argument_needs_netboot(env: Environment) -> Iterator[Breach]:
    """A node that has its address by a kernel argument boots from the network: a flashed image is its class's, and has
    no argument of one node."""
    for name, node in talos_nodes(env):
        if node.reach == "kernel-argument" and node.boot == "flashed":
            message = f"{name} is flashed with its class's image, and nobody gives its kernel an address"
            hint = "set reach: static (flashed with it) or router-reservation, or boot: netboot"
            yield Breach(f"cluster.nodes.{name}.reach", message, hint, f"cluster.nodes.{name}.boot")


@law("hardware-kernel-ip")
def kernel_ip_is_the_nodes(env: Environment) -> Iterator[Breach]:
    """No class gives its machines an `ip=` argument: all of them would have one address."""
    for path, argument in _arguments(env):
        if argument.startswith("ip="):
            message = f"'{argument[:60]}' would give every machine of the class one address"
            yield Breach(path, message, "set reach: kernel-argument on each node instead", "cluster.nodes")


@law("hardware-kernel-ours")
def kernel_arguments_are_not_ours(env: Environment) -> Iterator[Breach]:
    """No class overrides what the boot decides: the platform, and the guard against installing twice."""
    for path, argument in _arguments(env):
        if argument.startswith(("talos.platform=", "talos.halt_if_installed")):
            message = f"'{argument[:60]}' is decided by how a machine boots, and the last one of two counts"
            yield Breach(path, message, "leave it out")


@law("network-served-secret")
def nothing_secret_is_served(env: Environment) -> Iterator[Breach]:
    """Kernel arguments are served over plain HTTP to whoever asks: they carry no secret, and lead to none."""
    for path, argument in _arguments(env):
        if SERVED_SECRET.search(argument):
            name = argument.partition("=")[0][:40]
            message = f"the argument {name} carries a secret, or leads to one, and is served to anybody over HTTP"
            hint = "leave it out: a machine gets its configuration over the Talos API"
            yield Breach(path, message, hint, "network.netboot" if env.network.netboot else None)


def _arguments(env: Environment) -> Iterator[tuple[str, str]]:
    for name, hardware in env.hardware.items():
        for index, argument in enumerate(hardware.talos.kernel_args):
            yield f"hardware.{name}.talos.kernel_args.{index}", argument


@law("network-device-static", "warning", unless=("address-outside", "network-vlan-unknown"))
def device_has_its_address_somehow(env: Environment) -> Iterator[Breach]:
    """A device in a VLAN that we lease on has a MAC, so that its address can be reserved with us."""
    for path, name, device in devices(env):
        vlan = env.network.vlans.get(device.vlan)
        if vlan and vlan.dhcp and vlan.dhcp.mode == "server" and device.mac is None:
            inside = subnet_of(env, device.address)
            message = (
                f"{name} has {device.address} of {inside or vlan.subnet}, where we lease, and no MAC to keep it for"
            )
            yield Breach(path, message, "add its mac, or set the address on the device itself", f"{path}.address")


@tree_law("network-dhcp-replicas")
def leases_lie_in_one_place(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where our dnsmasq leases, one pod of it runs, and never two at once: each would have leases of its own."""
    leasing = [name for name, vlan in env.network.vlans.items() if vlan.dhcp and vlan.dhcp.mode == "server"]
    if env.bootstrap is None or not leasing:
        return
    for path, body in _workloads(env.bootstrap.name, tree):
        if trouble := _several(body):
            message = f"{path} runs dnsmasq {trouble}, each with leases of its own"
            hint = "make it a Deployment with replicas: 1 and strategy: { type: Recreate }, or set mode: proxy"
            yield Breach(f"network.vlans.{leasing[0]}.dhcp.mode", message, hint, "bootstrap")


@tree_law("network-dhcp-leases-behind", "warning", unless=("network-dhcp-replicas",))
def leases_stay_with_their_pod(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where our dnsmasq leases and keeps that on a disk of its node, its pod stays on one node: it would begin anew."""
    leasing = [name for name, vlan in env.network.vlans.items() if vlan.dhcp and vlan.dhcp.mode == "server"]
    servers = [name for name, pi in env.bootstrap.nodes.items() if pi.role == "server"] if env.bootstrap else []
    if env.bootstrap is None or not leasing or len(servers) < 2:
        return
    for path, body in _workloads(env.bootstrap.name, tree):
        if _wanders(body):
            message = f"{path} keeps its leases on one of {listed(servers)}, and may start on another one without them"
            hint = f"pin it: nodeSelector: {{ kubernetes.io/hostname: {servers[0]} }}; or set mode: proxy"
            yield Breach(f"network.vlans.{leasing[0]}.dhcp.mode", message, hint, "bootstrap.nodes")


def _workloads(cluster: str, tree: Tree) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path, body) of every workload of a cluster's folders that runs our dnsmasq."""
    for path in sorted(tree):
        if path.startswith(f"{cluster}/") and path.endswith((".yaml", ".yml")):
            yield from ((path, body) for body in documents(tree[path]) if _runs_dnsmasq(body))


def _wanders(body: Mapping[str, Any]) -> bool:
    pinned = "kubernetes.io/hostname" in _map(_pod(body).get("nodeSelector"))
    return not pinned and any("hostPath" in one for one in _volumes(body))


def _pod(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return _map(_map(_map(body.get("spec")).get("template")).get("spec"))


def _volumes(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    volumes = _pod(body).get("volumes")
    return [_map(one) for one in volumes] if isinstance(volumes, list) else []


def _runs_dnsmasq(body: Mapping[str, Any]) -> bool:
    if body.get("kind") not in ("DaemonSet", "Deployment", "StatefulSet"):
        return False
    return "dnsmasq" in [_map(one.get("configMap")).get("name") for one in _volumes(body)]


def _map(value: object) -> Mapping[str, Any]:
    """A folder's file may hold anything: what is no mapping has nothing in it."""
    return value if isinstance(value, dict) else {}


def _several(body: Mapping[str, Any]) -> str | None:
    spec = _map(body.get("spec"))
    if body["kind"] == "DaemonSet":
        return "on every Pi"
    if spec.get("replicas", 1) not in (0, 1):
        return f"{str(spec['replicas'])[:20]} times"
    rolling = _map(spec.get("strategy")).get("type", "RollingUpdate") != "Recreate"
    return "twice during an update" if body["kind"] == "Deployment" and rolling else None
