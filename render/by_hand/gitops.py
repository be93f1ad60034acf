"""GitOps by hand: the engine's chart, and what makes it find the lab's folders.

Owns these steps. Refuses what runs: from here on the engine reconciles it.
"""

from model.plan import Plan
from render import argocd, manifests
from render.by_hand.step import Step, applied, installed


def engine(plan: Plan, cluster: str, kubeconfig: str) -> list[Step]:
    """Argo CD or Flux on a cluster; nothing where nothing is reconciled."""
    gitops = plan.gitops_on(cluster)
    if gitops is None:
        return []
    space = f"gitops-namespace-{cluster}"
    first, files = applied(kubeconfig, cluster, {space: manifests.namespace(gitops.chart.namespace)})
    command, values = installed(kubeconfig, cluster, gitops.chart)
    files |= values
    if gitops.engine == "argocd":
        bodies = {f"gitops-project-{cluster}": argocd.project(gitops)}
        for category, folder in gitops.categories:
            bodies[f"gitops-apps-{cluster}-{category}"] = argocd.application_set(gitops, category, folder)
        rest, objects = applied(kubeconfig, cluster, bodies)
        does = (space, f"gitops-argo-cd-{cluster}", *bodies)
        why = f"Argo CD, then an ApplicationSet a category: it reads {gitops.repository} at {gitops.revision}."
        return [Step(f"{cluster}: Argo CD", why, (*first, command, *rest), does, files | objects)]
    commands, does = [*first, command], [space, f"gitops-flux-operator-{cluster}"]
    if gitops.instance:
        instance, more = installed(kubeconfig, cluster, gitops.instance)
        commands.append(instance)
        does.append(f"gitops-flux-instance-{cluster}")
        files |= more
    why = f"Flux' operator, then the instance that reads {gitops.repository}."
    return [Step(f"{cluster}: Flux", why, tuple(commands), tuple(does), files)]
