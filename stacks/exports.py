"""The stack's outputs: how to reach what stands, and what to do next.

Owns their names and forms. Refuses a secret that is not marked as one.
"""

from collections.abc import Sequence

import pulumi

from components.ainur import BootstrapCluster
from components.arda import Cluster
from model.plan import Plan
from stacks import deployed, renewal


def watch() -> list[pulumi.Resource]:
    """Every resource that is registered from now on, as it is."""
    seen: list[pulumi.Resource] = []

    def see(args: pulumi.ResourceTransformationArgs) -> None:
        seen.append(args.resource)

    pulumi.runtime.register_stack_transformation(see)
    return seen


def publish_deployed(plan: Plan, ainur: BootstrapCluster | None, resources: Sequence[pulumi.Resource]) -> None:
    """Export what this run deploys, once every one of `resources` stands: after a failed run the last output holds."""
    raw = pulumi.Config().require_object("environment")
    standing = pulumi.Output.all(*[resource.urn for resource in resources])
    read = {}
    if plan.bootstrap and ainur:
        read[plan.bootstrap.name] = {"ends": _end(ainur), "reading": ainur.reading}
    told = pulumi.Output.all(standing, pulumi.Output.from_input(read))
    pulumi.export(deployed.OUTPUT, told.apply(lambda both: deployed.describe(raw, plan, both[1])))


def _end(ainur: BootstrapCluster) -> pulumi.Output[str]:
    """The day on which Ainur's kubeconfig ends, which is no secret."""
    return pulumi.Output.unsecret(ainur.kubeconfig.apply(renewal.end_of))


def publish(plan: Plan, ainur: BootstrapCluster | None, arda: Cluster | None) -> None:
    """Export addresses, URLs, credentials (secret) and next steps."""
    kubeconfigs, end = {}, {}
    if plan.bootstrap and ainur:
        kubeconfigs[plan.bootstrap.name] = ainur.kubeconfig
        end[f"{plan.bootstrap.name} kubeconfig"] = _end(ainur)
    if plan.cluster and arda:
        kubeconfigs[plan.cluster.name] = arda.kubeconfig
        pulumi.export("talosconfig", arda.talosconfig)
        end |= arda.end
    if end:
        pulumi.export("credentialsEnd", end)
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
