"""cloud-init's seed of a Pi: user-data, meta-data, network-config and vendor-data, built as dicts and dumped.

Owns what a fresh Ubuntu becomes on its first boot (a card), or at every boot (the network). Refuses secrets: what it
renders for a netbooted Pi is served to its whole VLAN. Refuses to do anything itself: it places scripts that do.
"""

from dataclasses import replace
from typing import Any

import yaml

from model.addresses import VlanPlan
from model.ainur import BootstrapNodePlan, BootstrapPlan
from model.plan import Plan
from render import cloud_init_files as placed

CloudConfig = dict[str, Any]

UNUSED_KEY = "ecdsa"
"""cloud-init wants to make a host key of at least one type, at a moment when the kept one is not there yet. sshd is
told of another type's file alone, so that it answers with the kept key or not at all."""


def seed(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    """File name → text of everything that cloud-init asks a Pi's seed for (its documentation, "NoCloud").

    A netbooted Pi gets no network-config: its root hangs on the link, which stays as the kernel's `ip=dhcp` left it.
    Errors: LookupError for a plan without a bootstrap cluster.
    """
    cluster = plan.bootstrap
    if cluster is None:
        raise LookupError("there is no bootstrap cluster, and so no Pi to seed")
    found = {
        "meta-data": _dumped(meta_data(node)),
        "user-data": _cloud_config(user_data(plan, cluster, node)),
        "vendor-data": _cloud_config(vendor_data(plan)),
    }
    if node.persistent:
        found["network-config"] = _dumped(network_config(plan, cluster, node))
    return found


def stamping_seed(plan: Plan, node: BootstrapNodePlan) -> dict[str, str]:
    """The seed of a Pi that came up from the network to write its card: no k3s, and nothing but what writes it.

    Another instance than the card's. Errors: LookupError for a plan without a bootstrap cluster or boot services.
    """
    cluster, netboot = plan.bootstrap, plan.network.netboot
    if cluster is None or netboot is None:
        raise LookupError(f"nothing that {node.name} could write its card with is served")
    guest = replace(node, persistent=False)
    told = _who(plan, cluster, guest) | {
        "write_files": placed.stamping_files(plan, cluster, guest, netboot),
        "runcmd": placed.stamping_commands(),
        "final_message": f"Ilúvatar: {node.name} wrote its card, or says why not: journalctl -u ilmarin-stamp",
    }
    return {
        "meta-data": _dumped(meta_data(guest) | {"instance-id": f"{node.name}-{node.folder}-stamping"}),
        "user-data": _cloud_config(told),
        "vendor-data": _cloud_config(vendor_data(plan)),
    }


def meta_data(node: BootstrapNodePlan) -> dict[str, str]:
    """Who this is. The instance is the node by its name and serial: the same card stays the same instance."""
    found = {"instance-id": f"{node.name}-{node.folder}", "local-hostname": node.name}
    return found | ({"dsmode": "local"} if node.persistent else {})  # as Ubuntu's own card says it


def user_data(plan: Plan, cluster: BootstrapPlan, node: BootstrapNodePlan) -> CloudConfig:
    """What this Pi is: its name, who may log in, its files, and what is started."""
    return _who(plan, cluster, node) | {
        "write_files": placed.files(plan, cluster, node),
        "runcmd": placed.commands(node),
        "final_message": f"Ilúvatar: cloud-init is done on {node.name} after $UPTIME s",
    }


def _who(plan: Plan, cluster: BootstrapPlan, node: BootstrapNodePlan) -> CloudConfig:
    return {
        "hostname": node.name,
        "fqdn": f"{node.name}.{plan.network.zone}",
        "preserve_hostname": False,
        "manage_etc_hosts": "localhost",
        "users": [
            {
                "name": cluster.user,
                "gecos": "Ilúvatar",
                "groups": ["adm", "sudo"],
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "shell": "/bin/bash",
                "lock_passwd": True,
                "ssh_authorized_keys": list(cluster.authorized_keys),
            }
        ],
        "disable_root": True,
        "ssh_pwauth": False,
        # A card's key is pinned: of a card that is a new instance to cloud-init, too, it stays
        "ssh_deletekeys": not node.persistent,
        "ssh_genkeytypes": [UNUSED_KEY],
    }


def vendor_data(plan: Plan) -> CloudConfig:
    """What every Pi of the lab gets alike. cloud-init takes a key from here only where user-data has none of it.

    No packages: `ilmarin-packages` installs them, for cloud-init would try once, by a clock that is not right yet.
    """
    return {
        "timezone": "Etc/UTC",
        "ntp": {
            "enabled": True,
            "ntp_client": "systemd-timesyncd",
            "servers": list(plan.network.time_servers),
        },
    }


def network_config(plan: Plan, cluster: BootstrapPlan, node: BootstrapNodePlan) -> dict[str, Any]:
    """netplan v2: the node's own address on the card whose MAC is in the data, whatever the kernel calls it."""
    vlan = _vlan(plan, cluster)
    return {
        "version": 2,
        "ethernets": {
            node.link: {
                "match": {"macaddress": node.mac},
                "set-name": node.link,
                "dhcp4": False,
                "dhcp6": False,
                "addresses": [f"{node.address}/{vlan.subnet.partition('/')[2]}"],
                "routes": [{"to": "default", "via": vlan.gateway}],
                # No search domain: pods would inherit it, and ask a public wildcard above the zone for every name
                "nameservers": {"addresses": list(plan.network.resolvers)},
                "mtu": node.mtu,
            }
        },
    }


def _vlan(plan: Plan, cluster: BootstrapPlan) -> VlanPlan:
    return next(vlan for vlan in plan.network.vlans if vlan.name == cluster.vlan)


class _Dumper(yaml.SafeDumper):
    """Several lines stay several lines, as a person would write them."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _dumped(value: object) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def _cloud_config(value: CloudConfig) -> str:
    return f"#cloud-config\n# Written by Ilúvatar; changes here are lost.\n{_dumped(value)}"
