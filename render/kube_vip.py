"""kube-vip on Ainur's servers, and the one address that k3s' own Traefik takes, as k3s deploys them from its folder.

Owns those objects. Refuses to place them (cloud-init does, before k3s first starts), and the netboot address: that is a
Service of the app `dnsmasq`, whose pod's readiness decides who may hold it.
"""

from typing import Any

import yaml

Manifest = dict[str, Any]

FOLDER = "/var/lib/rancher/k3s/server/manifests"
"""Where k3s looks for what it deploys by itself (its documentation, "Auto-Deploying Manifests")."""

ADDRESSES = "kube-vip.io/loadbalancerIPs"
"""The annotation that asks kube-vip for an address. A Service without it gets none: no cloud provider runs beside."""

NAME = "kube-vip"
NAMESPACE = "kube-system"


def files(vip: str, ingress: str, version: str) -> dict[str, str]:
    """File name below `FOLDER` → YAML, one document an object. The names are none of k3s' own, which it overwrites.

    `vip`: the API's address; `ingress`: Traefik's; `version`: kube-vip's release, as its image is tagged.
    """
    traefik = [traefik_address(ingress)]
    return {"ilmarin-kube-vip.yaml": _text(manifests(vip, version)), "ilmarin-traefik.yaml": _text(traefik)}


def manifests(vip: str, version: str) -> list[Manifest]:
    """kube-vip on every server: it holds the API's address, and those that Services ask for."""
    return [_account(), _role(), _binding(), _daemon_set(vip, version)]


def traefik_address(ingress: str) -> Manifest:
    """k3s' own Traefik, as it is but for its Service, which asks for this address."""
    values = {"service": {"annotations": {ADDRESSES: ingress}}}
    return {
        "apiVersion": "helm.cattle.io/v1",
        "kind": "HelmChartConfig",
        "metadata": {"name": "traefik", "namespace": NAMESPACE},
        "spec": {"valuesContent": yaml.safe_dump(values)},
    }


def _text(objects: list[Manifest]) -> str:
    return "# Written by Ilúvatar; changes here are lost.\n" + yaml.safe_dump_all(objects, sort_keys=False)


def _account() -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME, "namespace": NAMESPACE}}


def _role() -> Manifest:
    """What kube-vip asks for (its manifest `rbac.yaml`): its leases, and the Services whose addresses it holds."""
    watch = ["list", "get", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["services/status"], "verbs": ["update"]},
        {"apiGroups": [""], "resources": ["services", "endpoints"], "verbs": [*watch, "update"]},
        {"apiGroups": [""], "resources": ["nodes"], "verbs": [*watch, "update", "patch"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": [*watch, "update"]},
        {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": [*watch, "update", "create"]},
    ]
    metadata = {"name": f"system:{NAME}-role"}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def _binding() -> Manifest:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"system:{NAME}-binding"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"system:{NAME}-role"},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }


def _daemon_set(vip: str, version: str) -> Manifest:
    labels = {"app.kubernetes.io/name": NAME}
    # Of the host's network nothing but its addresses: ARP for them, and taking and leaving them
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]},
    }
    container = {
        "name": NAME,
        "image": f"ghcr.io/kube-vip/kube-vip:{version}",
        "args": ["manager"],
        "env": [*_environment(vip), _own_name()],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}},
        "securityContext": security,
    }
    pod = {
        "serviceAccountName": NAME,
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "nodeSelector": {"node-role.kubernetes.io/control-plane": "true"},
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _own_name() -> Manifest:
    return {"name": "vip_nodename", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}


def _environment(vip: str) -> list[Manifest]:
    """kube-vip's settings (its `pkg/kubevip/config_envvar.go`). The link is left out: it takes the default route's."""
    told = {
        "vip_arp": "true",
        "vip_subnet": "32",
        "address": vip,
        "port": "6443",
        "cp_enable": "true",
        "cp_namespace": NAMESPACE,
        "svc_enable": "true",
        # An election for each Service; where its traffic is Local, only a server with a ready endpoint of it runs
        "svc_election": "true",
        "vip_leaderelection": "true",
        # A Pi that writes to its card is slower than kube-vip's 5, 3 and 1 seconds allow: the address would wander
        "vip_leaseduration": "15",
        "vip_renewdeadline": "10",
        "vip_retryperiod": "2",
        "prometheus_server": "127.0.0.1:2112",
        # Its lease goes through the server's own API: where that is dead, the lease ends, and another one takes over
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "6443",
    }
    return [{"name": name, "value": value} for name, value in told.items()]
