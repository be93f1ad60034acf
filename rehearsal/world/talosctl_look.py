"""What talosctl shows of a node.

Owns the printed forms (Talos 1.12, ``cmd/talosctl/cmd/talos``). It refuses to change anything.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from rehearsal.world import talos_upgrade
from rehearsal.world.host_tools import Failed, Result
from rehearsal.world.talos_node import Node
from rehearsal.world.talosctl import Asked, Command, program


def member_id(hostname: str) -> str:
    """Etcd's id of a member, as ``talosctl`` prints it."""
    return hashlib.sha256(hostname.encode()).hexdigest()[:16]


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows as Go's tabwriter prints them: columns padded to the widest, three spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _version(asked: Asked) -> Result:
    release, short = program(asked.call), "short" in asked.options
    said = f"Client:\nTalos {release}\n" if short else f"Client:\n\tTag:         {release}\n"
    if "client" in asked.options:
        return Result(said)
    said += "Server:\n"
    for address, node in asked.each():
        said += f"\tNODE:        {address}\n\tTag:         {talos_upgrade.runs(node.record).version}\n"
    return Result(said)


def _get(asked: Asked) -> Result:
    """``get extensionstatus``: the extensions of what runs, the schematic's own id among them; or a node's stage."""
    if (asked.words, asked.options.get("output")) == (["machinestatus"], "jsonpath={.spec.stage}"):
        return Result("".join(f"{asked.call.world.talos.stage(node)}\n" for _, node in asked.each()))
    if asked.words not in (["extensionstatus"], ["extensionstatuses"], ["extensions"]) or asked.options.get("output"):
        raise Failed(f"the rack's talosctl was not taught to get {' '.join(asked.words)} in this form")
    rows = [("NODE", "NAMESPACE", "TYPE", "ID", "VERSION", "NAME", "VERSION")]
    warned = ""
    for address, node in asked.each():
        release, here = talos_upgrade.runs(node.record).version, str(program(asked.call))
        if talos_upgrade.order(release) < talos_upgrade.order(here):
            warned = f"WARNING: {address}: server version {release} is older than client version {here}\n"
        for number, (name, value) in enumerate(talos_upgrade.extensions(asked.call.world, node.record)):
            rows.append((address, "runtime", "ExtensionStatus", str(number), "1", name, value))
    return Result(table(rows), warned)


def _etcd_members(asked: Asked) -> Result:
    rows = [("NODE", "ID", "HOSTNAME", "PEER URLS", "CLIENT URLS", "LEARNER")]
    for address, node in asked.each():
        cluster = of_etcd(asked, node)
        for hostname in cluster["members"]:
            at = _address(asked, cluster, hostname)
            learner = str(hostname in cluster.get("learners", ())).lower()
            row = (address, member_id(hostname), hostname, f"https://{at}:2380", f"https://{at}:2379", learner)
            rows.append(row)
    return Result(table(rows))


def of_etcd(asked: Asked, node: Node) -> dict[str, list[str]]:
    """The cluster of a control plane whose etcd answers. ``Failed`` in Talos' words when it does not."""
    if node.kind != "controlplane":
        raise Failed("rpc error: code = Unimplemented desc = etcd API is only available on control plane nodes")
    talos = asked.call.world.talos
    cluster = talos.clusters.get(node.authority)
    if cluster is None or node.hostname not in cluster["members"]:
        raise Failed("rpc error: code = Unknown desc = failed to create etcd client: no etcd endpoints available")
    if not talos.is_up(node.authority):
        raise Failed("rpc error: code = Unknown desc = failed to list etcd members: context deadline exceeded")
    return cluster


def _address(asked: Asked, cluster: dict[str, list[str]], hostname: str) -> str:
    found: Iterator[Node] = (each for each in asked.call.world.talos.nodes() if each.hostname == hostname)
    return next((str(each.record["installed_address"]) for each in found), f"unknown-of-{cluster['members']}")


def _service(asked: Asked) -> Result:
    """``service etcd``: running and healthy where it is a member of an etcd that has a majority."""
    if asked.words != ["etcd"]:
        raise Failed("the rack's talosctl was taught about the service etcd only")
    said = ""
    for address, node in asked.each():
        if node.kind != "controlplane":
            raise Failed('rpc error: code = Unknown desc = service "etcd" is not registered')
        cluster = asked.call.world.talos.clusters.get(node.authority) or {"members": []}
        well = node.hostname in cluster["members"] and asked.call.world.talos.is_up(node.authority)
        health = "OK" if well else "Fail"
        said += f"NODE     {address}\nID       etcd\nSTATE    Running\nHEALTH   {health}\n"
    return Result(said)


def _kubeconfig(asked: Asked) -> Result:
    if asked.words != ["-"]:
        raise Failed("the rack's talosctl writes a kubeconfig to standard output only (kubeconfig -)")
    if len(asked.nodes) != 1:
        raise Failed("command is not supported with multiple nodes")
    found = asked.call.world.talos.kubeconfig(asked.nodes[0], asked.endpoints[0], asked.client)
    return Result(str(found["raw"]))


COMMANDS: dict[str, Command] = {
    "version": Command(_version, {"client": False, "short": False}),
    "get": Command(_get, {"output": True, "namespace": True}),
    "etcd members": Command(_etcd_members),
    "service": Command(_service),
    "kubeconfig": Command(_kubeconfig),
}
