"""A cluster's pods and policies as its folders show them, and whether a gateway's requests get through to a Service.

Owns finding them: workloads, what charts put beside them, the pods of a gateway. Refuses what policies mean
(`policies`), and pods that an operator makes of its own kinds. `reached` is the door for whoever follows a request.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from model.closure.graph import Graph
from model.closure.policies import Ground, Peer, Pods, Policy, Port, Verdict, verdict
from model.closure.policy_rules import read
from model.closure.reading import items, mapping
from model.closure.things import Held
from model.tree import Chart, documents

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod")
ENVOY = "gateway-helm"
"""The chart whose controller makes a gateway's pods, in its own namespace (Envoy Gateway, "Deployment Mode")."""
ENVOY_LABELS = {
    "app.kubernetes.io/name": "envoy",
    "app.kubernetes.io/component": "proxy",
    "app.kubernetes.io/managed-by": "envoy-gateway",
}
"""envoyproxy/gateway, internal/infrastructure/kubernetes/proxy/resource.go."""
DNS = Pods("CoreDNS", "kube-system", {"k8s-app": "kube-dns"}, {"dns": 53, "dns-tcp": 53, "metrics": 9153})
"""Talos' own: its manifest's labels and ports."""

FLUX_POLICIES = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: allow-egress }
spec: { podSelector: {}, policyTypes: [Ingress, Egress], egress: [{}], ingress: [{ from: [{ podSelector: {} }] }] }
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: allow-scraping }
spec:
  podSelector: {}
  policyTypes: [Ingress]
  ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 8080 }] }]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: allow-webhooks }
spec:
  podSelector: { matchLabels: { app: notification-controller } }
  policyTypes: [Ingress]
  ingress: [{ from: [{ namespaceSelector: {} }] }]
"""
"""What Flux' instance writes with `cluster.networkPolicy` (fluxcd/flux2, manifests/policies)."""


