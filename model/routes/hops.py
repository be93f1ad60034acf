"""What stands between the tunnel and a gateway: a reverse proxy of the folders that passes TLS on unread.

Owns finding it by its address, and where its configuration passes requests to. Refuses any proxy but nginx: another's
configuration is not seen.
"""

import re
from collections.abc import Iterator, Mapping

from model.closure.graph import Graph, called
from model.closure.reading import said
from model.environment import Environment
from model.routes.applied import Applied, text
from model.routes.things import Gap, Link
from model.tree import Tree

_PINS = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
_PASSED = re.compile(r"^\s*proxy_pass\s+(?:https?://)?([0-9.]+)(?::\d+)?\s*;", re.MULTILINE)


Passed = Mapping[str, tuple[tuple[str, str], ...]]
"""App → (file, address) of every address that its nginx passes requests to."""


def link(env: Environment, objects: tuple[Applied, ...], passed: Passed, name: str, gateway: str) -> Link:
    """The link of a hop that should pass on to the gateway's address."""
    address = str(env.edge.hops[name].address)
    holder = next((one for one in objects if _holds(one, address)), None)
    path = f"edge.hops.{name}"
    if holder is None:
        message = f"the tunnel goes through {name} at {address}, and no Service of the folders has that address"
        hint = f"pin a Service there with lbipam.cilium.io/ips: {address}, or drop via from edge.tunnel"
        return Link(
            "hop", f"{name} at {address}: nothing is there", path, Gap("route-hop-missing", path, message, hint)
        )
    led = {one: file for file, one in passed.get(holder.app, ())}
    told = f"{name} at {address}, Service {holder.held.namespace}/{holder.held.name}"
    if not led:
        return Link("hop", f"{told}: where it passes on is not seen here", holder.held.file)
    if set(led) != {gateway}:
        wrong = next(one for one in led if one != gateway)
        whose = next((each for each, one in env.edge.gateways.items() if str(one.address) == wrong), None)
        message = (
            f"{said(env, led[wrong])}: {name} passes on to {wrong} ({whose or 'no gateway'}), and not to {gateway}"
        )
        if whose and env.edge.gateways[whose].audience == "lan":
            message += ": what is the LAN's alone would be open to the internet"
        gap = Gap("route-hop-astray", path, message, f"let it pass on to {gateway}", "edge.tunnel.gateway")
        return Link("hop", f"{told}, passes on to {wrong}", led[wrong], gap)
    return Link("hop", f"{told}, passes on to {gateway}", led[gateway])


def _holds(one: Applied, address: str) -> bool:
    pinned = [one.annotations[key] for key in _PINS if key in one.annotations]
    stated = [*",".join(pinned).replace(" ", "").split(","), text(one.spec.get("loadBalancerIP"))]
    return one.held.kind == "Service" and address in stated


def passed(graph: Graph, tree: Tree) -> Passed:
    """Where the nginx of each app passes requests to, by the configurations that its folder reads."""
    return {called(app): found for app in graph.apps if (found := tuple(_passed(app.files, tree)))}


def _passed(files: frozenset[str], tree: Tree) -> Iterator[tuple[str, str]]:
    for file in sorted(files):
        for one in dict.fromkeys(_PASSED.findall(tree.get(file, ""))):
            yield file, one
