"""What a machine finds on the wire when its firmware asks to boot.

Owns the walk of a network boot through what really stands in the bootstrap cluster: who serves there, dnsmasq's
configuration, the iPXE scripts, the image. It refuses to own how those got there (the builder's part is
``netboot_files``), and what the machine does with its image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rehearsal.world import netboot_desk, netboot_files
from rehearsal.world.errors import Refusal
from rehearsal.world.factory import ImageName, read_boot_file
from rehearsal.world.hardware import Machine
from rehearsal.world.kube_argocd import brought_by
from rehearsal.world.kube_cluster import Cluster
from rehearsal.world.kube_services import KUBE_VIP

if TYPE_CHECKING:
    from rehearsal.world import World

NAMESPACE = "netboot"
SCRIPTS = "boot"
"""The ConfigMap with the iPXE scripts."""
WORKLOADS = ("DaemonSet", "Deployment", "StatefulSet")

_ARCHITECTURES = {("bios", "amd64"): ("0",), ("uefi", "amd64"): ("7", "9"), ("uefi", "arm64"): ("11",)}
"""DHCP option 93 that a firmware announces (RFC 4578, IANA processor architecture types)."""

_UNDI = "002001"
"""What a PC's boot ROM says of its network driver (and a Raspberry Pi too): no vendor class tells the two apart."""

_LOADERS = {
    ("bios", "amd64"): re.compile(r"(?:undionly|ipxe)\.k?pxe$"),
    ("uefi", "amd64"): re.compile(r"(?:snponly|snp|ipxe)(?:-x86_64|-amd64|-x64)?\.efi$"),
    ("uefi", "arm64"): re.compile(r"(?:snponly|snp|ipxe)-(?:arm64|aarch64)\.efi$"),
}
_CHAIN = re.compile(r"^\s*chain\s+(?:--\S+\s+)*(\S+)(?:\s*\|\|\s*chain\s+(?:--\S+\s+)*(\S+))?", re.MULTILINE)

_AHEAD = re.compile(r"^\s*imgfetch\s+--name\s+(\S+)\s+(\S+)\s*\|\|\s*goto\s+(\S+)\s*$", re.MULTILINE)
"""A script that is fetched before it is run: another way is taken only where it is not there."""


@dataclass(frozen=True)
class Boot:
    """What the wire gave: an image and its kernel arguments, or the reason why there was none (and at which stage)."""

    image: ImageName | None = None
    arguments: tuple[str, ...] = ()
    stage: str = "image"
    reason: str = ""


def boot(world: World, machine: Machine) -> Boot:
    """Walk ``machine``'s network boot from its firmware to its image."""
    services = _services(world)
    if isinstance(services, str):
        return Boot(stage="firmware", reason=services)
    dnsmasq, files = services
    script_url = _offered(world, dnsmasq, machine)
    if not script_url.startswith("http://"):
        return Boot(stage="dhcp", reason=script_url)
    script, name = _script(files, script_url, machine.mac)
    if script is None:
        return Boot(stage="dhcp", reason=f"iPXE: {name}: No such file or directory (404)")
    return _image(world, machine, script, name)


def reserved_by_dnsmasq(world: World, mac: str) -> str | None:
    """The address dnsmasq keeps for ``mac``, when Ainur's dnsmasq stands and leases on its own."""
    services = _services(world)
    if isinstance(services, str):
        return None
    found = re.search(
        rf"^dhcp-host={re.escape(mac)},(?:[^,\n]*,)*?(\d+\.\d+\.\d+\.\d+)", services[0], re.MULTILINE | re.I
    )
    return found[1] if found else None


