"""Laws of the namespaces that are seeded for apps (`gitops.clusters.<cluster>.seeds`).

Owns whose a namespace is. Refuses what stands in it, and who asks for a Secret there: that is the closure's.
"""

from collections.abc import Iterator

from model.closure.standing import KUBERNETES, PROGRAM, standing
from model.environment import Environment
from model.laws.registry import Breach, tree_law
from model.tree import Tree


@tree_law("gitops-seed-namespace", unless=("gitops-yaml", "gitops-cluster-unknown"))
def seeded_namespaces_are_nobody_elses(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A namespace that is seeded for apps is not one that Kubernetes or this program makes anyway: two resources would
    write one object, each its own label."""
    for name, cluster in env.gitops.clusters.items() if env.gitops else ():
        found = [one for one in standing(env, tree, name) if one.thing.kind == "Namespace"]
        makers = [(one.thing.name, one.by) for one in found if one.by in (KUBERNETES, PROGRAM)]
        for namespace in sorted(cluster.seeds):
            others = list(makers)
            if (namespace, PROGRAM) in others:
                others.remove((namespace, PROGRAM))  # the seed itself
            who = next((by for made, by in others if made == namespace), None)
            if who:
                message = f"{namespace} cannot be seeded for apps: {who} makes it anyway"
                path = f"gitops.clusters.{name}.seeds.{namespace}"
                yield Breach(path, message, "take a namespace of the app's own")
