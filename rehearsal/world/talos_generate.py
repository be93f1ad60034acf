"""A new machine configuration, as Talos' own generator writes it.

Owns the defaults of ``machine.getConfiguration`` (terraform-provider-talos 0.11, machinery 1.13) and where each secret
of a bundle goes. It refuses to own patches (``talos_config``) and judgement (``talos_validate``).
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from rehearsal.world.errors import Refusal

DEFAULT_KUBERNETES = "v1.36.0"  # version: machinery 1.13's own default
DEFAULT_INSTALLER = "ghcr.io/siderolabs/installer:v1.13.0"  # version: machinery 1.13's own default
NEWEST = (1, 13)
_EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"


def contract(version: str | None) -> tuple[int, int]:
    """``(major, minor)`` of a version contract such as ``v1.12`` or ``1.12.1``; the newest when none is given."""
    if not version:
        return NEWEST
    found = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.\d+)?(?:-\S+)?", version)
    if not found:
        raise Refusal(f'error parsing version "{version}"', property="talosVersion")
    return int(found[1]), int(found[2])


def generate(
    kind: str, cluster_name: str, endpoint: str, bundle: dict[str, Any], kubernetes: str | None, talos: str | None
) -> list[dict[str, Any]]:
    """The documents for one machine type. ``bundle`` is of ``talos_secrets.SHAPE``. Raises ``Refusal``."""
    if kind not in ("controlplane", "worker"):
        raise Refusal(f'attribute machine_type value must be one of: ["controlplane" "worker"], got: "{kind}"')
    address = urlsplit(endpoint)
    if address.scheme != "https" or not address.hostname:
        raise Refusal(f'failed to parse the endpoint: "{endpoint}" is not a https:// URL', property="clusterEndpoint")
    version = "v" + (kubernetes or DEFAULT_KUBERNETES).removeprefix("v")
    leads = kind == "controlplane"
    documents: list[dict[str, Any]] = [
        {
            "version": "v1alpha1",
            "debug": False,
            "persist": True,
            "machine": _machine(kind, bundle, version),
            "cluster": _cluster(cluster_name, endpoint, bundle)
            | (_control_plane(bundle, version, address.hostname) if leads else {}),
        }
    ]
    if contract(talos) >= (1, 12):
        documents.append({"apiVersion": "v1alpha1", "kind": "HostnameConfig", "auto": "stable"})
    return documents


def _machine(kind: str, bundle: dict[str, Any], version: str) -> dict[str, Any]:
    leads = kind == "controlplane"
    authority = bundle["certs"]["os"]
    machine: dict[str, Any] = {
        "type": kind,
        "token": bundle["trustdinfo"]["token"],
        "ca": {"crt": authority["cert"], "key": authority["key"] if leads else ""},
        "certSANs": [],
        "kubelet": {
            "image": f"ghcr.io/siderolabs/kubelet:{version}",
            "defaultRuntimeSeccompProfileEnabled": True,
            "disableManifestsDirectory": True,
        },
        "network": {},
        "install": {"disk": "/dev/sda", "image": DEFAULT_INSTALLER, "wipe": False},
        "features": {
            "diskQuotaSupport": True,
            "kubePrism": {"enabled": True, "port": 7445},
            "hostDNS": {"enabled": True, "forwardKubeDNSToHost": True},
        },
    }
    if leads:
        machine["nodeLabels"] = {_EXCLUDE_LABEL: ""}
    return machine


def _cluster(name: str, endpoint: str, bundle: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": bundle["cluster"]["id"],
        "secret": bundle["cluster"]["secret"],
        "controlPlane": {"endpoint": endpoint},
        "clusterName": name,
        "network": {
            "dnsDomain": "cluster.local",
            "podSubnets": ["10.244.0.0/16"],
            "serviceSubnets": ["10.96.0.0/12"],
        },
        "token": bundle["secrets"]["bootstrapToken"],
        "ca": {"crt": bundle["certs"]["k8s"]["cert"], "key": ""},
        "discovery": {"enabled": True, "registries": {"kubernetes": {"disabled": True}, "service": {}}},
    }


def _control_plane(bundle: dict[str, Any], version: str, host: str) -> dict[str, Any]:
    certs = bundle["certs"]
    images = {
        part: {"image": f"registry.k8s.io/kube-{part_name}:{version}"}
        for part, part_name in (
            ("controllerManager", "controller-manager"),
            ("proxy", "proxy"),
            ("scheduler", "scheduler"),
        )
    }
    return {
        "secretboxEncryptionSecret": bundle["secrets"]["secretboxEncryptionSecret"],
        "ca": {"crt": certs["k8s"]["cert"], "key": certs["k8s"]["key"]},
        "aggregatorCA": {"crt": certs["k8sAggregator"]["cert"], "key": certs["k8sAggregator"]["key"]},
        "serviceAccount": {"key": certs["k8sServiceaccount"]["key"]},
        "apiServer": {
            "image": f"registry.k8s.io/kube-apiserver:{version}",
            "certSANs": [host],
            "admissionControl": [
                {
                    "name": "PodSecurity",
                    "configuration": {
                        "apiVersion": "pod-security.admission.config.k8s.io/v1alpha1",
                        "kind": "PodSecurityConfiguration",
                        "defaults": {"enforce": "baseline", "warn": "restricted", "audit": "restricted"},
                        "exemptions": {"namespaces": ["kube-system"], "runtimeClasses": [], "usernames": []},
                    },
                }
            ],
            "auditPolicy": {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]},
        },
        **images,
        "etcd": {"ca": {"crt": certs["etcd"]["cert"], "key": certs["etcd"]["key"]}},
        "extraManifests": [],
        "inlineManifests": [],
    }
