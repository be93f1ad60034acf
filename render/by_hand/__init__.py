"""The whole lab by hand: what `up` does, as commands in its order, for the day this program is gone.

Owns the list of steps and the two pages made of it. Refuses to decide an order of its own: a test holds the steps to
the graph's dependencies.
"""

from model.plan import Plan
from render.by_hand import bootstrap, cluster, edge, gitops
from render.by_hand.pages import guide, script
from render.by_hand.step import Step


def steps(plan: Plan) -> list[Step]:
    """Every step, in an order in which they can be done."""
    found = [*bootstrap.valar(plan), *bootstrap.boot_files(plan)]
    if plan.bootstrap:
        found += gitops.engine(plan, plan.bootstrap.name, f"secret/{plan.bootstrap.name}.kubeconfig")
    found += [*bootstrap.boot_services(plan), *bootstrap.maiar(plan)]
    if plan.cluster:
        found += cluster.talos(plan.cluster)
        found += cluster.network(plan, plan.cluster)
    found += edge.cloudflare(plan)
    if plan.cluster:
        found += [*edge.gateways(plan, plan.cluster.name), *bootstrap.mirrors(plan)]
        found += gitops.engine(plan, plan.cluster.name, f"secret/{plan.cluster.name}.kubeconfig")
    return found


def files(plan: Plan) -> dict[str, str]:
    """Path → text: the guide, the script, and every file that their commands name."""
    every = steps(plan)
    found = {path: text for step in every for path, text in step.files.items()}
    return found | {"BY-HAND.md": guide(plan, every), "by-hand.sh": script(plan, every)}
