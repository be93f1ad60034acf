"""Law of Pod Security: a pod that needs the machine itself is in a namespace that lets it.

Owns which fields of a pod the level `baseline` forbids. Refuses pods that a chart makes: they are in no folder.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.graph import Graph
from model.closure.reading import items, mapping
from model.closure.standing import written
from model.closure.things import Held
from model.environment import Environment
from model.laws.closure import UNREADABLE, few, graphs, place, said
from model.laws.registry import Breach, tree_law
from model.netboot import NETBOOT_NAMESPACE
from model.tree import Tree

LABEL = "pod-security.kubernetes.io/enforce"
LEVELS = ("privileged", "baseline", "restricted")
ALLOWED = frozenset(
    ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP")
) | {"SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
"""Capabilities that `baseline` lets a container add (Kubernetes, "Pod Security Standards")."""
EXEMPT = ("kube-system",)
"""Namespaces that Talos' admission configuration leaves out."""


@tree_law("gitops-pod-security", unless=(*UNREADABLE, "gitops-namespace-missing"))
def privileged_pods_may_run(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A namespace carries the Pod Security label that its pods need. Talos enforces `baseline` where there is none, k3s
    nothing; a pod against it is never made, and its Deployment says so only in its events."""
    for graph in graphs(env, tree):
        yield from few(_refused(env, tree, graph))


def _refused(env: Environment, tree: Tree, graph: Graph) -> Iterator[Breach]:
    objects = [held for app in graph.apps for held in app.objects]
    labels = {held.name: (held.file, level) for held in objects if held.kind == "Namespace" and (level := _level(held))}
    homes = {held.name: held.file for held in objects if held.kind == "Namespace" and not held.patch}
    ours = {thing.name for thing in written(env, tree, graph.cluster) if thing.kind == "Namespace"}
    own = env.gitops.clusters.get(graph.cluster) if env.gitops else None
    seeded = {name: seed.pod_security for name, seed in own.seeds.items()} if own else {}
    talos = bool(env.cluster and env.cluster.name == graph.cluster)
    for held in objects:
        where = held.namespace
        wants = list(dict.fromkeys(_beyond(_pod(held))))
        if not wants:
            continue
        level = labels[where][1] if where in labels else seeded.get(where)
        level = level or _default(where, talos=talos, ours=where in ours)
        if level != "privileged":
            if where in labels:
                by = f"its label says {level}"
            else:
                by = f"`pulumi up` labels it {level}" if where in ours else f"it has no label, and Talos says {level}"
            what = f"{held.kind} {held.name} wants {', '.join(wants)[:90]}"
            message = f"{said(env, held.file)}: {what}, and namespace {where} forbids that: {by}"
            yield Breach(place(graph), message[:239], _mending(env, where, homes, ours))


def _mending(env: Environment, where: str, homes: Mapping[str, str], ours: set[str]) -> str:
    line = f"{LABEL}: privileged"
    if where in homes:
        return f"in {said(env, homes[where])}, under metadata.labels: {line}"
    if where in ours:
        return f"move it to a namespace of its own, whose Namespace has under metadata.labels: {line}"
    return f"add a Namespace {where} to an app, with under metadata.labels: {line}"


def _default(namespace: str, *, talos: bool, ours: bool) -> str:
    """The level of a namespace that no folder labels."""
    if ours:  # as `render.manifests.namespace` writes it
        return "privileged" if namespace == NETBOOT_NAMESPACE else "baseline"
    return "baseline" if talos and namespace not in EXEMPT else "privileged"


def _level(held: Held) -> str | None:
    level = mapping(mapping(held.body.get("metadata")).get("labels")).get(LABEL)
    return level if level in LEVELS else None


def _pod(held: Held) -> Mapping[str, Any]:
    """The pod that an object of Kubernetes' own makes; empty when it makes none."""
    spec = mapping(held.body.get("spec"))
    if held.group == "" and held.kind == "Pod":
        return spec
    if held.group == "batch" and held.kind == "CronJob":
        spec = mapping(mapping(spec.get("jobTemplate")).get("spec"))
    if held.group in ("", "apps", "batch"):
        return mapping(mapping(spec.get("template")).get("spec"))
    return {}


def _beyond(pod: Mapping[str, Any]) -> Iterator[str]:
    """What of a pod `baseline` forbids."""
    yield from (key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key) is True)
    for volume in items(pod.get("volumes")):
        path = mapping(volume).get("hostPath")
        if path is not None:
            yield f"hostPath {str(mapping(path).get('path', ''))[:40]}".rstrip()
    for key in ("initContainers", "containers"):
        for container in items(pod.get(key)):
            yield from _container(mapping(container))


def _container(container: Mapping[str, Any]) -> Iterator[str]:
    for port in items(container.get("ports")):
        if mapping(port).get("hostPort"):
            yield f"hostPort {str(mapping(port)['hostPort'])[:8]}"
    context = mapping(container.get("securityContext"))
    if context.get("privileged") is True:
        yield "privileged"
    if context.get("procMount") not in (None, "Default"):
        yield "procMount"
    for one in items(mapping(context.get("capabilities")).get("add")):
        if isinstance(one, str) and one not in ALLOWED:
            yield f"capability {one[:30]}"
