"""Which certificate a listener shows for a name: what names it has, and who signs it.

Owns reading Certificates and their issuers. Refuses to look into a Secret: names of one that no Certificate makes are
not seen.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.graph import Graph
from model.closure.reading import items, mapping, said
from model.closure.things import Held, Need, Thing
from model.environment import Environment
from model.routes.applied import Applied, text
from model.routes.matching import covers
from model.routes.things import Attached, Gap, Gateway, Link, Listener

_ISSUERS = ("cert-manager.io/cluster-issuer", "cert-manager.io/issuer")
STEP = "certificate"


class Certificates:
    """A cluster's Certificates and issuers."""

    def __init__(self, env: Environment, graph: Graph, objects: tuple[Applied, ...]) -> None:
        self._env, self._graph = env, graph
        self._by_secret: dict[tuple[str, str], Applied] = {}
        self._issuers: dict[tuple[str, str], Applied] = {}
        for one in objects:
            if one.held.kind == "Certificate":
                self._by_secret[one.held.namespace, text(one.spec.get("secretName"))] = one
            elif one.held.kind in ("Issuer", "ClusterIssuer"):
                self._issuers[one.held.namespace, one.held.name] = one

    def shown(self, gateway: Gateway, listener: Listener, name: str) -> Link | None:
        """The link of a listener's certificate for a name; None where there is none, over plain HTTP."""
        if listener.passthrough:
            return Link(STEP, "TLS passes through unread: the pods show their own", gateway.by)
        if listener.protocol not in ("HTTPS", "TLS"):
            return None
        links = [self._of(gateway, secret, name) for secret in listener.certificates]
        return next((one for one in links if one.gap is None), links[0]) if links else None

    def of_ingress(self, one: Attached, name: str, place: str) -> Link | None:
        """The link of an Ingress' certificate for a name."""
        route = one.route
        if one.listener.protocol != "HTTPS":
            return None
        secret = next((secret for hosts, secret in route.tls if covers(hosts, name)), None)
        issuer = next((route.annotations[key] for key in _ISSUERS if key in route.annotations), None)
        if not route.tls:
            told = f"none is asked for: plain HTTP, or whichever {one.gateway.name} makes itself"
            return Link(STEP, told, route.file)
        if secret is None:
            file = said(self._env, route.file)
            message = f"{file}: {route} has no TLS for {name}: {one.gateway.name} shows a certificate of its own making"
            gap = Gap("route-certificate-name", place, message, f"add {name} to the hosts of its tls")
            return Link(STEP, f"no certificate for {name}", route.file, gap)
        if issuer:
            return Link(STEP, f"{secret} for {name}, {self._signed('', issuer)}", route.file)
        return Link(STEP, f"{secret}, whose names are not seen here", route.file)

    def _of(self, gateway: Gateway, secret: tuple[str, str], name: str) -> Link:
        shown = "/".join(secret)
        made = self._by_secret.get(secret)
        path = gateway.by if gateway.by.startswith("edge.") else f"gitops.clusters.{gateway.cluster}"
        if made is None:
            wanted = Need(Thing("Secret", *secret), "", gateway.by, gateway.name, 0)
            if found := self._graph.bringers(wanted):
                return Link(STEP, f"Secret {shown} by {found[0].by}: its names are not seen here", found[0].app)
            message = f"nobody makes Secret {shown}, which {gateway.name} shows: HTTPS does not answer"
            hint = f"add a Certificate with secretName: {secret[1]} in namespace {secret[0]} (cert-manager)"
            gap = Gap("gitops-gateway-certificate", path, message, hint)
            return Link(STEP, f"nobody makes Secret {shown}: HTTPS does not answer", gateway.by, gap)
        names = tuple(one.lower() for one in _names(made.spec))
        file = said(self._env, made.held.file)
        if not covers(names, name):
            message = (
                f"{name} comes to {gateway.name}, whose certificate {shown} is for {', '.join(names[:3]) or 'no name'}"
            )
            hint = f"use a name one level below, or add {_wildcard(name)} to the dnsNames of {file}"
            gap = Gap("route-certificate-name", path, message, hint)
            return Link(STEP, f"{shown} is for {', '.join(names)}, not for {name}", made.held.file, gap)
        kind, issuer = self._issuer(made.held)
        gap = next(self._unsignable(made, issuer, names, path), None) if issuer else None
        told = next(one for one in names if covers((one,), name))
        return Link(STEP, f"{shown} for {told}, {self._signed(made.held.namespace, kind)}", made.held.file, gap)

    def _issuer(self, held: Held) -> tuple[str, Applied | None]:
        reference = mapping(mapping(held.body.get("spec")).get("issuerRef"))
        name = text(reference.get("name"))
        namespace = "" if reference.get("kind") == "ClusterIssuer" else held.namespace
        return name, self._issuers.get((namespace, name))

    def _signed(self, namespace: str, name: str) -> str:
        """Who signs, and how it is proved."""
        found = self._issuers.get(("", name)) or self._issuers.get((namespace, name))
        spec = found.spec if found else {}
        acme = mapping(spec.get("acme"))
        if acme:
            ways = sorted(
                {way for one in items(acme.get("solvers")) for way in ("dns01", "http01") if way in mapping(one)}
            )
            proof = {"dns01": "DNS-01", "http01": "HTTP-01"}
            trusted = "that nobody trusts: staging" if "staging" in text(acme.get("server")) else "that all trust"
            by = ", ".join(proof[way] for way in ways) or "ACME"
            return f"signed by {name}, {trusted}, by {by}; renewed by cert-manager"
        if "ca" in spec:
            return f"signed by {name}, a CA of the lab's own, renewed by cert-manager"
        if "selfSigned" in spec:
            return f"signed by itself ({name}), renewed by cert-manager"
        return f"signed by {name}, renewed by cert-manager"

    def _unsignable(self, made: Applied, issuer: Applied, names: tuple[str, ...], path: str) -> Iterator[Gap]:
        """Let's Encrypt signs a wildcard only when it is proved by DNS (its documentation, "Challenge Types")."""
        acme = mapping(issuer.spec.get("acme"))
        solvers = [mapping(one) for one in items(acme.get("solvers"))]
        for name in names if acme else ():
            meant = [one for one in solvers if _solves(mapping(one.get("selector")), name)]
            wild = name.startswith("*.")
            if not any("dns01" in one or (not wild and "http01" in one) for one in meant):
                way = "solver with dns01" if wild else "solver"
                file = said(self._env, made.held.file)
                message = f"{file}: {issuer.held.name} has no {way} for {name}, so it is never signed"
                where = said(self._env, issuer.held.file)
                hint = f"add a dns01 solver whose selector takes {name.removeprefix('*.')}, in {where}"
                yield Gap("route-certificate-solver", path, message, hint)


def _solves(selector: Mapping[str, Any], name: str) -> bool:
    """cert-manager's rule of solvers: no selector takes all, `dnsZones` what lies in one, `dnsNames` exactly those."""
    zones, exact = items(selector.get("dnsZones")), items(selector.get("dnsNames"))
    bare = name.removeprefix("*.")
    within = any(bare == one or bare.endswith(f".{one}") for one in zones)
    return (not zones and not exact) or within or name in exact


def _names(spec: Mapping[str, Any]) -> list[str]:
    found = [one for one in items(spec.get("dnsNames")) if isinstance(one, str)]
    common = text(spec.get("commonName"))
    return found + [common] * bool(common and common not in found)


def _wildcard(name: str) -> str:
    return f"*.{name.partition('.')[2]}"
