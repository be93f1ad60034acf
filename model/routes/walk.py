"""A request's way: from the name, through tunnel or router and hops, to a gateway, its certificate, route and pods.

Owns the order of the links, and which of them must be there for whom a name is for. Refuses to decide any of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from model.edge_plan import TunnelPlan
from model.environment import Environment
from model.routes import dns, hops
from model.routes.clusters import Cluster, exposures, picked, serving
from model.routes.matching import takes
from model.routes.reading import INGRESS
from model.routes.things import Answer, Attached, Audience, Gap, Gateway, Link, Route, Start, Way


@dataclass(frozen=True)
class Ground:
    """Everything that a walk goes over."""

    env: Environment
    clusters: tuple[Cluster, ...]
    zone: Mapping[str, dns.Entry]
    tunnel: TunnelPlan | None

    @property
    def attached(self) -> tuple[Attached, ...]:
        """Every route where it hangs."""
        return tuple(one for part in self.clusters for one in part.attached)

    def at(self, address: str | None) -> Gateway | None:
        """The gateway with an address."""
        every = (gateway for part in self.clusters for gateway in part.gateways)
        return next((one for one in every if address and one.address == address), None)


class Walk:
    """The two ways of one name."""

    def __init__(self, ground: Ground, host: str, claimants: tuple[Route, ...]) -> None:
        self._ground, self._env, self.host = ground, ground.env, host
        self._claimants = claimants
        self._there = serving(ground.attached, host) if claimants else ()

    @property
    def audience(self) -> Audience | None:
        """Whom the name is for: what its routes hang on; None when no route has it."""
        found = {one.gateway.audience for one in self._there if not one.route.lan}
        if found:
            return "public" if "public" in found else "lan"
        return "lan" if self._claimants else None

    def outside(self) -> Way:
        """From the internet."""
        return Way("outside", tuple(self._outside()))

    def inside(self) -> Way:
        """From the LAN. Of several answers the one whose way breaks is shown, or else the first."""
        answers = dns.inside(self._env, self.host, self._resolved(), self._ground.zone)
        ways = [Way("inside", tuple(self._answered(one, "inside"))) for one in answers]
        return next((one for one in ways if one.gaps), ways[0] if ways else Way("inside", (self._unknown_inside(),)))

    def _resolved(self) -> tuple[Attached, ...]:
        """What the LAN's resolver knows of: k8s-gateway the kinds of routes that it is told to read."""
        inside = self._env.edge.dns.inside
        if inside is None or inside.by != "k8s-gateway":
            return self._there
        kinds = {part.name: part.resolves for part in self._ground.clusters}
        known = (one for one in self._there if one.route.kind in kinds.get(one.route.cluster, ()))
        return tuple(known) if any(kinds.values()) else self._there

    def _outside(self) -> Iterator[Link]:
        if self._env.edge.cloudflare is None:
            yield Link("name", "nobody answers outside: this lab has no public zone", "edge.cloudflare", ends=True)
            return
        found = dns.follow(self._ground.zone, self.host, self._env.domain)
        if found:
            yield from self._answered(found, "outside")
        elif self.audience == "public":
            yield Link("name", "nobody publishes it outside", "edge.records", self._unpublished())
        else:
            yield Link("name", "nobody answers outside, and nobody is meant to", ends=True)

    def _unpublished(self) -> Gap:
        one = next(one for one in self._there if one.gateway.audience == "public")
        where = f"gitops.clusters.{one.route.cluster}"
        message = f"{self.host} of {one.route} is for the internet, and nobody publishes it there"
        if not self._in_domain():
            hint = f"give it a name below {self._env.domain}, the zone that this lab publishes"
        elif self._env.edge.dns.outside == dns.EXTERNAL_DNS:
            hint = 'label the route external-dns.alpha.kubernetes.io/enabled: "true"'
            if not any(part.publishes for part in self._ground.clusters):
                hint = "add external-dns to the folders: edge.dns.outside names it, and no app installs it"
        else:
            hint = f"add {{ name: {self.host}, target: {one.gateway.name} }} to edge.records"
        return Gap("route-outside-unpublished", where, message, hint, "edge.records")

    def _in_domain(self) -> bool:
        return self.host == self._env.domain or self.host.endswith(f".{self._env.domain}")

    def _unknown_inside(self) -> Link:
        if not self._claimants:
            zone = f"{self._env.name}.{self._env.domain}"
            if self._env.bootstrap and self.host.endswith(f".{zone}"):
                return Link(
                    "name", f"Ainur's dnsmasq: of {zone} it knows machines alone, as `./lab plan` lists", ends=True
                )
            return Link("name", "nobody answers on the LAN, and no route has it", ends=True)
        if not self._there:
            return self._untaken("nobody answers on the LAN")
        route, gateway = self._there[0].route, self._there[0].gateway.name
        message = f"{self.host} of {route} is answered by nobody on the LAN"
        hint = f"give it a name below {self._env.domain}, which is answered"
        if self._in_domain():
            hint = "add edge.dns with inside, who answers the domain's names on the LAN"
            if gateway in self._env.edge.gateways and self._env.edge.cloudflare:
                hint += f"; or {{ name: {self.host}, target: {gateway} }} to edge.records"
        where = f"gitops.clusters.{route.cluster}"
        gap = Gap("route-inside-unpublished", where, message, hint, "edge.dns")
        return Link("name", "nobody answers on the LAN", "edge.dns.inside", gap)

    def _answered(self, answer: Answer, start: Start) -> Iterator[Link]:
        told = f"{answer.who}: {answer.says}{', proxied' if answer.proxied else ''}"
        gap = self._answer_gap(answer, start)
        yield Link("name", told, answer.by, gap)
        if gap:
            return
        if answer.proxied and self._deep():
            yield Link(
                "certificate", f"Cloudflare's own covers *.{self._env.domain} and nothing deeper: TLS fails", ends=True
            )
            return
        if answer.tunnel and self._ground.tunnel:
            yield from self._through(self._ground.tunnel, start)
        elif self._env.edge.direct and answer.address == str(self._env.edge.direct.address):
            gateway = self._ground.at(str(self._env.edge.gateways[self._env.edge.direct.gateway].address))
            yield Link("router", f"forwards port 443 to {self._env.edge.direct.gateway}", "edge.direct")
            yield from self._arrived(gateway, self.host, start)
        elif start == "outside" and answer.address and dns.private(answer.address):
            yield Link("gateway", "a private address: the LAN and the VPN reach it, nobody else", ends=True)
        else:
            yield from self._arrived(self._ground.at(answer.address), self.host, start, answer.address)

    def _answer_gap(self, answer: Answer, start: Start) -> Gap | None:
        path = self._path(answer.by)
        if answer.dangling:
            message = f"{self.host} points to {answer.dangling}, which nobody publishes"
            hint = f"add it to edge.records, or point to {self._targets()}"
            return Gap("route-target-unpublished", path, message, hint, "edge.records")
        private = answer.address is not None and dns.private(answer.address)
        if answer.proxied and private and start == "outside":
            message = (
                f"the record of {self.host} is proxied, and Cloudflare proxies no private address ({answer.address})"
            )
            hint = f'annotate the route {dns.PROXIED}: "false", or hang it on the gateway that the tunnel ends at'
            return Gap("route-lan-proxied", path, message, hint)
        if start == "outside" and self.audience == "public" and private:
            message = (
                f"{self.host} is for the internet, and is published with {answer.address}, which nobody there reaches"
            )
            hint = "add edge.tunnel or edge.direct for its gateway, or hang the route on the one that they end at"
            return Gap("route-outside-private", path, message, hint, "edge.tunnel")
        if answer.proxied and self._deep() and self.audience == "public":
            message = f"{self.host} is proxied, and Cloudflare's own certificate covers only *.{self._env.domain}"
            flat = self.host.removesuffix(f".{self._env.domain}").replace(".", "-")
            path = self._path(self._there[0].route.file) if self._there else path
            return Gap("route-edge-certificate", path, message, f"did you mean {flat}.{self._env.domain}?", "domain")
        return None

    def _deep(self) -> bool:
        """Whether a name is deeper than Cloudflare's Universal SSL covers: the domain, and one level below."""
        return self._in_domain() and self.host.removesuffix(self._env.domain).count(".") > 1

    def _targets(self) -> str:
        return " or ".join(one.hostname for one in self._env.edge.gateways.values()) or "a gateway's hostname"

    def _path(self, by: str) -> str:
        """Where a finding stands about what is decided there: a key of the stack file, or a file of the folders."""
        if by.startswith(("edge.", "bootstrap.")):
            return by
        named = by.partition("/")[0]
        known = {part.name for part in self._ground.clusters}
        return f"gitops.clusters.{named if named in known else dns.cluster(self._env)}"

    def _through(self, tunnel: TunnelPlan, start: Start) -> Iterator[Link]:
        rules = list(tunnel.ingress)
        number = next(at for at, (name, _, _) in enumerate(rules, 1) if takes(name, self.host))
        name, service, server = rules[number - 1]
        rule = f"rule {number} of {len(rules)} of tunnel {tunnel.name}"
        if service.startswith("http_status:"):
            yield Link(
                "tunnel", f"{rule} takes what no other does: {service.partition(':')[2]}", "edge.tunnel", ends=True
            )
            return
        shown = f", asking for {server}" if server else ""
        yield Link("tunnel", f"{rule} ({name or 'anything'}): to {service}{shown}", "edge.tunnel")
        edge = self._env.edge
        gateway = edge.gateways[edge.tunnel.gateway] if edge.tunnel else None
        if edge.tunnel and edge.tunnel.via and gateway:
            part = next((one for one in self._ground.clusters if one.name == dns.cluster(self._env)), None)
            folders = (part.objects, part.passed) if part else ((), {})
            found = hops.link(self._env, *folders, edge.tunnel.via, str(gateway.address))
            yield found
            if found.gap:
                return
        arrived = self._ground.at(str(gateway.address)) if gateway else None
        yield from self._arrived(arrived, server or self.host, start)

    def _arrived(
        self, gateway: Gateway | None, server: str, start: Start, address: str | None = None
    ) -> Iterator[Link]:
        if gateway is None:
            yield self._nowhere(address)
            return
        here = [one for one in self._there if one.gateway == gateway]
        entry = picked(gateway, server)
        taken = [one for one in here if one.listener == entry or (one.listener.protocol == "TLS" and not entry)]
        told = f"{gateway.name} at {gateway.address or 'an address of its own choosing'}"
        if entry:
            told += f", listener {entry.name} ({entry.hostname or 'every name'}, port {entry.port})"
        gap = self._entry_gap(gateway, server, bool(here), bool(taken), entry.name if entry else "none")
        yield Link("gateway", told, gateway.by, gap)
        if gap or not entry:
            return
        if not taken:
            yield self._no_route(gateway, start)
            return
        part = next(part for part in self._ground.clusters if part.name == gateway.cluster)
        yield from self._ended(part, gateway, taken, server, start)

    def _entry_gap(self, gateway: Gateway, server: str, here: bool, taken: bool, entry: str) -> Gap | None:
        if not here or taken:
            return None
        path = gateway.by if gateway.by.startswith("edge.") else f"gitops.clusters.{gateway.cluster}"
        message = (
            f"{self.host} comes to {gateway.name} asking for {server}, whose listener ({entry}) does not have its route"
        )
        hint = f"let the request ask for {self.host} itself, or hang its route on the listener for {server}, too"
        return Gap("route-tunnel-server-name", path, message, hint, "edge.tunnel")

    def _nowhere(self, address: str | None) -> Link:
        told = f"{address or 'there'}: no gateway of this lab has that address"
        if not self._there:
            return Link("gateway", told, ends=True)
        message = f"{self.host} leads to {address}, which no gateway has"
        gap = Gap(
            "route-astray",
            self._path(self._there[0].route.file),
            message,
            f"let it lead to {self._there[0].gateway.address}",
        )
        return Link("gateway", told, "", gap)

    def _no_route(self, gateway: Gateway, start: Start) -> Link:
        if self._claimants and not self._there:
            return self._untaken(f"{gateway.name} has no route for it: 404")
        if not self._there or (start == "outside" and self.audience != "public"):
            return Link("route", f"{gateway.name} has no route for it: 404", ends=True)
        one = self._there[0]
        side = "on the LAN" if start == "inside" else "from outside"
        message = f"{side} {self.host} leads to {gateway.name}, and {one.route} hangs on {one.gateway.name}"
        hint = f"let {self.host} lead to {one.gateway.name} (edge.records, edge.dns.inside), or hang the route on both"
        gap = Gap("route-astray", self._path(one.route.file), message, hint, "edge.records")
        return Link("route", f"{gateway.name} has no route for it: 404", one.route.file, gap)

    def _untaken(self, otherwise: str) -> Link:
        """The link of a name whose routes hang nowhere: why, where a gateway refuses them."""
        refused = [gap for part in self._ground.clusters for route, gap in part.refused if route in self._claimants]
        if not refused:
            return Link("route", f"{otherwise}; its route hangs on no gateway", self._claimants[0].file, ends=True)
        return Link("route", "its route is not taken by the gateway it names", self._claimants[0].file, refused[0])

    def _ended(
        self, part: Cluster, gateway: Gateway, taken: list[Attached], server: str, start: Start
    ) -> Iterator[Link]:
        first = taken[0]
        if first.route.kind == INGRESS:
            shown = part.certificates.of_ingress(first, server, part.place)
        else:
            shown = part.certificates.shown(gateway, first.listener, server)
        if shown:
            yield shown
        for one in taken:
            paths = dict.fromkeys(match.path for rule in one.route.rules for match in rule.matches)
            where = f" ({', '.join(paths)})" if paths else ""
            exposed = exposures(self._env, part) if start == "outside" else ()
            gap = next((gap for route, gap in exposed if route == one.route), None)
            yield Link("route", f"{one.route}{where}", one.route.file, gap)
            yield from part.backends.links(one)
