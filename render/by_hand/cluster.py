"""Arda by hand: from machines in maintenance mode to a cluster whose nodes are Ready, with `talosctl` alone.

Owns these steps. Refuses the gates' texts and the patches, which the program itself uses (`render.gates`,
`render.talos`, `render.upgrades`).
"""

from model.images import FACTORY
from model.plan import Plan
from model.talos import ClusterNodePlan, ClusterPlan
from render import gates, manifests, talosctl, upgrades
from render.by_hand.step import Step, applied, installed
from render.talos import machine_patch

TALOSCONFIG = "secret/talosconfig"
SECRETS = "secret/secrets.yaml"


def talos(cluster: ClusterPlan) -> list[Step]:
    """Images, secrets, configurations, bootstrap, kubeconfig: the order of the graph."""
    return [
        _tools(cluster),
        _images(cluster),
        _secrets(cluster),
        _upgrades(cluster),
        _configurations(cluster),
        *[_control_plane(cluster, node) for node in cluster.control_planes],
        _bootstrap(cluster),
        _workers(cluster),
        _kubeconfig(cluster),
    ]


def network(plan: Plan, cluster: ClusterPlan) -> list[Step]:
    """Cilium, without which no node is Ready, and the addresses it hands out."""
    if plan.cni is None:
        return []
    kubeconfig, gate = _kube(cluster), f"{cluster.name}/gates/cni.sh"
    command, values = installed(kubeconfig, cluster.name, plan.cni, awaited=False)
    bodies = {f"cilium-{key}": body for key, body in manifests.announced(cluster).items()}
    commands, made = applied(kubeconfig, cluster.name, bodies)
    nodes = f"{cluster.name}/gates/nodes.sh"
    texts = {gate: gates.cni_gate(cluster, plan.cni.namespace), nodes: gates.nodes_gate(cluster)}
    return [
        Step(
            f"{cluster.name}: Cilium",
            "With the values of its folder under gitops/. Once GitOps has it, leave helm out: Git decides then.",
            (command, f"sh {gate} < {kubeconfig}", *commands, f"sh {nodes} < {kubeconfig}"),
            ("cilium-release", "arda-gate-cni", *bodies, "arda-gate-nodes"),
            values | made | texts,
        )
    ]


def _kube(cluster: ClusterPlan) -> str:
    return f"secret/{cluster.name}.kubeconfig"


def _at(node: ClusterNodePlan) -> str:
    return f"talosctl --talosconfig {TALOSCONFIG} --endpoints {node.address} --nodes {node.address}"


def _tools(cluster: ClusterPlan) -> Step:
    path = f"{cluster.name}/tools.sh"
    why = f"talosctl {cluster.talos} and kubectl are on this machine; helm is wanted too."
    return Step(f"{cluster.name}: tools", why, (f"sh {path}",), ("arda-tools",), {path: talosctl.tools(cluster)})


def _images(cluster: ClusterPlan) -> Step:
    """The factory answers with the schematic's id, which is a hash of its text: another id would be another image."""
    texts = {f"{cluster.name}/schematics/{image.hardware}.yaml": image.schematic for image in cluster.images}
    commands = [
        f"curl --fail --silent --show-error --data-binary @{path} https://{FACTORY}/schematics | "
        f"grep {image.schematic_id}"
        for path, image in zip(texts, cluster.images, strict=True)
    ]
    flashed = {node.image.hardware: node.image for node in cluster.members if node.boot == "flashed"}
    written = [f"{name} is flashed with {image.disk_image}." for name, image in sorted(flashed.items())]
    why = " ".join(["Each schematic is registered; its id must come back.", *written])
    does = tuple(f"arda-image-{image.hardware}" for image in cluster.images)
    return Step(f"{cluster.name}: images", why, tuple(commands), does, texts)


def _secrets(cluster: ClusterPlan) -> Step:
    first = cluster.control_planes[0]
    why = (
        "Once in the cluster's life: whoever has this file has the cluster, and without it no node can be configured. "
        "Where the cluster stands already, its secrets are in any control plane's configuration: "
        f"`{_at(first)} get machineconfig v1alpha1 -o jsonpath='{{.spec}}' > secret/running.yaml`, then "
        f"`talosctl gen secrets --from-controlplane-config secret/running.yaml --output-file {SECRETS}`."
    )
    nodes = " ".join(node.address for node in cluster.members)
    endpoints = " ".join(node.address for node in cluster.control_planes)
    commands = (
        f"test -e {SECRETS} || talosctl gen secrets --talos-version {cluster.contract} --output-file {SECRETS}",
        f"talosctl gen config {cluster.name} {cluster.endpoint} --with-secrets {SECRETS} "
        f"--output-types talosconfig --output {TALOSCONFIG} --force",
        f"talosctl --talosconfig {TALOSCONFIG} config endpoint {endpoints}",
        f"talosctl --talosconfig {TALOSCONFIG} config node {nodes}",
    )
    return Step(f"{cluster.name}: secrets", why, commands, ("arda-secrets",))


