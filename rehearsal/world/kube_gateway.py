"""Gateways: who serves them, and which address they get on the network.

Owns what Envoy Gateway's controller makes of classes, gateways and routes, and that Cilium's LB IPAM gives each its
address. It refuses to own the objects themselves, who announces an address (``kube_announce``), and public names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from rehearsal.world import kube_announce, kube_helm, kube_pods
from rehearsal.world.kube_charts import value
from rehearsal.world.kube_cluster import Body, Cluster
from rehearsal.world.kube_judge import matches

_CONTROLLERS = {
    "gateway.envoyproxy.io/gatewayclass-controller": ("gateway-helm", None),
    "io.cilium/gateway-controller": ("cilium", "gatewayAPI.enabled"),
}
"""Controller name → the chart it runs from, and the value that switches it on."""
_IN_USE = "gateway-exists-finalizer.gateway.networking.k8s.io"
"""Its controller holds a class while a gateway is of it (Gateway API, GatewayClass)."""
PINNED = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
"""Annotations by which a Service asks Cilium for its addresses."""


def keep_gateways(cluster: Cluster) -> None:
    """Controller: classes, gateways, routes, in this order; each gets its conditions."""
    for found in cluster.objects("GatewayClass"):
        refused = _unaccepted(cluster, found)
        _tell(cluster, found, "Accepted", refused)
        if refused is None:
            named = [each["spec"]["gatewayClassName"] for each in cluster.objects("Gateway")]
            cluster.hold(found, _IN_USE, held=found["metadata"]["name"] in named)
    taken: dict[str, str] = {}
    # An address once given is kept: those who have one are served first
    for found in sorted(cluster.objects("Gateway"), key=lambda each: not each.get("status", {}).get("addresses")):
        name = f"{found['metadata']['namespace']}/{found['metadata']['name']}"
        trouble = _unprogrammed(cluster, found)
        address = None if trouble else _address(cluster, found, taken)
        if address and not isinstance(address, str):
            trouble = address.args[0]
        elif isinstance(address, str):
            taken[address] = name
        _tell(cluster, found, "Programmed", trouble)
        if not trouble:
            found["status"]["addresses"] = [{"type": "IPAddress", "value": address}]
        found["status"]["listeners"] = [_listener(cluster, found, each) for each in found["spec"]["listeners"]]
    for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"):
        for found in cluster.objects(kind):
            _tell(cluster, found, "Accepted", _unattached(cluster, found))


def trouble_of(found: Body) -> str | None:
    """Why a class, gateway or route does not serve, ``None`` when it does."""
    for condition in found.get("status", {}).get("conditions", []):
        if condition["status"] == "False":
            return f"{condition['type']} is False: {condition['reason']}: {condition['message']}"
    return None


def waits_for(found: Body) -> list[str]:
    """What a gateway's listeners wait for, as ``HTTPS waits for Secret networking/wildcard-tls``: each thing once."""
    said = []
    protocols = {each["name"]: each["protocol"] for each in found["spec"]["listeners"]}
    for listener in (found.get("status") or {}).get("listeners") or ():
        for condition in listener["conditions"]:
            if condition["status"] == "False":
                said.append(f"{protocols[listener['name']]} waits for {condition['message']}")
    return list(dict.fromkeys(said))


def _listener(cluster: Cluster, found: Body, listener: Body) -> Body:
    """The state of one listener: one without its certificate is left out, and the others of its gateway serve."""
    missing = []
    for reference in (listener.get("tls") or {}).get("certificateRefs") or ():
        place = reference.get("namespace") or found["metadata"]["namespace"]
        if cluster.get("Secret", place, reference["name"]) is None:
            missing.append(f"Secret {place}/{reference['name']}")
    resolved = {"type": "ResolvedRefs", "status": str(not missing), "message": ", ".join(missing)}
    reason = "InvalidCertificateRef" if missing else "ResolvedRefs"
    return {"name": listener["name"], "conditions": [resolved | {"reason": reason}]}


def _tell(cluster: Cluster, found: Body, kind: str, trouble: tuple[str, str] | str | None) -> None:
    reason, message = trouble if isinstance(trouble, tuple) else (kind, str(trouble or f"{found['kind']} is ready"))
    if isinstance(trouble, str):
        reason = "AddressNotUsable"
    condition = {"type": kind, "status": str(trouble is None), "reason": reason, "message": message}
    cluster.set_status(found, {"conditions": [condition]})


def _unaccepted(cluster: Cluster, found: Body) -> tuple[str, str] | None:
    chart, switch = _CONTROLLERS.get(found["spec"]["controllerName"], (None, None))
    release = kube_helm.stands(cluster, chart) if chart else None
    if release is None or (switch and not value(release["values"], switch, False)):
        return "Pending", f"Waiting for controller {found['spec']['controllerName']}"
    parameters = found["spec"].get("parametersRef")
    if parameters and cluster.get(parameters["kind"], parameters.get("namespace"), parameters["name"]) is None:
        return "InvalidParameters", f"{parameters['kind']} {parameters['name']} not found"
    return None