@dataclass(frozen=True)
class Traffic:
    """Who may be sent what on one cluster, as far as its folders tell."""

    graph: Graph

    @cached_property
    def ground(self) -> Ground:
        """Every policy, the charts' known ones included, and the namespaces' labels."""
        objects = list(self.objects())
        labels = {
            held.name: {str(key): str(value) for key, value in mapping(_metadata(held.body).get("labels")).items()}
            for held in objects
            if held.kind == "Namespace"
        }
        found = [one for held in objects for one in read(held.kind, held.namespace, held.file, held.body)]
        charts = [(file, chart) for app in self.graph.apps for file, chart in app.charts]
        return Ground((*found, *(one for file, chart in charts for one in _of_a_chart(file, chart))), labels)

    @cached_property
    def pods(self) -> tuple[Pods, ...]:
        """The pods of every workload in the folders."""
        found = ((held, _template(held)) for held in self.objects() if held.kind in WORKLOADS)
        return tuple(_pods(held, template) for held, template in found if template)

    @cached_property
    def callers(self) -> tuple[Pods, ...]:
        """Pods that the API server lets do something, by a binding of their account: they ask it."""
        bound = {
            (str(one.get("namespace") or held.namespace), str(one.get("name")))
            for held in self.objects()
            if held.kind in ("RoleBinding", "ClusterRoleBinding")
            for one in map(mapping, items(held.body.get("subjects")))
        }
        found = ((held, _template(held)) for held in self.objects() if held.kind in WORKLOADS)
        return tuple(
            _pods(held, template)
            for held, template in found
            if (held.namespace, str(mapping(template.get("spec")).get("serviceAccountName") or "default")) in bound
        )

    @cached_property
    def charted(self) -> tuple[tuple[str, Pods, Chart], ...]:
        """(file, pods, chart) of every chart: its pods are there, and nobody here knows their labels."""
        return tuple(
            (file, Pods(f"the pods of chart {chart.name}", chart.namespace, None, None), chart)
            for app in self.graph.apps
            for file, chart in app.charts
            if chart.name not in WITHOUT_PODS and chart.namespace
        )

    def objects(self) -> Iterator[Held]:
        """Every object that is no patch."""
        return (held for app in self.graph.apps for held in app.objects if not held.patch)

    def gateway(self, namespace: str, name: str) -> Peer:
        """Who sends what a Gateway lets in: Envoy's pods, beside their controller or, where it says so, beside the
        Gateway; Cilium's own proxy where no chart of Envoy Gateway is."""
        for app in self.graph.apps:
            for _, chart in app.charts:
                if chart.name == ENVOY:
                    told: object = chart.values
                    for key in ("config", "envoyGateway", "provider", "kubernetes", "deploy"):
                        told = mapping(told).get(key)
                    where = namespace if mapping(told).get("type") == "GatewayNamespace" else chart.namespace
                    owner = "gateway.envoyproxy.io/owning-gateway-"
                    labels = {**ENVOY_LABELS, f"{owner}name": name, f"{owner}namespace": namespace}
                    return Pods(f"Envoy of {namespace}/{name}", where, labels, {})
        return "ingress"

    def behind(self, namespace: str, service: str, port: int | str | None) -> Iterator[tuple[Pods, Port]]:
        """The pods that a Service leads to from one of its ports, with the pods' own port.

        A Service that is not in the folders is a chart's: its pods' labels and port are not known. One without
        selector, or that selects nobody, has none.
        """
        own = next(
            (one for one in self.objects() if (one.kind, one.namespace, one.name) == _key(namespace, service)), None
        )
        if own is None:
            yield Pods(f"the pods of Service {namespace}/{service}", namespace, None, None), Port(None)
            return
        spec = mapping(own.body.get("spec"))
        asked = mapping(spec.get("selector"))
        entry = next(
            (one for one in map(mapping, items(spec.get("ports"))) if port in (one.get("port"), one.get("name"))), {}
        )
        target = entry.get("targetPort") or entry.get("port")
        chosen = [
            one
            for one in self.pods
            if one.namespace == namespace and asked and asked.items() <= (one.labels or {}).items()
        ]
        for pods in chosen:
            number = (pods.ports or {}).get(target) if isinstance(target, str) else target
            yield pods, Port(number if isinstance(number, int) else None, str(entry.get("protocol") or "TCP"))

    def reached(self, gateway: tuple[str, str], namespace: str, service: str, port: int | str | None) -> Verdict:
        """Whether a gateway's requests get through to a Service's pods, and by which policy, or which denies them.

        `gateway` is (namespace, name), `port` one of the Service's, by number or name. The worst answer of all pods
        behind it: denied before not known before passing.
        """
        source = self.gateway(*gateway)
        found = [verdict(self.ground, source, pods, at) for pods, at in self.behind(namespace, service, port)]
        order = (False, None, True)
        return min(found, key=lambda one: order.index(one.passes)) if found else Verdict(True, "no pods are there")


WITHOUT_PODS = frozenset(("flux-instance", "prometheus-operator-crds", "rook-ceph-cluster"))
"""Charts that put no pods of their own into their namespace, or only by an operator elsewhere."""


def _key(namespace: str, name: str) -> tuple[str, str, str]:
    return ("Service", namespace, name)


def _of_a_chart(file: str, chart: Chart) -> Iterator[Policy]:
    """The policies of a chart that are known: Flux' own."""
    told = mapping(mapping(mapping(chart.values.get("instance")).get("cluster")))
    if chart.name == "flux-instance" and told.get("networkPolicy", True) is True:
        for body in documents(FLUX_POLICIES):
            yield from read("NetworkPolicy", chart.namespace, file, body)


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(body.get("metadata"))


def _template(held: Held) -> Mapping[str, Any]:
    """The pod that a workload makes; empty for none."""
    if held.kind == "Pod":
        return held.body
    spec = mapping(held.body.get("spec"))
    inner = mapping(mapping(spec.get("jobTemplate")).get("spec")) if held.kind == "CronJob" else spec
    return mapping(inner.get("template"))


def _pods(held: Held, template: Mapping[str, Any]) -> Pods:
    spec = mapping(template.get("spec"))
    labels = {str(key): str(value) for key, value in mapping(_metadata(template).get("labels")).items()}
    ports = {
        str(one.get("name")): one["containerPort"]
        for container in (*items(spec.get("containers")), *items(spec.get("initContainers")))
        for one in map(mapping, items(mapping(container).get("ports")))
        if one.get("name") and isinstance(one.get("containerPort"), int)
    }
    host = spec.get("hostNetwork") is True
    return Pods(f"{held.kind} {held.namespace}/{held.name}", held.namespace, labels, ports, host)