def _services(world: World) -> tuple[str, dict[str, str]] | str:
    """``(dnsmasq.conf, boot files)`` of whoever serves, or why nobody answers."""
    if netboot_desk.serves(world):
        there = netboot_desk.files(world)
        trouble = netboot_desk.silent(world)
        return f"no boot server answers: {trouble}" if trouble else (there["dnsmasq"]["dnsmasq.conf"], there[SCRIPTS])
    name = (world.environment.get("bootstrap") or {}).get("name")
    cluster: Cluster | None = world.kubernetes.clusters.get(name) if name else None
    if cluster is None:
        return "no boot server answers: the bootstrap cluster does not stand"
    for needed, configured in (("dnsmasq", "dnsmasq"), ("pi-netboot", SCRIPTS)):
        trouble = absent(cluster, needed, configured)
        if trouble:
            return f"no boot server answers: {trouble}"
    conf, files = (cluster.get("ConfigMap", NAMESPACE, each) for each in ("dnsmasq", SCRIPTS))
    if conf is None or "dnsmasq.conf" not in conf.get("data", {}):
        return "dnsmasq has no configuration: ConfigMap netboot/dnsmasq lacks dnsmasq.conf"
    if files is None:
        return "the boot server has no files: ConfigMap netboot/boot is missing"
    text: str = conf["data"]["dnsmasq.conf"]
    address = str(((world.environment.get("network") or {}).get("netboot") or {}).get("address"))
    if not re.search(rf"(?<![\d.]){re.escape(address)}(?![\d.])", text):
        return f"dnsmasq does not name the boot server {address}"
    return _leases(cluster, text) or (text, files["data"])


def _leases(cluster: Cluster, conf: str) -> str | None:
    """Why a dnsmasq that leases is not let loose: leases of its own in each pod, or lost with the pod."""
    scopes = re.findall(r"^dhcp-range=(?!.*,proxy(?:,|$)).+$", conf, re.MULTILINE)
    if not scopes:
        return None
    found = next(each for each in cluster.objects("Application") if each["metadata"]["name"] == "dnsmasq")
    workloads = [body for body in brought_by(cluster, found) if runs_on(body, "dnsmasq")]
    pods = sum(_pods(cluster, body) for body in workloads)
    if pods > 1:
        return f"dnsmasq leases in {pods} pods, each with leases of its own: two machines would get one address"
    file = re.search(r"^dhcp-leasefile=(\S+)$", conf, re.MULTILINE)
    path = file[1] if file else "/var/lib/misc/dnsmasq.leases"
    if not any(_keeps(body, path) for body in workloads):
        return f"dnsmasq leases, and {path} is lost with its pod: it would give away addresses that are in use"
    return None


def _pods(cluster: Cluster, body: dict[str, Any]) -> int:
    return len(cluster.objects("Node")) if body["kind"] == "DaemonSet" else body["spec"].get("replicas", 1)


def _keeps(body: dict[str, Any], path: str) -> bool:
    """Whether what a workload's container has at ``path`` outlives the pod."""
    pod = body["spec"]["template"]["spec"]
    lasting = {each["name"] for each in pod.get("volumes") or () if {"hostPath", "persistentVolumeClaim"} & set(each)}
    lasting |= {each["metadata"]["name"] for each in body["spec"].get("volumeClaimTemplates") or ()}
    mounts = [mount for each in pod["containers"] for mount in each.get("volumeMounts") or ()]
    return any(m["name"] in lasting and path.startswith(f"{m['mountPath'].rstrip('/')}/") for m in mounts)


def absent(cluster: Cluster, application: str, configured: str) -> str | None:
    """Why ``application`` does not serve: nothing of its folder runs on ConfigMap ``configured``. ``None``: it does."""
    found = next((each for each in cluster.objects("Application") if each["metadata"]["name"] == application), None)
    if found is None:
        return f"{application} does not run on {cluster.name}"
    try:
        brought = brought_by(cluster, found)
    except Refusal as refusal:
        return f"{application} does not run on {cluster.name}: {refusal.message}"
    if any(runs_on(body, configured) for body in brought):
        return _unheld(cluster, brought) if application == "pi-netboot" else None
    folder = (found["spec"].get("source") or {}).get("path")
    return f"no workload of {folder} mounts ConfigMap {NAMESPACE}/{configured}"


