"""Who gets through to a machine's Talos API.

Owns dialling: which machine answers at an address, maintenance mode or mutual TLS, and what one machine passes on to
another. It refuses to own what is then asked of the machine (``talos``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.world.errors import Refusal, Retried
from rehearsal.world.talos_node import Node
from rehearsal.world.talos_secrets import expires

if TYPE_CHECKING:
    from rehearsal.world.talos import Talos

Client = dict[str, str]
"""A client's credentials: ``{caCertificate, clientCertificate, clientKey}``, PEM in base64."""
_PORTS = ("", "50000")


def grpc_error(code: str, text: str, *, retried: bool = False) -> Refusal:
    """A Talos node's answer that is no, in gRPC's words."""
    return (Retried if retried else Refusal)(f"rpc error: code = {code} desc = {text}")


def dial(talos: Talos, node: str, endpoint: str | None, client: Client | None) -> Node:
    """The machine that ``node`` is, reached over ``endpoint``; ``Refusal`` in gRPC's words."""
    first = _answering(talos, endpoint or node)
    if not first.running:
        if (endpoint or node).partition(":")[0] != node:
            raise grpc_error("Unavailable", f"{node}: a machine in maintenance mode passes nothing on", retried=True)
        return first
    _handshake(talos, first, client)
    if first.record["address"] == node or first.vip == node:
        return first
    if first.kind == "worker":
        raise grpc_error("PermissionDenied", f"{first.machine.name} is a worker: it passes nothing on", retried=True)
    other = _answering(talos, node)
    if not other.running or other.authority != first.authority:
        raise grpc_error("Unavailable", f"error dialing {node}: authentication handshake failed", retried=True)
    return other


def _answering(talos: Talos, target: str) -> Node:
    address, _, port = target.partition(":")
    machines = talos.world.machines
    name = machines.at(address) if port in _PORTS else None
    if name is None:
        leaders = [each for each in talos.nodes() if each.vip == address and talos.is_up(each.authority)]
        name = leaders[0].machine.name if leaders else None
    if name is not None and machines.records[name]["stage"] in ("maintenance", "running"):
        return talos.node(name)
    text = f'connection error: desc = "transport: Error while dialing: dial tcp {address}:{port or "50000"}: '
    raise grpc_error("Unavailable", f'{text}connect: no route to host" ({machines.explain(address)})', retried=True)


def _handshake(talos: Talos, node: Node, client: Client | None) -> None:
    error = 'connection error: desc = "transport: authentication handshake failed: '
    if not client or client["caCertificate"] != node.authority:
        error += 'tls: failed to verify certificate: x509: certificate signed by unknown authority"'
        raise grpc_error("Unavailable", error, retried=True)
    if client["clientCertificate"] not in talos.issued.get(node.authority, ()):
        raise grpc_error("Unavailable", f'{error}remote error: tls: unknown certificate authority"', retried=True)
    if expires(client["clientCertificate"]) < talos.world.now():
        raise grpc_error("Unavailable", f'{error}remote error: tls: expired certificate"', retried=True)
