"""What an edit does beside the Talos machines: names, boot files, gateways, the seeds of GitOps, the Pis.

Owns those as logical names of resources, the words that `pulumi preview` lists them by; a test holds them to the
graph. Refuses Talos' machines, which are `impact`'s.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from model.edge_plan import EdgePlan
from model.gitops import GitopsClusterPlan
from model.laws.words import listed
from model.plan import Plan
from render import argocd, boot_files, manifests
from render.tunnel import ingress


@dataclass(frozen=True)
class Effect:
    """One resource that comes, changes or goes."""

    kind: Literal["added", "changed", "removed"]
    resource: str
    """Its logical name."""
    before: str
    """What of it is worth showing; empty where it was not, or a file's name says enough."""
    after: str


def effects(before: Plan, after: Plan) -> tuple[Effect, ...]:
    """Every such resource whose content differs, sorted by name."""
    old, new = contents(before), contents(after)
    found = []
    for name in sorted({*old, *new}):
        was, will = old.get(name), new.get(name)
        if was != will:
            kind: Literal["added", "changed", "removed"] = "added" if was is None else "changed"
            found.append(Effect("removed" if will is None else kind, name, *_shown(was, will)))
    return tuple(found)


def contents(decided: Plan) -> dict[str, Mapping[str, Any]]:
    """Logical name → what its resource is made of, as far as the plan alone decides it."""
    found: dict[str, Mapping[str, Any]] = dict(_network(decided)) | dict(_pis(decided))
    found |= dict(_edge(decided.edge))
    if decided.cluster and decided.cni:
        found |= {f"cilium-{key}": body for key, body in manifests.announced(decided.cluster).items()}
        if decided.gateway_controller:
            space = decided.gateway_controller.namespace
            found["edge-envoy-proxy"] = manifests.envoy_proxy(space, announced=decided.edge.announced)
            for gateway in decided.edge.gateways:
                body = manifests.gateway(gateway, decided.gateway_controller.namespace)
                found[f"edge-gateway-{gateway.name}"] = body
                found[f"edge-redirect-{gateway.name}"] = {"gateway": gateway.name}
    if decided.cluster:
        found |= {f"arda-image-{image.hardware}": {"schematic": image.schematic_id} for image in decided.cluster.images}
    for one in decided.gitops:
        found |= dict(_seeds(one))
    return found


def _network(decided: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The files exist where there is a bootstrap cluster that serves them."""
    if decided.bootstrap:
        yield from ((f"ea-files-{key}", files) for key, files in boot_files.published(decided).items())


def _pis(decided: Plan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """By what brings each the release of k3s, in the order in which they get it."""
    if decided.bootstrap:
        for node in (*decided.bootstrap.valar, *decided.bootstrap.maiar):
            what = "server" if node.first else "join"
            yield f"ainur-{what}-{node.name}", {"release": f"k3s {decided.bootstrap.k3s}"}


def _edge(edge: EdgePlan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if edge.zone_id is None:
        return
    for record in edge.records:
        to = "the tunnel" if record.tunnel else record.content
        key = record.name.replace("*", "wildcard").replace(".", "-")
        through = ", proxied" if record.proxied else ""
        yield f"edge-record-{key}", {"is": f"{record.name} {record.type} {to}{through}"}
    if edge.tunnel:
        yield f"edge-tunnel-{edge.tunnel.name}", {"name": edge.tunnel.name}
        yield f"edge-tunnel-rules-{edge.tunnel.name}", {"ingresses": ingress(edge.tunnel)}


def _seeds(one: GitopsClusterPlan) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if one.engine != "argocd":
        return
    for category, folder in one.categories:
        yield f"gitops-project-{one.cluster}-{category}", argocd.project(one, category)
        yield f"gitops-apps-{one.cluster}-{category}", argocd.application_set(one, category, folder)


def _shown(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[str, str]:
    """Where both are, the entries that differ; of files that differ the names."""
    old, new = before or {}, after or {}
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if any("\n" in str(side.get(name, "")) for side in (old, new) for name in names):
        return "", f"other text: {listed(names, 3)}"
    return _text(old, names), _text(new, names)


def _text(side: Mapping[str, Any], names: list[str]) -> str:
    return ", ".join(str(side[name]) for name in names if isinstance(side.get(name), str | int))
