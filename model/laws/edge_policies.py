"""Laws of how the gateways are spoken to: the oldest TLS, and whose word on the client's address is believed.

Owns Envoy Gateway's ClientTrafficPolicies against `edge`. Refuses what else such a policy may say: that is taste.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from model.closure.reading import items, mapping
from model.environment import Environment
from model.laws.closure import UNREADABLE
from model.laws.edge_folders import arda, objects
from model.laws.registry import Breach, tree_law
from model.tree import Tree

OLD = ("1.0", "1.1")
_FIRST = (*UNREADABLE, "edge-cluster-missing", "edge-pool-missing")


def _policies(env: Environment, tree: Tree) -> dict[str, Mapping[str, Any]]:
    """Gateway → what its ClientTrafficPolicy says."""
    found: dict[str, Mapping[str, Any]] = {}
    for one in objects(arda(env, tree), "ClientTrafficPolicy"):
        targets = [*items(one.spec.get("targetRefs")), *filter(None, [one.spec.get("targetRef")])]
        found |= {str(mapping(target).get("name")): one.spec for target in targets}
    return found


@tree_law("gitops-gateway-tls", unless=_FIRST)
def gateways_speak_current_tls(env: Environment, tree: Tree) -> Iterator[Breach]:
    """No gateway speaks TLS older than 1.2, which Envoy Gateway's own default is."""
    for name, spec in _policies(env, tree).items():
        oldest = str(mapping(spec.get("tls")).get("minVersion", ""))
        if name in env.edge.gateways and oldest in OLD:
            message = f"the ClientTrafficPolicy of {name} lets TLS {oldest} in, which is broken"
            yield Breach(f"edge.gateways.{name}", message, 'write minVersion: "1.2" there')


@tree_law("gitops-gateway-hops", unless=(*_FIRST, "edge-way-twice"))
def gateways_believe_who_stands_before_them(env: Environment, tree: Tree) -> Iterator[Breach]:
    """A gateway behind Cloudflare believes one hop's word on who the client is, any other nobody's: too many, and a
    client says what it likes; too few, and every visitor is Cloudflare."""
    if arda(env, tree) is None:
        return
    policies = _policies(env, tree)
    for name in env.edge.gateways:
        wanted = int(name == env.edge.entered and env.edge.proxied)
        detection = mapping(mapping(policies.get(name, {}).get("clientIPDetection")).get("xForwardedFor"))
        given = detection.get("numTrustedHops", 0)
        if given != wanted and "trustedCIDRs" not in detection:
            before = "Cloudflare stands before it" if wanted else "nobody stands before it"
            message = f"{name} believes {given} hops on who the client is, and {before}"
            copy = "gitops/shared/gateways/public has it" if wanted else "gitops/shared/gateways/lan has none"
            hint = f"write clientIPDetection.xForwardedFor.numTrustedHops: {wanted} in its ClientTrafficPolicy; {copy}"
            yield Breach(f"edge.gateways.{name}", message, hint, f"edge.{env.edge.mode}")
