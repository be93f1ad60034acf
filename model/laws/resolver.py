"""Laws of the resolver on the cluster: k8s-gateway may read what it is to answer for.

Owns its rights against its Corefile. Refuses its domain and its address (`edge_folders`).
"""

from collections.abc import Iterator

from model.closure.reading import said
from model.environment import Environment
from model.laws.closure import UNREADABLE
from model.laws.edge_folders import arda
from model.laws.registry import Breach, tree_law
from model.laws.words import listed
from model.routes.applied import applied
from model.routes.resolver import missing, told
from model.tree import Tree


@tree_law("gitops-k8s-gateway-blind", unless=(*UNREADABLE, "edge-cluster-missing", "edge-dns-inside"))
def resolver_may_read(env: Environment, tree: Tree) -> Iterator[Breach]:
    """k8s-gateway's account may read the kinds that its Corefile names, and the definitions where it looks for them:
    what it may not read it leaves out without a word, and no name of it is answered on the LAN."""
    graph, inside = arda(env, tree), env.edge.dns.inside
    if graph is None or inside is None or inside.by != "k8s-gateway":
        return
    objects = applied(graph)
    lacking = {kind: missing(kind, objects) for kind in dict.fromkeys(told(graph, tree))}
    blind = [kind for kind, rights in lacking.items() if rights]
    if blind:
        rights = listed(list(dict.fromkeys(str(one) for kind in blind for one in lacking[kind])), 4)
        file = next(one.folder for one in graph.apps if one.name == "k8s-gateway")
        message = f"{said(env, file)} is to answer for {listed(blind)}, and may not read {rights}"
        hint = "give its ClusterRole get, list and watch of them, as gitops/shared/k8s-gateway/access.yaml has it"
        yield Breach("edge.dns.inside.by", message[:239], hint, f"gitops.clusters.{graph.cluster}")