def _upgrades(cluster: ClusterPlan) -> Step:
    """The program's own texts: on machines that are of no cluster yet they find nothing to do."""
    folder = f"{cluster.name}/upgrade"
    ordered = (*cluster.control_planes, *cluster.workers)
    texts = {f"{folder}/snapshot.sh": upgrades.snapshot(cluster, standing=False)}
    texts |= {f"{folder}/{node.name}.sh": upgrades.upgrade(cluster, node, standing=False) for node in ordered}
    texts[f"{folder}/kubernetes.sh"] = upgrades.upgrade_kubernetes(cluster, standing=False)
    does = ("arda-snapshot", *(f"arda-upgrade-{node.name}" for node in ordered), "arda-upgrade-kubernetes")
    why = (
        f"A cluster that stands is brought to Talos {cluster.talos} and Kubernetes {cluster.kubernetes}, one node at a "
        "time and before it is configured; on new machines this finds nothing to do."
    )
    return Step(f"{cluster.name}: upgrades", why, tuple(f"sh {path} < {TALOSCONFIG}" for path in texts), does, texts)


def _configurations(cluster: ClusterPlan) -> Step:
    texts = {f"{cluster.name}/patches/{node.name}.yaml": machine_patch(cluster, node) for node in cluster.members}
    commands = []
    for node in cluster.members:
        kind, patch = ("controlplane", "control-plane") if node.role == "control-plane" else ("worker", "worker")
        made = f"secret/{node.name}.yaml"
        commands.append(
            f"talosctl gen config {cluster.name} {cluster.endpoint} --with-secrets {SECRETS} "
            f"--talos-version {cluster.contract} --kubernetes-version {cluster.kubernetes} --output-types {kind} "
            f"--config-patch-{patch} @{cluster.name}/patches/{node.name}.yaml --output {made} --force"
        )
        commands.append(f"talosctl validate --mode metal --strict --config {made}")
    why = "One configuration a machine, secrets in it: the patches below are all that is the lab's own."
    return Step(f"{cluster.name}: configurations", why, tuple(commands), (), texts)


def _apply(node: ClusterNodePlan) -> str:
    return f"apply {node.address} secret/{node.name}.yaml"


def _control_plane(cluster: ClusterPlan, node: ClusterNodePlan) -> Step:
    why = (
        f"{node.address}, in maintenance mode, or of the cluster already. One control plane after the other: two that "
        "reboot at once would cost etcd's quorum."
    )
    text = f"{cluster.name}/gates/back-{node.name}.sh"
    texts = {text: gates.back(cluster, node, standing=True)}
    again = f"if test -e secret/bootstrapped; then sh {text} < {TALOSCONFIG}; fi"
    does = (f"arda-apply-{node.name}", f"arda-back-{node.name}")
    return Step(f"{cluster.name}: control plane {node.name}", why, (_apply(node), again), does, texts)


def _bootstrap(cluster: ClusterPlan) -> Step:
    api, etcd = f"{cluster.name}/gates/talos-api.sh", f"{cluster.name}/gates/etcd.sh"
    first = cluster.control_planes[0]
    commands = (
        f"sh {api} < {TALOSCONFIG}",
        f"test -e secret/bootstrapped || {_at(first)} bootstrap",
        "touch secret/bootstrapped",
        f"sh {etcd} < {TALOSCONFIG}",
    )
    why = (
        "Once in the cluster's life, on one control plane: where it stands already, `touch secret/bootstrapped` first."
    )
    texts = {api: gates.talos_api_gate(cluster), etcd: gates.etcd_gate(cluster)}
    does = ("arda-gate-talos-api", "arda-bootstrap", "arda-gate-etcd")
    return Step(f"{cluster.name}: bootstrap", why, commands, does, texts)


def _workers(cluster: ClusterPlan) -> Step:
    does = tuple(f"arda-apply-{node.name}" for node in cluster.workers)
    commands = tuple(_apply(node) for node in cluster.workers) or (": no workers",)
    return Step(f"{cluster.name}: workers", "In any order.", commands, does)


def _kubeconfig(cluster: ClusterPlan) -> Step:
    gate = f"{cluster.name}/gates/api.sh"
    commands = (
        f"{_at(cluster.control_planes[0])} kubeconfig --force --merge=false {_kube(cluster)}",
        f"sh {gate} < {_kube(cluster)}",
    )
    texts = {gate: gates.api_gate(cluster)}
    return Step(
        f"{cluster.name}: kubeconfig",
        f"The API at {cluster.endpoint} answers.",
        commands,
        ("arda-kubeconfig", "arda-gate-api"),
        texts,
    )
