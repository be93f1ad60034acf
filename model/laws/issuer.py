"""Laws of how Let's Encrypt is reached: cert-manager may go out to it, and asks outside whether its proof stands.

Owns cert-manager's policies and values where `edge.certificates` means Let's Encrypt. Refuses the issuer's own words
and the certificate's (`edge_folders`).
"""

from collections.abc import Iterator
from ipaddress import ip_address

from model.closure.policies import Pods, Port, verdict
from model.closure.reading import items, said
from model.closure.workloads import Traffic
from model.environment import Environment
from model.laws.closure import UNREADABLE, place
from model.laws.edge_folders import arda
from model.laws.registry import Breach, tree_law
from model.tree import Chart, Tree

SERVERS, ONLY = "dns01RecursiveNameservers", "dns01RecursiveNameserversOnly"
"""cert-manager's values: whom it asks whether its record stands, and that it asks nobody else."""
_FIRST = (*UNREADABLE, "edge-cluster-missing", "edge-certificates-zone")


def _charts(env: Environment, tree: Tree) -> Iterator[tuple[str, Chart]]:
    """(file, chart) of every cert-manager that asks Let's Encrypt for the gateways' certificate."""
    wanted, graph = env.edge.certificates, arda(env, tree)
    if wanted and wanted.issuer == "letsencrypt" and graph:
        for app in graph.apps:
            yield from ((file, chart) for file, chart in app.charts if chart.name == "cert-manager")


@tree_law("policy-issuer", unless=_FIRST)
def issuer_is_reached(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where cert-manager's namespace is closed on the way out, it may still ask Let's Encrypt, at port 443, and the
    resolvers that say whether its proof stands, at 53: else nothing is ever issued."""
    graph = arda(env, tree)
    if graph is None:
        return
    for _, chart in _charts(env, tree):
        ground, pods = Traffic(graph).ground, Pods("cert-manager", chart.namespace, None, None)
        for port, whom in ((Port(443), "Let's Encrypt"), *((port, "resolvers outside") for port in _asked(chart))):
            found = verdict(ground, pods, "world", port)
            if found.passes is False:
                message = f"cert-manager may not ask {whom} at {port.protocol} {port.number}: {found.why}"
                hint = f"add gitops/shared/policies/internet to a kustomization with namespace: {chart.namespace}"
                yield Breach("edge.certificates.issuer", message[:239], hint, place(graph))
                break


def _asked(chart: Chart) -> tuple[Port, ...]:
    """Ports at which it asks outside for names: none where each of its resolvers is on the LAN, and it asks only those.
    Without any it asks the domain's own servers, which are Cloudflare's."""
    told = _servers(chart)
    inside = told and all(_private(one) for one in told) and _only(chart)
    return () if inside else (Port(53, "UDP"), Port(53, "TCP"))


def _servers(chart: Chart) -> list[str]:
    flag = next((one for one in _flags(chart) if one.startswith("--dns01-recursive-nameservers=")), "")
    told = str(chart.values.get(SERVERS) or flag.partition("=")[2])
    return [one.strip() for one in told.split(",") if one.strip()]


def _only(chart: Chart) -> bool:
    flags = ("--dns01-recursive-nameservers-only", "--dns01-recursive-nameservers-only=true")
    return chart.values.get(ONLY) is True or any(one in flags for one in _flags(chart))


def _flags(chart: Chart) -> list[str]:
    return [str(one) for one in items(chart.values.get("extraArgs"))]


def _private(server: str) -> bool:
    host = server.rpartition(":")[0] or server
    try:
        return ip_address(host.strip("[]")).is_private
    except ValueError:
        return False  # by a name or over HTTPS: outside


@tree_law("gitops-issuer-resolvers", unless=_FIRST)
def proof_is_looked_for_outside(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where somebody on the LAN answers for the domain, cert-manager asks outside whether its proof stands: the LAN's
    answer has no such record, and Let's Encrypt is never told to look."""
    inside = env.edge.dns.inside
    for file, chart in _charts(env, tree) if inside else ():
        servers, only = _servers(chart), _only(chart)
        if not servers or not only:
            lacks = f"{SERVERS} and {ONLY}" if not servers and not only else SERVERS if not servers else ONLY
            message = f"{said(env, file)} does not set {lacks}: cert-manager looks for its proof on the LAN"
            hint = f'set {SERVERS}: "1.1.1.1:53,9.9.9.9:53" and {ONLY}: true'
            yield Breach("edge.certificates.issuer", message[:239], hint, "edge.dns.inside")