def _unprogrammed(cluster: Cluster, found: Body) -> tuple[str, str] | None:
    name = found["spec"]["gatewayClassName"]
    accepted = cluster.get("GatewayClass", None, name)
    if accepted is None:
        return "Pending", f"Waiting for controller: GatewayClass {name} does not exist"
    if trouble_of(accepted):
        return "Pending", f"GatewayClass {name}: {trouble_of(accepted)}"
    parameters = (found["spec"].get("infrastructure") or {}).get("parametersRef")
    namespace = found["metadata"]["namespace"]
    if parameters and cluster.get(parameters["kind"], namespace, parameters["name"]) is None:
        return "InvalidParameters", f"{parameters['kind']} {namespace}/{parameters['name']} not found"
    stuck = kube_pods.unschedulable(cluster)
    return ("NoResources", f"envoy: {stuck}") if stuck else None


def _address(cluster: Cluster, found: Body, taken: dict[str, str]) -> str | LookupError:
    """The address that the gateway's LoadBalancer Service gets, or why it gets none."""
    pools = cluster.objects("CiliumLoadBalancerIPPool")
    usable = [pool for pool in pools if not pool["spec"].get("disabled")]
    wanted = pinned(found)
    if wanted is None:
        free = (address for pool in usable for address in addresses_of(pool) if address not in taken)
        wanted = next(free, None)
        if wanted is None:
            return LookupError("no address is left: no CiliumLoadBalancerIPPool has a free one")
    elif not any(holds(pool, wanted) for pool in usable):
        return LookupError(f"{wanted} lies in no CiliumLoadBalancerIPPool")
    elif wanted in taken:
        return LookupError(f"{wanted} is already given to {taken[wanted]}")
    unheard = kube_announce.unannounced(cluster, _labels(found))
    return LookupError(f"{wanted} is given out but nobody announces it: {unheard}") if unheard else wanted


def _labels(found: Body) -> dict[str, str]:
    """The labels of the LoadBalancer Service that Envoy Gateway makes for a gateway."""
    owner = "gateway.envoyproxy.io/owning-gateway"
    given = (found["spec"].get("infrastructure") or {}).get("labels") or {}
    metadata = found["metadata"]
    return {f"{owner}-name": metadata["name"], f"{owner}-namespace": metadata["namespace"], **given}


def pinned(found: Body) -> str | None:
    """The address that a gateway asks for."""
    annotations = (found["spec"].get("infrastructure") or {}).get("annotations") or {}
    for name in PINNED:
        if annotations.get(name):
            return str(annotations[name]).split(",")[0].strip()
    for each in found["spec"].get("addresses") or ():
        return str(each["value"])
    return None


def _blocks(pool: Body) -> Iterator[tuple[int, int]]:
    for block in pool["spec"].get("blocks") or ():
        if block.get("cidr"):
            network = ipaddress.ip_network(block["cidr"], strict=False)
            yield int(network.network_address), int(network.broadcast_address)
        else:
            yield (
                int(ipaddress.ip_address(block["start"])),
                int(ipaddress.ip_address(block.get("stop", block["start"]))),
            )


def holds(pool: Body, address: str) -> bool:
    """Whether ``address`` lies in a CiliumLoadBalancerIPPool."""
    try:
        number = int(ipaddress.ip_address(address))
    except ValueError:
        return False
    return any(first <= number <= last for first, last in _blocks(pool))


def addresses_of(pool: Body) -> Iterator[str]:
    """Every address of a CiliumLoadBalancerIPPool, in its order."""
    for first, last in _blocks(pool):
        yield from (str(ipaddress.ip_address(number)) for number in range(first, last + 1))


def _unattached(cluster: Cluster, found: Body) -> tuple[str, str] | None:
    for parent in found["spec"].get("parentRefs") or ():
        namespace = parent.get("namespace", found["metadata"]["namespace"])
        gateway = cluster.get("Gateway", namespace, parent["name"])
        if gateway is None:
            return "NoMatchingParent", f"Gateway {namespace}/{parent['name']} does not exist"
        listeners = [each for each in gateway["spec"]["listeners"] if parent.get("sectionName") in (None, each["name"])]
        if not listeners:
            return "NoMatchingParent", f"Gateway {parent['name']} has no listener {parent['sectionName']}"
        if not any(_allows(cluster, each, found, namespace) for each in listeners):
            return "NotAllowedByListeners", f"no listener of {parent['name']} allows routes of this namespace"
    return None


def _allows(cluster: Cluster, listener: Body, route: Body, gateways: str) -> bool:
    allowed = ((listener.get("allowedRoutes") or {}).get("namespaces") or {}).get("from", "Same")
    namespace = route["metadata"]["namespace"]
    if allowed == "Selector":
        found = cluster.get("Namespace", None, namespace) or {"metadata": {}}
        selector = listener["allowedRoutes"]["namespaces"].get("selector")
        return matches(selector, found["metadata"].get("labels") or {})
    return allowed == "All" or namespace == gateways
