"""Laws of routes: whoever types a name arrives at the pods it is for, from where it is for, and nobody else does.

Owns what is wrong with the chains of `model.routes`. Refuses needs that nobody meets (`closure`), and the edge's data
by itself (`edge`).
"""

from collections.abc import Iterator

from model.environment import Environment
from model.laws.closure import UNREADABLE, few, graphs
from model.laws.registry import Breach, tree_law
from model.routes.proof import Proof, prove
from model.tree import Tree

UNPROVED = (
    *UNREADABLE,
    *("gitops-seed-missing", "edge-cluster-missing", "edge-record-target", "edge-tunnel-gateway", "edge-tunnel-via"),
)
"""What keeps a request from being followed at all: nothing is said of its way then."""

_last: list[tuple[Environment, Tree, Proof | None]] = []


def proof(env: Environment, tree: Tree) -> Proof | None:
    """The proof of an environment. Every law asks for it: the last one is kept."""
    if not (_last and _last[0][0] is env and _last[0][1] is tree):
        _last[:] = [(env, tree, prove(env, tree, graphs(env, tree)))]
    return _last[0][2]


def _gaps(env: Environment, tree: Tree, code: str) -> Iterator[Breach]:
    found = proof(env, tree)
    told = dict.fromkeys(gap for gap in found.gaps if gap.code == code) if found else ()
    yield from few(Breach(gap.path, gap.message[:239], gap.hint[:199], gap.against) for gap in told)


@tree_law("route-outside-unpublished", unless=(*UNPROVED, "gitops-host-outside"))
def outside_is_published(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A name whose route hangs on a public gateway is published on the internet: by this program, or external-dns."""
    yield from _gaps(env, tree, "route-outside-unpublished")


@tree_law("route-inside-unpublished", unless=(*UNPROVED, "gitops-host-outside", "gitops-host-zone"))
def inside_is_published(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A name that has a route is answered on the LAN."""
    yield from _gaps(env, tree, "route-inside-unpublished")


@tree_law("route-target-unpublished", unless=UNPROVED)
def targets_are_published(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Whatever a record points to has a record itself."""
    yield from _gaps(env, tree, "route-target-unpublished")


@tree_law("route-astray", unless=UNPROVED)
def names_lead_to_their_gateway(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A name leads to a gateway that its route hangs on; a wildcard record leads all names to one."""
    yield from _gaps(env, tree, "route-astray")


@tree_law("route-outside-private", unless=(*UNPROVED, "edge-public-unreachable"))
def outside_is_no_private_address(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A name for the internet is not published with an address of the LAN."""
    yield from _gaps(env, tree, "route-outside-private")


@tree_law("route-lan-proxied", unless=UNPROVED)
def private_addresses_are_not_proxied(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A record of a private address is not proxied: Cloudflare refuses it (its DNS documentation, "Proxy status")."""
    yield from _gaps(env, tree, "route-lan-proxied")


@tree_law("route-edge-certificate", unless=UNPROVED)
def proxied_names_are_flat(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A proxied name lies at most one level below the domain: Cloudflare's Universal certificate covers no deeper."""
    yield from _gaps(env, tree, "route-edge-certificate")


@tree_law("route-tunnel-server-name", unless=UNPROVED)
def tunnel_asks_for_the_right_listener(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The server name that the tunnel asks for leads to a listener that the route hangs on: TLS picks the listener
    before anybody reads which host is wanted."""
    yield from _gaps(env, tree, "route-tunnel-server-name")


@tree_law("route-hop-missing", unless=(*UNPROVED, "edge-hop-missing"))
def hops_are_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """Something answers at the address of a hop that the tunnel goes through. Where nobody reconciles folders it is
    the owner's own."""
    if env.gitops is not None:
        yield from _gaps(env, tree, "route-hop-missing")


@tree_law("route-hop-astray", unless=UNPROVED)
def hops_pass_on_to_the_gateway(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A hop passes on to the gateway that the tunnel ends at, and to no other."""
    yield from _gaps(env, tree, "route-hop-astray")


@tree_law("route-listener-missing", unless=UNPROVED)
def listeners_are_there(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The listener or port that a route names is one of its gateway's."""
    yield from _gaps(env, tree, "route-listener-missing")


@tree_law("route-listener-namespace", unless=UNPROVED)
def listeners_admit_the_namespace(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A gateway's listener admits routes of the namespace that a route lies in."""
    yield from _gaps(env, tree, "route-listener-namespace")


@tree_law("route-listener-hostname", unless=(*UNPROVED, "gitops-host-outside"))
def listeners_have_the_name(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A gateway has a listener for one of a route's names."""
    yield from _gaps(env, tree, "route-listener-hostname")


@tree_law("route-listener-kind", unless=UNPROVED)
def listeners_take_the_kind(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A listener takes routes of its protocol: an HTTPS one no TLSRoute."""
    yield from _gaps(env, tree, "route-listener-kind")


@tree_law("route-certificate-name", unless=(*UNPROVED, "gitops-host-zone"))
def certificates_cover_the_name(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The certificate that is shown covers the name that is asked for; a wildcard covers one level and no more."""
    yield from _gaps(env, tree, "route-certificate-name")


@tree_law("route-certificate-solver", unless=UNPROVED)
def certificates_can_be_signed(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The issuer of a shown certificate can prove each of its names; a wildcard only by DNS-01."""
    yield from _gaps(env, tree, "route-certificate-solver")


@tree_law("route-claimed-twice", unless=UNPROVED)
def names_are_claimed_once(env: Environment, tree: Tree) -> Iterator[Breach]:
    """One route has a name and path at a gateway: of two the older gets every request, and nobody is told."""
    yield from _gaps(env, tree, "route-claimed-twice")


@tree_law("route-plain", "warning", unless=UNPROVED)
def requests_are_sent_on_to_https(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No route answers over plain HTTP: it would win over the gateway's own redirect, which names no host."""
    yield from _gaps(env, tree, "route-plain")


@tree_law("route-backend-none", unless=UNPROVED)
def rules_lead_somewhere(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A route's rule has a backend, or answers by itself."""
    yield from _gaps(env, tree, "route-backend-none")


@tree_law("route-backend-port", unless=UNPROVED)
def services_have_the_port(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The Service that a route leads to has the port that it names."""
    yield from _gaps(env, tree, "route-backend-port")


@tree_law("route-backend-reference", unless=UNPROVED)
def foreign_services_are_granted(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A route leads to another namespace's Service only where a ReferenceGrant says it may."""
    yield from _gaps(env, tree, "route-backend-reference")


@tree_law("route-service-pods", unless=UNPROVED)
def services_have_pods(env: Environment, tree: Tree) -> Iterator[Breach]:
    """The Service that a route leads to selects pods that are there."""
    yield from _gaps(env, tree, "route-service-pods")


@tree_law("route-service-target", unless=UNPROVED)
def pods_have_the_port(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A Service sends to a port that its pods have."""
    yield from _gaps(env, tree, "route-service-target")


@tree_law("route-lan-exposed", unless=UNPROVED)
def the_lans_alone_stays_so(env: Environment, tree: Tree) -> Iterator[Breach]:
    """What is marked iluvatar/audience: lan hangs on no public gateway, by its own route or by another's."""
    yield from _gaps(env, tree, "route-lan-exposed")
