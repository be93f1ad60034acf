"""Rules over what runs beside the machines: who serves their boots, and what GitOps lets go of.

Owns what passes from hand to hand by an edit, and what somebody must do outside the program meanwhile. Refuses the
engines themselves (`edits`), and the boot files, whose proof is `boot`'s.
"""

from collections.abc import Iterator

from foresight.edits import rule
from model.environment import Environment
from model.laws.registry import Breach
from model.laws.words import listed

SERVED_BY = "network.netboot.served_by"


@rule("change-netboot-served-by", "warning")
def one_serves_at_a_time(before: Environment, after: Environment) -> Iterator[Breach]:
    """Boots pass from one server to the other with nobody serving in between: two that answer at once tell one machine
    two things. A Pi without a card keeps the root it started from until it boots again."""
    old, new = before.network.netboot, after.network.netboot
    if old is None or new is None or old.served_by == new.served_by:
        return
    pis = sorted(name for name, pi in (after.bootstrap.nodes.items() if after.bootstrap else ()) if "sd" not in pi.boot)
    to_ainur = new.served_by == "ainur"
    here, there = (old.workstation, new.address) if to_ainur else (old.address, new.workstation)
    who = f"the workstation, {here}, to the bootstrap cluster, {there}"
    if not to_ainur:
        who = f"the bootstrap cluster, {here}, to the workstation, {there}"
    rooted = f"; {listed(pis, 4)} run from a root there until they boot again" if pis else ""
    first = "end dnsmasq on the workstation" if to_ainur else "render the workstation's files"
    then = "a minute later the bootstrap cluster answers" if to_ainur else "then start dnsmasq on the workstation"
    hint = f"in this order: {first}; the router's option 66 to {there}; `pulumi up`; {then}"
    yield Breach(SERVED_BY, f"what machines boot passes from {who}{rooted}", hint, "network.netboot.address")


@rule("change-gitops-category", "warning")
def what_is_let_go_stays(before: Environment, after: Environment) -> Iterator[Breach]:
    """A category that is taken out is let go: what its applications run stays, with its data, and nobody reconciles it
    any more. Nothing that GitOps runs is deleted by an edit of the stack file."""
    old, new = before.gitops, after.gitops
    for cluster, own in old.clusters.items() if old and new else ():
        if cluster not in {one.name for one in (after.cluster, after.bootstrap) if one}:
            continue  # it has another name, or is gone: other rules say so
        kept = new.clusters[cluster].categories if new and cluster in new.clusters else ()
        for category in (one for one in own.categories if one not in kept):
            message = (
                f"what {category} runs on {cluster} stays as it is, with its data, and nobody reconciles it any more"
            )
            hint = (
                f"to end it, delete the folders of {category} first where it is wanted gone; then its objects by hand"
            )
            yield Breach(f"gitops.clusters.{cluster}", message, hint)
