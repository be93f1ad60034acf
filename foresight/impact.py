"""What an edit does to a lab that stands: field by field, node by node, in the order in which things are touched.

Owns putting together what changes, what reboots, what waits, what is refused. Refuses to touch or ask anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from foresight import edits, edits_of_nodes, edits_of_services, edits_of_versions, effects
from foresight.fields import Field, Reboot, changed, reboot
from foresight.machine_configuration import documents
from foresight.steps import Step, breaches, steps
from model.environment import Environment
from model.findings import Finding
from model.laws.versions import minor
from model.plan import Plan
from model.talos import ClusterNodePlan, ClusterPlan

RULES = (edits, edits_of_nodes, edits_of_services, edits_of_versions)
"""Every module that holds rules: importing one enters them."""
Touch = Literal["changes", "joins", "leaves", "goes", "stays"]


@dataclass(frozen=True)
class Side:
    """A lab as it was, or as it is wanted."""

    environment: Environment
    plan: Plan | None
    """None where today's folders no longer let it be planned."""
    configurations: Mapping[str, str] = field(default_factory=dict)
    """Hash of the patch that each member was sent; empty when that is not known."""

    @property
    def cluster(self) -> ClusterPlan | None:
        """The Talos cluster's plan."""
        return self.plan.cluster if self.plan else None


@dataclass(frozen=True)
class NodeImpact:
    """What happens to one machine."""

    name: str
    role: str
    touch: Touch
    """`goes`: its entry is deleted after it has left."""
    fields: tuple[Field, ...]
    reboot: Reboot
    etcd: str
    """What happens to its membership; empty for a worker."""
    vip: str
    """What happens to the API's address while it is touched; empty where nothing does."""
    image: tuple[str, str] | None
    """(installer before, after) where it changes."""

    @property
    def waiting(self) -> tuple[Field, ...]:
        """The fields without effect until the machine is upgraded."""
        return tuple(one for one in self.fields if one.waits)


@dataclass(frozen=True)
class Impact:
    """Everything that an edit does."""

    nodes: tuple[NodeImpact, ...]
    """In the order in which they are touched, those that nothing happens to left out."""
    steps: tuple[Step, ...]
    """What the cluster goes through, in order; empty when nothing of it is touched."""
    effects: tuple[effects.Effect, ...]
    """What is added, changed and removed besides, by the names that `pulumi preview` lists."""
    findings: tuple[Finding, ...]
    """What is refused, or warned of."""
    remade: tuple[str, ...]
    """Nodes whose configuration this program makes differently of the very same data."""

    @property
    def refused(self) -> bool:
        """Whether an error stops it."""
        return any(finding.grade == "error" for finding in self.findings)

    @property
    def nothing(self) -> bool:
        """Whether nothing at all would happen."""
        return not (self.nodes or self.effects or self.findings or self.remade)


def impact(before: Side, after: Side, made_again: Mapping[str, str] | None = None) -> Impact:
    """Compare two sides. `made_again` are hashes of `before`'s patches as this program makes them."""
    found = edits.judge(before.environment, after.environment)
    if before.plan is None or after.plan is None:
        return Impact((), (), (), tuple(found), ())
    nodes = _nodes(before.cluster, after.cluster)
    taken = steps(before.plan, after.plan, {node.name: node.reboot.verdict for node in nodes})
    found += breaches(before.environment, before.cluster, after.cluster, taken)
    known, made = before.configurations, made_again or {}
    remade = tuple(name for name in sorted(known) if name in made and known[name] != made[name])
    order = {step.node: index for index, step in reversed(list(enumerate(taken)))}
    nodes.sort(key=lambda node: order.get(node.name, len(order)))
    return Impact(tuple(nodes), taken, effects.effects(before.plan, after.plan), tuple(found), remade)


def _nodes(before: ClusterPlan | None, after: ClusterPlan | None) -> list[NodeImpact]:
    old = {node.name: node for node in before.nodes} if before else {}
    new = {node.name: node for node in after.nodes} if after else {}
    found = []
    for name in dict.fromkeys([*new, *old]):
        one = _node(before, old.get(name), after, new.get(name))
        if one.touch != "stays":
            found.append(one)
    return found


def _node(
    before: ClusterPlan | None, old: ClusterNodePlan | None, after: ClusterPlan | None, new: ClusterNodePlan | None
) -> NodeImpact:
    shape = new or old
    assert shape, "a node stands on one side at least"
    touch = _touch(old, new)
    fields: tuple[Field, ...] = ()
    if before and old and old.state == "member" and after and new and new.state == "member":
        fields = changed(documents(before, old), documents(after, new))
    image = (old.image.installer, new.image.installer) if touch == "stays" and old and new else None
    image = image if image and image[0] != image[1] else None
    touch = "changes" if touch == "stays" and (fields or image) else touch
    told = _reboot(touch, fields, before, after)
    etcd, vip = _etcd_and_vip(touch, shape, told, before, upgraded=image is not None)
    return NodeImpact(shape.name, shape.role, touch, fields, told, etcd, vip, image)


def _touch(old: ClusterNodePlan | None, new: ClusterNodePlan | None) -> Touch:
    if new is None:
        return "leaves" if old and old.state == "member" else "goes"
    if new.state == "member":
        return "stays" if old and old.state == "member" else "joins"
    return "leaves" if old is None or old.state == "member" else "stays"


def _reboot(touch: Touch, fields: Sequence[Field], before: ClusterPlan | None, after: ClusterPlan | None) -> Reboot:
    if touch == "joins":
        return Reboot("yes", "a machine in maintenance mode installs Talos and starts from its disk", ())
    if touch == "leaves":
        return Reboot("yes", "a machine that leaves is reset", ())
    if before and after and minor(before.contract) != minor(after.contract):
        rule = (
            f"the contract goes from {before.contract} to {after.contract}: its generator's defaults are not known here"
        )
        return Reboot("unknown", rule, ("cluster.talos_contract",))
    # Upgrades come first: a configuration meets the Talos that is wanted
    return reboot(fields, minor(after.talos) if after else None)


def _etcd_and_vip(
    touch: Touch, node: ClusterNodePlan, told: Reboot, before: ClusterPlan | None, *, upgraded: bool
) -> tuple[str, str]:
    if node.role != "control-plane":
        return "", ""
    others = len(before.control_planes) - 1 if before else 0
    if touch == "joins":
        return "joins as a learner, then votes", ""
    if touch == "goes":
        return "has left", ""
    if touch == "leaves":
        return f"leaves; {others} go on", "passes to another if it leads"
    if told.verdict == "no" and not upgraded:
        return "stays a member", ""
    why = "upgraded" if upgraded else "rebooted"
    may = "may be away" if told.verdict == "unknown" and not upgraded else "away"
    passes = "passes to another if it leads" if others else "silent meanwhile: there is no other control plane"
    return f"{may} while it is {why}: {others} of {others + 1} go on", passes
