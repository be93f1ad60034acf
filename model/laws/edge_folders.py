"""Laws of the edge's folders: what they say in plain words is what the stack file says.

Owns external-dns, k8s-gateway, the issuer, the wildcard certificate and Tailscale's routes, each held against
`edge`. Refuses routes (`routes`), and what the stack file says for itself (`edge`, `edge_ways`).
"""

from collections.abc import Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from model.closure.graph import Graph, called
from model.closure.reading import items, mapping, said
from model.closure.things import App
from model.edge import DNS_TOKEN_SECRET, PUBLISHED, WILDCARD_SECRET
from model.environment import Environment
from model.laws.cilium_values import shown
from model.laws.closure import UNREADABLE, graphs
from model.laws.edge import hostnames
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.routes.applied import Applied, applied
from model.tree import Tree

SHIPPED = "gitops/pitower/tower/networking"
"""Where the folders are to be had."""
SERVERS = {
    "production": "https://acme-v02.api.letsencrypt.org/directory",
    "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""Let's Encrypt's directories (its documentation, "ACME API endpoints")."""
ADDRESSES = ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips")
"""By which a Service asks Cilium for an address."""
FORWARDING = "service.cilium.io/forwarding-mode"
_FIRST = (*UNREADABLE, "edge-cluster-missing", "edge-pool-missing")


def arda(env: Environment, tree: Tree) -> Graph | None:
    """The graph of the cluster that has the gateways."""
    name = env.cluster.name if env.cluster else None
    return next((one for one in graphs(env, tree) if one.cluster == name), None)


def objects(graph: Graph | None, kind: str) -> list[Applied]:
    return [one for one in applied(graph) if one.held.kind.rpartition("/")[2] == kind] if graph else []


def _at(env: Environment, one: Applied) -> str:
    return said(env, one.held.file)


# external-dns


def _told(graph: Graph | None) -> Iterator[tuple[str, dict[str, str]]]:
    """(file, flag → value) of every external-dns: its container's arguments (external-dns, docs/flags.md)."""
    for one in objects(graph, "Deployment"):
        pod = mapping(mapping(one.spec.get("template")).get("spec"))
        for container in map(mapping, items(pod.get("containers"))):
            if "/external-dns:" in str(container.get("image", "")):
                split = (str(arg).removeprefix("--").partition("=") for arg in items(container.get("args")))
                yield one.held.file, {flag: value if equals else "true" for flag, equals, value in split}


def _wanted(env: Environment) -> Iterator[tuple[str, str, str]]:
    """(flag, value, path of what says so)."""
    chosen = "=".join(PUBLISHED)
    yield "provider", "cloudflare", "edge.cloudflare"
    yield "domain-filter", env.domain, "domain"
    yield "txt-owner-id", env.edge.dns.owner or env.name, "edge.dns.owner"
    yield "label-filter", chosen, "edge.dns.outside"
    yield "gateway-label-filter", chosen, "edge.dns.outside"
    yield "cloudflare-proxied", "true" if env.edge.proxied else "", f"edge.{env.edge.mode}"


@tree_law("gitops-external-dns-missing", unless=(*_FIRST, "edge-dns-outside"))
def external_dns_runs(env: Environment, tree: Tree) -> Iterator[Breach]:
    """One publishes the routes' names: external-dns where the stack file says so, and nobody else; where it says
    `program`, no external-dns that would write beside it."""
    graph = arda(env, tree)
    if graph is None:
        return
    found, wanted = list(_told(graph)), env.edge.dns.outside == "external-dns"
    if wanted and not found:
        message = f"external-dns is to publish the routes' names, and none runs on {graph.cluster}"
        yield Breach("edge.dns.outside", message, f"copy {SHIPPED}/external-dns, or set it to program")
    for file, _ in found[int(wanted) :]:
        message = f"{said(env, file)} runs an external-dns that the stack file knows nothing of"
        yield Breach(
            "edge.dns.outside", message, "leave its folder out, or set outside: external-dns; one writes a name"
        )


@tree_law("gitops-external-dns-parted", unless=(*_FIRST, "edge-dns-outside", "gitops-external-dns-missing"))
def external_dns_is_told_the_same(env: Environment, tree: Tree) -> Iterator[Breach]:
    """external-dns keeps to the lab's zone, its own mark and the labelled routes of public gateways, and proxies what
    comes in through Cloudflare: without a filter it would publish every name, also the LAN's."""
    for file, flags in _told(arda(env, tree)) if env.edge.dns.outside == "external-dns" else ():
        for flag, value, path in _wanted(env):
            given = flags.get(flag, "")
            if given != value:
                message = f"{said(env, file)} has --{flag}: {shown(given)}, and the stack file means {shown(value)}"
                mend = f"--{flag}={value}" if value != "true" else f"--{flag}"
                yield Breach(path, message, f"write {mend} there" if value else f"leave --{flag} out there")


@tree_law("gitops-name-owned", unless=_FIRST)
def names_have_one_owner(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No route that is labelled for external-dns has a name that this program writes: one of them would be refused."""
    if env.edge.dns.outside != "external-dns":
        return
    ours = dict(hostnames(env))
    for route in objects(arda(env, tree), "HTTPRoute"):
        if route.labels.get(PUBLISHED[0]) == PUBLISHED[1]:
            for name in sorted({str(one) for one in items(route.spec.get("hostnames"))} & set(ours)):
                message = f"{name} is this program's, and {_at(env, route)} has external-dns publish it, too"
                yield Breach(ours[name], message, f"leave the label {PUBLISHED[0]} out there, or the name here")


# certificates


@tree_law("gitops-issuer-missing", unless=(*_FIRST, "edge-certificates-zone"))
def issuer_is_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The issuer that the stack file names is among the cluster's. Where there is none at all, nobody makes the
    gateways' certificate (`gitops-gateway-certificate`)."""
    wanted, graph = env.edge.certificates, arda(env, tree)
    there = [one.held.name for one in objects(graph, "ClusterIssuer")]
    if wanted and graph and there and wanted.issuer not in there:
        message = f"{graph.cluster} has no ClusterIssuer {wanted.issuer}: nobody signs for the gateways"
        where = "gitops/turing/rk1/configs/lab-ca" if wanted.issuer == "lab-ca" else "gitops/pitower/tower/cert-manager"
        yield Breach("edge.certificates.issuer", message, f"copy it from {where}", f"gitops.clusters.{graph.cluster}")


@tree_law("gitops-issuer-parted", unless=(*_FIRST, "edge-certificates-zone", "edge-certificates-email"))
def issuer_is_what_is_said(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The issuer is the stack file's: its account, its server, and proof by a record, with the token handed to it."""
    wanted = env.edge.certificates
    for one in objects(arda(env, tree), "ClusterIssuer") if wanted else ():
        if wanted is None or one.held.name != wanted.issuer:
            continue
        if wanted.issuer == "lab-ca":
            if not mapping(one.spec.get("ca")).get("secretName"):
                message = f"{_at(env, one)} is no authority: lab-ca has no spec.ca.secretName"
                yield Breach("edge.certificates.issuer", message, "copy gitops/turing/rk1/configs/lab-ca")
            continue
        acme = mapping(one.spec.get("acme"))
        for key, value in (("email", wanted.email), ("server", SERVERS[wanted.server])):
            given = acme.get(key, "")
            if given != value:
                message = f"{_at(env, one)} has {key}: {shown(given)}, and the stack file means {shown(value)}"
                yield Breach(f"edge.certificates.{key}", message, f"write {key}: {value} there")
        if not any(_token(mapping(solver)) == DNS_TOKEN_SECRET for solver in items(acme.get("solvers"))):
            message = f"{_at(env, one)} proves the domain without the Secret {DNS_TOKEN_SECRET}"
            yield Breach("edge.certificates.issuer", message, "give it a solver dns01.cloudflare.apiTokenSecretRef")


def _token(solver: Mapping[str, Any]) -> str:
    cloudflare = mapping(mapping(solver.get("dns01")).get("cloudflare"))
    return str(mapping(cloudflare.get("apiTokenSecretRef")).get("name", ""))


@tree_law("gitops-certificate-parted", unless=_FIRST)
def wildcard_covers_the_domain(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The certificate that the gateways show is of the domain and of every name below, by the stack file's issuer."""
    wanted = env.edge.certificates
    for one in objects(arda(env, tree), "Certificate") if wanted else ():
        if wanted is None or one.spec.get("secretName") != WILDCARD_SECRET:
            continue
        names = {str(name) for name in items(one.spec.get("dnsNames"))}
        missed = [name for name in (env.domain, f"*.{env.domain}") if name not in names]
        if missed:
            yield Breach("domain", f"{_at(env, one)} is not of {listed(missed)}", "add it to its dnsNames")
        issuer = mapping(one.spec.get("issuerRef"))
        if (issuer.get("kind"), issuer.get("name")) != ("ClusterIssuer", wanted.issuer):
            message = (
                f"{_at(env, one)} is signed by {shown(issuer.get('name'))}, and the stack file means {wanted.issuer}"
            )
            hint = f"write issuerRef: {{ kind: ClusterIssuer, name: {wanted.issuer} }} there"
            yield Breach("edge.certificates.issuer", message, hint)


# names on the LAN


@tree_law("gitops-k8s-gateway-parted", unless=(*_FIRST, "edge-dns-inside", "edge-address-outside-pool"))
def resolver_answers_as_planned(env: Environment, tree: Tree) -> Iterator[Breach]:
    """k8s-gateway answers for the domain, at the address that dnsmasq or the router forwards it to."""
    inside, graph = env.edge.dns.inside, arda(env, tree)
    if inside is None or inside.by != "k8s-gateway" or graph is None:
        return
    app = next((one for one in graph.apps if one.name == "k8s-gateway"), None)
    if app is None:
        message = f"{inside.address} is forwarded to, and no k8s-gateway runs on {graph.cluster}"
        yield Breach("edge.dns.inside.by", message, f"copy {SHIPPED}/k8s-gateway, or set by: router")
        return
    asked = [address for one in objects(graph, "Service") if one.app == called(app) for address in _addresses(one)]
    if str(inside.address) not in asked:
        message = f"k8s-gateway asks for {listed(asked) or 'no address'}, and is asked at {inside.address}"
        hint = f"write {ADDRESSES[0]}: {inside.address} at its Service"
        yield Breach("edge.dns.inside.address", message, hint)
    if f"k8s_gateway {env.domain} " not in f"{_corefile(app, tree)} ":
        message = f"{said(env, app.folder)}/Corefile does not answer for {env.domain}"
        yield Breach("domain", message, f"write `k8s_gateway {env.domain} {{` there", "edge.dns.inside")


def _corefile(app: App, tree: Tree) -> str:
    return " ".join(tree.get(f"{app.folder}/Corefile", "").split())


def _addresses(one: Applied) -> list[str]:
    return [part.strip() for key in ADDRESSES for part in one.annotations.get(key, "").split(",") if part.strip()]


# the VPN


@tree_law("gitops-vpn-parted", unless=_FIRST)
def connector_advertises_the_routes(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Tailscale's subnet router advertises the stack file's routes, and no others."""
    graph = arda(env, tree)
    found = [mapping(one.spec.get("subnetRouter")).get("advertiseRoutes") for one in objects(graph, "Connector")]
    given = {str(route) for routes in found for route in items(routes)}
    wanted = {str(route) for route in env.edge.vpn.routes} if env.edge.vpn else set()
    if graph and given != wanted:
        message = f"the Connector on {graph.cluster} advertises {listed(sorted(given)) or 'nothing'}"
        means = listed(sorted(wanted)) or "no VPN"
        hint = f"write advertiseRoutes there as it is here; or copy {SHIPPED}/tailscale-operator"
        yield Breach("edge.vpn", f"{message}, and the stack file means {means}", hint)


@tree_law("gitops-vpn-direct", unless=(*_FIRST, "cluster-cni-dsr-vpn"))
def vpn_reaches_services(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Where nodes answer clients directly, a Service that the VPN makes reachable is the exception: an answer that goes
    past the subnet router is dropped. This program's gateways are so by themselves."""
    direct = env.cluster is not None and env.cluster.cni.load_balancer_mode != "snat"
    for one in objects(arda(env, tree), "Service") if direct and env.edge.vpn else ():
        reached = [each for each in _addresses(one) if _routed(env, each)]
        if reached and one.annotations.get(FORWARDING) != "snat":
            message = f"{_at(env, one)} at {reached[0]} answers past the VPN's subnet router"
            hint = f"annotate it there: {FORWARDING}: snat"
            yield Breach("cluster.cni.load_balancer_mode", message, hint, "edge.vpn.routes")


def _routed(env: Environment, text: str) -> bool:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        return False
    return any(address in route for route in (env.edge.vpn.routes if env.edge.vpn else ()))
