"""Laws of the addresses that the bootstrap cluster's Services take: each is the data's, and held where it is answered.

Owns what kube-vip is asked for. Refuses the addresses themselves (`network`), and the Talos cluster's pool (`ranges`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.environment import Environment
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.tree import Tree, documents

ADDRESSES = "kube-vip.io/loadbalancerIPs"
"""The annotation that asks kube-vip for an address."""


@tree_law("bootstrap-service-address")
def services_take_known_addresses(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A LoadBalancer Service on the bootstrap cluster asks for the netboot address: kube-vip takes whatever a Service
    names, on the LAN, free or not."""
    if env.bootstrap is None:
        return
    netboot = env.network.netboot
    known = [str(netboot.address)] if netboot else []
    for path, body in _services(env.bootstrap.name, tree):
        asked = str(_map(_map(body.get("metadata")).get("annotations")).get(ADDRESSES, ""))
        if asked not in known:
            message = f"{path} would take {asked[:40] or 'an address, and names none'}, which nobody planned"
            here = f"say {ADDRESSES}: {known[0]}; or " if known else ""
            hint = f"{here}make it a ClusterIP with an Ingress, which answers at {env.bootstrap.ingress}"
            yield Breach(f"gitops.clusters.{env.bootstrap.name}", message, hint, "bootstrap.ingress")


@tree_law("network-netboot-held")
def netboot_address_is_held_where_it_answers(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The netboot address is held where dnsmasq's pod is ready: elsewhere nobody answers DHCP, DNS and TFTP at it."""
    boot, bootstrap = env.network.netboot, env.bootstrap
    if boot is None or bootstrap is None:
        return
    running = [labels for body in _of(bootstrap.name, tree) if (labels := _dnsmasq(body)) is not None]
    if not running:
        return
    held = [_map(body.get("spec")) for _, body in _services(bootstrap.name, tree) if str(boot.address) in str(body)]
    right = [
        spec
        for spec in held
        if spec.get("externalTrafficPolicy") == "Local"
        and any(_map(spec.get("selector")).items() <= labels.items() for labels in running)
    ]
    if not right:
        wrong = "by a Service that does not follow dnsmasq's pod" if held else "by nobody"
        message = f"the boot services run on {bootstrap.name}, and their address {boot.address} is held {wrong}"
        labels = listed(sorted(f"{key}: {value}" for key, value in running[0].items()))
        hint = f"add a LoadBalancer Service with that address, externalTrafficPolicy: Local, selector {labels}"
        yield Breach("network.netboot.address", message, hint, f"gitops.clusters.{bootstrap.name}")


def _of(cluster: str, tree: Tree) -> Iterator[Mapping[str, Any]]:
    for path in sorted(tree):
        if path.startswith(f"{cluster}/") and path.endswith((".yaml", ".yml")):
            yield from documents(tree[path])


def _services(cluster: str, tree: Tree) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path, body) of every Service of type LoadBalancer."""
    for path in sorted(tree):
        if path.startswith(f"{cluster}/") and path.endswith((".yaml", ".yml")):
            for body in documents(tree[path]):
                if body.get("kind") == "Service" and _map(body.get("spec")).get("type") == "LoadBalancer":
                    yield path, body


def _dnsmasq(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The labels of the pods of a workload that runs our dnsmasq."""
    template = _map(_map(body.get("spec")).get("template"))
    volumes = _map(template.get("spec")).get("volumes")
    named = [_map(_map(one).get("configMap")).get("name") for one in volumes] if isinstance(volumes, list) else []
    return _map(_map(template.get("metadata")).get("labels")) if "dnsmasq" in named else None


def _map(value: object) -> Mapping[str, Any]:
    """A folder's file may hold anything: what is no mapping has nothing in it."""
    return value if isinstance(value, dict) else {}
