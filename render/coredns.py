"""Whom k3s' own CoreDNS asks for the lab's names, as k3s deploys it from its folder.

Owns that one server block. Refuses every other name: CoreDNS passes those to the resolvers that the kubelet gives it.
"""

import yaml

CUSTOM = "coredns-custom"
"""The ConfigMap whose `*.server` keys k3s' CoreDNS imports beside its own configuration, which k3s writes over at every
start. Its Deployment mounts it, there or not."""


def files(zone: str, server: str) -> dict[str, str]:
    """File name below `kube_vip.FOLDER` → YAML. `zone`: the internal zone; `server`: the address of dnsmasq.

    A Pi asks public resolvers, which know nothing of `zone`; a pod that logs people in must find Dex there.
    """
    block = f"{zone}:53 {{\n    errors\n    cache 30\n    forward . {server}\n}}\n"
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CUSTOM, "namespace": "kube-system"},
        "data": {"ilmarin.server": block},
    }
    text = yaml.safe_dump(manifest, sort_keys=False)
    return {"ilmarin-coredns.yaml": f"# Written by Ilúvatar; changes here are lost.\n{text}"}
