"""Laws of k3s on Ainur: whose logins it believes, its own ranges of addresses, where etcd's snapshots lie.

Owns what follows from k3s' configuration (`render.k3s_config`). Refuses what each Pi can be (`bootstrap`), and what the
applications say of the issuer in their folders (`identity`).
"""

from collections.abc import Iterator

from model.ainur import apps_zone
from model.catalogue import K3S_NETWORKS
from model.environment import Environment
from model.laws.bootstrap import pis
from model.laws.registry import Breach, law


@law("bootstrap-oidc-host", unless=("name-dns", "name-duplicate", "name-domain-wildcard"))
def issuer_is_ours(env: Environment) -> Iterator[Breach]:
    """The OIDC issuer stands directly below the zone of Ainur's applications: only such a name leads to its Traefik,
    and the API servers know its address without asking the cluster."""
    if env.bootstrap is None or env.bootstrap.oidc_host is None:
        return
    zone, host = apps_zone(env.bootstrap, f"{env.name}.{env.domain}"), env.bootstrap.oidc_host
    label, _, rest = host.partition(".")
    if rest != zone or label == "*":
        message = f"{host} does not stand below {zone}, whose names lead to {env.bootstrap.ingress}"
        yield Breach("bootstrap.oidc_host", message, f"leave it out, or did you mean dex.{zone}?", "bootstrap.ingress")


@law("bootstrap-network-overlap", unless=("network-subnet-overlap",))
def vlans_are_not_k3s(env: Environment) -> Iterator[Breach]:
    """No VLAN has addresses that k3s gives to its pods and services: from the Pis nothing there could be reached."""
    for name, vlan in env.network.vlans.items() if env.bootstrap else ():
        for kind, net in K3S_NETWORKS.items():
            if net.overlaps(vlan.subnet):
                message = f"VLAN {name}, {vlan.subnet}, overlaps {net}, which k3s gives to its {kind}"
                yield Breach(f"network.vlans.{name}.subnet", message, f"choose a subnet outside {net}", "bootstrap")


@law("bootstrap-snapshots", "warning", unless=("bootstrap-server-card",))
def snapshots_lie_elsewhere(env: Environment) -> Iterator[Breach]:
    """A server has NVMe for etcd's snapshots: on its card they die with what they are a copy of."""
    for name, pi in pis(env):
        if pi.role == "server" and "nvme" not in pi.boot:
            message = f"{name} has no NVMe: etcd's snapshots lie on the card that they are a copy of"
            hint = "add nvme, or copy /var/lib/rancher/k3s/server/db/snapshots elsewhere yourself"
            yield Breach(f"bootstrap.nodes.{name}.boot", message, hint)