def _unheld(cluster: Cluster, brought: list[dict[str, Any]]) -> str | None:
    """Why nobody holds the netboot address: kube-vip does where a Service of pi-netboot asks for it."""
    address = str(((cluster.world.environment.get("network") or {}).get("netboot") or {}).get("address"))
    services = [body for body in brought if body.get("kind") == "Service"]
    asked = {str((body["metadata"].get("annotations") or {}).get(KUBE_VIP)) for body in services}
    if address not in asked:
        return f"nobody holds {address}: no Service of pi-netboot asks kube-vip for it ({KUBE_VIP})"
    told = cluster.record.get("k3s") or {}
    return None if told.get("vip") else f"nobody holds {address}: kube-vip does not run on {cluster.name}"


def runs_on(body: dict[str, Any], configured: str) -> bool:
    """Whether ``body`` is a workload, in the right namespace, one of whose containers mounts that ConfigMap."""
    spec: dict[str, Any] = body.get("spec") or {}
    if body.get("kind") not in WORKLOADS or body["metadata"].get("namespace") != NAMESPACE or spec.get("replicas") == 0:
        return False
    pod = (spec.get("template") or {}).get("spec") or {}
    held = {volume["name"] for volume in pod.get("volumes") or () if _holds(volume, configured)}
    containers = pod.get("containers") or ()
    return any(mount["name"] in held for each in containers for mount in each.get("volumeMounts") or ())


def _holds(volume: dict[str, Any], configured: str) -> bool:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    return any((each.get("configMap") or {}).get("name") == configured for each in sources)


def _offered(world: World, conf: str, machine: Machine) -> str:
    """The URL of the script that iPXE gets in the end, or what went wrong before."""
    kind = (machine.firmware, machine.arch)
    if kind not in _ARCHITECTURES:
        return f"firmware {machine.firmware} on {machine.arch} does not boot from this network"
    tags = _tags(conf, machine, _ARCHITECTURES[kind])
    loader = _boot_file(conf, tags)
    if loader is None:
        return f"dnsmasq offers no boot file to client architecture {'/'.join(_ARCHITECTURES[kind])}"
    if not _LOADERS[kind].search(loader):
        return f"{loader} does not start on {machine.firmware} {machine.arch}"
    missing = _lacks(world, f"tftp/{loader}")
    if missing:
        return f"TFTP has no {loader}: {missing}"
    in_ipxe = set(re.findall(r"^dhcp-userclass=set:([^,\s]+),iPXE\s*$", conf, re.MULTILINE))
    in_ipxe |= set(re.findall(r"^dhcp-match=set:([^,\s]+),175\s*$", conf, re.MULTILINE))
    script = _boot_file(conf, tags | in_ipxe)
    if script is None or not script.startswith("http://"):
        return f"iPXE is offered {script or 'nothing'} again instead of a script: a loop"
    return script


def _tags(conf: str, machine: Machine, architectures: tuple[str, ...]) -> set[str]:
    """The tags of a PC's discover: by architecture, MAC and vendor class, and those of the scope it is in."""
    found = re.findall(r"^dhcp-match=set:([^,\s]+),option:client-arch,(\d+)\s*$", conf, re.MULTILINE)
    tags = {tag for tag, number in found if number in architectures}
    tags |= {
        tag for tag, of in re.findall(r"^dhcp-mac=set:([^,\s]+),(\S+)\s*$", conf, re.MULTILINE) if of == machine.mac
    }
    tags |= {
        tag
        for tag, said in re.findall(r"^dhcp-vendorclass=set:([^,\s]+),(\S+)\s*$", conf, re.MULTILINE)
        if any(said in f"PXEClient:Arch:{int(number):05}:UNDI:{_UNDI}" for number in architectures)
    }
    scopes = re.findall(r"^dhcp-range=set:([^,\s]+),([\d.]+),(?:proxy|[\d.]+),([\d.]+)", conf, re.MULTILINE)
    here = IPv4Address(machine.address)
    return tags | {tag for tag, first, mask in scopes if here in IPv4Network(f"{first}/{mask}", strict=False)}


