"""The plan: every address, name and version decided, before anything is touched.

Owns putting the realms' plans together. Refuses to judge: `model.laws` has found the environment free of errors.
"""

from dataclasses import dataclass

from model import onepassword, repository
from model.addresses import NetworkPlan, hosts, plan_network
from model.ainur import BootstrapPlan, plan_bootstrap
from model.edge import CERTIFICATES_NAMESPACE, DNS_TOKEN_SECRET
from model.edge_plan import EdgePlan, plan_edge
from model.environment import Environment
from model.gitops import AUTHORITY_SECRET, MIRROR_APP, TRUST, GitopsClusterPlan, plan_gitops
from model.netboot import NETBOOT_NAMESPACE, boot_entries
from model.power import PowerPlan, plan_power
from model.projects import closed
from model.talos import ClusterPlan, plan_cluster
from model.tree import Chart, Tree, seed


@dataclass(frozen=True)
class Plan:
    """Everything that will be, frozen and sorted."""

    name: str
    domain: str
    network: NetworkPlan
    power: PowerPlan
    bootstrap: BootstrapPlan | None
    cluster: ClusterPlan | None
    cni: Chart | None
    """Cilium, as the folder that will manage it pins it."""
    gateway_controller: Chart | None
    """Envoy Gateway, likewise."""
    edge: EdgePlan
    gitops: tuple[GitopsClusterPlan, ...]
    leftovers: tuple[str, ...]
    """What a destroyed stack leaves standing on purpose, `<where>/<what>/<name>`."""

    def gitops_on(self, cluster: str) -> GitopsClusterPlan | None:
        """What the engine does on a cluster, or None when nothing is reconciled there."""
        return next((one for one in self.gitops if one.cluster == cluster), None)


def plan(environment: Environment, tree: Tree) -> Plan:
    """Decide everything. Pure: the same environment and tree give the same plan.

    Errors: LookupError or AttributeError only for an environment that the laws refuse.
    """
    zone = f"{environment.name}.{environment.domain}"
    versions = environment.versions
    bootstrap = cluster = cni = gateway_controller = None
    if environment.bootstrap and versions.k3s and versions.kube_vip:
        releases = (versions.k3s, versions.kube_vip)
        bootstrap = plan_bootstrap(environment.bootstrap, releases, zone, environment.hardware)
    if environment.cluster and versions.talos and versions.kubernetes:
        pair = (versions.talos, versions.kubernetes)
        cluster = plan_cluster(
            environment.cluster, environment.network, environment.storage, environment.hardware, pair
        )
        cni = seed(tree, cluster.name, "cilium")
        if environment.edge.gateways:
            gateway_controller = seed(tree, cluster.name, "envoy-gateway")
    edge = _edge(environment)
    gitops = _gitops(environment, tree, bootstrap.apps_zone if bootstrap else None)
    return Plan(
        name=environment.name,
        domain=environment.domain,
        network=plan_network(environment, hosts(environment), zone, boot_entries(environment, cluster)),
        power=plan_power(environment),
        bootstrap=bootstrap,
        cluster=cluster,
        cni=cni,
        gateway_controller=gateway_controller,
        edge=edge,
        gitops=gitops,
        leftovers=_leftovers(bootstrap, cluster, cni, gateway_controller, gitops, edge),
    )


def _gitops(environment: Environment, tree: Tree, apps_zone: str | None) -> tuple[GitopsClusterPlan, ...]:
    if environment.gitops is None:
        return ()
    limits = {name: closed(environment, tree, name) for name in environment.gitops.clusters}
    return plan_gitops(environment.gitops, environment.name, tree, apps_zone, limits)


def _edge(environment: Environment) -> EdgePlan:
    cni = environment.cluster.cni if environment.cluster else None
    return plan_edge(
        environment.edge,
        environment.domain,
        announced=cni is not None and cni.l2_announcements,
        direct_return=cni is not None and cni.load_balancer_mode != "snat",
        seeds=environment.seeds_dns_token,
    )


def _leftovers(
    bootstrap: BootstrapPlan | None,
    cluster: ClusterPlan | None,
    cni: Chart | None,
    gateway_controller: Chart | None,
    gitops: tuple[GitopsClusterPlan, ...],
    edge: EdgePlan,
) -> tuple[str, ...]:
    """Machines keep what is installed on them; what GitOps adopted is GitOps', and is never uninstalled from here.

    Nor is a namespace that GitOps' workloads live in: it would take them and their volumes along.
    """
    found = [f"machine/{node.name}" for node in cluster.nodes if node.state != "leaving"] if cluster else []
    found += [f"host/{node.name}" for node in bootstrap.nodes] if bootstrap else []
    adopted = {one.cluster for one in gitops}
    if cluster and cluster.name in adopted:
        found += [_release(cluster.name, chart) for chart in (cni, gateway_controller) if chart]
    if cluster and gateway_controller:
        found.append(f"{cluster.name}/object/Namespace/{gateway_controller.namespace}")
        if edge.dns_token:
            found.append(f"{cluster.name}/object/Namespace/{CERTIFICATES_NAMESPACE}")
            found.append(f"{cluster.name}/object/Secret/{CERTIFICATES_NAMESPACE}/{DNS_TOKEN_SECRET}")
    if bootstrap:
        found.append(f"{bootstrap.name}/object/Namespace/{NETBOOT_NAMESPACE}")
    found += [f"cloudflare/zone-setting/{name}" for name, _ in edge.zone_settings]  # the provider cannot reset one
    found += [left for one in gitops for left in _left_by(one)]
    return tuple(sorted(found))


def _left_by(one: GitopsClusterPlan) -> list[str]:
    """What a cluster's engine goes on running with."""
    found = [_release(one.cluster, chart) for chart in (one.chart, one.instance) if chart]
    found.append(f"{one.cluster}/object/Namespace/{one.chart.namespace}")
    found += [f"{one.cluster}/object/Secret/{one.chart.namespace}/{name}" for name in one.keys]
    if one.onepassword:
        found.append(f"{one.cluster}/object/Namespace/{onepassword.NAMESPACE}")
        names = (onepassword.CREDENTIALS_SECRET, onepassword.TOKEN_SECRET)
        found += [f"{one.cluster}/object/Secret/{onepassword.NAMESPACE}/{name}" for name in names]
    found += [f"{one.cluster}/object/Namespace/{seed.namespace}" for seed in one.seeds]
    found += [f"{one.cluster}/object/Secret/{each.called}" for seed in one.seeds for each in seed.secrets]
    if one.login:
        found.append(f"{one.cluster}/object/Secret/{one.chart.namespace}/{repository.REPOSITORY_SECRET}")
    if one.keeps_mirror:
        found.append(f"{one.cluster}/object/Namespace/{MIRROR_APP}")
    if one.mirror_login:
        found.append(f"{one.cluster}/object/Secret/{MIRROR_APP}/{repository.MIRROR_SECRET}")
    if one.believes_authority:
        found.append(f"{one.cluster}/object/Secret/{one.chart.namespace}/{AUTHORITY_SECRET}")
    if one.mirror:
        found.append(f"{one.cluster}/object/ConfigMap/{one.chart.namespace}/{TRUST}")
    return found


def _release(cluster: str, chart: Chart) -> str:
    return f"{cluster}/helm-release/{chart.namespace}/{chart.release}"
