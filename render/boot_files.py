"""Everything that Eä publishes for Ainur's workloads: ConfigMap by ConfigMap, file by file.

Owns which reader finds which files, and the hash by which it knows that they changed. Refuses the files' contents.
"""

import hashlib
from collections.abc import Mapping

from model.netboot import NetbootPlan
from model.plan import Plan
from render import cloud_init, cloud_init_files, dnsmasq, downloads, ipxe, nfs, nginx, pi_boot, pi_card

HASH = "content.sha256"
"""Beside the files: their hash. A reader keeps the one it started with, and starts anew when this one is another."""


def published(plan: Plan) -> dict[str, dict[str, str]]:
    """ConfigMap's name → file's name → text."""
    network = plan.network
    found = {"dnsmasq": {"dnsmasq.conf": dnsmasq.configuration(network)}}
    if network.netboot:
        found |= served(plan, network.netboot.of_ainur)
    return {name: files | {HASH: digest(files)} for name, files in found.items()}


def served(plan: Plan, netboot: NetbootPlan) -> dict[str, dict[str, str]]:
    """What is served at `netboot`'s address beside dnsmasq's, in the same shape, without the hashes."""
    found = {
        "boot": ipxe.scripts(netboot),
        "boot-downloads": {downloads.LIST: downloads.text(netboot)},
        "boot-server": {"default.conf": nginx.server(netboot)},
        "pi-boot": {key(path): text for path, text in pi_boot.files(netboot).items()},
        "pi-seed": {key(path): text for path, text in seeds(plan, netboot).items()},
        "pi-nfs": {"ganesha.conf": nfs.conf(netboot)},
    }
    if netboot.pi_system:
        found["pi-boot"]["image"] = f"{netboot.pi_system.id}\n"
    return found


def seeds(plan: Plan, netboot: NetbootPlan) -> dict[str, str]:
    """`<folder>/<file>` → text: what cloud-init of each netbooted Pi asks for below `/pi/`.

    One that is to write its card gets the seed for that, and in `<folder>-card` what goes onto the card.
    """
    nodes = {node.name: node for node in plan.bootstrap.nodes} if plan.bootstrap else {}
    found: dict[str, str] = {}
    for node in (nodes[pi.name] for pi in netboot.pis):
        made = cloud_init.stamping_seed(plan, node) if node.stamped else cloud_init.seed(plan, node)
        found |= {f"{node.folder}/{name}": text for name, text in sorted(made.items())}
        if node.stamped:
            card = f"{cloud_init_files.card_folder(node)}/"
            found |= {f"{card}{name}": text for name, text in sorted(pi_card.files(plan, node).items())}
    return found


def key(path: str) -> str:
    """A path as a ConfigMap's key, which holds no slash: `a1b2c351_config.txt`. The reader puts the slash back."""
    return path.replace("/", "_", 1)


def digest(files: Mapping[str, str]) -> str:
    """SHA-256 over names and texts, each ended by a zero byte, in the names' order; hex and a line's end."""
    summed = hashlib.sha256()
    for name, text in sorted(files.items()):
        summed.update(f"{name}\0{text}\0".encode())
    return f"{summed.hexdigest()}\n"