def _boot_file(conf: str, tags: set[str]) -> str | None:
    """The file of the ``dhcp-boot`` line that fits ``tags`` and asks for most of them."""
    best: tuple[int, str] | None = None
    for line in re.findall(r"^dhcp-boot=(.+)$", conf, re.MULTILINE):
        words = [word.strip() for word in line.split(",")]
        wanted = [word.removeprefix("tag:") for word in words if word.startswith("tag:")]
        rest = [word for word in words if not word.startswith("tag:")]
        fits = all((tag[1:] not in tags) if tag.startswith("!") else (tag in tags) for tag in wanted)
        if fits and rest and (best is None or len(wanted) >= best[0]):
            best = (len(wanted), rest[0])
    return best[1] if best else None


def _script(files: dict[str, str], url: str, mac: str) -> tuple[str | None, str]:
    """Follow ``chain`` lines from ``url`` to the machine's own script: ``(text or None, file name)``."""
    wanted = [url]
    name = url
    for _ in range(4):
        text = None
        for candidate in wanted:
            name = _named(candidate, mac)
            text = files.get(name)
            if text is not None:
                break
        if text is None:
            return None, name
        text = _gone_on(files, text, mac)
        found = _CHAIN.search(text)
        if not found:
            return text, name
        wanted = [target for target in found.groups() if target]
    return None, f"{name} chains in a circle"


def _named(url: str, mac: str) -> str:
    name = re.sub(r"\$\{(?:net0/)?mac:hexhyp\}", mac.replace(":", "-"), url)
    return name.partition("?")[0].rsplit("/", 1)[-1]


def _gone_on(files: dict[str, str], text: str, mac: str) -> str:
    """The script as it goes on once what it fetches ahead is there, or is not."""
    ahead = _AHEAD.search(text)
    if ahead is None:
        return text
    name, url, label = ahead.groups()
    if _named(url, mac) not in files:
        return text.partition(f"\n:{label}\n")[2]
    return re.sub(rf"^(\s*chain\s+){re.escape(name)}\s*$", rf"\g<1>{url}", text[ahead.end() :], flags=re.MULTILINE)


def _lacks(world: World, path: str) -> str | None:
    """Why the boot servers have no such file, of those that the builder brings."""
    if netboot_desk.serves(world):
        return netboot_files.brought(world, netboot_desk.files(world), netboot_desk.NAME, path)
    cluster = world.kubernetes.clusters.get(str((world.environment.get("bootstrap") or {}).get("name")))
    return netboot_files.lacks(world, cluster, path) if cluster else "the bootstrap cluster does not stand"


def _image(world: World, machine: Machine, script: str, name: str) -> Boot:
    kernel = re.search(r"^\s*kernel\s+(\S+)(.*)$", script, re.MULTILINE)
    initrd = re.search(r"^\s*initrd\s+(?:--\S+\s+)*(\S+)", script, re.MULTILINE)
    if kernel is None:
        return Boot(stage="firmware", reason=f"{name} sends the machine to its own disk, which is empty")
    if initrd is None:
        return Boot(reason=f"{name} names a kernel but no initrd")
    images = [read_boot_file(kernel[1]), read_boot_file(initrd[1])]
    if images[0] is None or images[0] != images[1]:
        return Boot(reason=f"{name}: kernel and initrd are not of one image of the factory")
    arguments = tuple(kernel[2].split())
    if "talos.platform=metal" not in arguments:
        return Boot(reason=f"{name}: the kernel arguments lack talos.platform=metal")
    objection = world.factory.objection(images[0], machine.arch)
    if objection:
        return Boot(reason=f"{name}: {objection}")
    for url in (kernel[1], initrd[1]):
        missing = _lacks(world, urlsplit(url).path.lstrip("/"))
        if missing:
            return Boot(reason=f"iPXE: {url}: No such file or directory (404): {missing}")
    return Boot(image=images[0], arguments=arguments)
