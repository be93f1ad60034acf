"""Every certificate of a lab: what shows it, who signed it, how long it is good for, and who renews it.

Owns the list. Refuses to look at one: how much of its life is left, say the cluster and `pulumi stack output
credentialsEnd`. What the folders ask for is read from them; what machines and Cloudflare do by themselves is stated,
each with its source.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from model.closure.clusters import closure
from model.closure.reading import items, mapping
from model.environment import Environment
from model.routes.applied import Applied, applied
from model.tree import Chart, Tree

QUARTER = "2160h"
"""cert-manager's own default (its API reference, `CertificateSpec.duration`)."""
ASKS = ("cert-manager.io/cluster-issuer", "cert-manager.io/issuer")
"""By which an Ingress asks for its certificate."""
PROGRAM = "`pulumi up`"


class Certificate(NamedTuple):
    """One certificate, or one kind of them, in words."""

    where: str
    what: str
    signer: str
    lasts: str
    renewed: str


def certificates(env: Environment, tree: Tree) -> tuple[Certificate, ...]:
    """The whole list: Cloudflare's, the clusters' apps', then the machines' own."""
    found = [*_edge(env)]
    for cluster in sorted(env.gitops.clusters) if env.gitops else ():
        graph = closure(env, tree, cluster)
        for one in applied(graph):
            found += _asked(cluster, one)
        for chart in (chart for app in graph.apps for _, chart in app.charts):
            found += _inside(cluster, chart)
    return (*found, *_machines(env))


def _edge(env: Environment) -> Iterator[Certificate]:
    """Cloudflare, "Universal SSL": 90 days, renewed by itself while the zone is active."""
    if env.edge.cloudflare and env.edge.proxied:
        yield Certificate(
            "Cloudflare", f"{env.domain}, *.{env.domain}", "Cloudflare's authority", "90 days", "Cloudflare"
        )


def _asked(cluster: str, one: Applied) -> Iterator[Certificate]:
    """What cert-manager keeps: a Certificate, or an Ingress that asks for one."""
    kind = one.held.kind.rpartition("/")[2]
    if kind == "Certificate":
        names = ", ".join(str(name) for name in items(one.spec.get("dnsNames"))) or str(one.spec.get("commonName", ""))
        signer = str(mapping(one.spec.get("issuerRef")).get("name", "nobody"))
        yield Certificate(cluster, names, signer, _days(one.spec.get("duration", QUARTER)), _renewed(one.spec))
    elif kind == "Ingress":
        signer = next((one.annotations[key] for key in ASKS if key in one.annotations), "")
        for entry in map(mapping, items(one.spec.get("tls")) if signer else ()):
            hosts = ", ".join(str(host) for host in items(entry.get("hosts")))
            yield Certificate(cluster, hosts, signer, _days(QUARTER), _renewed({}))


def _inside(cluster: str, chart: Chart) -> Iterator[Certificate]:
    """What a chart's values ask for: by an Ingress, or Cilium's for Hubble (its values.yaml, `hubble.tls.auto`)."""
    for ingress in _ingresses(chart.values):
        told = mapping(ingress.get("annotations"))
        signer = next((str(told[key]) for key in ASKS if key in told), "")
        for entry in map(mapping, items(ingress.get("tls")) if signer else ()):
            hosts = ", ".join(str(host) for host in items(entry.get("hosts")))
            yield Certificate(cluster, hosts, signer, _days(QUARTER), _renewed({}))
    if chart.name == "cilium" and mapping(chart.values.get("hubble")).get("enabled", True):
        yield Certificate(cluster, "Hubble's", "Cilium's own authority", "1 year", "its CronJob, every four months")


def _ingresses(values: object) -> Iterator[Mapping[str, Any]]:
    for key, value in mapping(values).items():
        if key == "ingress":
            yield mapping(value)
        elif isinstance(value, Mapping):
            yield from _ingresses(value)


def _renewed(spec: Any) -> str:
    """cert-manager renews at two thirds of a life unless told (its documentation, "Renewal")."""
    told = spec.get("renewBefore")
    return f"cert-manager, {_days(told)} before" if told else "cert-manager, after two thirds"


def _days(duration: object) -> str:
    hours = str(duration).removesuffix("h")
    if not hours.isdigit():
        return str(duration)
    days = int(hours) // 24
    return f"{days // 365} years" if days >= 730 else "1 year" if days == 365 else f"{days} days"


def _machines(env: Environment) -> Iterator[Certificate]:
    """Talos, "Certificate management"; k3s, "k3s certificate"; Ainur's authority: render/pi/scripts/pki.sh."""
    if env.bootstrap:
        name = env.bootstrap.name
        yield Certificate(name, "the lab's root", "itself", "20 years", "nobody: a new one goes to every device again")
        yield Certificate(name, "the lab's intermediate", "the root", "5 years", "the first Vala, half a year before")
        yield Certificate(name, "k3s' servers and kubelets", "k3s", "1 year", "k3s, at a start within the last 90 days")
        yield Certificate(name, "kubeconfig", "k3s", "1 year", f"{PROGRAM}, within the last 90 days")
    if env.cluster:
        name = env.cluster.name
        yield Certificate(
            name, "authorities of Talos, Kubernetes, etcd", "themselves", "10 years", "a person: docs/day-2"
        )
        yield Certificate(name, "machines and kubelets", "those authorities", "1 year", "Talos, by itself")
        yield Certificate(name, "kubeconfig", "Kubernetes' authority", "1 year", f"{PROGRAM}, within the last 90 days")
        yield Certificate(name, "talosconfig", "Talos' authority", "1 year", f"{PROGRAM}, within the last 31 days")


HEADS = ("where", "certificate", "signed by", "good for", "renewed by")


def markdown(found: tuple[Certificate, ...]) -> str:
    """The list as a table of a page."""
    lines = [f"| {' | '.join(HEADS)} |", f"|{'---|' * len(HEADS)}"]
    return "\n".join([*lines, *(f"| {' | '.join(one)} |" for one in found)])
