"""A whole lab: Eä → Ainur → Arda → Cilium → gateways, Cloudflare → GitOps. The dependency graph on a page.

Owns wiring: which realm waits for which gate of another. Refuses values: they are all decided in the plan.
"""

from typing import Any

import pulumi

from components.ainur import BootstrapCluster
from components.arda import Cluster
from components.cilium import Cilium
from components.ea import BootServices, Network
from components.edge import Cloudflare, Gateways
from components.gitops import ArgoCD, Flux
from model.gitops import GitopsClusterPlan
from model.plan import Plan
from stacks import deployed, exports, renewal, secrets
from stacks.door import enter

Secrets = dict[str, pulumi.Output[str]]
"""What GitOps starts with that is secret, by the name of the Secret that holds it."""


def build() -> None:
    """Register the lab of the selected stack, and its outputs."""
    config = pulumi.Config()
    environment, plan = enter(config)
    registered = exports.watch()
    ssh_key = secrets.read(secrets.SSH_KEY, config) if environment.bootstrap else None
    known = (secrets.CLOUDFLARE, secrets.DNS_TOKEN)
    tokens = {key.key: secrets.read(key, config) for key in known if key in secrets.needed(environment)}
    seeded = secrets.of_gitops(environment, config)
    ainur, bootable = _ainur(plan, ssh_key, seeded)
    arda = _arda(plan, ainur, bootable, tokens, seeded)
    exports.publish(plan, ainur, arda)
    exports.publish_deployed(plan, ainur, registered)


def _ainur(
    plan: Plan, ssh_key: pulumi.Output[str] | None, given: Secrets
) -> tuple[BootstrapCluster | None, list[pulumi.Resource]]:
    """The bootstrap cluster, and the gate after which a machine that is switched on finds something to boot."""
    if plan.bootstrap is None or ssh_key is None:
        return None, []
    reading = renewal.reading(deployed.last(), plan.bootstrap.name, renewal.today())
    ainur = BootstrapCluster("ainur", plan.bootstrap, plan.name, ssh_key=ssh_key, reading=reading)
    network = Network("ea", plan, provider=ainur.provider)
    gitops = plan.gitops_on(plan.bootstrap.name)
    seeded: list[pulumi.Resource] = []
    if gitops:
        root, after = _authority(gitops, ainur), network.published
        seed = ArgoCD("ainur-gitops", gitops, provider=ainur.provider, after=after, secrets=given, authority=root)
        seeded = seed.seeded
    bootable: list[pulumi.Resource] = []
    if plan.network.netboot:
        first = ainur.connection(plan.bootstrap.first)
        # What the workstation serves hangs on nothing here; Ainur's own comes up beside it, and is not waited for
        ours = plan.network.netboot.served_by == "ainur"
        after = [*network.published, *seeded] if ours else [ainur.ready]
        bootable = [BootServices("ea-boot", plan.network.netboot, seen_from=first, after=after).answering]
    ainur.join_maiar(after=bootable or [ainur.ready])
    return ainur, bootable


def _authority(plan: GitopsClusterPlan, ainur: BootstrapCluster | None) -> Any:
    """The lab's own authority, where Argo CD reads Ainur's mirror or logs people in at Ainur's Dex."""
    return ainur.root_certificate() if ainur and (plan.mirror or plan.believes_authority) else None


def _from_mirror(
    plan: GitopsClusterPlan, ainur: BootstrapCluster | None, bootable: list[pulumi.Resource]
) -> list[pulumi.Resource]:
    """What Argo CD waits for where it reads Ainur's mirror.

    Not for the Maiar: the mirror says by itself when it is filled, and a dead one must not hold up Arda.
    """
    if plan.mirror is None or ainur is None:
        return []
    return [ainur.mirror_has(plan, plan.mirror, bootable or [ainur.ready])]


def _arda(
    plan: Plan,
    ainur: BootstrapCluster | None,
    bootable: list[pulumi.Resource],
    tokens: Secrets,
    given: Secrets,
) -> Cluster | None:
    """The Talos cluster, its network, the way in, and what keeps it as Git says."""
    token, dns_token = (tokens.get(key.key) for key in (secrets.CLOUDFLARE, secrets.DNS_TOKEN))
    cloudflare = Cloudflare("edge-cloudflare", plan.edge, api_token=token) if token else None
    if plan.cluster is None or plan.cni is None:
        return None
    gitops = plan.gitops_on(plan.cluster.name)
    adopted = gitops is not None
    arda = Cluster("arda", plan.cluster, plan.name, after=bootable)
    cilium = Cilium(
        "cilium", plan.cni, plan.cluster, provider=arda.provider, kubeconfig=arda.kubeconfig, adopted=adopted
    )
    arda.all_ready([cilium.ready])
    seeds: list[pulumi.Resource] = [cilium.ready]
    if plan.gateway_controller:
        chart = plan.gateway_controller
        after = cilium.announced
        gateways = Gateways("edge-gateways", chart, plan.edge, provider=arda.provider, adopted=adopted, after=after)
        seeds += gateways.standing
        if cloudflare:
            seeds += cloudflare.hand_token(chart.namespace, arda.provider, arda.kubeconfig, gateways.namespace)
            if dns_token:
                seeds += cloudflare.hand_dns_token(dns_token, arda.provider, gateways.namespace)
    if gitops and gitops.engine == "flux":
        Flux("arda-gitops", gitops, plan.name, provider=arda.provider, after=seeds, secrets=given)
    elif gitops:
        after, root = [*seeds, *_from_mirror(gitops, ainur, bootable)], _authority(gitops, ainur)
        ArgoCD("arda-gitops", gitops, provider=arda.provider, after=after, secrets=given, authority=root)
    return arda
