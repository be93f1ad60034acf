"""The documents of a Talos configuration besides the main one: network, time, volumes, registries, trust.

Owns their bodies and their order: what follows from the environment first, then what the layers add, by kind and name.
Refuses the main document, which is `render.talos`'.
"""

from collections.abc import Iterator
from typing import Any

from model.merge import merged
from model.settings import NodeSettings
from model.talos import ClusterNodePlan, ClusterPlan

Document = dict[str, Any]

SEALED: Document = {"provider": "luks2", "keys": [{"slot": 0, "tpm": {}}]}
"""Disk encryption with a key that only this machine's TPM gives (Talos 1.12, "Disk Encryption")."""


def documents(cluster: ClusterPlan, node: ClusterNodePlan) -> list[Document]:
    """Every document of a node but the main one, each kind and name once."""
    found: dict[tuple[str, str], Document] = {}
    for document in _derived(cluster, node):
        found[document["kind"], document.get("name", "")] = document
    for key, said in node.settings.documents.items():
        kind, _, name = key.partition("/")
        # A volume may be both: its encryption is ours, its size the owner's
        found[kind, name] = merged([found.get((kind, name), _empty(kind, name)), said])
    return list(found.values())


def _empty(kind: str, name: str) -> Document:
    return {"apiVersion": "v1alpha1", "kind": kind} | ({"name": name} if name else {})


def _derived(cluster: ClusterPlan, node: ClusterNodePlan) -> Iterator[Document]:
    yield from _network(cluster, node)
    yield from _clock_and_names(node)
    yield from _volumes(cluster, node)
    yield from _registries(node.settings)


def _network(cluster: ClusterPlan, node: ClusterNodePlan) -> Iterator[Document]:
    yield _empty("HostnameConfig", "") | {"auto": "off", "hostname": node.name}
    body = {
        "up": True,
        "mtu": node.mtu,
        "addresses": [{"address": f"{node.address}/{node.prefix}"}],
        "routes": [{"gateway": node.gateway}],
    }
    bond = node.settings.bond
    if bond:
        chosen = {"xmitHashPolicy": bond.hash_policy, "lacpRate": bond.lacp_rate}
        # Half a second until a dead cable is noticed: without miimon the kernel never looks
        bonded: Document = {"links": list(bond.links), "bondMode": bond.mode, "miimon": 500}
        yield _empty("BondConfig", node.link) | bonded | {key: one for key, one in chosen.items() if one} | body
    else:
        yield _empty("LinkConfig", node.link) | body
    for vlan in node.vlans:
        tagged: Document = {"vlanID": vlan.tag, "parent": node.link, "up": True}
        yield _empty("VLANConfig", vlan.link) | tagged | {"addresses": [{"address": f"{vlan.address}/{vlan.prefix}"}]}
    if node.role == "control-plane":
        yield _empty("Layer2VIPConfig", cluster.vip) | {"link": node.link}


def _clock_and_names(node: ClusterNodePlan) -> Iterator[Document]:
    servers = [{"address": address} for address in node.settings.resolvers]
    # Pods inherit a node's search domains, and with ndots:5 ask below them first: where the public zone has a wildcard,
    # that answers `github.com.<zone>` too, and wrongly
    yield _empty("ResolverConfig", "") | {"nameservers": servers, "searchDomains": {"disableDefault": True}}
    if node.settings.time_servers:
        ntp = {"servers": list(node.settings.time_servers)}
        yield _empty("TimeSyncConfig", "") | {"enabled": True, "ntp": ntp}
    if node.watchdog:
        timer = {"device": node.watchdog, "timeout": node.settings.watchdog_timeout}
        yield _empty("WatchdogTimerConfig", "") | timer


def _volumes(cluster: ClusterPlan, node: ClusterNodePlan) -> Iterator[Document]:
    """Talos' own partitions, unlocked by the TPM that secure boot measures into, and a volume for each storage system.

    Ceph wants its disk raw: no document names it.
    """
    sealed = {"encryption": dict(SEALED)} if cluster.disk_encryption else {}
    for name in ("STATE", "EPHEMERAL") if sealed else ():
        yield _empty("VolumeConfig", name) | sealed
    for disk in node.data:
        if disk.kind == "rook-ceph":
            continue
        volume = _empty("UserVolumeConfig", disk.system)
        if disk.match is None:
            yield volume | {"volumeType": "directory"}
        else:
            place = {"diskSelector": {"match": disk.match}, "grow": True, "minSize": "10GiB"}
            yield volume | {"provisioning": place, "filesystem": {"type": "xfs"}} | sealed


def _registries(settings: NodeSettings) -> Iterator[Document]:
    for mirror in settings.mirrors:
        ends = [{"url": url} | ({"overridePath": True} if mirror.override_path else {}) for url in mirror.endpoints]
        fallback = {"skipFallback": True} if mirror.skip_fallback else {}
        yield _empty("RegistryMirrorConfig", mirror.registry) | {"endpoints": ends} | fallback
    for name, certificates in settings.trusted_roots.items():
        yield _empty("TrustedRootsConfig", name) | {"certificates": certificates}
