"""The stack's outputs: how to reach what stands, and what to do next.

Owns their names and forms. Refuses a secret that is not marked as one.
"""

from collections.abc import Sequence

import pulumi

from components.ainur import BootstrapCluster
from components.arda import Cluster
from model.plan import Plan
from stacks import deployed


def watch() -> list[pulumi.Resource]:
    """Every resource that is registered from now on, as it is."""
    seen: list[pulumi.Resource] = []

    def see(args: pulumi.ResourceTransformationArgs) -> None:
        seen.append(args.resource)

    pulumi.runtime.register_stack_transformation(see)
    return seen


def publish_deployed(plan: Plan, resources: Sequence[pulumi.Resource]) -> None:
    """Export what this run deploys, once every one of `resources` stands: after a failed run the last output holds."""
    raw = pulumi.Config().require_object("environment")
    standing = pulumi.Output.all(*[resource.urn for resource in resources])
    pulumi.export(deployed.OUTPUT, standing.apply(lambda _: deployed.describe(raw, plan)))


def publish(plan: Plan, ainur: BootstrapCluster | None, arda: Cluster | None) -> None:
    """Export addresses, URLs, credentials (secret) and next steps."""
    kubeconfigs = {}
    if plan.bootstrap and ainur:
        kubeconfigs[plan.bootstrap.name] = ainur.kubeconfig
    if plan.cluster and arda:
        kubeconfigs[plan.cluster.name] = arda.kubeconfig
        pulumi.export("talosconfig", arda.talosconfig)
        pulumi.export("credentialsEnd", arda.end)
    pulumi.export("kubeconfigs", pulumi.Output.secret(kubeconfigs))
    pulumi.export("addresses", {host.name: host.address for host in plan.network.hosts})
    pulumi.export("urls", urls(plan))
    pulumi.export("nextSteps", next_steps(plan))


def urls(plan: Plan) -> dict[str, str]:
    """What can be opened or connected to, by name."""
    found = {}
    if plan.bootstrap:
        found[f"{plan.bootstrap.name} API"] = plan.bootstrap.api
    if plan.cluster:
        found[f"{plan.cluster.name} API"] = plan.cluster.endpoint
    if plan.network.netboot:
        found["boot services"] = f"http://{plan.network.netboot.address}/boot.ipxe"
    for gateway in plan.edge.gateways:
        found[gateway.name] = f"https://{gateway.hostname}"
    return found


def next_steps(plan: Plan) -> list[str]:
    """What the owner does now, as commands."""
    steps = []
    for name in (one.name for one in (plan.bootstrap, plan.cluster) if one):
        pick = f"jq -r '.[\"{name}\"]'"
        steps.append(f"{name}: pulumi stack output --show-secrets --json kubeconfigs | {pick} > {name}.kubeconfig")
    if plan.cluster:
        steps.append("talosctl: pulumi stack output --show-secrets talosconfig > talosconfig")
    steps.append("back up the state, which holds the clusters' keys: pulumi stack export --file backup.json")
    return steps
